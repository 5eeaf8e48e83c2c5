//! Opening a private copy: content, handshake, layout check, description.

#![allow(unsafe_code)]

use crate::elf::HandshakeBytes;
use crate::file::{self, FileError};
use crate::scan::Candidate;
use crate::{CreateError, controller};
use abi_stable::library::lib_header_from_path;
use attune_plugin_api::controller::Controller;
use attune_plugin_api::describe::{Description, Library};
use attune_plugin_api::handshake::{self, Handshake, HandshakeError};
use attune_plugin_api::param::{self, Value};
use attune_plugin_api::v1::PluginV1_Ref;
use attune_plugin_api::{Setup, Signal};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// A description longer than this is refused: no library holds that much.
pub const MAX_DESCRIPTION_BYTES: usize = 4 << 20;

/// A plugin library that passed every check.
pub struct LoadedLibrary {
    path: PathBuf,
    hash: String,
    fingerprint: String,
    description: Library,
    module: PluginV1_Ref,
}

/// Why a library was refused.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The private copy cannot be read, or is not what it was.
    #[error(
        "its private copy {} {problem}; the next search for plugins that finds the library makes it \
         anew",
        copy.display()
    )]
    Copy {
        /// The private copy.
        copy: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The system's loader refused it.
    #[error("the system cannot load it: {0}")]
    Unloadable(String),
    /// It is some other library.
    #[error(
        "it is a library, but not an Attune plugin (it has no `ATTUNE_PLUGIN_HANDSHAKE`); add \
         `attune_plugin_api::export!(YourScheduler);` to its crate root"
    )]
    NotAPlugin,
    /// Its handshake is damaged or is something else under the same name.
    #[error("{0}; rebuild it with the attune-plugin-api of this version of Attune")]
    Handshake(#[from] HandshakeError),
    /// It speaks another ABI.
    #[error(
        "it speaks plugin ABI {found}, this Attune speaks {}; {remedy} (built by: {fingerprint})",
        handshake::ABI,
        remedy = if *found > handshake::ABI {
            "use a newer Attune, or rebuild the plugin with an older attune-plugin-api"
        } else {
            "rebuild the plugin with the attune-plugin-api of this version"
        }
    )]
    OtherAbi {
        /// The ABI it speaks.
        found: u32,
        /// What built it.
        fingerprint: String,
    },
    /// Its types differ from ours although its handshake agrees. The full comparison can be a
    /// thousand lines long, so it goes to a file.
    #[error(
        "its types are laid out differently from this Attune's although both speak ABI {}; \
         rebuild it with the attune-plugin-api of this version (built by: {fingerprint}; the whole \
         comparison is in {})",
        handshake::ABI,
        details.display()
    )]
    Layout {
        /// What built it.
        fingerprint: String,
        /// The file that holds the whole comparison.
        details: PathBuf,
    },
    /// It failed or panicked when asked what it holds.
    #[error("it failed to describe itself: {0}; this is a mistake in the plugin")]
    Describe(String),
    /// One of its schedulers asks to be shown what this version cannot measure.
    #[error(
        "its scheduler `{scheduler}` needs the signal `{signal}`, which this Attune cannot measure; \
         use a newer one"
    )]
    UnknownSignal {
        /// The scheduler.
        scheduler: String,
        /// The signal.
        signal: String,
    },
    /// What it describes is not sound.
    #[error("its description is not sound: {0}; this is a mistake in the plugin")]
    Description(String),
}

impl LoadedLibrary {
    /// Maps the private copy of a library that a scan found, after a look at whether its content is
    /// still the one that the scan saw.
    ///
    /// The code in a library's own initialisers runs here, and whatever it does to the process is
    /// done: whoever must not be taken down by it opens libraries in a process apart. A library is
    /// never unloaded; opening one content again costs the checks and no further memory to speak of.
    ///
    /// # Errors
    /// [`LibraryError`].
    pub fn open(candidate: &Candidate) -> Result<Self, LibraryError> {
        candidate.check()?;
        let copy = &candidate.copy;
        // What goes away between the look and the mapping is a copy that is gone, not a bad library.
        let or_gone = |error| candidate.check().err().unwrap_or(error);
        let handshake = map_and_read_handshake(copy).map_err(or_gone)?;
        let fingerprint = check_handshake(&handshake)?;
        // Not `RootModule::load_from_file`: it remembers one library per type and would return the
        // first plugin for every later path.
        let module = lib_header_from_path(copy)
            .and_then(|header| header.init_root_module::<PluginV1_Ref>())
            .map_err(|error| {
                let details = copy.with_extension("layout.txt");
                // Where even that cannot be written, the one line must do.
                let _ = std::fs::write(&details, error.to_string());
                or_gone(LibraryError::Layout {
                    fingerprint: fingerprint.clone(),
                    details,
                })
            })?;
        let description = describe(module)?;
        Ok(LoadedLibrary {
            path: candidate.path.clone(),
            hash: candidate.hash.clone(),
            fingerprint,
            description,
            module,
        })
    }

    /// Where it was found (not the private copy).
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The BLAKE3 hash of its content, in hexadecimal: the plugin's build, as histories record it.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Which kit, compiler, target and profile built it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Its crate's name and version and its schedulers.
    pub fn description(&self) -> &Library {
        &self.description
    }

    /// The scheduler of this name.
    ///
    /// # Errors
    /// [`CreateError::Unknown`].
    pub fn find(&self, name: &str) -> Result<&Description, CreateError> {
        let schedulers = &self.description.schedulers;
        schedulers.iter().find(|s| s.name == name).ok_or_else(|| {
            let known: Vec<&str> = schedulers.iter().map(|s| s.name.as_str()).collect();
            CreateError::Unknown {
                name: name.to_owned(),
                known: known.join(", "),
            }
        })
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
        let description = self.find(name)?;
        let params = param::check(description, given)?;
        controller::create(self, description, &params, setup)
            .map(|controller| Box::new(controller) as Box<dyn Controller>)
            .map_err(|message| CreateError::Refused {
                scheduler: name.to_owned(),
                library: self.path.clone(),
                message,
            })
    }

    pub(crate) fn module(&self) -> PluginV1_Ref {
        self.module
    }
}

impl fmt::Debug for LoadedLibrary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedLibrary")
            .field("path", &self.path)
            .field("hash", &self.hash)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// Judges the handshake that a file holds, before anything of it is mapped.
pub(crate) fn check_exported(bytes: &HandshakeBytes) -> Result<(), LibraryError> {
    // SAFETY: the array is as long as a handshake, and reading asks for no alignment.
    let handshake = unsafe { Handshake::read(bytes.as_ptr()) }?;
    check_handshake(&handshake).map(drop)
}

/// The description of a library from its JSON, sound in every way that needs no library to tell.
///
/// What a process apart wrote of a library passes through here again before it is believed: the
/// plugin's code ran in that process.
///
/// # Errors
/// [`LibraryError::Description`] and [`LibraryError::UnknownSignal`].
pub fn read_description(json: &str) -> Result<Library, LibraryError> {
    if json.len() > MAX_DESCRIPTION_BYTES {
        return Err(LibraryError::Description(format!(
            "it is {} bytes long, more than the {MAX_DESCRIPTION_BYTES} allowed",
            json.len()
        )));
    }
    refuse_unknown_signals(json)?;
    let library: Library =
        serde_json::from_str(json).map_err(|e| LibraryError::Description(e.to_string()))?;
    if library.schedulers.is_empty() {
        return Err(LibraryError::Description("it holds no scheduler".into()));
    }
    let mut seen: Vec<&Description> = Vec::new();
    for scheduler in &library.schedulers {
        scheduler.check().map_err(LibraryError::Description)?;
        if seen.iter().any(|earlier| earlier.name == scheduler.name) {
            return Err(LibraryError::Description(format!(
                "it holds two schedulers named `{}`",
                scheduler.name
            )));
        }
        seen.push(scheduler);
    }
    Ok(library)
}

impl Candidate {
    /// Whether the private copy is still what it was made as.
    ///
    /// # Errors
    /// [`LibraryError::Copy`].
    pub fn check(&self) -> Result<(), LibraryError> {
        let damaged = |problem: String| LibraryError::Copy {
            copy: self.copy.clone(),
            problem,
        };
        let bytes = file::read(&self.copy).map_err(|error| match error {
            FileError::Unreadable(source) => damaged(format!("cannot be read ({source})")),
            _ => damaged("was changed".into()),
        })?;
        match file::hash(&bytes) == self.hash {
            true => Ok(()),
            false => Err(damaged("was changed".into())),
        }
    }
}

/// What built it, where the ABI is ours.
fn check_handshake(handshake: &Handshake) -> Result<String, LibraryError> {
    handshake.check()?;
    let fingerprint = handshake.fingerprint();
    if handshake.abi() != handshake::ABI {
        return Err(LibraryError::OtherAbi {
            found: handshake.abi(),
            fingerprint,
        });
    }
    Ok(fingerprint)
}

fn map_and_read_handshake(copy: &Path) -> Result<Handshake, LibraryError> {
    // SAFETY: loading runs the library's initialisers, which no check can rule out; the file has
    // been found complete, and the copy is ours and never changed. The library is leaked below, so
    // nothing that was read from it can dangle.
    let library = unsafe { libloading::Library::new(copy) }.map_err(|error| {
        // What the system says is the cause; the error itself only says which call failed.
        let why = std::error::Error::source(&error).map(ToString::to_string);
        LibraryError::Unloadable(why.unwrap_or_else(|| error.to_string()))
    })?;
    // SAFETY: the symbol is only taken as an address here.
    let symbol = unsafe { library.get::<*const u8>(handshake::SYMBOL) };
    let handshake = match symbol {
        Err(_) => Err(LibraryError::NotAPlugin),
        // SAFETY: the library stays loaded. By the kit's contract a symbol of this name is a
        // `Handshake`; of a foreign one no more is read than the magic bytes, and of one with
        // another size no more than the size.
        Ok(address) => unsafe { Handshake::read(*address) }.map_err(LibraryError::from),
    };
    // Never unload: thread-local destructors and abi_stable's caches would outlive the code.
    std::mem::forget(library);
    handshake
}

/// A signal that this version cannot measure is no mistake of the plugin's, and is told as what it
/// is.
fn refuse_unknown_signals(json: &str) -> Result<(), LibraryError> {
    let value: serde_json::Value =
        serde_json::from_str(json).map_err(|e| LibraryError::Description(e.to_string()))?;
    let schedulers = value["schedulers"].as_array().into_iter().flatten();
    for scheduler in schedulers {
        let signals = scheduler["signals"].as_array().into_iter().flatten();
        for signal in signals.filter_map(|signal| signal.as_str()) {
            if signal.parse::<Signal>().is_err() {
                return Err(LibraryError::UnknownSignal {
                    scheduler: scheduler["name"].as_str().unwrap_or_default().to_owned(),
                    signal: signal.to_owned(),
                });
            }
        }
    }
    Ok(())
}

fn describe(module: PluginV1_Ref) -> Result<Library, LibraryError> {
    let json = module.describe()()
        .into_result()
        .map_err(|message| LibraryError::Describe(message.into()))?;
    read_description(&json)
}
