//! Finds, checks and loads scheduler plugins.
//!
//! Finding and mapping are two things, because two kinds of processes do them:
//! - [`Scanner::scan`] looks for shared libraries in the given places, checks each file and makes a
//!   private copy of it. It maps nothing and runs no code of any library, so a daemon may do it.
//! - [`LoadedLibrary::open`] maps one such copy and reads what schedulers it holds;
//!   [`LoadedLibrary::create`] makes a scheduler for one training run, as the plain
//!   [`Controller`] that a trainer steers through. Only a process that may die does this. One that
//!   serves many trials keeps its libraries in [`Opened`].
//!
//! [`Plugins`] is both in a row, for a command that runs in a process of its own.
//!
//! The order of checks is the point of this crate: each rules out what the next could not survive.
//! 1. `file` and `elf`: size, kind and completeness, and the plain handshake symbol as the file holds
//!    it, then a copy under the hash of its content. (Mapping a truncated library is a SIGBUS,
//!    overwriting a mapped one a SIGSEGV, and a path that was loaded before gives the old library.)
//! 2. `library`: the copy's hash, the handshake as the system's loader finds it, then abi_stable's
//!    layout check, then the description. A panic in the plugin comes back as an error.
//! 3. `controller`: each call across the boundary.
//!
//! What must not live here: training, searching, storing, and any knowledge of who asks. A loaded
//! library is never unloaded.

mod controller;
mod elf;
mod file;
mod library;
mod opened;
mod place;
mod scan;

use attune_plugin_api::Setup;
use attune_plugin_api::controller::Controller;
use attune_plugin_api::describe::Description;
use attune_plugin_api::param::{ParamError, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use file::{FileError, copy_of, mark_used};
pub use library::{LibraryError, LoadedLibrary, MAX_DESCRIPTION_BYTES, read_description};
pub use opened::Opened;
pub use place::Place;
pub use scan::{Candidate, Scanner, scan};

/// The most libraries that are found, and that one process loads: each stays in its memory until it
/// ends.
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
    /// So many were found or loaded that something is wrong.
    #[error(
        "there are {MAX_LIBRARIES} plugins before it, and no more are taken; remove plugins that are \
         not needed"
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
        let (candidates, mut errors) = scan(places, cache);
        let (plugins, refused) = Plugins::open(&candidates);
        errors.extend(refused);
        (plugins, errors)
    }

    /// Loads what a scan found. What fails is reported and does not keep the others from loading,
    /// unless it takes the process down: see [`LoadedLibrary::open`].
    pub fn open(candidates: &[Candidate]) -> (Plugins, Vec<LoadError>) {
        let mut plugins = Plugins::default();
        let mut errors = Vec::new();
        for candidate in candidates {
            if let Err(reason) = plugins.add(candidate) {
                errors.push(LoadError {
                    path: candidate.path.clone(),
                    named: candidate.named,
                    reason,
                });
            }
        }
        (plugins, errors)
    }

    fn add(&mut self, candidate: &Candidate) -> Result<(), LoadReason> {
        if self.libraries.len() >= MAX_LIBRARIES {
            return Err(LoadReason::TooMany);
        }
        if self.libraries.iter().any(|l| l.hash() == candidate.hash) {
            return Ok(());
        }
        let library = LoadedLibrary::open(candidate)?;
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
        self.find(name)?.library.create(name, given, setup)
    }
}
