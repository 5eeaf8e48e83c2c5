//! What is done with a study file: begun, fetched, drafted, launched, saved.

use super::check::{Problem, State};
use super::complete::{absolute, folder_of};
use super::document::Document;
use super::drafting::Drafting;
use super::{Launch, REPLACE, SAVE, fields, knowledge};
use crate::dashboard::cx::{Cx, Step};
use crate::dashboard::data::want::{Fresh, Loaded, Want};
use crate::dashboard::deed::Deed;
use crate::dashboard::overlay::{Dialog, Entry, Overlay, Purpose};
use crate::dashboard::screens::Wants;

impl Launch {
    /// It is another study file now, which lies there.
    pub(super) fn replace(&mut self, text: String, file: String, drafting: Drafting, cx: &Cx<'_>) {
        self.document = Document::new(text);
        self.filled = self.document.text().to_owned();
        // It is there already, as far as is known.
        self.saved
            .extend(Some(file.clone()).filter(|file| !file.is_empty()));
        self.file = file;
        self.drafting = drafting;
        self.knowledge.check.forget();
        self.side_top = 0;
        self.renew(cx);
    }

    /// Form and editor show the text that there is now.
    pub(super) fn renew(&mut self, cx: &Cx<'_>) {
        let folder = self.folder(cx);
        let facts = self.knowledge.facts(&self.document, &folder);
        self.form.renew(&self.document, facts);
        if self.is_text {
            self.editor.show(self.document.text());
        }
    }

    /// Begins with another study, or an empty one; asks where something would be lost.
    pub(super) fn begin(&mut self, study: String, cx: &mut Cx<'_>) {
        if self.document.text() == self.filled {
            self.fetched = Some(study);
            return;
        }
        let text = "Replace the study file that you have here?";
        let dialog = Dialog::new(Purpose::Own(REPLACE), "Begin anew", text, Vec::new());
        cx.step(Step::Show(Overlay::Dialog(dialog)));
        self.fetched = None;
        self.form.start = study;
    }

    /// Puts the study that was fetched into the form.
    pub(super) fn fetch(&mut self, cx: &mut Cx<'_>, wants: &mut Wants) {
        let Some(study) = self.fetched.clone() else {
            return;
        };
        if study.is_empty() {
            self.fetched = None;
            self.replace(String::new(), String::new(), Drafting::from_nothing(), cx);
            self.choose("data.path", cx);
            return;
        }
        wants.answer(Want::Study(study.clone()), Fresh::Within(60_000));
        match cx.data.detail(&study) {
            Loaded::Waiting => {}
            Loaded::Failed(why) => {
                cx.complain(format!("{study} cannot be read: {why}"));
                self.fetched = None;
            }
            Loaded::Ready(detail) => {
                let file = knowledge::study_file(detail, cx.folder);
                let spec = detail.spec.clone();
                self.fetched = None;
                self.replace(spec, file, Drafting::never(), cx);
                cx.tell(format!(
                    "this is the study file of {study}: change what you like"
                ));
            }
        }
    }

    /// Takes in a draft, and asks for one where it would lose nothing. Says whether one is on its
    /// way.
    pub(super) fn draft(&mut self, cx: &Cx<'_>, wants: &mut Wants) -> bool {
        let folder = self.folder(cx);
        let facts = self.knowledge.facts(&self.document, &folder);
        let Some(draft) = self.drafting.want(&self.document, facts, &folder) else {
            return false;
        };
        match cx.data.drafted(&draft) {
            Loaded::Ready(drafted) => {
                self.document = self.drafting.take(draft, drafted, &self.document);
                self.renew(cx);
                false
            }
            // What cannot be drafted is written by hand.
            Loaded::Failed(_) => false,
            Loaded::Waiting => {
                if self.knowledge.check.rests(cx.now) {
                    wants.answer(Want::Draft(draft), Fresh::Once);
                }
                true
            }
        }
    }

    /// Launches, once the daemon has found nothing wrong.
    pub(super) fn launch(&mut self, cx: &mut Cx<'_>) {
        if !self.knowledge.check.launches {
            return;
        }
        match self.knowledge.check.state(self.document.text()) {
            State::Checking => return,
            State::Failed(why) => cx.complain(format!("the study cannot be checked: {why}")),
            State::Checked => match self.problems(cx).first().cloned() {
                Some(problem) => self.point_at(&problem, cx),
                None => cx.step(Step::Do(Deed::Launch(self.new_study(cx)))),
            },
        }
        self.knowledge.check.launches = false;
    }

    /// Says what is wrong, and goes there.
    pub(super) fn point_at(&mut self, problem: &Problem, cx: &mut Cx<'_>) {
        cx.complain(problem.told());
        let all = self.facts(cx).schedulers.iter();
        let all = all.map(|scheduler| scheduler.name.clone()).collect();
        let rows = fields::rows(&self.document, self.facts(cx), &all);
        let has_row = |path: &str| {
            path == fields::SCHEDULERS || rows.iter().any(|row| row.id().as_deref() == Some(path))
        };
        match (&problem.path, problem.line) {
            (Some(path), _) if !self.is_text && has_row(path) => {
                let path = path.clone();
                self.choose(&path, cx);
            }
            (_, Some(line)) => {
                self.is_text = true;
                self.editor.show(self.document.text());
                self.editor.go_to(line);
            }
            _ => {}
        }
    }

    pub(super) fn switch(&mut self, cx: &mut Cx<'_>) {
        self.is_text = !self.is_text;
        if self.is_text {
            if let Some(path) = self.form.bad.keys().next() {
                cx.tell(format!(
                    "what is typed at {path} is no value and not in the text"
                ));
            }
            self.form.bad.clear();
            self.editor.show(self.document.text());
            if let Some(line) = self.document.line(&self.form.chosen) {
                self.editor.go_to(line);
            }
        } else {
            self.editor.leave_search();
            let folder = self.folder(cx);
            let facts = self.knowledge.facts(&self.document, &folder);
            self.form.load(&self.document, facts);
        }
    }

    pub(super) fn ask_path(&self, cx: &mut Cx<'_>) {
        let path = knowledge::fresh(&self.path(cx), &self.saved);
        let hint = "a file that is not there yet; nothing is replaced";
        let entry = Entry::text("to", hint, path);
        let dialog = Dialog::new(Purpose::Own(SAVE), "Save the study file", "", vec![entry]);
        cx.step(Step::Show(Overlay::Dialog(dialog)));
    }

    /// Launches as soon as the daemon has found nothing wrong; says what is missing or no value.
    pub(super) fn ask_launch(&mut self, cx: &mut Cx<'_>) {
        if let Some((key, what)) = self.lacks() {
            cx.complain(format!("{what} first"));
            self.choose(key, cx);
            return;
        }
        let bad = self.form.bad.keys().next().cloned();
        let problems = self.problems(cx);
        let problem = problems.iter().find(|p| bad.is_some() && p.path == bad);
        match problem {
            Some(problem) => self.point_at(problem, cx),
            None => self.knowledge.check.launches = true,
        }
    }

    pub(super) fn save(&mut self, path: &str, cx: &mut Cx<'_>) {
        let path = absolute(path, cx.folder);
        let from = self.path(cx);
        let text = knowledge::moved(&self.document, &from, &path);
        if folder_of(&from) == folder_of(&path) {
            self.file.clone_from(&path);
        }
        self.saved.push(path.clone());
        cx.step(Step::Do(Deed::Save { path, text }));
    }
}
