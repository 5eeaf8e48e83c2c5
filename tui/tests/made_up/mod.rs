//! A made-up study, from closed forms, so that every picture of it is always the same.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test and the gallery use a part of it"
)]

use attune_protocol::*;
use attune_tui::summary::Objective;
use std::time::Duration;

/// When the pages are looked at.
pub const NOW: u64 = 1_700_000_000_000;

/// Schedulers in the order that the trials have them.
const SCHEDULERS: [&str; 4] = ["greedy", "cosine", "hypergradient", "onecycle"];

/// The study's objective.
pub fn objective() -> Objective {
    Objective {
        metric: "accuracy".to_owned(),
        direction: Direction::Maximize,
    }
}

/// A finished study of eight trials, one of which diverged and one of which failed.
pub fn study() -> StudyDetail {
    let mut trials: Vec<TrialSummary> = (0..8).map(trial).collect();
    trials.sort_by(|a, b| value(b).total_cmp(&value(a)));
    StudyDetail {
        study: summary(8),
        spec: String::new(),
        file: String::new(),
        trials,
        notes: Vec::new(),
        changes: Vec::new(),
    }
}

/// Studies in several states.
pub fn studies() -> Vec<StudySummary> {
    let mut running = summary(5);
    running.id = "s13".to_owned();
    running.name = "wine quality, second try".to_owned();
    running.state = StudyState::Running;
    running.ended_unix_ms = None;
    let mut interrupted = summary(3);
    interrupted.id = "s11".to_owned();
    interrupted.name = "diabetes".to_owned();
    interrupted.metric = "rmse".to_owned();
    interrupted.direction = Direction::Minimize;
    interrupted.best_value = Some(Number(53.2145));
    interrupted.state = StudyState::Interrupted;
    interrupted.created_unix_ms = NOW - 90_000_000;
    interrupted.ended_unix_ms = None;
    let mut empty = summary(0);
    empty.id = "s1".to_owned();
    empty.name = "Temperaturen 温度".to_owned();
    empty.state = StudyState::Failed;
    vec![running, summary(8), interrupted, empty]
}

/// Three trials with their curves.
pub fn details() -> Vec<TrialDetail> {
    [0, 1, 2].map(detail).to_vec()
}

/// The first `count` events of the study, two trials at a time, each with its time.
pub fn events(count: usize) -> Vec<(Event, Duration)> {
    let mut told = vec![Event::StudyStarted { study: summary(0) }];
    for pair in [0, 2, 4, 6] {
        let both = [pair, pair + 1];
        told.extend(both.map(|n| Event::TrialStarted { trial: begun(n) }));
        let epochs = |n: u32| trial(n).epochs;
        for epoch in 1..=20 {
            let at_it = both.into_iter().filter(|n| epochs(*n) >= epoch);
            told.extend(at_it.map(|n| Event::Epoch(progress(n, epoch))));
        }
        if pair == 4 {
            let message = "hypergradient asked for a rate of NaN at step 12; kept 0.05".to_owned();
            told.push(Event::Warning { message });
        }
        told.extend(both.map(|n| Event::TrialEnded {
            trial: trial(n),
            study: summary(n + 1),
        }));
    }
    let mut study = summary(8);
    study.state = StudyState::Done;
    told.push(Event::StudyEnded { study });
    let timed = told.into_iter().enumerate();
    timed
        .map(|(n, event)| (event, Duration::from_millis(500 * n as u64)))
        .take(count)
        .collect()
}

/// A trial by its number, counted from 0.
pub fn trial(n: u32) -> TrialSummary {
    let scheduler = SCHEDULERS[n as usize % 4];
    let (state, epochs, reason) = match n {
        2 => (TrialState::Stopped, 6, None),
        4 => (TrialState::Diverged, 2, Some("the loss was NaN at step 57")),
        5 => (
            TrialState::Failed,
            0,
            Some("scheduler cosine: parameter `warmup` is 2, but must be between 0 and 1"),
        ),
        _ => (TrialState::Done, 20, None),
    };
    let has_value = epochs > 2;
    let lr = [0.1, 0.05, 0.02, 0.2][n as usize % 4] * (1.0 + f64::from(n / 4));
    let mut config: std::collections::BTreeMap<String, Scalar> = [
        ("scheduler", Scalar::Text(scheduler.to_owned())),
        ("lr", Scalar::Float(Number(lr))),
        (
            "batch_size",
            Scalar::Int(if n.is_multiple_of(3) { 64 } else { 32 }),
        ),
        ("optimizer", Scalar::Text("nesterov".to_owned())),
        ("width", Scalar::Int(128)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    if scheduler == "greedy" {
        config.insert("greedy.patience".to_owned(), Scalar::Int(i64::from(n) + 3));
        config.insert("greedy.factor".to_owned(), Scalar::Float(Number(0.95)));
    }
    TrialSummary {
        id: format!("s12.{}", n + 1),
        state,
        scheduler: scheduler.to_owned(),
        config,
        seed: 7 + u64::from(n),
        epochs,
        max_epochs: 20,
        steps: u64::from(epochs) * 23,
        value: has_value.then(|| Number(accuracy(n, epochs))),
        best_epoch: has_value.then_some(epochs),
        metrics: if epochs > 0 {
            metrics(n, epochs)
        } else {
            Metrics::new()
        },
        seconds: Number(f64::from(epochs) * 0.21),
        reason: reason.map(str::to_owned),
        warnings: Vec::new(),
        plugin: format!("{scheduler} 0.1.0 (3f9a1c22)"),
        interventions: Vec::new(),
        deaths: Vec::new(),
        checkpoints: Vec::new(),
        rungs: Vec::new(),
        started_unix_ms: None,
        ended_unix_ms: None,
        note: attune_protocol::Note::default(),
    }
}

fn begun(n: u32) -> TrialSummary {
    TrialSummary {
        state: TrialState::Running,
        epochs: 0,
        steps: 0,
        value: None,
        best_epoch: None,
        metrics: Metrics::new(),
        seconds: Number(0.0),
        reason: None,
        ..trial(n)
    }
}

fn summary(ended: u32) -> StudySummary {
    let trials: Vec<TrialSummary> = (0..ended).map(trial).collect();
    let count = |state| trials.iter().filter(|trial| trial.state == state).count() as u32;
    let with_value = trials.iter().filter(|trial| trial.value.is_some());
    let best = with_value.max_by(|a, b| value(a).total_cmp(&value(b)));
    StudySummary {
        id: "s12".to_owned(),
        name: "digits".to_owned(),
        state: if ended == 8 {
            StudyState::Done
        } else {
            StudyState::Running
        },
        metric: "accuracy".to_owned(),
        direction: Direction::Maximize,
        seed: 7,
        trials: TrialCounts {
            planned: 8,
            running: if ended == 8 { 0 } else { 2 },
            done: count(TrialState::Done),
            stopped: count(TrialState::Stopped),
            diverged: count(TrialState::Diverged),
            failed: count(TrialState::Failed),
        },
        best_trial: best.map(|trial| trial.id.clone()),
        best_value: best.and_then(|trial| trial.value),
        created_unix_ms: NOW - 300_000,
        ended_unix_ms: Some(NOW - 300_000 + 64_000),
        seconds: Number(64.0),
        reason: None,
        origin: None,
        note: attune_protocol::Note::default(),
        trend: Vec::new(),
    }
}

pub fn detail(n: u32) -> TrialDetail {
    let trial = trial(n);
    let by_epoch = |name: &str| Curve {
        name: name.to_owned(),
        points: (1..=trial.epochs)
            .map(|epoch| (Number(f64::from(epoch)), metrics(n, epoch)[name]))
            .collect(),
    };
    let steps = 1..=trial.steps;
    let rates = steps.map(|step| (Number(step as f64), Number(rate(n, step))));
    TrialDetail {
        epoch_curves: ["train_loss", "valid_accuracy", "valid_loss"]
            .map(by_epoch)
            .to_vec(),
        step_curves: vec![Curve {
            name: "lr".to_owned(),
            points: rates.collect(),
        }],
        trial,
    }
}

fn progress(n: u32, epoch: u32) -> Progress {
    Progress {
        trial: trial(n).id,
        epoch,
        step: u64::from(epoch) * 23,
        metrics: metrics(n, epoch),
        rate: Number(rate(n, u64::from(epoch) * 23)),
    }
}

fn metrics(n: u32, epoch: u32) -> Metrics {
    let accuracy = accuracy(n, epoch);
    let metrics = [
        ("train_loss", 2.3 * (-f64::from(epoch) / 3.0).exp() + 0.004),
        ("valid_accuracy", accuracy),
        ("valid_loss", 2.5 * (1.0 - accuracy) + 0.02),
    ];
    metrics
        .map(|(name, value)| (name.to_owned(), Number(value)))
        .into()
}

fn accuracy(n: u32, epoch: u32) -> f64 {
    let (n, epoch) = (f64::from(n), f64::from(epoch));
    let reached = 0.982 - 0.006 * n;
    let wobble = 0.008 * (epoch * (1.3 + n)).sin() / epoch;
    reached - 0.6 * (-epoch / (2.0 + 0.4 * n)).exp() + wobble
}

fn rate(n: u32, step: u64) -> f64 {
    let part = step as f64 / 460.0;
    match n % 4 {
        0 => 0.1 * 0.95_f64.powi((step / 23) as i32),
        1 => 0.025 * (1.0 + (part * std::f64::consts::PI).cos()),
        2 => 0.02 * (1.0 + 3.0 * part),
        _ => 0.2 * (1.0 - (part - 0.3).abs()).max(0.001),
    }
}

fn value(trial: &TrialSummary) -> f64 {
    trial.value.map_or(f64::NEG_INFINITY, |value| value.0)
}
