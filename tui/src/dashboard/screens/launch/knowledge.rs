//! What the form knows beside the study file: schedulers, the data, and the daemon's last word.

use super::check::Check;
use super::complete::{absolute, folder_of};
use super::document::Document;
use super::fields::Facts;
use super::trained::Trained;
use crate::dashboard::data::Data;
use crate::dashboard::data::want::{Fresh, Loaded, Want};
use crate::dashboard::screens::Wants;
use crate::dashboard::screens::plugins::describe::{self, Scheduler};
use attune_protocol::{DataEntry, DataLook, PluginInfo, StudyDetail};

/// It.
#[derive(Debug, Default)]
pub(super) struct Knowledge {
    plugins: Vec<PluginInfo>,
    schedulers: Vec<Scheduler>,
    /// Where was looked last, and what lies there.
    looked: Option<(String, DataLook)>,
    pub(super) check: Check,
}

/// Files come and go: a folder is looked at again after so many milliseconds.
const AGE: u64 = 15_000;

impl Knowledge {
    /// What holds for a study file whose folder is this one.
    pub(super) fn facts(&self, document: &Document, folder: &str) -> Facts<'_> {
        let place = place(document, folder);
        let looked = self.looked.as_ref().filter(|(path, _)| *path == place);
        Facts {
            schedulers: &self.schedulers,
            table: looked.and_then(|(_, look)| look.table.as_ref()),
            checked: self.check.checked(),
        }
    }

    /// What lay where was looked last.
    pub(super) fn entries(&self) -> &[DataEntry] {
        self.looked.as_ref().map_or(&[], |(_, look)| &look.entries)
    }

    /// What lies where the data file's path leads; nothing while that is asked.
    pub(super) fn look<'a>(
        &'a self,
        document: &Document,
        folder: &str,
        data: &'a Data,
    ) -> Option<Result<&'a DataLook, &'a str>> {
        let place = place(document, folder);
        match &self.looked {
            Some((path, look)) if *path == place => Some(Ok(look)),
            _ => match data.look(&place) {
                Loaded::Failed(why) => Some(Err(why)),
                _ => None,
            },
        }
    }

    /// Asks, and takes in what was answered.
    pub(super) fn follow(
        &mut self,
        document: &Document,
        folder: &str,
        data: &Data,
        now: u64,
        wants: &mut Wants,
    ) {
        if let Some(plugins) = data.plugins().ready().filter(|new| **new != self.plugins) {
            self.plugins.clone_from(plugins);
            self.schedulers = describe::schedulers(plugins);
        }
        let place = place(document, folder);
        if let Loaded::Ready(look) = data.look(&place) {
            let is_known = matches!(&self.looked, Some((path, known))
                if *path == place && known == look);
            if !is_known {
                self.looked = Some((place.clone(), look.clone()));
            }
        }
        if self.check.rests(now) {
            wants.answer(Want::Look(place), Fresh::Within(AGE));
        }
    }
}

/// Where the data file's path leads; its study file's folder where there is none yet.
fn place(document: &Document, folder: &str) -> String {
    let path = Trained::of(document).path();
    absolute(document.word(path).unwrap_or(""), folder)
}

/// The study file's path: where it came from, or where it would be saved.
pub(super) fn file(from: &str, document: &Document, folder: &str) -> String {
    if !from.is_empty() {
        return from.to_owned();
    }
    let data = document.word(Trained::of(document).path());
    let data = data.unwrap_or("study");
    let stem = data.rsplit('/').next().unwrap_or(data);
    let stem = stem.split('.').next().filter(|stem| !stem.is_empty());
    let name = document.word("name").or(stem).unwrap_or("study");
    format!(
        "{}/{}.toml",
        folder.trim_end_matches('/'),
        name.replace('/', "-")
    )
}

/// Where a study's own file lies, or would.
pub(crate) fn study_file(detail: &StudyDetail, folder: &str) -> String {
    if !detail.file.is_empty() {
        return detail.file.clone();
    }
    let name = detail.study.name.replace('/', "-");
    format!("{}/{name}.toml", folder.trim_end_matches('/'))
}

/// A name for a file that is none of these.
pub(super) fn fresh(file: &str, taken: &[String]) -> String {
    let stem = file.strip_suffix(".toml").unwrap_or(file);
    let mut names =
        std::iter::once(file.to_owned()).chain((2..).map(|number| format!("{stem}-{number}.toml")));
    names
        .find(|name| !taken.contains(name))
        .unwrap_or_else(|| file.to_owned())
}

/// The text as it is saved in another folder: the data's path leads to the same place from there.
pub(super) fn moved(document: &Document, from: &str, to: &str) -> String {
    let mut moved = document.clone();
    let key = Trained::of(document).path();
    if let Some(path) = document
        .word(key)
        .filter(|_| folder_of(from) != folder_of(to))
    {
        let whole = absolute(path, folder_of(from));
        moved.set(key, whole.into());
    }
    moved.text().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_its_study_or_its_data_and_never_twice() {
        let document = Document::new("[data]\npath = 'a/digits.csv'\n");
        let path = file("", &document, "/w");
        assert_eq!(path, "/w/digits.toml");
        assert_eq!(file("/x/y.toml", &document, "/w"), "/x/y.toml");
        let taken = [path.clone(), "/w/digits-2.toml".to_owned()];
        assert_eq!(fresh(&path, &taken), "/w/digits-3.toml");
        assert_eq!(moved(&document, &path, "/w/b.toml"), document.text());
        let there = moved(&document, &path, "/tmp/b.toml");
        assert_eq!(there, "[data]\npath = \"/w/a/digits.csv\"\n");
    }
}
