//! Where plugins are looked for, and which files there are taken for plugins.

use std::path::PathBuf;

/// Where plugins are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    path: PathBuf,
    kind: PlaceKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PlaceKind {
    Named,
    Own,
    Shared,
}

impl Place {
    /// A library, or a folder of libraries, that the user named: what is not there is an error.
    pub fn named(path: impl Into<PathBuf>) -> Self {
        Place {
            path: path.into(),
            kind: PlaceKind::Named,
        }
    }

    /// A folder, which need not exist, in which every shared library is meant as a plugin.
    pub fn own(path: impl Into<PathBuf>) -> Self {
        Place {
            path: path.into(),
            kind: PlaceKind::Own,
        }
    }

    /// A folder that holds other libraries too, such as that of the program itself: only names that
    /// begin with `libattune_plugin_` (as the system spells it) are taken.
    pub fn shared(path: impl Into<PathBuf>) -> Self {
        Place {
            path: path.into(),
            kind: PlaceKind::Shared,
        }
    }

    /// Whether the user named it.
    pub(crate) fn is_named(&self) -> bool {
        self.kind == PlaceKind::Named
    }

    /// The libraries here, sorted by name so that every start loads in the same order. What was
    /// named and is no folder is taken as a library, and fails with its own message if it is none.
    pub(crate) fn libraries(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(&self.path) else {
            return match self.kind {
                PlaceKind::Named => vec![self.path.clone()],
                PlaceKind::Own | PlaceKind::Shared => Vec::new(),
            };
        };
        let prefix = format!("{}attune_plugin_", std::env::consts::DLL_PREFIX);
        let mut found: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.ends_with(std::env::consts::DLL_SUFFIX)
                    && (self.kind != PlaceKind::Shared || name.starts_with(&prefix))
            })
            .collect();
        found.sort();
        found
    }
}
