//! Files that appear whole or not at all.

use anyhow::{Context, bail};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Files in the making: each is written beside its place under another name. [`Outputs::keep`]
/// gives them their names; dropped before, they are gone.
#[derive(Debug)]
pub(super) struct Outputs {
    force: bool,
    written: Vec<Written>,
}

#[derive(Debug)]
struct Written {
    aside: PathBuf,
    place: PathBuf,
}

impl Outputs {
    /// None yet. With `force`, files that are there already are replaced.
    pub(super) fn new(force: bool) -> Self {
        Outputs {
            force,
            written: Vec::new(),
        }
    }

    /// Fails where `place` is taken and may not be replaced.
    pub(super) fn check(&self, place: &Path) -> anyhow::Result<()> {
        let taken = place.symlink_metadata();
        match taken {
            Ok(found) if found.is_dir() => bail!(
                "cannot write {}: it is a folder; give another path",
                place.display()
            ),
            Ok(_) if !self.force => Err(taken_already(place)),
            _ => Ok(()),
        }
    }

    /// Writes one file and syncs it.
    pub(super) fn file<T>(
        &mut self,
        place: &Path,
        write: impl FnOnce(&mut dyn Write) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let (file, result) = self.write(place, write)?;
        file.sync_all()
            .with_context(|| format!("cannot write {}; is the disk full?", place.display()))?;
        Ok(result)
    }

    /// Writes one of very many files, and leaves it to the system when they reach the disk: to sync
    /// each takes many times as long as to write it.
    pub(super) fn file_of_many<T>(
        &mut self,
        place: &Path,
        write: impl FnOnce(&mut dyn Write) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.write(place, write).map(|(_, result)| result)
    }

    fn write<T>(
        &mut self,
        place: &Path,
        write: impl FnOnce(&mut dyn Write) -> anyhow::Result<T>,
    ) -> anyhow::Result<(File, T)> {
        self.check(place)?;
        let mut file = BufWriter::new(self.begin(place)?);
        let result = write(&mut file)?;
        let file = file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .with_context(|| format!("cannot write {}; is the disk full?", place.display()))?;
        Ok((file, result))
    }

    /// Gives all files their names, and returns them.
    pub(super) fn keep(mut self) -> anyhow::Result<Vec<PathBuf>> {
        for Written { aside, place } in &self.written {
            name(aside, place, self.force)?;
        }
        let written = std::mem::take(&mut self.written);
        Ok(written.into_iter().map(|file| file.place).collect())
    }

    fn begin(&mut self, place: &Path) -> anyhow::Result<File> {
        let failed = || {
            format!(
                "cannot create {}; check that its folder can be written to",
                place.display()
            )
        };
        let (folder, file_name) = match (place.parent(), place.file_name()) {
            (Some(folder), Some(file_name)) => (folder, file_name.to_string_lossy()),
            _ => bail!("{} names no file; give another path", place.display()),
        };
        fs::create_dir_all(folder).with_context(failed)?;
        // A name that nobody else uses, so that two exports to one place do not mix. It is short
        // where the file's own is as long as a name can be.
        let shown: String = file_name.chars().take(40).collect();
        let pid = std::process::id();
        let number = self.written.len();
        let aside = folder.join(format!(".{shown}.{pid}-{number}.part"));
        let mut options = OpenOptions::new();
        let mut opened = options.write(true).create_new(true).open(&aside);
        if is(&opened, io::ErrorKind::AlreadyExists) {
            // An earlier process of this number left it behind.
            fs::remove_file(&aside).with_context(failed)?;
            opened = options.open(&aside);
        }
        let file = opened.with_context(failed)?;
        self.written.push(Written {
            aside,
            place: place.to_owned(),
        });
        Ok(file)
    }
}

impl Drop for Outputs {
    fn drop(&mut self) {
        for file in &self.written {
            // Whatever stops this, the error that led here says more.
            let _ = fs::remove_file(&file.aside);
        }
    }
}

/// Renames, but never over a file that may not be replaced, even one that has just come.
fn name(aside: &Path, place: &Path, force: bool) -> anyhow::Result<()> {
    if !force {
        let linked = fs::hard_link(aside, place);
        if is(&linked, io::ErrorKind::AlreadyExists) {
            return Err(taken_already(place));
        }
        if linked.is_ok() {
            return fs::remove_file(aside)
                .with_context(|| format!("cannot remove {}", aside.display()));
        }
        // There are file systems without links; there the check at the beginning has to do.
    }
    fs::rename(aside, place)
        .with_context(|| format!("cannot rename {} to {}", aside.display(), place.display()))
}

fn is<T>(result: &io::Result<T>, kind: io::ErrorKind) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == kind)
}

fn taken_already(place: &Path) -> anyhow::Error {
    anyhow::anyhow!(
        "{} is there already; give another path, or --force to replace it",
        place.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn write(text: &'static str) -> impl FnOnce(&mut dyn Write) -> anyhow::Result<()> {
        move |file| Ok(file.write_all(text.as_bytes())?)
    }

    #[test]
    fn files_appear_when_all_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("deep/er/b"));
        let mut outputs = Outputs::new(false);
        outputs.file(&a, write("1")).unwrap();
        outputs.file(&b, write("2")).unwrap();
        assert!(!a.exists() && !b.exists());
        assert_eq!(outputs.keep().unwrap(), [a.clone(), b.clone()]);
        assert_eq!(fs::read_to_string(&a).unwrap(), "1");
        assert_eq!(fs::read_to_string(&b).unwrap(), "2");
        assert_eq!(names(folder.path()), ["a", "deep"]);
    }

    #[test]
    fn nothing_is_left_of_what_failed() {
        let folder = tempfile::tempdir().unwrap();
        let mut outputs = Outputs::new(false);
        outputs.file(&folder.path().join("a"), write("1")).unwrap();
        let failed: anyhow::Result<()> =
            outputs.file(&folder.path().join("b"), |_| bail!("no more"));
        assert!(failed.is_err());
        drop(outputs);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_file_is_replaced_only_by_force() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a");
        fs::write(&place, "old").unwrap();
        let refused = Outputs::new(false).file(&place, write("new")).unwrap_err();
        assert!(refused.to_string().contains("--force"), "{refused}");

        // One that comes while the file is being written is not replaced either.
        let late = folder.path().join("late");
        let mut outputs = Outputs::new(false);
        outputs.file(&late, write("new")).unwrap();
        fs::write(&late, "old").unwrap();
        assert!(outputs.keep().is_err());
        assert_eq!(fs::read_to_string(&late).unwrap(), "old");

        let mut outputs = Outputs::new(true);
        outputs.file(&place, write("new")).unwrap();
        outputs.keep().unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "new");
        assert_eq!(names(folder.path()), ["a", "late"]);
        assert!(Outputs::new(true).check(folder.path()).is_err());
    }
}
