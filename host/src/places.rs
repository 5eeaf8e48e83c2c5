//! Which folders Attune uses.
//!
//! `ATTUNE_HOME` puts everything under one folder; otherwise the XDG base directories are followed
//! (<https://specifications.freedesktop.org/basedir/latest/>).

use anyhow::Context;
use attune_loader::Place;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folders of one user or one `ATTUNE_HOME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Places {
    /// Histories and all else that must not be lost.
    pub(crate) state: PathBuf,
    /// What can be made again: private copies of plugins.
    pub(crate) cache: PathBuf,
    /// The user's own plugins.
    pub(crate) plugins: PathBuf,
}

impl Places {
    /// From the environment.
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        Self::from_variables(|name| env::var_os(name).filter(|value| !value.is_empty()))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> anyhow::Result<Self> {
        if let Some(home) = variable("ATTUNE_HOME") {
            let home = PathBuf::from(home);
            return Ok(Places {
                state: home.join("state"),
                cache: home.join("cache"),
                plugins: home.join("plugins"),
            });
        }
        let base = |name: &str, below_home: &str| -> anyhow::Result<PathBuf> {
            // The specification tells to ignore relative paths.
            let given = variable(name)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute());
            let folder = match given {
                Some(folder) => folder,
                None => PathBuf::from(
                    variable("HOME").context("neither ATTUNE_HOME nor HOME is set; set one")?,
                )
                .join(below_home),
            };
            Ok(folder.join("attune"))
        };
        Ok(Places {
            state: base("XDG_STATE_HOME", ".local/state")?,
            cache: base("XDG_CACHE_HOME", ".cache")?,
            plugins: base("XDG_DATA_HOME", ".local/share")?.join("plugins"),
        })
    }

    /// Where the database lies.
    pub(crate) fn store(&self) -> PathBuf {
        self.state.join("store")
    }

    /// Where private copies of plugins lie.
    pub(crate) fn plugin_copies(&self) -> PathBuf {
        self.cache.join("plugins")
    }

    /// Where plugins are looked for: what the command line names, the user's own, then those that
    /// come with the program.
    pub(crate) fn plugin_places(&self, named: &[PathBuf]) -> Vec<Place> {
        let mut places: Vec<Place> = named.iter().map(Place::named).collect();
        places.push(Place::own(&self.plugins));
        if let Ok(program) = env::current_exe() {
            // Beside the program as cargo builds it, and where an installation puts libraries.
            let folder = program.parent().unwrap_or(Path::new(""));
            places.push(Place::shared(folder));
            places.push(Place::shared(folder.join("../lib/attune")));
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(variables: &[(&str, &str)]) -> anyhow::Result<Places> {
        Places::from_variables(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn one_folder_or_the_xdg_ones() {
        let one = places(&[("ATTUNE_HOME", "/a"), ("HOME", "/h")]).unwrap();
        assert_eq!(one.state, Path::new("/a/state"));
        assert_eq!(one.plugins, Path::new("/a/plugins"));

        let xdg = places(&[
            ("HOME", "/h"),
            ("XDG_STATE_HOME", "/s"),
            ("XDG_CACHE_HOME", "rel"),
        ]);
        let xdg = xdg.unwrap();
        assert_eq!(xdg.state, Path::new("/s/attune"));
        assert_eq!(xdg.cache, Path::new("/h/.cache/attune"));
        assert_eq!(xdg.plugins, Path::new("/h/.local/share/attune/plugins"));

        assert!(places(&[]).unwrap_err().to_string().contains("set one"));
    }
}
