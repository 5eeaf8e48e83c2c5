//! Completing a path from what the daemon says lies there.

use attune_protocol::DataEntry;

/// A path that is being completed.
#[derive(Debug, Default)]
pub(super) struct Completion {
    /// What can follow, and which of them stands there now; nothing before more than one could.
    offers: Vec<String>,
    at: Option<usize>,
}

/// A path as the daemon takes it.
pub(super) fn absolute(path: &str, folder: &str) -> String {
    match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{}/{path}", folder.trim_end_matches('/')),
    }
}

/// The folder of a file.
pub(super) fn folder_of(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// An absolute path as it is written by somebody who wrote `typed`.
pub(super) fn written(path: &str, typed: &str, folder: &str) -> String {
    let folder = format!("{}/", folder.trim_end_matches('/'));
    let is_absolute = typed.starts_with('/');
    match path.strip_prefix(&folder) {
        Some(below) if !is_absolute => below.to_owned(),
        _ => path.to_owned(),
    }
}

/// The entries that begin with a path.
pub(super) fn fitting<'a>(
    entries: &'a [DataEntry],
    typed: &str,
    folder: &str,
) -> impl Iterator<Item = &'a DataEntry> {
    let whole = absolute(typed, folder);
    entries
        .iter()
        .filter(move |entry| entry.path.starts_with(&whole))
}

impl Completion {
    pub(super) fn is_under_way(&self) -> bool {
        self.at.is_some()
    }

    /// What a text becomes next: as far as all that fits agrees, then one after the other. Nothing
    /// where nothing more follows.
    pub(super) fn next(
        &mut self,
        typed: &str,
        entries: &[DataEntry],
        folder: &str,
    ) -> Option<String> {
        if let Some(at) = self.at {
            let next = (at + 1) % self.offers.len();
            self.at = Some(next);
            return Some(self.offers[next].clone());
        }
        let fits = fitting(entries, typed, folder);
        let offers: Vec<String> = fits
            .map(|entry| {
                let end = if entry.folder { "/" } else { "" };
                format!("{}{end}", written(&entry.path, typed, folder))
            })
            .collect();
        let shared = shared(&offers)?;
        if shared.len() > typed.len() {
            return Some(shared);
        }
        if offers.len() < 2 {
            return None;
        }
        let first = offers[0].clone();
        (self.offers, self.at) = (offers, Some(0));
        Some(first)
    }

    /// Whether a text is the path of a folder.
    pub(super) fn is_folder(&self, entries: &[DataEntry], typed: &str, folder: &str) -> bool {
        let whole = absolute(typed, folder);
        !typed.ends_with('/')
            && entries
                .iter()
                .any(|entry| entry.folder && entry.path == whole)
    }
}

/// The longest beginning that all share.
fn shared(texts: &[String]) -> Option<String> {
    let (first, others) = texts.split_first()?;
    let mut end = first.len();
    for other in others {
        let pairs = first.char_indices().zip(other.chars());
        let same = pairs.take_while(|((_, a), b)| a == b).last();
        let same = same.map_or(0, |((at, c), _)| at + c.len_utf8());
        end = end.min(same);
    }
    Some(first[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(paths: &[&str]) -> Vec<DataEntry> {
        let entry = |path: &&str| DataEntry {
            path: path.trim_end_matches('/').to_owned(),
            folder: path.ends_with('/'),
            bytes: 1,
        };
        paths.iter().map(entry).collect()
    }

    #[test]
    fn a_path_is_completed_as_far_as_it_is_clear_and_then_in_turn() {
        let entries = entries(&[
            "/home/me/data/",
            "/home/me/digits.csv",
            "/home/me/digitß.csv",
        ]);
        let mut completion = Completion::default();
        let mut next = |typed: &str| completion.next(typed, &entries, "/home/me");
        assert_eq!(next("da").as_deref(), Some("data/"));
        assert_eq!(next("di").as_deref(), Some("digit"));
        assert_eq!(next("digit").as_deref(), Some("digits.csv"));
        assert_eq!(next("digits.csv").as_deref(), Some("digitß.csv"));
        assert_eq!(next("digitß.csv").as_deref(), Some("digits.csv"));
        let mut completion = Completion::default();
        let next = completion.next("/home/me/da", &entries, "/home/me");
        assert_eq!(next.as_deref(), Some("/home/me/data/"));
        assert_eq!(completion.next("x", &entries, "/home/me"), None);
        assert_eq!(completion.next("digits.csv", &entries, "/home/me"), None);
        assert!(completion.is_folder(&entries, "data", "/home/me"));
    }

    #[test]
    fn paths_are_written_as_somebody_began_to() {
        assert_eq!(written("/a/b/c.csv", "", "/a"), "b/c.csv");
        assert_eq!(written("/a/b/c.csv", "/a/", "/a"), "/a/b/c.csv");
        assert_eq!(written("/x/c.csv", "", "/a"), "/x/c.csv");
        assert_eq!(absolute("b/c.csv", "/a/"), "/a/b/c.csv");
        assert_eq!(folder_of("/a/b/study.toml"), "/a/b");
    }
}
