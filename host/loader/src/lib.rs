//! Finds, checks and loads scheduler plugins.
//!
//! [`Plugins::load`] looks for shared libraries in the given places, checks each file before it is
//! mapped, loads a private copy of it and reads what schedulers it holds.
//! [`Plugins::create`] then makes a scheduler for one training run, as the plain
//! [`Controller`] that a trainer steers through.
//!
//! The order of checks is the point of this crate: each rules out what the next could not survive.
//! 1. `file`: size, kind and completeness, then a copy under the hash of its content. (Mapping
//!    a truncated library is a SIGBUS, overwriting a mapped one a SIGSEGV, and a path that was
//!    loaded before gives the old library.)
//! 2. `library`: the plain handshake symbol, then abi_stable's layout check, then the
//!    description. A panic in the plugin comes back as an error.
//! 3. `controller`: each call across the boundary.
//!
//! What must not live here: training, searching, storing, and any knowledge of who asks. A loaded
//! library is never unloaded.

mod controller;
mod file;
mod library;

use attune_plugin_api::Setup;
use attune_plugin_api::controller::Controller;
use attune_plugin_api::describe::Description;
use attune_plugin_api::param::{self, ParamError, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use file::FileError;
pub use library::{LibraryError, LoadedLibrary};

/// The most libraries that are loaded: each stays in memory until the program ends.
const MAX_LIBRARIES: usize = 256;

/// Every plugin that could be loaded.
#[derive(Debug, Default)]
pub struct Plugins {
    libraries: Vec<LoadedLibrary>,
}

/// A scheduler of a loaded library.
#[derive(Debug, Clone, Copy)]
pub struct Scheduler<'a> {
    /// What it is and takes.
    pub description: &'a Description,
    /// Where it comes from.
    pub library: &'a LoadedLibrary,
}

/// A library that could not be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot load the plugin {}: {reason}", path.display())]
pub struct LoadError {
    /// The file, as it was found.
    pub path: PathBuf,
    /// Whether it is, or lies in, a place that the user named.
    pub named: bool,
    /// What is wrong and what to do.
    pub reason: LoadReason,
}

/// Why a library could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadReason {
    /// The file itself is unfit.
    #[error(transparent)]
    File(#[from] FileError),
    /// The library is not one of ours, or not of this ABI, or failed while it was asked.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// So many were loaded that something is wrong.
    #[error(
        "{MAX_LIBRARIES} libraries are loaded already, and none is ever unloaded; remove plugins \
         that are not needed"
    )]
    TooMany,
    /// Another library already brought a scheduler of this name.
    #[error(
        "it holds a scheduler `{name}`, and so does {}; remove one of the two, or rename the \
         scheduler",
        other.display()
    )]
    DoubledName {
        /// The scheduler's name.
        name: String,
        /// The library that was loaded before.
        other: PathBuf,
    },
}

/// Why a scheduler could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// No loaded plugin holds it.
    #[error("no plugin holds a scheduler `{name}`; loaded are: {known}")]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A parameter was refused; the plugin has not seen it.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// The plugin refused or panicked.
    #[error("scheduler `{scheduler}` of {}: {message}", library.display())]
    Refused {
        /// The scheduler.
        scheduler: String,
        /// Its library.
        library: PathBuf,
        /// What the plugin said.
        message: String,
    },
}

impl Plugins {
    /// Loads every plugin in these places: a file is taken as it is, a folder is searched (not
    /// below) for shared libraries.
    ///
    /// Private copies go to `cache`, one per distinct content. What fails is reported and does not
    /// keep the others from loading.
    pub fn load(places: &[Place], cache: &Path) -> (Plugins, Vec<LoadError>) {
        file::remove_old_copies(cache);
        let mut plugins = Plugins::default();
        let mut errors = Vec::new();
        let found = places.iter().flat_map(|place| {
            let named = place.kind == PlaceKind::Named;
            place.libraries().into_iter().map(move |path| (path, named))
        });
        for (path, named) in found {
            if let Err(reason) = plugins.add(&path, cache) {
                errors.push(LoadError {
                    path,
                    named,
                    reason,
                });
            }
        }
        (plugins, errors)
    }

    fn add(&mut self, path: &Path, cache: &Path) -> Result<(), LoadReason> {
        if self.libraries.len() >= MAX_LIBRARIES {
            return Err(LoadReason::TooMany);
        }
        let copy = file::check_and_copy(path, cache)?;
        if self.libraries.iter().any(|l| l.hash() == copy.hash) {
            // The same content found twice, say in two search folders, is one plugin.
            return Ok(());
        }
        let library = LoadedLibrary::open(path, copy)?;
        for scheduler in &library.description().schedulers {
            if let Ok(held) = self.find(&scheduler.name) {
                return Err(LoadReason::DoubledName {
                    name: scheduler.name.clone(),
                    other: held.library.path().to_owned(),
                });
            }
        }
        self.libraries.push(library);
        Ok(())
    }

    /// The loaded libraries, in the order they were found.
    pub fn libraries(&self) -> &[LoadedLibrary] {
        &self.libraries
    }

    /// Every scheduler, in the order of libraries.
    pub fn schedulers(&self) -> impl Iterator<Item = Scheduler<'_>> {
        self.libraries.iter().flat_map(|library| {
            let schedulers = library.description().schedulers.iter();
            schedulers.map(move |description| Scheduler {
                description,
                library,
            })
        })
    }

    /// The scheduler of this name.
    ///
    /// # Errors
    /// [`CreateError::Unknown`].
    pub fn find(&self, name: &str) -> Result<Scheduler<'_>, CreateError> {
        self.schedulers()
            .find(|scheduler| scheduler.description.name == name)
            .ok_or_else(|| CreateError::Unknown {
                name: name.to_owned(),
                known: self.names().join(", "),
            })
    }

    /// The names of all schedulers, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .schedulers()
            .map(|scheduler| scheduler.description.name.as_str())
            .collect();
        names.sort_unstable();
        names
    }

    /// Makes a scheduler for one run. Parameters are checked against its description before the
    /// plugin sees them.
    ///
    /// # Errors
    /// [`CreateError`].
    pub fn create(
        &self,
        name: &str,
        given: &BTreeMap<String, Value>,
        setup: &Setup,
    ) -> Result<Box<dyn Controller>, CreateError> {
        let Scheduler {
            description,
            library,
        } = self.find(name)?;
        let params = param::check(description, given)?;
        controller::create(library, description, &params, setup)
            .map(|controller| Box::new(controller) as Box<dyn Controller>)
            .map_err(|message| CreateError::Refused {
                scheduler: name.to_owned(),
                library: library.path().to_owned(),
                message,
            })
    }
}

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

    /// The libraries here, sorted by name so that every start loads in the same order. What was
    /// named and is no folder is taken as a library, and fails with its own message if it is none.
    fn libraries(&self) -> Vec<PathBuf> {
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
