//! The plugins that there are, and what they hold.
//!
//! The daemon finds libraries but never maps one: each new build is described once by a probe, a
//! process of its own. One that kills its probe is put into quarantine.

use super::probe::{Prober, Verdict};
use super::study::Schedulers;
use attune_loader::{Candidate, LoadReason, Place, Scanner};
use attune_plugin_api::describe::{Description, Library};
use attune_protocol::PluginInfo;
use attune_protocol::work::LibraryFile;
use attune_store::{PluginBuild, StudyRecord};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything known of plugins.
pub(super) struct Catalogue {
    scanner: Scanner,
    /// What the probes said, by the hash of the library's content. Refusals are not remembered: a
    /// private copy that is gone is made anew by the next look, and a quarantine is lifted.
    known: BTreeMap<String, Arc<Known>>,
    prober: Prober,
    /// Where private copies lie.
    cache: PathBuf,
    /// Where libraries are looked for that nobody named.
    usual: Vec<Place>,
}

struct Known {
    library: Library,
    fingerprint: String,
}

/// A library that killed its probe.
pub(super) struct Fatal {
    pub(super) hash: String,
    pub(super) path: String,
    pub(super) how: String,
}

/// A library that cannot be used.
pub(super) struct Unusable {
    pub(super) path: PathBuf,
    /// Whether somebody named it, or the folder that it lies in.
    pub(super) named: bool,
    /// Which library, and why, in a sentence.
    pub(super) told: String,
}

/// What a look around found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) plugins: Vec<PluginInfo>,
    /// The schedulers that can be used, by name.
    pub(super) schedulers: Schedulers,
    pub(super) errors: Vec<Unusable>,
    pub(super) fatal: Vec<Fatal>,
}

impl Catalogue {
    pub(super) fn new(cache: PathBuf, usual: Vec<Place>, prober: Prober) -> Self {
        Catalogue {
            scanner: Scanner::new(&cache),
            known: BTreeMap::new(),
            prober,
            cache,
            usual,
        }
    }

    /// Looks into what somebody `named`, and into the usual places. `quarantined` gives the reason for
    /// which a library, by its hash, is not to be touched.
    pub(super) async fn look(
        &mut self,
        named: &[PathBuf],
        quarantined: &BTreeMap<String, String>,
    ) -> Found {
        let named = named.iter().map(Place::named);
        let places: Vec<Place> = named.chain(self.usual.iter().cloned()).collect();
        let (candidates, errors) = self.scanner.scan(&places);
        let mut found = Found::default();
        for error in errors {
            found.plugins.push(PluginInfo {
                path: error.path.to_string_lossy().into_owned(),
                hash: String::new(),
                library: None,
                fingerprint: String::new(),
                error: Some(error.reason.to_string()),
                quarantine: None,
            });
            found.errors.push(Unusable {
                named: error.named,
                told: error.to_string(),
                path: error.path,
            });
        }
        for candidate in candidates {
            self.add(&candidate, quarantined.get(&candidate.hash), &mut found)
                .await;
        }
        found
    }

    async fn add(
        &mut self,
        candidate: &Candidate,
        quarantined: Option<&String>,
        found: &mut Found,
    ) {
        let path = candidate.path.to_string_lossy().into_owned();
        let described = match quarantined {
            Some(why) => Err(why.clone()),
            None => {
                let described = self.described(candidate, found).await;
                let is_fatal = found.fatal.iter().any(|fatal| fatal.hash == candidate.hash);
                described.map_err(|why| match is_fatal {
                    true => format!("{why}; it is in quarantine now"),
                    false => why,
                })
            }
        };
        let mut info = PluginInfo {
            path: path.clone(),
            hash: candidate.hash.clone(),
            library: None,
            fingerprint: String::new(),
            error: None,
            quarantine: None,
        };
        let usable = described.and_then(|known| {
            let doubled = known.library.schedulers.iter().find_map(|scheduler| {
                let (_, other) = found.schedulers.get(&scheduler.name)?;
                Some(LoadReason::DoubledName {
                    name: scheduler.name.clone(),
                    other: PathBuf::from(&other.path),
                })
            });
            match doubled {
                Some(doubled) => Err(doubled.to_string()),
                None => Ok(known),
            }
        });
        match usable {
            Ok(known) => {
                info.library = serde_json::to_value(&known.library).ok();
                info.fingerprint = known.fingerprint.clone();
                for scheduler in &known.library.schedulers {
                    let file = library_file(candidate);
                    let entry = (scheduler.clone(), file);
                    found.schedulers.insert(scheduler.name.clone(), entry);
                }
            }
            Err(error) => {
                let told = format!("cannot load the plugin {path}: {error}");
                found.errors.push(Unusable {
                    path: candidate.path.clone(),
                    named: candidate.named,
                    told,
                });
                info.error = Some(error);
            }
        }
        found.plugins.push(info);
    }

    async fn described(
        &mut self,
        candidate: &Candidate,
        found: &mut Found,
    ) -> Result<Arc<Known>, String> {
        if let Some(known) = self.known.get(&candidate.hash) {
            return Ok(known.clone());
        }
        match self.prober.describe(candidate).await {
            Verdict::Answer((library, fingerprint)) => {
                let known = Arc::new(Known {
                    library,
                    fingerprint,
                });
                self.known.insert(candidate.hash.clone(), known.clone());
                Ok(known)
            }
            Verdict::Refused(complaint) => Err(complaint.error),
            Verdict::Died(how) => {
                let path = candidate.path.to_string_lossy().into_owned();
                found.fatal.push(Fatal {
                    hash: candidate.hash.clone(),
                    path,
                    how: how.clone(),
                });
                Err(format!(
                    "it killed the process that asked what it holds: {how}"
                ))
            }
            // A machine that is out of memory says nothing about a plugin.
            Verdict::NotAsked(why) => Err(why),
        }
    }

    /// The schedulers of a study as it was made: the same builds, from their private copies, also
    /// if the user has replaced or removed the libraries since.
    pub(super) async fn builds(&mut self, study: &StudyRecord) -> anyhow::Result<Schedulers> {
        let mut schedulers = Schedulers::new();
        for (scheduler, build) in study.swapped.iter().chain(&study.plugins) {
            let copy = attune_loader::copy_of(&build.build_hash, &self.cache);
            let candidate = Candidate {
                path: copy.clone(),
                copy,
                hash: build.build_hash.clone(),
                named: false,
            };
            let mut found = Found::default();
            let known = match self.made_whole(&candidate) {
                Ok(()) => self.described(&candidate, &mut found).await,
                Err(why) => Err(why),
            };
            let known = known.map_err(|why| {
                anyhow::anyhow!(
                    "the scheduler `{scheduler}` of {} {} cannot be used any more: {why}",
                    build.name,
                    build.version
                )
            })?;
            let description = known
                .library
                .schedulers
                .iter()
                .find(|d| d.name == *scheduler);
            let description: Description = description.cloned().ok_or_else(|| {
                anyhow::anyhow!(
                    "{} {} holds no scheduler `{scheduler}`",
                    build.name,
                    build.version
                )
            })?;
            schedulers.insert(scheduler.clone(), (description, library_file(&candidate)));
        }
        Ok(schedulers)
    }

    /// Makes a private copy anew that is damaged or gone, where a library of that build still lies in
    /// a usual place.
    fn made_whole(&mut self, candidate: &Candidate) -> Result<(), String> {
        let Err(damage) = candidate.check() else {
            return Ok(());
        };
        tracing::warn!(%damage, "a plugin's private copy is looked for");
        // What is wrong with other libraries is told where they are asked for.
        drop(self.scanner.scan(&self.usual));
        candidate.check().map_err(|_| {
            format!(
                "its private copy {} is damaged or gone, and no plugin folder holds that build any \
                 more; put its library back, and resume the study",
                candidate.copy.display()
            )
        })
    }

    /// Which build holds each of these schedulers, as histories record it.
    pub(super) fn recorded(&self, schedulers: &Schedulers) -> BTreeMap<String, PluginBuild> {
        schedulers
            .iter()
            .filter_map(|(name, (_, file))| {
                let known = self.known.get(&file.hash)?;
                let build = PluginBuild {
                    name: known.library.name.clone(),
                    version: known.library.version.clone(),
                    build_hash: file.hash.clone(),
                };
                Some((name.clone(), build))
            })
            .collect()
    }

    /// Whether the library of this hash, as far as it is known, holds this scheduler.
    pub(super) fn holds(&self, hash: &str, scheduler: &str) -> bool {
        let known = self.known.get(hash);
        known.is_some_and(|known| known.library.schedulers.iter().any(|s| s.name == scheduler))
    }

    pub(super) fn prober(&self) -> &Prober {
        &self.prober
    }
}

fn library_file(candidate: &Candidate) -> LibraryFile {
    let told = |path: &Path| path.to_string_lossy().into_owned();
    LibraryFile {
        path: told(&candidate.path),
        copy: told(&candidate.copy),
        hash: candidate.hash.clone(),
    }
}
