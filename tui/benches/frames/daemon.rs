//! A made-up daemon with a large study.

use crate::made_up::{self, NOW};
use crate::toy::{self, Toy};
use attune_protocol::*;
use attune_tui::dashboard::{Answer, Want};
use std::collections::BTreeMap;

/// Trials of the large study.
pub(crate) const TRIALS: u32 = 50_000;

/// Points of its longest curve.
pub(crate) const POINTS: u32 = 1_000_000;

/// The trials in training, which are the last ones.
const RUNNING: u32 = 10;

/// Points of the other curves, as the dashboard asks for them.
const USUAL: u32 = 400;

/// Trials in a page of a table.
const PAGE: u32 = 5_000;

/// The large study.
const STUDY: &str = "s13";

/// Updates in an epoch.
const STEPS: u64 = 23;

const METRICS: [&str; 4] = ["train_loss", "valid_accuracy", "valid_f1", "valid_loss"];

#[derive(Debug, Default)]
pub(crate) struct Daemon {
    toy: Toy,
    /// Epochs that each trial in training has made since the beginning.
    epochs: u32,
    /// Events that were told.
    told: u32,
}

impl Daemon {
    pub(crate) fn answer(&mut self, want: &Want) -> Result<Answer, String> {
        Ok(match want {
            Want::Studies => Answer::Studies(self.studies()),
            Want::Study(id) => match self.toy.answer(&Want::Study("s12".to_owned()))? {
                Answer::Study(known) => Answer::Study(StudyDetail {
                    study: study(id),
                    ..known
                }),
                other => other,
            },
            Want::Trials(study, from) => Answer::Trials(self.table(study, *from)),
            Want::Curves { trials, .. } => {
                let curves = trials.iter().map(|number| self.curve(*number));
                Answer::Curves(curves.collect())
            }
            Want::Trial(id) => Answer::Trial(self.detail(id)),
            Want::Zoom(_, query) => Answer::Zoom(zoom(query)),
            Want::Steps(_, query) => Answer::Steps(steps(query)),
            want => self.toy.answer(want)?,
        })
    }

    fn studies(&self) -> Vec<StudySummary> {
        let ids = (14..=200).rev().map(|number| format!("s{number}"));
        let others = ids.map(|id| study(&id));
        std::iter::once(study(STUDY)).chain(others).collect()
    }

    /// What the trials in training tell: an epoch each, in turn, and now and then that one ended.
    pub(crate) fn news(&mut self, count: usize, now: u64) -> Vec<Event> {
        (0..count)
            .map(|_| {
                self.told += 1;
                let number = TRIALS - RUNNING + self.told % RUNNING;
                self.epochs += u32::from(self.told.is_multiple_of(RUNNING));
                if self.told.is_multiple_of(97) {
                    let mut trial = self.summary(number - RUNNING);
                    trial.ended_unix_ms = Some(now);
                    let study = study(STUDY);
                    return Event::TrialEnded { trial, study };
                }
                let epoch = 10 + self.epochs;
                Event::Epoch(Progress {
                    trial: format!("{STUDY}.{number}"),
                    epoch,
                    step: u64::from(epoch) * STEPS,
                    metrics: metrics(number, epoch),
                    rate: Number(rate(number) * 0.999f64.powi(epoch as i32)),
                })
            })
            .collect()
    }

    fn table(&self, study: &str, from: u32) -> TrialTable {
        let all = if study == STUDY { TRIALS } else { 8 };
        let to = (from + PAGE).min(all);
        let keys: Vec<String> = config(0).into_keys().collect();
        let metrics = METRICS.map(str::to_owned).to_vec();
        let row = |number| toy::row(&self.summary(number), &keys, &metrics);
        TrialTable {
            rows: (from..to).map(row).collect(),
            next: (to < all).then_some(to),
            keys,
            metrics,
        }
    }

    fn summary(&self, number: u32) -> TrialSummary {
        let is_running = number >= TRIALS - RUNNING;
        let epochs = if is_running { 10 + self.epochs } else { 20 };
        let begun = NOW - 90_000_000 + u64::from(number / 4) * 5_000;
        let config = config(number);
        let scheduler = config["scheduler"].to_string();
        TrialSummary {
            id: format!("{STUDY}.{number}"),
            state: match number % 9 {
                _ if is_running => TrialState::Running,
                0..=5 => TrialState::Stopped,
                6 => TrialState::Diverged,
                _ => TrialState::Done,
            },
            scheduler,
            config,
            epochs,
            max_epochs: 20,
            steps: u64::from(epochs) * STEPS,
            value: Some(metrics(number, epochs)["valid_accuracy"]),
            best_epoch: Some(epochs),
            metrics: metrics(number, epochs),
            seconds: Number(4.5),
            rungs: vec![2, 6],
            started_unix_ms: Some(begun),
            ended_unix_ms: (!is_running).then_some(begun + 4_500),
            ..made_up::trial(0)
        }
    }

    fn detail(&self, id: &str) -> TrialDetail {
        let number = id.rsplit_once('.').and_then(|(_, n)| n.parse().ok());
        let number = number.unwrap_or(0);
        let mut trial = self.summary(number);
        id.clone_into(&mut trial.id);
        let points = length(number);
        let curve = |name: &str| Curve {
            name: name.to_owned(),
            points: (1..=points)
                .map(|x| {
                    let part = 20 * x / points;
                    let value = metrics(number, part)["valid_loss"];
                    (Number(f64::from(x)), value)
                })
                .collect(),
        };
        TrialDetail {
            epoch_curves: METRICS.map(|name| epochs(name, number, &trial)).to_vec(),
            step_curves: ["loss", "lr"].map(curve).to_vec(),
            trial,
        }
    }

    fn curve(&self, number: u32) -> TrialCurve {
        let points = length(number);
        let falls = |x: u32| 1.0 - (-f64::from(x) / f64::from(points) * 5.0).exp();
        let noise = |x: u32| 0.02 * part(x ^ number, 0.618_033_988_749_895);
        TrialCurve {
            trial: number,
            epochs: (1..=points).collect(),
            values: (1..=points).map(|x| Number(falls(x) + noise(x))).collect(),
            steps_per_epoch: Number(STEPS as f64),
            seconds_per_epoch: Number(0.2),
        }
    }
}

fn study(id: &str) -> StudySummary {
    let mut study = made_up::studies().remove(0);
    id.clone_into(&mut study.id);
    if id == STUDY {
        study.trials = TrialCounts {
            planned: 2 * TRIALS,
            running: RUNNING,
            done: TRIALS - RUNNING,
            ..TrialCounts::default()
        };
        study.best_trial = Some(format!("{STUDY}.{}", best()));
    } else {
        study.state = StudyState::Done;
    }
    study
}

/// The trial with the best value, which is the one with the long curves.
fn best() -> u32 {
    use std::sync::OnceLock;
    static BEST: OnceLock<u32> = OnceLock::new();
    *BEST.get_or_init(|| {
        let value = |number: &u32| metrics(*number, 20)["valid_accuracy"].0;
        let all = 0..TRIALS - RUNNING;
        all.max_by(|a, b| value(a).total_cmp(&value(b)))
            .unwrap_or(0)
    })
}

fn length(number: u32) -> u32 {
    if number == best() { POINTS } else { USUAL }
}

fn epochs(name: &str, number: u32, trial: &TrialSummary) -> Curve {
    let points = 1..=trial.epochs;
    Curve {
        name: name.to_owned(),
        points: points
            .map(|epoch| (Number(f64::from(epoch)), metrics(number, epoch)[name]))
            .collect(),
    }
}

/// A value between 0 and 1; a ratio that is far from all fractions spreads them evenly.
fn part(number: u32, ratio: f64) -> f64 {
    (f64::from(number) * ratio).fract()
}

fn rate(number: u32) -> f64 {
    10f64.powf(-3.0 + 3.0 * part(number, 0.618_033_988_749_895))
}

fn config(number: u32) -> BTreeMap<String, Scalar> {
    let float = |low: f64, high: f64, ratio: f64| {
        Scalar::Float(Number(low + (high - low) * part(number, ratio)))
    };
    let word = |words: &[&str]| {
        let word = words[number as usize % words.len()];
        Scalar::Text(word.to_owned())
    };
    [
        ("lr", Scalar::Float(Number(rate(number)))),
        ("momentum", float(0.8, 0.99, 0.754_877_666_246_693)),
        ("dropout", float(0.0, 0.5, 0.569_840_290_998_053)),
        ("weight_decay", float(0.0, 0.01, 0.819_172_513_396_164)),
        ("clip_norm", float(0.1, 10.0, 0.671_043_606_703_789)),
        ("label_smoothing", float(0.0, 0.2, 0.549_700_477_901_971)),
        ("greedy.factor", float(0.5, 0.99, 0.856_674_883_854_502)),
        ("greedy.patience", Scalar::Int(i64::from(number % 20))),
        ("batch_size", Scalar::Int(16 << (number % 4))),
        ("width", Scalar::Int(32 << (number % 5))),
        ("optimizer", word(&["sgd", "nesterov", "adam", "adamw"])),
        ("scheduler", word(&["greedy", "cosine", "hypergradient"])),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn metrics(number: u32, epoch: u32) -> Metrics {
    let reached = 0.98 - 0.1 * (rate(number).log10() + 1.0).powi(2);
    let reached = reached - 0.02 * part(number, 0.754_877_666_246_693);
    let accuracy = reached * (1.0 - (-f64::from(epoch) / 4.0).exp());
    let values = [1.1 - accuracy, accuracy, accuracy - 0.01, 1.2 - accuracy];
    let named = METRICS.map(str::to_owned).into_iter();
    named.zip(values.map(Number)).collect()
}

fn zoom(query: &ZoomQuery) -> Zoom {
    let count = u64::from(query.points.unwrap_or(USUAL));
    let each = u64::from(POINTS) / count;
    let bucket = |n: u64| {
        let value = 2.0 * (-(n as f64) / count as f64 * 4.0).exp() + 0.01;
        let noise = 0.1 * part(n as u32, 0.618_033_988_749_895);
        Bucket {
            from: n * each,
            to: (n + 1) * each - 1,
            min: Number(value * (0.9 - noise)),
            mean: Number(value),
            max: Number(value * (1.1 + noise)),
            last: Number(value),
        }
    };
    Zoom {
        name: query.column.clone(),
        buckets: (0..count).map(bucket).collect(),
    }
}

fn steps(query: &StepsQuery) -> StepRows {
    let from = query.from.unwrap_or(0);
    let steps: Vec<u64> = (from..from + u64::from(query.limit.unwrap_or(1_000))).collect();
    let column = |scale: f64| {
        steps
            .iter()
            .map(move |step| Number(scale / (1 + step) as f64))
    };
    let columns = [("loss", 2.0), ("lr", 0.1)]
        .map(|(name, scale)| (name.to_owned(), column(scale).collect()));
    StepRows {
        columns: columns.into(),
        next: steps.last().map(|last| last + 1),
        steps,
    }
}
