//! Which plugins there are, and which of them are in quarantine.
//!
//! How a library is asked what it holds is in `daemon/catalogue`.

use super::{Reception, absolute, no_scheduler};
use crate::clock;
use crate::convert;
use crate::daemon::catalogue::{Catalogue, Found};
use crate::daemon::engine::{Ask, in_quarantine, library_stem, plugin_name};
use crate::daemon::probe::Verdict;
use crate::daemon::{conflict, internal, invalid, not_found, unavailable};
use crate::worker::probe::PreviewQuestion;
use attune_plugin_api::param;
use attune_protocol::{PluginInfo, Preview, Previewed, Problem};
use attune_store::Quarantine;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The longest run in which a scheduler is tried, and the highest rate that it may begin with.
const MOST_STEPS: u64 = 1_000_000;
const HIGHEST_RATE: f64 = 1e6;

impl Reception {
    /// Every plugin that can be found, in the usual places and in these.
    pub(in crate::daemon) async fn plugins(
        &self,
        places: &[String],
    ) -> Result<Vec<PluginInfo>, Problem> {
        let named: Vec<PathBuf> = places
            .iter()
            .map(|p| absolute(p))
            .collect::<Result<_, _>>()?;
        let mut catalogue = self.catalogue.lock().await;
        let mut plugins = self.look(&mut catalogue, &named).await?.plugins;
        let quarantined = self.store.quarantines().map_err(|e| internal(&e.into()))?;
        for (hash, quarantine) in quarantined {
            let told = attune_protocol::Quarantine {
                unix_ms: quarantine.unix_ms,
                name: quarantine.name,
                reason: quarantine.reason,
            };
            match plugins.iter_mut().find(|plugin| plugin.hash == hash) {
                Some(plugin) => plugin.quarantine = Some(told),
                None => plugins.push(PluginInfo {
                    path: quarantine.path,
                    hash,
                    library: None,
                    fingerprint: String::new(),
                    error: None,
                    quarantine: Some(told),
                }),
            }
        }
        Ok(plugins)
    }

    /// Lifts a quarantine; the library is named by its name or the beginning of its hash.
    pub(in crate::daemon) async fn release(&self, which: &str) -> Result<Vec<PluginInfo>, Problem> {
        let quarantined = self.store.quarantines().map_err(|e| internal(&e.into()))?;
        let meant: Vec<String> = quarantined
            .iter()
            .filter(|(hash, quarantine)| {
                quarantine.name == which || (which.len() >= 8 && hash.starts_with(which))
            })
            .map(|(hash, _)| hash.clone())
            .collect();
        if meant.is_empty() {
            let names: Vec<&str> = quarantined.iter().map(|(_, q)| q.name.as_str()).collect();
            return Err(not_found(match names.is_empty() {
                true => format!("no plugin is in quarantine, so `{which}` is not"),
                false => format!(
                    "`{which}` is not in quarantine; these are: {}",
                    names.join(", ")
                ),
            }));
        }
        for hash in meant {
            self.engine
                .ask(|reply| Ask::Quarantine(hash, None, reply))
                .await?;
        }
        self.plugins(&[]).await
    }

    /// Tries a scheduler without training.
    pub(in crate::daemon) async fn preview(&self, preview: Preview) -> Result<Previewed, Problem> {
        let wrong = |key: &str, what: &str| Err(invalid(format!("`{key}` must be {what}")));
        if !(1..=MOST_STEPS).contains(&preview.steps) {
            return wrong("steps", "a whole number from 1 to 1000000");
        }
        if preview.steps_per_epoch == 0 {
            return wrong("steps_per_epoch", "a whole number of at least 1");
        }
        if !(0.0..=HIGHEST_RATE).contains(&preview.rate.0) {
            return wrong("rate", "a number from 0 to 1000000");
        }
        let mut catalogue = self.catalogue.lock().await;
        let found = self.look(&mut catalogue, &[]).await?;
        let quarantined = self.store.quarantines().map_err(|e| internal(&e.into()))?;
        let kept_away = quarantined
            .iter()
            .find(|(hash, _)| catalogue.holds(hash, &preview.scheduler));
        if let (Some((_, quarantine)), false) =
            (kept_away, found.schedulers.contains_key(&preview.scheduler))
        {
            return Err(conflict(in_quarantine(quarantine)));
        }
        let prober = catalogue.prober().clone();
        drop(catalogue);
        let Some((description, library)) = found.schedulers.get(&preview.scheduler) else {
            let names = found.schedulers.keys().map(String::as_str);
            let mut told = no_scheduler(&preview.scheduler, names);
            // Perhaps one of these does.
            told.extend(found.errors.iter().map(|error| format!("; {}", error.told)));
            return Err(invalid(told));
        };
        let given = preview.params.iter();
        let given = given.map(|(name, told)| (name.clone(), convert::value(told)));
        param::check(description, &given.collect()).map_err(invalid)?;
        let (scheduler, steps) = (preview.scheduler.clone(), preview.steps);
        let question = PreviewQuestion {
            library: library.clone(),
            preview,
        };
        match prober.preview(question).await {
            Verdict::Answer(previewed) => Ok(previewed),
            Verdict::Refused(complaint) => Err(invalid(complaint.error)),
            Verdict::Died(how) => Err(conflict(format!(
                "`{scheduler}` ended the process that tried {steps} steps of it: {how}"
            ))),
            Verdict::NotAsked(why) => Err(unavailable(why)),
        }
    }

    pub(super) async fn look(
        &self,
        catalogue: &mut Catalogue,
        named: &[PathBuf],
    ) -> Result<Found, Problem> {
        let quarantined = self.store.quarantines().map_err(|e| internal(&e.into()))?;
        let reasons: BTreeMap<String, String> = quarantined
            .into_iter()
            .map(|(hash, q)| {
                let how = format!(
                    "it is in quarantine: {}; `attune plugin release {}` lifts it",
                    q.reason, q.name
                );
                (hash, how)
            })
            .collect();
        let found = catalogue.look(named, &reasons).await;
        for fatal in &found.fatal {
            let quarantine = Quarantine {
                unix_ms: clock::unix_ms(),
                name: plugin_name(&library_stem(&fatal.path)),
                path: fatal.path.clone(),
                reason: format!(
                    "it killed the process that asked what it holds: {}",
                    fatal.how
                ),
                deaths: Vec::new(),
            };
            let hash = fatal.hash.clone();
            self.engine
                .ask(|reply| Ask::Quarantine(hash, Some(quarantine), reply))
                .await?;
        }
        Ok(found)
    }
}
