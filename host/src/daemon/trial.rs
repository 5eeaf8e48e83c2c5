//! A trial that has not ended: its record, and who trains it.

use super::outbox::Rows;
use crate::study::space::FullConfig;
use crate::study::trial::direction_of;
use crate::{clock, convert};
use attune_protocol::work::{
    Answer, Checkpoint, Do, End, EpochReport, LeaseId, News, Order, Piece, SavedModel, SignalColumn,
};
use attune_protocol::{Number, Problem, Steer, TrialSummary};
use attune_store as disk;
use attune_store::{Best, Note, PluginBuild, TrialId, TrialRecord, TrialState};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Instant;
use tokio::sync::oneshot;

/// The longest text that a worker says.
const MAX_TEXT: usize = 16 << 10;
/// The most warnings of one trial.
const MAX_WARNINGS: usize = 64;
/// The most metrics of one epoch.
const MAX_METRICS: usize = 64;
/// The longest name of a metric.
const MAX_NAME: usize = 128;
/// The reason of a trial, or a study, that a person wants laid down, until it is: so that a daemon
/// which is killed meanwhile leaves the wish to the next one.
pub(super) const TO_BE_PAUSED: &str = "it is being paused by hand";
pub(super) const TO_BE_STOPPED: &str = "it is being stopped by hand";

/// A worker's number.
pub(super) type WorkerId = u64;

/// A trial that has not ended.
pub(super) struct Trial {
    pub(super) record: TrialRecord,
    /// Whether it was ever stored.
    pub(super) is_stored: bool,
    /// The epoch at which its segment ends; none while it waits for others to be decided.
    pub(super) until: Option<u32>,
    /// Who trains it.
    pub(super) lease: Option<Held>,
    /// The worker that holds it in memory, as it was at the end of its last segment.
    pub(super) warm_on: Option<WorkerId>,
    /// A person holds it, until it is resumed.
    pub(super) paused: bool,
    /// A person ends it as soon as it is laid down.
    pub(super) stopping: bool,
    /// Why it ended, where it ended by itself and its turn to be decided has not come.
    pub(super) ended: Option<String>,
    /// What people wrote about it.
    pub(super) note: Option<Note>,
}

/// A lease that is out.
pub(super) struct Held {
    pub(super) worker: WorkerId,
    pub(super) attempt: u64,
    /// It was ordered to lay down its work; said again with each answer until it has.
    pub(super) lay_down: bool,
    /// What a person wants done, and who waits for it.
    pub(super) steer: Option<Steering>,
}

/// What a person asked for, while it has not been done.
pub(super) struct Steering {
    pub(super) steer: Steer,
    pub(super) is_sent: bool,
    pub(super) give_up_at: Instant,
    pub(super) reply: oneshot::Sender<Result<(), Problem>>,
}

impl Trial {
    /// A trial that was suggested and has not begun.
    pub(super) fn suggested(
        config: &FullConfig,
        seed: u64,
        max_epochs: u32,
        plugin: Option<PluginBuild>,
    ) -> Self {
        Trial::of(TrialRecord {
            state: TrialState::Queued,
            config: config
                .iter()
                .map(|(name, value)| (name.clone(), convert::stored(value)))
                .collect(),
            seed,
            plugin,
            started_unix_ms: None,
            ended_unix_ms: None,
            epochs: 0,
            max_epochs,
            steps: 0,
            seconds: 0.0,
            reason: None,
            final_metrics: BTreeMap::new(),
            best_metrics: BTreeMap::new(),
            warnings: Vec::new(),
            attempt: 0,
            deaths: Vec::new(),
            outcomes: Vec::new(),
            checkpoints: Vec::new(),
            model: None,
            interventions: Vec::new(),
        })
    }

    /// A trial as it is stored, with nobody training it.
    pub(super) fn of(record: TrialRecord) -> Self {
        let wish = record.reason.as_deref();
        Trial {
            is_stored: record.attempt > 0,
            paused: record.state == TrialState::Paused || wish == Some(TO_BE_PAUSED),
            stopping: wish == Some(TO_BE_STOPPED),
            record,
            until: None,
            lease: None,
            warm_on: None,
            ended: None,
            note: None,
        }
    }

    /// It at a glance. `metric` is the study's objective.
    pub(super) fn told(&self, id: TrialId, metric: &str) -> TrialSummary {
        TrialSummary {
            note: convert::note(self.note.as_ref()),
            ..convert::trial(id, &self.record, metric)
        }
    }

    /// What a person wants of it and is not done yet, in words.
    pub(super) fn wish(&self) -> Option<String> {
        let wish = match (self.stopping, self.paused) {
            (true, _) => TO_BE_STOPPED,
            (false, true) if self.record.state != TrialState::Paused => TO_BE_PAUSED,
            (false, _) => return None,
        };
        Some(wish.to_owned())
    }

    /// Whether a worker may take it now.
    pub(super) fn is_ready(&self) -> bool {
        self.until.is_some() && self.lease.is_none() && !self.paused && !self.stopping
    }

    /// The checkpoint that it goes on from.
    pub(super) fn last_checkpoint(&self) -> Option<&disk::Checkpoint> {
        self.record.checkpoints.iter().max_by_key(|c| c.step)
    }

    /// Takes in a piece of training. What is known already, because it was trained before its
    /// worker was lost, is the same again and is left out: what was acknowledged never goes away,
    /// not even for a moment. Gives the epochs that are new.
    ///
    /// Which epoch is the best in `objective` (the recorded name) is the trainer's to say: it
    /// settles ties, and its choice is the model that is saved.
    pub(super) fn grow<'p>(
        &mut self,
        piece: &'p Piece,
        objective: &str,
        rows: &mut Rows,
    ) -> Vec<&'p EpochReport> {
        let record = &mut self.record;
        let known = usize::try_from(record.steps.saturating_sub(piece.first_step)).unwrap_or(0);
        let losses = piece.losses.get(known..).unwrap_or_default();
        let first = piece.first_step.max(record.steps);
        let before = rows.steps.len();
        rows.steps.extend((first..).take(losses.len()));
        rows.losses.extend(losses.iter().map(|loss| loss.0));
        // A piece of epochs alone has no columns, and takes none from those that came before it.
        let groups = rows.rates.len().max(piece.rates.len());
        rows.rates.resize_with(groups, || vec![f64::NAN; before]);
        for (group, column) in rows.rates.iter_mut().enumerate() {
            let rates = piece.rates.get(group).and_then(|rates| rates.get(known..));
            column.extend(rates.unwrap_or_default().iter().map(|rate| rate.0));
            column.resize(rows.steps.len(), f64::NAN);
        }
        for signal in &piece.signals {
            let column = rows.signals.entry(signal.name.clone()).or_default();
            column.resize(before, f32::NAN);
            let values = signal.values.get(known..).unwrap_or_default();
            column.extend(values.iter().map(|value| value.0));
        }
        for column in rows.signals.values_mut() {
            column.resize(rows.steps.len(), f32::NAN);
        }
        record.steps = first + losses.len() as u64;

        let mut new = Vec::new();
        for epoch in &piece.epochs {
            record.seconds += epoch.seconds.0;
            if epoch.epoch <= record.epochs {
                continue;
            }
            record.epochs = epoch.epoch;
            for (name, value) in &epoch.metrics {
                let value = value.0;
                record.final_metrics.insert(name.clone(), value);
                let direction = convert::direction(direction_of(name));
                let best = record.best_metrics.get(name);
                let better = if name == objective {
                    epoch.best
                } else {
                    best.is_none_or(|best| direction.better(value, best.value))
                };
                if better {
                    let epoch = epoch.epoch;
                    let best = Best { value, epoch };
                    record.best_metrics.insert(name.clone(), best);
                }
            }
            new.push(epoch);
        }
        new
    }

    /// Takes note of a checkpoint; gives those that it replaces.
    pub(super) fn note_checkpoint(&mut self, new: &Checkpoint) -> Vec<disk::Checkpoint> {
        let kept_as = convert::kept_as(new.kept_as);
        let is_replaced = |old: &disk::Checkpoint| {
            old.step == new.step || (old.kept_as == kept_as && kept_as != disk::KeptAs::Rung)
        };
        let all = std::mem::take(&mut self.record.checkpoints);
        let (replaced, mut kept): (Vec<_>, Vec<_>) = all.into_iter().partition(is_replaced);
        kept.push(disk::Checkpoint {
            step: new.step,
            epoch: new.epoch,
            bytes: new.bytes,
            kept_as,
        });
        self.record.checkpoints = kept;
        // The file of the same step was written over, not replaced by another.
        replaced
            .into_iter()
            .filter(|old| old.step != new.step)
            .collect()
    }

    /// Takes note of the model that its worker wrote, if it wrote one.
    pub(super) fn keep_model(&mut self, model: Option<SavedModel>) {
        let Some(model) = model else {
            return;
        };
        let test = model.test.into_iter().map(|(name, value)| (name, value.0));
        self.record.model = Some(disk::ModelFile {
            bytes: model.bytes,
            test: test.collect(),
        });
    }

    /// What its worker is to be told, if it holds it.
    pub(super) fn order(&mut self, id: &LeaseId, answer: &mut Answer) {
        let Some(held) = &mut self.lease else {
            return;
        };
        let mut order = |what| {
            answer.orders.push(Order {
                lease: id.clone(),
                what,
            });
        };
        if held.lay_down {
            order(Do::LayDown);
        }
        if let Some(steering) = &mut held.steer
            && !steering.is_sent
        {
            steering.is_sent = true;
            order(Do::Steer(steering.steer.clone()));
        }
    }

    /// Marks its end.
    pub(super) fn end(&mut self, state: TrialState, reason: Option<String>) {
        self.record.state = state;
        self.record.reason = reason;
        self.record.ended_unix_ms = Some(clock::unix_ms());
    }
}

/// Says what is wrong with a report that no worker of ours would send: what is taken must fit into
/// the store.
pub(super) fn check(news: &News) -> Result<(), &'static str> {
    let text_fits = |text: &String| text.len() <= MAX_TEXT;
    let metrics_fit = |metrics: &BTreeMap<String, Number>| {
        metrics.len() <= MAX_METRICS && metrics.keys().all(|name| name.len() <= MAX_NAME)
    };
    match news {
        News::Warnings(warnings)
            if warnings.len() > MAX_WARNINGS || !warnings.iter().all(text_fits) =>
        {
            Err("its warnings are too many or too long")
        }
        News::NotSteered(why) if !text_fits(why) => Err("its reason is too long"),
        News::Piece(piece) => {
            let rows = piece.losses.len();
            let columns = piece.rates.len() + piece.signals.len();
            let signals_fit = piece
                .signals
                .iter()
                .all(|signal| signal.values.len() == rows);
            if columns >= disk::MAX_COLUMNS
                || !signals_fit
                || piece.rates.iter().any(|r| r.len() != rows)
            {
                return Err("its columns do not have one length, or are too many");
            }
            let is_name =
                |signal: &SignalColumn| !signal.name.is_empty() && signal.name.len() <= MAX_NAME;
            let names: BTreeSet<&str> = piece.signals.iter().map(|s| s.name.as_str()).collect();
            if names.len() < piece.signals.len() || !piece.signals.iter().all(is_name) {
                return Err("its signals are named twice, or too long, or not at all");
            }
            if piece.first_step.checked_add(rows as u64).is_none() {
                return Err("its steps are beyond all numbers");
            }
            match piece.epochs.iter().all(|epoch| metrics_fit(&epoch.metrics)) {
                true => Ok(()),
                false => Err("its metrics are too many or have too long names"),
            }
        }
        News::Ended(
            End::Diverged { reason, .. } | End::Failed { reason } | End::Unusable { reason },
        ) if !text_fits(reason) => Err("its reason is too long"),
        News::Ended(
            End::Reached { model: Some(model) }
            | End::LaidDown { model: Some(model) }
            | End::Diverged {
                model: Some(model), ..
            },
        ) if !metrics_fit(&model.test) => Err("its metrics are too many or have too long names"),
        _ => Ok(()),
    }
}

/// Where a trial's checkpoints and model lie, in the folder of its study.
pub(crate) mod file {
    use super::PathBuf;
    use std::path::Path;

    pub(crate) fn folder(study: &Path, trial: u32) -> PathBuf {
        study.join(trial.to_string())
    }

    pub(crate) fn checkpoint(study: &Path, trial: u32, step: u64) -> PathBuf {
        folder(study, trial).join(format!("step-{step}.ckpt"))
    }

    pub(crate) fn model(study: &Path, trial: u32) -> PathBuf {
        folder(study, trial).join("model.safetensors")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use attune_protocol::Single;

    fn piece(first_step: u64, losses: &[f32], rates: &[&[f64]], epoch: Option<u32>) -> Piece {
        Piece {
            first_step,
            losses: losses.iter().map(|loss| Single(*loss)).collect(),
            rates: rates
                .iter()
                .map(|column| column.iter().map(|rate| Number(*rate)).collect())
                .collect(),
            signals: Vec::new(),
            epochs: epoch
                .map(|epoch| EpochReport {
                    epoch,
                    step: first_step,
                    metrics: BTreeMap::new(),
                    rate: Number(0.1),
                    best: false,
                    seconds: Number(1.0),
                })
                .into_iter()
                .collect(),
        }
    }

    #[test]
    fn every_step_of_a_round_keeps_its_rates() {
        let mut trial = Trial::suggested(&FullConfig::new(), 1, 9, None);
        let mut rows = Rows::default();
        let mut grow = |piece: Piece| trial.grow(&piece, "valid_loss", &mut rows).len();
        assert_eq!(grow(piece(0, &[1.0, 0.9], &[&[0.1, 0.2]], None)), 0);
        // The end of an epoch whose last step was reported already.
        assert_eq!(grow(piece(0, &[], &[], Some(1))), 1);
        // Trained again from a checkpoint of step 1, and one step more, with another group.
        assert_eq!(
            grow(piece(1, &[0.9, 0.8], &[&[0.2, 0.3], &[7.0, 8.0]], Some(1))),
            0
        );
        assert_eq!(rows.steps, [0, 1, 2]);
        assert_eq!(rows.losses, [1.0, 0.9, 0.8]);
        assert_eq!(rows.rates[0], [0.1, 0.2, 0.3]);
        assert!(rows.rates[1][..2].iter().all(|rate| rate.is_nan()));
        assert_eq!(rows.rates[1][2..], [8.0]);
    }

    #[test]
    fn what_a_scheduler_was_shown_stands_at_its_step() {
        let mut trial = Trial::suggested(&FullConfig::new(), 1, 9, None);
        let mut rows = Rows::default();
        let with = |piece: Piece, signals: &[(&str, &[f32])]| Piece {
            signals: signals
                .iter()
                .map(|(name, values)| SignalColumn {
                    name: (*name).into(),
                    values: values.iter().copied().map(Single).collect(),
                })
                .collect(),
            ..piece
        };
        let mut grow = |piece: Piece| {
            assert_eq!(check(&News::Piece(piece.clone())), Ok(()));
            trial.grow(&piece, "valid_loss", &mut rows);
        };
        grow(piece(0, &[1.0, 0.9], &[&[0.1, 0.2]], None));
        let nan = f32::NAN;
        // Another scheduler took the wheel, and the first of its steps is known.
        let swapped = piece(1, &[0.9, 0.8], &[&[0.2, 0.3]], None);
        grow(with(
            swapped,
            &[("a.0", &[5.0, 6.0]), ("metric", &[nan, 7.0])],
        ));
        grow(piece(3, &[0.7], &[&[0.4]], None));
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(rows.steps, [0, 1, 2, 3]);
        assert_eq!(bits(&rows.signals["a.0"]), bits(&[nan, nan, 6.0, nan]));
        assert_eq!(bits(&rows.signals["metric"]), bits(&[nan, nan, 7.0, nan]));

        let one = || piece(0, &[1.0], &[&[0.1]], None);
        for (signals, why) in [
            (&[("a", &[1.0, 2.0][..])][..], "one length"),
            (&[("a", &[1.0][..]), ("a", &[1.0])], "named twice"),
            (&[("", &[1.0][..])], "not at all"),
        ] {
            let error = check(&News::Piece(with(one(), signals))).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
