//! Libraries that kill those who run them are kept from running, until a person releases them.

use super::State;
use crate::clock;
use attune_protocol::Event;
use attune_search::TrialNumber;
use attune_store::{Quarantine, StudyId, TrialId};
use std::path::Path;

/// A library in which so many trials were given up because their workers died is kept from running.
const STRIKES: usize = 2;

pub(in crate::daemon) fn in_quarantine(quarantine: &Quarantine) -> String {
    let Quarantine { name, reason, .. } = quarantine;
    format!("the plugin {name} is in quarantine: {reason}; `attune plugin release {name}` lifts it")
}

/// A plugin's name from that of its crate, or of its library's file without what the system puts
/// around it: usually the two are the same but for their hyphens.
pub(in crate::daemon) fn plugin_name(name: &str) -> String {
    let name = name.replace('_', "-");
    name.strip_prefix("attune-plugin-")
        .unwrap_or(&name)
        .to_owned()
}

/// A library's file name without what the system puts around it.
pub(in crate::daemon) fn library_stem(path: &str) -> String {
    let stem = Path::new(path).file_stem().unwrap_or_default();
    let stem = stem.to_string_lossy();
    stem.strip_prefix("lib").unwrap_or(&stem).to_owned()
}

impl State {
    /// Puts a library in quarantine, or releases it.
    pub(super) fn set_quarantine(&mut self, hash: &str, quarantine: Option<Quarantine>) {
        match &quarantine {
            Some(quarantine) => {
                self.quarantined.insert(hash.to_owned(), quarantine.clone());
            }
            None => {
                self.strikes.remove(hash);
                self.quarantined.remove(hash);
            }
        }
        self.outbox.put_quarantine(hash, quarantine);
    }

    /// A trial whose library is in quarantine fails at once.
    pub(super) fn refuse_quarantined(&mut self, id: StudyId, trial: TrialNumber) -> bool {
        let Some(study) = self.studies.get_mut(&id) else {
            return false;
        };
        let Some(quarantine) = study
            .library(trial)
            .and_then(|lib| self.quarantined.get(&lib.hash))
        else {
            return false;
        };
        let reason = in_quarantine(quarantine);
        if let Err(error) = study.fail(trial, reason, &mut self.outbox) {
            self.break_off(id, &error);
        }
        if let Some(Err(error)) = self
            .studies
            .get_mut(&id)
            .map(|study| study.fill(&mut self.outbox))
        {
            self.break_off(id, &error);
        }
        true
    }

    /// A trial was given up, or a worker lost, because of a library.
    pub(super) fn strike(&mut self, hash: &str, path: &str, trial: TrialId, how: &str) {
        let struck = self.strikes.entry(hash.to_owned()).or_default();
        struck.insert(trial);
        if struck.len() < STRIKES {
            return;
        }
        let trials: Vec<String> = struck.iter().map(ToString::to_string).collect();
        // A study that went on in another daemon knows its libraries as private copies, which are
        // called by their hashes.
        let build = self.studies.get(&trial.study);
        let build = build.and_then(|study| study.build(hash));
        let name = build.map_or_else(|| library_stem(path), |build| build.name.clone());
        let quarantine = Quarantine {
            unix_ms: clock::unix_ms(),
            name: plugin_name(&name),
            path: path.to_owned(),
            reason: format!(
                "it killed the workers of trials {}; the last one: {how}",
                trials.join(", ")
            ),
            deaths: trials,
        };
        tracing::error!(
            plugin = path,
            reason = quarantine.reason,
            "a plugin is in quarantine"
        );
        let message = in_quarantine(&quarantine);
        self.outbox.tell(trial.study, Event::Warning { message });
        self.outbox.put_quarantine(hash, Some(quarantine.clone()));
        self.quarantined.insert(hash.to_owned(), quarantine);
    }
}
