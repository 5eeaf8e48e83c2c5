//! Takes in a study that ran elsewhere: it can be looked at, compared and learnt from, and not
//! trained on.

use super::reception::checked_note;
use super::{invalid, not_found, unavailable};
use crate::convert::Census;
use crate::{clock, convert};
use attune_protocol::{ImportedStudy, ImportedTrial, Problem, StudySummary};
use attune_store::{
    Batch, Best, Change, Death, Direction, Id, Note, Outcome, OutcomeKind, Steps, Store, StudyId,
    StudyRecord, StudyState, TrialRecord, TrialState,
};
use std::collections::BTreeMap;

/// Stores it under a new id. Its study record comes last, so that what a crash leaves half done is
/// not there.
pub(super) fn import(store: &Store, study: ImportedStudy) -> Result<StudySummary, Problem> {
    let ImportedStudy {
        study: about,
        spec,
        notes,
        changes: summary,
        source,
        trials,
    } = study;
    let mut told = vec![format!("imported from {source}")];
    told.extend(notes);
    let mut changes = Vec::new();
    if !summary.is_empty() {
        changes.push(Change {
            unix_ms: about.created_unix_ms,
            seq: 0,
            spec: spec.clone(),
            summary,
        });
    }
    let note = checked_note(about.note).map_err(invalid)?;
    let direction = match about.direction {
        attune_protocol::Direction::Minimize => Direction::Minimize,
        attune_protocol::Direction::Maximize => Direction::Maximize,
    };
    let mut record = StudyRecord {
        name: about.name,
        // Until all of it is there.
        state: StudyState::Failed,
        spec,
        seed: about.seed,
        metric: about.metric,
        direction,
        planned_trials: u32::try_from(trials.len()).unwrap_or(u32::MAX),
        notes: told,
        created_unix_ms: about.created_unix_ms,
        ended_unix_ms: about.ended_unix_ms.or_else(|| Some(clock::unix_ms())),
        attune_version: env!("CARGO_PKG_VERSION").into(),
        reason: Some("its import was cut short; remove it and import again".into()),
        file: String::new(),
        data_hash: String::new(),
        parallel: 0,
        plugins: BTreeMap::new(),
        seconds: about.seconds.0,
        changes,
        origin: None,
        imported: Some(source),
        swapped: BTreeMap::new(),
    };
    let id = store.create_study(&record).map_err(unavailable)?;
    for (number, trial) in trials.into_iter().enumerate() {
        let number = u32::try_from(number).map_err(|_| invalid("too many trials"))?;
        add(store, id, number, trial, &record.metric, direction)?;
    }
    record.state = StudyState::Done;
    record.reason = None;
    let mut batch = Batch::new().put_study(id, &record);
    if note != Note::default() {
        batch = batch.put_note(Id::Study(id), &note);
    }
    store.apply(batch).map_err(unavailable)?;
    let mut census = Census::of(id, &record);
    let counted = store.each_trial(id, |id, trial| census.count(id, &trial));
    counted.map_err(not_found)?;
    Ok(StudySummary {
        note: convert::note(Some(&note)),
        ..census.summary()
    })
}

fn add(
    store: &Store,
    study: StudyId,
    number: u32,
    imported: ImportedTrial,
    metric: &str,
    direction: Direction,
) -> Result<(), Problem> {
    let id = study.trial(number);
    let ImportedTrial {
        trial,
        epochs,
        steps,
    } = imported;
    let rows = steps.steps.len();
    if let Some((name, _)) = steps
        .columns
        .iter()
        .find(|(_, values)| values.len() != rows)
    {
        return Err(invalid(format!(
            "trial {}: the column `{name}` has another length than its {rows} steps",
            trial.id
        )));
    }
    let objective = convert::on_valid(metric);
    let mut best_metrics: BTreeMap<String, Best> = BTreeMap::new();
    for (epoch, metrics) in &epochs {
        for (name, value) in metrics {
            let better = |best: &Best| match (name == &objective, direction) {
                (true, Direction::Maximize) => value.0 > best.value,
                _ => value.0 < best.value,
            };
            if best_metrics.get(name).is_none_or(better) {
                let best = Best {
                    value: value.0,
                    epoch: *epoch,
                };
                best_metrics.insert(name.clone(), best);
            }
        }
    }
    let outcomes = trial.rungs.iter().zip(0..).map(|(epoch, seq)| {
        let metrics = epochs.get(epoch);
        let value = metrics.and_then(|metrics| metrics.get(&objective));
        Outcome {
            seq,
            kind: OutcomeKind::Reached,
            epoch: (*epoch).into(),
            value: value.map_or(f64::NAN, |value| value.0),
        }
    });
    let outcomes = outcomes.collect();
    if let Some(value) = trial.value {
        let epoch = trial.best_epoch.unwrap_or(trial.epochs);
        let value = value.0;
        best_metrics.insert(objective, Best { value, epoch });
    }
    let state = match trial.state {
        attune_protocol::TrialState::Done => TrialState::Done,
        attune_protocol::TrialState::Stopped => TrialState::Stopped,
        attune_protocol::TrialState::Diverged => TrialState::Diverged,
        attune_protocol::TrialState::Failed => TrialState::Failed,
        // Nobody here trains it, whatever somebody elsewhere did.
        _ => TrialState::Lost,
    };
    let record = TrialRecord {
        state,
        config: trial
            .config
            .iter()
            .map(|(name, told)| (name.clone(), convert::stored(&convert::value(told))))
            .collect(),
        seed: trial.seed,
        plugin: convert::plugin_build(&trial.plugin),
        started_unix_ms: trial.started_unix_ms,
        ended_unix_ms: trial.ended_unix_ms.or_else(|| Some(clock::unix_ms())),
        epochs: trial.epochs,
        max_epochs: trial.max_epochs,
        steps: trial.steps,
        seconds: trial.seconds.0,
        reason: trial.reason,
        final_metrics: trial
            .metrics
            .iter()
            .map(|(name, v)| (name.clone(), v.0))
            .collect(),
        best_metrics,
        warnings: trial.warnings,
        attempt: 1,
        deaths: trial.deaths.into_iter().map(death).collect(),
        outcomes,
        checkpoints: Vec::new(),
        model: None,
        interventions: trial
            .interventions
            .iter()
            .map(convert::stored_intervention)
            .collect(),
    };
    let note =
        checked_note(trial.note).map_err(|why| invalid(format!("trial {}: {why}", trial.id)))?;
    let mut batch = Batch::new().put_trial(id, &record);
    if note != Note::default() {
        batch = batch.put_note(Id::Trial(id), &note);
    }
    for (epoch, metrics) in &epochs {
        let metrics = metrics
            .iter()
            .map(|(name, value)| (name.clone(), value.0))
            .collect();
        batch = batch.put_epoch(id, *epoch, &metrics);
    }
    if rows > 0 {
        let mut table = Steps::new(steps.steps);
        for (name, values) in steps.columns {
            let values: Vec<f64> = values.into_iter().map(|value| value.0).collect();
            // Losses and signals are 32-bit numbers, whatever form they came in.
            table = match name == "loss" || convert::is_signal(&name) {
                true => table.with_f32(&name, values.iter().map(|v| *v as f32).collect()),
                false => table.with_f64(&name, values),
            };
        }
        batch = batch.append_steps(id, table);
    }
    store.apply(batch).map_err(unavailable)
}

/// When it was is not told.
fn death(reason: String) -> Death {
    Death { unix_ms: 0, reason }
}
