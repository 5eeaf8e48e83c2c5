//! Whether a study may go on, and by which study file: what may change, and what differs.
//!
//! What a changed study file does to the search is in `daemon/study/restore`.

use super::{Reception, absolute, refuse_parallel, searched};
use crate::daemon::engine::Ask;
use crate::daemon::study::{More, resolve};
use crate::daemon::{conflict, internal, invalid};
use crate::study::spec::{StudySpec, parse_duration};
use attune_protocol::{Problem, ResumeStudy, Resumed};
use attune_store::{StudyId, StudyRecord, StudyState};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

impl Reception {
    /// Lets a study go on, with more of what it had.
    pub(in crate::daemon) async fn resume(
        &self,
        id: StudyId,
        more: ResumeStudy,
    ) -> Result<Resumed, Problem> {
        refuse_parallel(more.parallel)?;
        let record = self.study(id)?;
        if let Some(imported) = &record.imported {
            return Err(conflict(format!(
                "study {id} was imported from {imported}, so nothing of it can be trained on"
            )));
        }
        if record.state == StudyState::Running && more == ResumeStudy::default() {
            return Err(conflict(format!(
                "study {id} is running already; give it more with `attune resume {id} --trials N` \
                 or `--budget TIME`, or another space with `--study FILE`"
            )));
        }
        let in_force = record
            .changes
            .last()
            .map_or(&record.spec, |change| &change.spec);
        let before = StudySpec::parse(Path::new(&record.file), in_force).map_err(invalid)?;
        // Mistakes are told of the file that they are in.
        let path = match &more.file {
            Some(file) => absolute(file)?,
            None => PathBuf::from(&record.file),
        };
        let text = changed(in_force, &more, &record)?;
        let (spec, changes) = match text.filter(|text| text != in_force) {
            None => (None, Vec::new()),
            Some(text) => {
                let spec = StudySpec::parse(&path, &text).map_err(invalid)?;
                refuse_other_changes(&before, &spec)?;
                let changes = differences(in_force, &text);
                (Some(spec).filter(|_| !changes.is_empty()), changes)
            }
        };
        self.refuse_too_little(id, &record, &before, spec.as_ref())?;
        let mut catalogue = self.catalogue.lock().await;
        let builds = catalogue.builds(&record).await;
        drop(catalogue);
        let schedulers =
            builds.map_err(|error| conflict(format!("study {id} cannot go on: {error:#}")))?;
        if let Some(spec) = &spec {
            let searched = searched(&schedulers, &record);
            resolve(spec, &searched).map_err(|error| {
                invalid(format!(
                    "{error:#} (a study keeps the builds of the schedulers that it began with: {})",
                    record
                        .plugins
                        .keys()
                        .cloned()
                        .collect::<Vec<_>>()
                        .join(", ")
                ))
            })?;
        }
        let more_for_it = More {
            spec,
            summary: changes.clone(),
        };
        let ask = |reply| Ask::Resume(id, schedulers, Box::new(more_for_it), more.parallel, reply);
        let event = self.hub.last();
        let study = self.engine.ask(ask).await?;
        Ok(Resumed {
            study,
            changes,
            event,
        })
    }

    /// A study that would end at once is not resumed.
    fn refuse_too_little(
        &self,
        id: StudyId,
        record: &StudyRecord,
        before: &StudySpec,
        after: Option<&StudySpec>,
    ) -> Result<(), Problem> {
        let is_over = record.state == StudyState::Done;
        let Some(after) = after else {
            return match is_over {
                false => Ok(()),
                true => Err(conflict(format!(
                    "study {id} has reached its end; give it more with `attune resume {id} \
                     --trials N` or `--budget TIME`, or another space with `--study FILE`"
                ))),
            };
        };
        let (had, has) = (before.most_trials(), after.most_trials());
        if has < had {
            return Err(invalid(match before.planned_trials() {
                0 => format!(
                    "study {id} is limited by its time alone, not by a number of trials; give it \
                     more with `--budget TIME`"
                ),
                _ => format!(
                    "study {id} has {had} trials, and cannot have fewer; {has} would be the number \
                     of all its trials"
                ),
            }));
        }
        if let Some(budget) = after.budget
            && budget.as_secs_f64() <= record.seconds
        {
            return Err(conflict(format!(
                "study {id} has spent its time, {} s; give it more with `--budget TIME`",
                budget.as_secs_f64()
            )));
        }
        let made = self
            .store
            .list_trials(id)
            .map_err(|e| internal(&e.into()))?;
        if is_over && has == had && made.len() >= has as usize {
            return Err(conflict(format!(
                "all {had} trials of study {id} have ended; give it more with `--trials N`"
            )));
        }
        Ok(())
    }
}

/// The study file from now on, if it is another one.
fn changed(
    in_force: &str,
    more: &ResumeStudy,
    record: &StudyRecord,
) -> Result<Option<String>, Problem> {
    if more.trials.is_none() && more.budget.is_none() {
        return Ok(more.spec.clone());
    }
    let text = more.spec.as_deref().unwrap_or(in_force);
    let mut table: toml::Table = text.parse().map_err(invalid)?;
    if let Some(trials) = more.trials {
        table.insert("trials".into(), i64::from(trials).into());
    }
    if let Some(budget) = &more.budget {
        let more = parse_duration(budget).map_err(invalid)?;
        let total = record.seconds + more.as_secs_f64();
        table.insert("budget".into(), format!("{}s", total.ceil()).into());
    }
    toml::to_string(&table).map(Some).map_err(invalid)
}

/// What a study was made with cannot change under its trials.
fn refuse_other_changes(before: &StudySpec, after: &StudySpec) -> Result<(), Problem> {
    let section = format!("[{}]", before.task.section());
    let same = [
        ("seed", before.seed == after.seed),
        ("reproducible", before.reproducible == after.reproducible),
        ("virtual_width", before.virtual_width == after.virtual_width),
        (&section, before.task == after.task),
        ("[objective]", before.metric == after.metric),
        ("[fidelity]", before.fidelity == after.fidelity),
        ("[steering]", before.steering == after.steering),
    ];
    match same.iter().find(|(_, same)| !same) {
        None => Ok(()),
        Some((key, _)) => Err(invalid(format!(
            "{}: `{key}` is not as it was when the study began; only trials, budget, [space] and \
             [search] can change, so start another study with `attune run`",
            after.path.display()
        ))),
    }
}

/// What differs between two study files, a sentence each.
fn differences(before: &str, after: &str) -> Vec<String> {
    let (before, after) = (flat(before), flat(after));
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter_map(|key| match (before.get(key), after.get(key)) {
            (Some(old), Some(new)) if old != new => Some(format!("{key}: {old} → {new}")),
            (Some(old), None) => Some(format!("{key}: {old} → not given")),
            (None, Some(new)) => Some(format!("{key}: not given → {new}")),
            _ => None,
        })
        .collect()
}

/// Keys as `space.lr`, with their values as TOML.
fn flat(text: &str) -> BTreeMap<String, String> {
    fn add(prefix: &str, table: &toml::Table, flat: &mut BTreeMap<String, String>) {
        for (key, value) in table {
            let key = match prefix {
                "" => key.clone(),
                prefix => format!("{prefix}.{key}"),
            };
            match value {
                // A range is one value, though TOML calls it a table.
                toml::Value::Table(table) if !table.contains_key("low") => add(&key, table, flat),
                toml::Value::Table(range) => {
                    flat.insert(key, as_written(range));
                }
                value => {
                    flat.insert(key, value.to_string());
                }
            }
        }
    }
    let mut flattened = BTreeMap::new();
    if let Ok(table) = text.parse::<toml::Table>() {
        add("", &table, &mut flattened);
    }
    flattened
}

/// A range with its ends in the order in which people write them.
fn as_written(range: &toml::Table) -> String {
    let mut entries: Vec<(&String, &toml::Value)> = range.iter().collect();
    entries.sort_by_key(|(key, _)| match key.as_str() {
        "low" => 0,
        "high" => 1,
        _ => 2,
    });
    let entries: Vec<String> = entries
        .iter()
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    format!("{{ {} }}", entries.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_said_key_by_key() {
        let before = "trials = 4\n[space]\nlr = { low = 0.1, high = 1.0 }\nwidth = 8\n";
        let after = "trials = 8\n[space]\nlr = { low = 0.1, high = 2.0 }\ndropout = 0.1\n";
        let told = differences(before, after);
        assert_eq!(
            told,
            [
                "space.dropout: not given → 0.1",
                "space.lr: { low = 0.1, high = 1.0 } → { low = 0.1, high = 2.0 }",
                "space.width: 8 → not given",
                "trials: 4 → 8",
            ]
        );
        assert_eq!(differences(before, before), Vec::<String>::new());
    }
}
