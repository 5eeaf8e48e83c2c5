//! A made-up daemon: it answers every question from closed forms.

use crate::history;
use crate::made_up;
use attune_protocol::*;
use attune_tui::dashboard::{Answer, Deed, Done, Want};
use std::collections::BTreeMap;

/// The daemon, and what it was asked to do.
#[derive(Debug, Default)]
pub(crate) struct Toy {
    pub(crate) deeds: Vec<Deed>,
    pub(crate) asked: Vec<Want>,
    /// Whether it has no study yet.
    pub(crate) is_empty: bool,
    /// Whether s13 is a fork of s12.1.
    pub(crate) is_forked: bool,
    /// How many trials s12 has, if it is not the usual eight.
    pub(crate) many: Option<u32>,
    /// What was written about trials.
    pub(crate) notes: BTreeMap<String, Note>,
    /// Whether every trial has kept a checkpoint of each of a hundred epochs.
    pub(crate) keeps_all: bool,
}

/// Updates in an epoch of a made-up trial.
const STEPS: f64 = 23.0;

impl Toy {
    pub(crate) fn studies(&self) -> Vec<StudySummary> {
        if self.is_empty {
            return Vec::new();
        }
        let mut studies = made_up::studies();
        if self.is_forked {
            studies[0].origin = Some(Origin {
                trial: "s12.1".to_owned(),
                step: 138,
            });
        }
        studies
    }

    /// A trial of one of its studies; those of s12 are made up, the others' are like them.
    pub(crate) fn trial(id: &str) -> Result<TrialDetail, String> {
        let (study, number) = id.split_once('.').ok_or("no trial")?;
        let number: u32 = number.parse().map_err(|_| "no number".to_owned())?;
        if !(1..=8).contains(&number) {
            return Err(format!("there is no trial {id}"));
        }
        let mut detail = made_up::detail(number - 1);
        id.clone_into(&mut detail.trial.id);
        let running = study == "s13" && number > 5;
        if running {
            detail.trial.state = TrialState::Running;
            detail.trial.ended_unix_ms = None;
            detail.trial.epochs = detail.trial.epochs.min(11);
        }
        history::enrich(&mut detail, number);
        Ok(detail)
    }

    /// A trial with what was written about it.
    fn noted(&self, id: &str) -> Result<TrialDetail, String> {
        let mut detail = Toy::trial(id)?;
        if let Some(note) = self.notes.get(id) {
            detail.trial.note = note.clone();
        }
        if self.keeps_all {
            detail.trial.checkpoints = history::of_each_epoch(100);
        }
        Ok(detail)
    }

    pub(crate) fn answer(&mut self, want: &Want) -> Result<Answer, String> {
        self.asked.push(want.clone());
        Ok(match want {
            // The oldest first, as the daemon tells them.
            Want::Studies => Answer::Studies(self.studies().into_iter().rev().collect()),
            Want::Status => Answer::Status(status()),
            Want::Plugins => Answer::Plugins(plugins()),
            Want::Log(level) => Answer::Log(log(level.as_deref())),
            Want::Study(id) => {
                let study = self.studies().into_iter().find(|study| study.id == *id);
                Answer::Study(StudyDetail {
                    study: study.ok_or_else(|| format!("there is no study {id}"))?,
                    spec: SPEC.to_owned(),
                    file: "/home/ada/studies/first.toml".to_owned(),
                    trials: Vec::new(),
                    notes: vec!["dropped the column `id`: it numbers the rows".to_owned()],
                    changes: Vec::new(),
                })
            }
            Want::Trials(study, from) => Answer::Trials(match self.many {
                Some(count) if study == "s12" => many(*from, count),
                _ => table(study, *from),
            }),
            Want::Curves {
                study,
                metric,
                trials,
            } => Answer::Curves(
                trials
                    .iter()
                    .filter_map(|trial| curve(study, metric, *trial))
                    .collect(),
            ),
            Want::Trial(id) => Answer::Trial(self.noted(id)?),
            Want::Zoom(id, query) => Answer::Zoom(zoom(&Toy::trial(id)?, query)?),
            Want::Steps(id, query) => Answer::Steps(history::steps(&Toy::trial(id)?, query)),
            Want::Insight(_) => Answer::Insight(insight()),
            Want::Check(study) => Answer::Check(checked(&study.spec)),
            Want::Draft(draft) => Answer::Draft(Drafted {
                spec: SPEC.replace("digits.csv", &draft.data),
            }),
            Want::Look(path) => Answer::Look(look(path)),
            Want::Preview(preview) => Answer::Preview(previewed(preview)),
        })
    }

    pub(crate) fn perform(&mut self, deed: &Deed) -> Result<Done, String> {
        self.deeds.push(deed.clone());
        let mut done = Done {
            message: "done".to_owned(),
            ..Done::default()
        };
        match deed {
            Deed::Launch(_) | Deed::Fork(..) | Deed::RetryTrial(_) => {
                let mut study = made_up::studies().remove(0);
                "s14".clone_into(&mut study.id);
                done.study = Some(study);
            }
            Deed::NoteTrial(id, note) => {
                self.notes.insert(id.clone(), note.clone());
                done.trial = Some(self.noted(id)?.trial);
            }
            Deed::StopStudy(id) if id == "s1" => return Err("study s1 is over already".to_owned()),
            _ => {}
        }
        Ok(done)
    }
}

/// The study file of every made-up study.
pub(crate) const SPEC: &str = r#"# Handwritten digits.
seed = 7
trials = 8

[data]
path = "digits.csv"
target = "digit"

[fidelity]
min_epochs = 2
max_epochs = 20
eta = 3

[space]
scheduler = ["greedy", "cosine", "hypergradient"]
lr = { low = 0.01, high = 0.4, log = true }
batch_size = [32, 64]
width = 128
"#;

fn status() -> DaemonStatus {
    DaemonStatus {
        version: "0.1.0".to_owned(),
        pid: 4242,
        embedded: false,
        started_unix_ms: made_up::NOW - 7_200_000,
        state_dir: "/home/ada/.local/state/attune".to_owned(),
        listens: Vec::new(),
        memory_bytes: 48 << 20,
        workers: vec![
            WorkerStatus {
                id: 1,
                pid: 4250,
                trials: vec!["s13.6".to_owned()],
                doing: "step 253 of s13.6, inside scheduler cosine".to_owned(),
                silent_ms: 120,
                memory_bytes: 61 << 20,
            },
            WorkerStatus {
                id: 2,
                pid: 4251,
                trials: vec!["s13.7".to_owned(), "s13.8".to_owned()],
                doing: "step 240 of s13.7".to_owned(),
                silent_ms: 80,
                memory_bytes: 58 << 20,
            },
        ],
        studies: vec![StudyStatus {
            id: "s13".to_owned(),
            name: "wine quality, second try".to_owned(),
            doing: "trains 2 trials, 1 more waits for a worker".to_owned(),
            running: 2,
            queued: 1,
        }],
        idle: None,
        store_bytes: 12 << 20,
        checkpoint_bytes: 300 << 20,
        checkpoint_budget_bytes: 10 << 30,
        warnings: vec!["the disk of the state folder has 3 GB left".to_owned()],
        machine: Machine {
            host: "analytical-engine".to_owned(),
            cores: 8,
            load: Number(2.25),
            memory_bytes: 16 << 30,
            memory_free_bytes: 9 << 30,
            disk_free_bytes: 3 << 30,
            gpus: vec![Gpu {
                name: "NVIDIA H100".to_owned(),
                memory_bytes: 80 << 30,
                used_bytes: 12 << 30,
                busy_percent: 37,
            }],
        },
    }
}

fn plugins() -> Vec<PluginInfo> {
    let library = |name: &str, schedulers: serde_json::Value| PluginInfo {
        path: format!("/opt/attune/lib{name}.so"),
        hash: "3f9a1c22d0".repeat(6),
        library: Some(serde_json::json!({
            "name": name, "version": "0.1.0", "schedulers": schedulers,
        })),
        fingerprint: "kit 0.1.0, rustc 1.95.0, x86_64-unknown-linux-gnu, release".to_owned(),
        error: None,
        quarantine: None,
    };
    // As `attune_plugin_api::describe::Library` writes itself.
    let scheduler = |name: &str, summary: &str, metric: bool, params: serde_json::Value| {
        serde_json::json!({
            "name": name, "summary": summary, "params": params, "metric": metric,
            "reference": "", "signals": [],
        })
    };
    let mut greedy = scheduler(
        "greedy",
        "GreedyLR: raises the rate while the loss falls, lowers it otherwise.",
        true,
        serde_json::json!([
            {"name": "factor", "doc": "What the rate is multiplied by to fall, and divided by to rise.",
             "kind": {"type": "float", "min": 0.0, "max": 1.0, "above_min": true, "below_max": true},
             "default": 0.95, "search": {"linear": [0.5, 0.99]}},
            {"name": "patience", "doc": "Steps without progress before the rate falls.",
             "kind": {"type": "int", "min": 0, "max": i64::MAX},
             "default": 10, "search": {"log": [1.0, 20.0]}},
            {"name": "mode", "doc": "Whether a lower or a higher metric is better.",
             "kind": {"type": "choice", "choices": ["auto", "min", "max"]},
             "default": "auto", "search": null},
            {"name": "min_lr", "doc": "The rate never falls below it.",
             "kind": {"type": "per_group", "min": 0.0, "max": null, "above_min": false, "below_max": false},
             "default": 1e-3, "search": null},
        ]),
    );
    greedy["reference"] = "Subramanian et al., 2025, algorithm 1".into();
    greedy["signals"] = serde_json::json!(["loss"]);
    let greedy = serde_json::json!([greedy]);
    let none = || serde_json::json!([]);
    let cosine = serde_json::json!([
        scheduler(
            "cosine",
            "Half a cosine down to the least rate.",
            false,
            none()
        ),
        scheduler("one-cycle", "Up and down once.", false, none()),
    ]);
    let hypergradient = serde_json::json!([scheduler(
        "hypergradient",
        "Steers by the gradient of the rate.",
        false,
        none()
    )]);
    let broken = PluginInfo {
        library: None,
        error: Some(
            "built for ABI 2, and this program has ABI 1: build it with kit 0.1".to_owned(),
        ),
        ..library("mine", serde_json::json!([]))
    };
    let wild = PluginInfo {
        quarantine: Some(Quarantine {
            unix_ms: made_up::NOW - 60_000,
            name: "wild".to_owned(),
            reason: "it killed two workers by SIGSEGV in step 12".to_owned(),
        }),
        ..library(
            "wild",
            serde_json::json!([scheduler("wild", "Wild.", false, none())]),
        )
    };
    vec![
        library("greedy", greedy),
        library("cosine", cosine),
        library("hypergradient", hypergradient),
        broken,
        wild,
    ]
}

fn log(level: Option<&str>) -> Vec<LogLine> {
    let line = |time: &str, level: &str, text: &str| LogLine {
        time: time.to_owned(),
        level: level.to_owned(),
        text: text.to_owned(),
    };
    let lines = [
        line(
            "22:13:20",
            "info",
            "study s13 began: 8 trials over 3 schedulers",
        ),
        line("22:13:21", "debug", "worker 1 (pid 4250) took s13.1"),
        line(
            "22:14:02",
            "warn",
            "worker 2 (pid 4249) died: SIGKILL; s13.4 is retried from step 92",
        ),
        line("22:14:03", "error", "plugin wild was put into quarantine"),
    ];
    let grave = |level: &str| match level {
        "error" => 3,
        "warn" => 2,
        "info" => 1,
        _ => 0,
    };
    let least = level.map_or(0, grave);
    lines
        .into_iter()
        .filter(|line| grave(&line.level) >= least)
        .collect()
}

/// Trials of a study: eight, or those that there are.
pub(crate) fn table(study: &str, from: u32) -> TrialTable {
    let count = match study {
        "s1" | "s14" => 0,
        "s11" => 3,
        _ => 8,
    };
    let trials: Vec<TrialSummary> = (1..=count)
        .filter(|number| *number >= from)
        .filter_map(|number| Toy::trial(&format!("{study}.{number}")).ok())
        .map(|detail| detail.trial)
        .collect();
    let mut keys: Vec<String> = trials
        .iter()
        .flat_map(|t| t.config.keys().cloned())
        .collect();
    keys.sort();
    keys.dedup();
    let mut metrics: Vec<String> = trials
        .iter()
        .flat_map(|t| t.metrics.keys().cloned())
        .collect();
    metrics.sort();
    metrics.dedup();
    let timed = |trial: &TrialSummary| {
        let row = row(trial, &keys, &metrics);
        let begun = made_up::NOW - 300_000 + u64::from(row.number / 2) * 8_000;
        let ended = begun + (trial.seconds.0 * 1e3) as u64;
        TrialRow {
            rungs: [2, 6, 18]
                .into_iter()
                .filter(|rung| *rung <= trial.epochs)
                .collect(),
            started_unix_ms: Some(begun),
            ended_unix_ms: (trial.state != TrialState::Running).then_some(ended),
            ..row
        }
    };
    TrialTable {
        rows: trials.iter().map(timed).collect(),
        keys: keys.clone(),
        metrics: metrics.clone(),
        next: None,
    }
}

/// A trial as a table with these settings and metrics has it.
pub(crate) fn row(trial: &TrialSummary, keys: &[String], metrics: &[String]) -> TrialRow {
    let number = trial.id.rsplit_once('.').and_then(|(_, n)| n.parse().ok());
    let setting = |key| trial.config.get(key).cloned();
    let metric = |key| trial.metrics.get(key).map(|value| Single(value.0 as f32));
    TrialRow {
        config: keys.iter().map(setting).collect(),
        metrics: metrics.iter().map(metric).collect(),
        ..TrialRow::of(number.unwrap_or(0), trial)
    }
}

/// So many trials, trained four at a time, whose values are best around a rate of 0.1.
fn many(from: u32, count: u32) -> TrialTable {
    let row = |number: u32| {
        // The golden ratio spreads whatever number of values evenly.
        let part = (f64::from(number) * 0.618_033_988_749_895).fract();
        let lr = 10f64.powf(-3.0 + 3.0 * part);
        let momentum = (f64::from(number) * 0.754_877_666_246_693).fract();
        let scheduler = ["cosine", "greedy", "hypergradient"][number as usize % 3];
        let value = 0.98 - 0.1 * (lr.log10() + 1.0).powi(2) - 0.02 * momentum;
        let begun = made_up::NOW - 90_000_000 + u64::from(number / 4) * 5_000;
        TrialRow {
            number,
            state: TrialState::Done,
            scheduler: scheduler.to_owned(),
            config: vec![
                Some(Scalar::Float(Number(lr))),
                Some(Scalar::Float(Number(momentum))),
                Some(Scalar::Text(scheduler.to_owned())),
            ],
            metrics: Vec::new(),
            epochs: 20,
            max_epochs: 20,
            steps: 460,
            value: Some(Number(value)),
            best_epoch: Some(20),
            rungs: Vec::new(),
            seconds: Number(4.5),
            started_unix_ms: Some(begun),
            ended_unix_ms: Some(begun + 4_500),
            reason: None,
            deaths: 0,
            tags: Vec::new(),
        }
    };
    TrialTable {
        rows: (from.max(1)..=count).map(row).collect(),
        keys: ["lr", "momentum", "scheduler"].map(str::to_owned).to_vec(),
        metrics: Vec::new(),
        next: None,
    }
}

fn curve(study: &str, metric: &str, trial: u32) -> Option<TrialCurve> {
    let detail = Toy::trial(&format!("{study}.{trial}")).ok()?;
    let curve = detail
        .epoch_curves
        .iter()
        .find(|curve| curve.name == metric)?;
    let points = curve.points.iter().take(detail.trial.epochs as usize);
    Some(TrialCurve {
        trial,
        epochs: points.clone().map(|(x, _)| x.0 as u32).collect(),
        values: points.map(|(_, y)| *y).collect(),
        steps_per_epoch: Number(STEPS),
        seconds_per_epoch: Number(0.21),
    })
}

fn zoom(detail: &TrialDetail, query: &ZoomQuery) -> Result<Zoom, String> {
    let curve = detail
        .step_curves
        .iter()
        .find(|curve| curve.name == query.column);
    let curve = curve.ok_or_else(|| format!("there is no column {}", query.column))?;
    let (from, to) = (query.from.unwrap_or(0), query.to.unwrap_or(u64::MAX));
    let inside = |x: &Number| (from..=to).contains(&(x.0 as u64));
    let points: Vec<_> = curve.points.iter().filter(|(x, _)| inside(x)).collect();
    let most = query.points.unwrap_or(1000).max(1) as usize;
    let each = points.len().div_ceil(most).max(1);
    let bucket = |chunk: &[&(Number, Number)]| {
        let values = || chunk.iter().map(|(_, y)| y.0);
        Bucket {
            from: chunk[0].0.0 as u64,
            to: chunk[chunk.len() - 1].0.0 as u64,
            min: Number(values().fold(f64::INFINITY, f64::min)),
            mean: Number(values().sum::<f64>() / chunk.len() as f64),
            max: Number(values().fold(f64::NEG_INFINITY, f64::max)),
            last: chunk[chunk.len() - 1].1,
        }
    };
    Ok(Zoom {
        name: query.column.clone(),
        buckets: points.chunks(each).map(bucket).collect(),
    })
}

fn insight() -> Insight {
    let one = |name: &str, share: f64, trials: u32, good: &str| Importance {
        name: name.to_owned(),
        share: Number(share),
        trials,
        good_values: good.to_owned(),
    };
    Insight {
        trials: 7,
        good: 2,
        method: "PED-ANOVA".to_owned(),
        importance: vec![
            one("lr", 0.62, 7, "0.05 to 0.1"),
            one("scheduler", 0.25, 7, "greedy, cosine"),
            one("greedy.patience", 0.09, 2, "3 to 7"),
            one("batch_size", 0.04, 7, "32"),
        ],
        caveats: vec!["7 trials have a result; from about 50 on the shares settle".to_owned()],
    }
}

/// What a study file comes to; a few mistakes are found in it.
fn checked(spec: &str) -> Checked {
    let lines = || spec.lines().zip(1..);
    let of = |key: &str| {
        let value = lines().find_map(|(line, _)| line.strip_prefix(key)?.strip_prefix(" = "));
        value.unwrap_or_default()
    };
    let mut problems = Vec::new();
    for (line, number) in lines() {
        let (key, message) = match line {
            "trials = 0" => (
                Some("trials"),
                "`trials` is 0, but must be a whole number from 1 to 1000000",
            ),
            "lr = -1" => (
                Some("space.lr"),
                "`lr` is -1, but must be a number in (0, 1000]",
            ),
            line if line.starts_with("trails") => (
                None,
                "unknown key `trails` at the top of the file; did you mean `trials`?",
            ),
            _ => continue,
        };
        problems.push(SpecProblem {
            line: Some(number),
            key: key.map(str::to_owned),
            message: message.to_owned(),
        });
    }
    let part = |name: &str, values: &str, searched: bool| SpacePart {
        name: name.to_owned(),
        values: values.to_owned(),
        searched,
        scheduler: name.split_once('.').map(|(s, _)| s.to_owned()),
    };
    let schedulers = match of("scheduler") {
        "" => "greedy, cosine, hypergradient, one-cycle".to_owned(),
        list => list.replace(['[', ']', '"'], ""),
    };
    Checked {
        problems,
        name: "digits".to_owned(),
        metric: "accuracy".to_owned(),
        direction: Some(Direction::Maximize),
        trials: of("trials").parse().ok(),
        max_epochs: 20,
        space: vec![
            part("scheduler", &schedulers, schedulers.contains(',')),
            part("lr", "0.01 to 0.4 (log)", true),
            part("optimizer", "nesterov", false),
            part("dropout", "0.0", false),
            part("greedy.patience", "1 to 20 (log)", true),
        ],
        notes: vec!["64 columns of numbers, standardised".to_owned()],
        warnings: vec!["libmine.so was built for ABI 2 and is not used".to_owned()],
        estimate: Some(Estimate {
            seconds: Number(695.0),
            basis: "the trials of s12, on the same data".to_owned(),
        }),
        ..Checked::default()
    }
}

fn look(path: &str) -> DataLook {
    let entry = |path: &str, folder: bool| DataEntry {
        path: path.to_owned(),
        folder,
        bytes: if folder { 0 } else { 262_144 },
    };
    let all = [
        entry("/home/ada/data", true),
        entry("/home/ada/digits.csv", false),
        entry("/home/ada/wine.csv", false),
    ];
    let column = |name: &str, kind: &str, distinct: u64, examples: &[&str]| DataColumn {
        name: name.to_owned(),
        kind: kind.to_owned(),
        missing: 0,
        distinct,
        examples: examples.iter().map(|e| (*e).to_owned()).collect(),
    };
    DataLook {
        entries: all
            .into_iter()
            .filter(|e| e.path.starts_with(path))
            .collect(),
        table: path.ends_with(".csv").then(|| DataTable {
            rows: 1797,
            columns: vec![
                column("pixel0", "numbers", 17, &["0", "3", "16"]),
                column("pixel1", "numbers", 17, &["0", "1", "5"]),
                column("digit", "categories", 10, &["0", "1", "2"]),
            ],
            pictures: None,
        }),
        problem: None,
    }
}

fn previewed(preview: &Preview) -> Previewed {
    let steps = preview.steps.max(1);
    let points = (0..100).map(|n| n * steps / 100);
    let part = |step: u64| step as f64 / steps as f64;
    let rate = |step: u64| match preview.scheduler.as_str() {
        "greedy" => preview.rate.0 * 0.95f64.powf(40.0 * part(step)),
        _ => preview.rate.0 * (1.0 + (part(step) * std::f64::consts::PI).cos()) / 2.0,
    };
    Previewed {
        rates: points
            .clone()
            .map(|step| (step, Number(rate(step))))
            .collect(),
        losses: match preview.scheduler.as_str() {
            "greedy" => points
                .map(|s| (s, Number(2.3 * (-3.0 * part(s)).exp())))
                .collect(),
            _ => Vec::new(),
        },
        note: (preview.scheduler == "greedy").then(|| "the loss is made up".to_owned()),
    }
}
