//! Which plugins there are, and which of them are in quarantine.
//!
//! How a library is asked what it holds is in `daemon/catalogue`.

use super::{Reception, absolute};
use crate::clock;
use crate::daemon::catalogue::{Catalogue, Found};
use crate::daemon::engine::{Ask, library_stem, plugin_name};
use crate::daemon::{internal, not_found};
use attune_protocol::{PluginInfo, Problem};
use attune_store::Quarantine;
use std::collections::BTreeMap;
use std::path::PathBuf;

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
