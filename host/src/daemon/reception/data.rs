//! Data before there is a study of them: which files there are, what is in one, and the study file
//! that suits it.

use super::{Reception, absolute};
use crate::daemon::{internal, invalid, unavailable};
use crate::study::dataset::lacking_column;
use crate::study::draft::{Form, to_toml};
use crate::study::spec::StudySpec;
use attune_protocol::{DataEntry, DataLook, Draft, Drafted, LookAtData, Problem};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;

/// The most entries that are told of a folder.
const MOST_ENTRIES: usize = 200;
/// The most entries of a folder that are read.
const MOST_READ: usize = 100_000;
/// Names of files that are data end like this.
const ENDINGS: [&str; 9] = [
    "csv", "tsv", "tab", "txt", "parquet", "pq", "npy", "npz", "gz",
];
/// How long a folder may take to be listed: it may lie on another machine.
const LIST_WITHIN: Duration = Duration::from_secs(10);

impl Reception {
    /// Lists what a path could become, and tells of the table where it is one's.
    pub(in crate::daemon) async fn look_at_data(
        &self,
        look: LookAtData,
    ) -> Result<DataLook, Problem> {
        if look.path.is_empty() {
            return Err(invalid("`path` is empty; give an absolute one, such as /"));
        }
        let path = absolute(&look.path)?;
        let asked = path.clone();
        let listed = tokio::task::spawn_blocking(move || list(&asked));
        let listed = timeout(LIST_WITHIN, listed).await.map_err(|_| {
            unavailable(format!(
                "{} could not be listed within {LIST_WITHIN:?}; is its disk there?",
                path.display()
            ))
        })?;
        let Listed {
            entries,
            is_file,
            problem,
        } = listed.map_err(|error| internal(&error.into()))?;
        let mut told = DataLook {
            entries,
            problem,
            ..DataLook::default()
        };
        if is_file {
            let prober = self.catalogue.lock().await.prober().clone();
            match self.inspections.table(&prober, &path).await {
                Ok(table) => told.table = Some(table.as_ref().clone()),
                Err(why) => told.problem = Some(why),
            }
        }
        Ok(told)
    }

    /// Writes the study file for some data.
    pub(in crate::daemon) async fn draft(&self, mut draft: Draft) -> Result<Drafted, Problem> {
        let path = absolute(&draft.data)?;
        let form = match draft.task.as_deref() {
            Some("text") => {
                let meta = tokio::fs::metadata(&path).await.map_err(|error| {
                    let path = path.display();
                    invalid(format!("cannot read {path}: {error}; check the path"))
                })?;
                Form::Text { bytes: meta.len() }
            }
            _ => {
                let prober = self.catalogue.lock().await.prober().clone();
                let table = self.inspections.table(&prober, &path).await;
                let table = table.map_err(invalid)?;
                let columns = table.columns.iter().map(|column| column.name.as_str());
                if let (Some(_), true, [class]) =
                    (table.pictures, draft.target.is_empty(), &table.columns[..])
                {
                    draft.target.clone_from(&class.name);
                }
                if draft.target.is_empty() {
                    let names: Vec<&str> = columns.take(10).collect();
                    return Err(invalid(format!(
                        "the column to predict is missing; name one with --target, such as {}",
                        names.join(", ")
                    )));
                }
                if let Some(lacking) = lacking_column(&path, [&draft.target], columns) {
                    return Err(invalid(lacking));
                }
                let rows = table.rows;
                match table.pictures {
                    Some(size) => Form::Pictures { rows, size },
                    None => Form::Table { rows },
                }
            }
        };
        let spec = to_toml(&draft, form);
        // What was said may be no value of the key that it is written to.
        match StudySpec::parse(Path::new(""), &spec) {
            Ok(_) => Ok(Drafted { spec }),
            Err(error) => Err(invalid(error.message)),
        }
    }
}

/// What there is at a path.
#[derive(Debug, Default)]
struct Listed {
    entries: Vec<DataEntry>,
    is_file: bool,
    problem: Option<String>,
}

fn list(path: &Path) -> Listed {
    let is_folder = path.is_dir();
    let (folder, beginning) = match (is_folder, path.parent()) {
        (false, Some(folder)) => (folder, path.file_name().unwrap_or_default()),
        _ => (path, OsStr::new("")),
    };
    let mut listed = Listed {
        is_file: !is_folder && path.exists(),
        ..Listed::default()
    };
    match entries(folder, beginning) {
        Ok(entries) => listed.entries = entries,
        Err(error) => {
            listed.problem = Some(format!("cannot list {}: {error}", folder.display()));
        }
    }
    listed
}

/// Folders, and files that look like data, whose names begin so.
fn entries(folder: &Path, beginning: &OsStr) -> io::Result<Vec<DataEntry>> {
    let shows_hidden = beginning.as_bytes().starts_with(b".");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)?.take(MOST_READ) {
        let Ok(entry) = entry else { continue };
        let name = entry.file_name();
        let is_hidden = name.as_bytes().starts_with(b".");
        if !name.as_bytes().starts_with(beginning.as_bytes()) || (is_hidden && !shows_hidden) {
            continue;
        }
        // Not the entry's own, which would be the link's.
        let Ok(meta) = fs::metadata(entry.path()) else {
            continue;
        };
        let Ok(path) = entry.path().into_os_string().into_string() else {
            continue;
        };
        if meta.is_dir() || (meta.is_file() && is_data(&entry.path())) {
            found.push(DataEntry {
                path,
                folder: meta.is_dir(),
                bytes: if meta.is_dir() { 0 } else { meta.len() },
            });
        }
    }
    // Files last, since folders are on the way to them.
    found.sort_by(|a, b| (!a.folder, &a.path).cmp(&(!b.folder, &b.path)));
    found.truncate(MOST_ENTRIES);
    Ok(found)
}

fn is_data(path: &Path) -> bool {
    let ending = path.extension().and_then(OsStr::to_str);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // As MNIST comes: train-images-idx3-ubyte.
    let is_idx = name.ends_with("idx3-ubyte");
    is_idx
        || ending.is_some_and(|ending| {
            ENDINGS
                .iter()
                .any(|known| ending.eq_ignore_ascii_case(known))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_completed_to_folders_and_data() {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["data", "dark", ".hidden", "data/inner"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        for file in [
            "d.csv",
            "data.CSV",
            "d.rs",
            ".d.csv",
            "other.tsv",
            "note.txt",
        ] {
            fs::write(dir.path().join(file), "a,b\n").unwrap();
        }
        std::os::unix::fs::symlink("d.csv", dir.path().join("link.csv")).unwrap();
        std::os::unix::fs::symlink("none", dir.path().join("dead.csv")).unwrap();
        let names = |path: &str| {
            let listed = list(&dir.path().join(path));
            let entries = listed.entries.iter();
            let names: Vec<String> = entries
                .map(|entry| {
                    let name = Path::new(&entry.path).strip_prefix(dir.path()).unwrap();
                    let mark = if entry.folder { "/" } else { "" };
                    format!("{}{mark}", name.display())
                })
                .collect();
            (names.join(" "), listed.is_file)
        };
        let all = "dark/ data/ d.csv data.CSV link.csv note.txt other.tsv";
        for (path, expected) in [
            ("", (all, false)),
            ("d", ("dark/ data/ d.csv data.CSV", false)),
            ("data", ("data/inner/", false)),
            ("data.", ("data.CSV", false)),
            ("d.csv", ("d.csv", true)),
            ("d.rs", ("", true)),
            (".", (all, false)),
            (".h", (".hidden/", false)),
            (".d", (".d.csv", false)),
            ("none", ("", false)),
        ] {
            let (names, is_file) = names(path);
            assert_eq!((names.as_str(), is_file), expected, "{path}");
        }
        let problem = list(&dir.path().join("none/d")).problem.unwrap();
        assert!(problem.contains("none: No such file"), "{problem}");
    }

    #[test]
    fn a_large_folder_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        for number in 0..300 {
            fs::write(dir.path().join(format!("{number:03}.csv")), "").unwrap();
        }
        fs::create_dir(dir.path().join("z")).unwrap();
        let listed = list(dir.path());
        assert_eq!(listed.entries.len(), MOST_ENTRIES);
        assert!(listed.entries[0].folder);
    }
}
