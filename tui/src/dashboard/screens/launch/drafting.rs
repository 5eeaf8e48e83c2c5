//! A study file that the daemon writes for a table, while nobody has written more of it than can be
//! said of a draft.

use super::complete::absolute;
use super::document::Document;
use super::fields::{self, Facts};
use super::trained::Trained;
use super::typed::Said;
use attune_protocol::{Draft, Drafted};

/// Keys that a draft keeps as somebody set them.
const KEPT: [&str; 9] = [
    "data.path",
    "data.target",
    "data.task",
    "objective.metric",
    "space.scheduler",
    "trials",
    "budget",
    "seed",
    "name",
];

/// Where drafting stands.
#[derive(Debug)]
pub(super) struct Drafting {
    /// The text that holds no more than a draft keeps, if it still is the study file's.
    ours: Option<String>,
    /// What was drafted last.
    done: Option<Draft>,
    /// The name that the last draft gave.
    name: Option<String>,
}

impl Drafting {
    /// The study file is empty.
    pub(super) fn from_nothing() -> Self {
        Drafting {
            ours: Some(String::new()),
            done: None,
            name: None,
        }
    }

    /// The study file is somebody's own.
    pub(super) fn never() -> Self {
        Drafting {
            ours: None,
            ..Drafting::from_nothing()
        }
    }

    /// A key was changed; this was the text before.
    pub(super) fn edited(&mut self, path: &str, before: &str, document: &Document) {
        if self.ours.as_deref() == Some(before) && KEPT.contains(&path) {
            self.ours = Some(document.text().to_owned());
        }
    }

    /// The draft that is wanted now.
    pub(super) fn want(
        &self,
        document: &Document,
        facts: Facts<'_>,
        folder: &str,
    ) -> Option<Draft> {
        if self.ours.as_deref() != Some(document.text()) {
            return None;
        }
        let target = match Trained::of(document) {
            Trained::Rows => fields::target(document, facts.table)?.name.clone(),
            Trained::Text => String::new(),
            Trained::Function | Trained::Factorisation => return None,
        };
        let word = |path: &str| document.word(path).map(str::to_owned);
        let schedulers = match document.get(fields::SCHEDULERS).and_then(Said::of) {
            Some(_) => fields::chosen(document, facts),
            None => Vec::new(),
        };
        let number = |path: &str| document.whole(path);
        let draft = Draft {
            data: absolute(document.word("data.path")?, folder),
            target,
            task: word("data.task").filter(|task| task != "auto"),
            protected: word("data.protected"),
            metric: word("objective.metric"),
            schedulers,
            models: Vec::new(),
            base: None,
            trials: number("trials").and_then(|trials| trials.try_into().ok()),
            budget: word("budget"),
            seed: number("seed").and_then(|s| s.try_into().ok()).unwrap_or(0),
        };
        let is_about_the_same = self.done.as_ref().is_some_and(|done| {
            (&done.data, &done.target, &done.task) == (&draft.data, &draft.target, &draft.task)
        });
        (!is_about_the_same).then_some(draft)
    }

    /// The study file that was drafted, with what a draft does not know.
    pub(super) fn take(
        &mut self,
        draft: Draft,
        drafted: &Drafted,
        document: &Document,
    ) -> Document {
        let mut new = Document::new(drafted.spec.clone());
        let name = new.word("name").map(str::to_owned);
        let own = document.word("name").map(str::to_owned);
        if let Some(own) = own.filter(|own| Some(own) != self.name.as_ref()) {
            new.set("name", own.into());
        }
        self.ours = Some(new.text().to_owned());
        (self.done, self.name) = (Some(draft), name);
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use attune_protocol::{DataColumn, DataTable};

    #[test]
    fn it_drafts_once_for_a_table_and_its_target_and_keeps_what_was_said() {
        let column = |name: &str| DataColumn {
            name: name.into(),
            kind: "numbers".into(),
            missing: 0,
            distinct: 3,
            examples: Vec::new(),
        };
        let table = DataTable {
            rows: 10,
            columns: vec![column("a"), column("b")],
            pictures: None,
        };
        let facts = Facts {
            schedulers: &[],
            table: Some(&table),
            checked: None,
        };
        let mut drafting = Drafting::from_nothing();
        let mut document = Document::new("");
        let mut set = |drafting: &mut Drafting, path: &str, value: toml_edit::Value| {
            let before = document.text().to_owned();
            document.set(path, value);
            drafting.edited(path, &before, &document);
            document.clone()
        };
        set(&mut drafting, "name", "mine".into());
        set(&mut drafting, "trials", 5.into());
        let now = set(&mut drafting, "data.path", "d.csv".into());
        assert_eq!(drafting.want(&now, facts, "/w"), None, "no target yet");
        let now = set(&mut drafting, "data.target", "a".into());
        let draft = drafting.want(&now, facts, "/w").unwrap();
        assert_eq!((draft.data.as_str(), draft.trials), ("/w/d.csv", Some(5)));
        let drafted = Drafted {
            spec: "name = 'd'\ntrials = 5\n[data]\npath = '/w/d.csv'\ntarget = 'a'\n".into(),
        };
        let mut new = drafting.take(draft, &drafted, &now);
        assert_eq!(new.word("name"), Some("mine"));
        assert_eq!(drafting.want(&new, facts, "/w"), None, "it is drafted");
        let before = new.text().to_owned();
        new.set("data.target", "b".into());
        drafting.edited("data.target", &before, &new);
        assert!(drafting.want(&new, facts, "/w").is_some());
        let before = new.text().to_owned();
        new.set("space.lr", 0.1.into());
        drafting.edited("space.lr", &before, &new);
        assert_eq!(drafting.want(&new, facts, "/w"), None, "it is theirs now");
    }
}
