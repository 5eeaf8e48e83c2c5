//! A journal file that Optuna 5 opens, shows and continues.
//!
//! A journal is a line of JSON an operation. A study is made, gets its attributes, and each trial
//! is one operation that makes it whole, as Optuna's own `add_trial` does:
//!
//! | here | there |
//! |---|---|
//! | done | `COMPLETE`; `FAIL` where the value is missing or not a number, which Optuna has no other state for |
//! | stopped | `PRUNED` |
//! | diverged, failed, lost | `FAIL` |
//! | queued, running, paused | `WAITING` with the same configuration, which Optuna takes up first when the study goes on |
//! | configuration | parameters with their distributions; lists become their text |
//! | the objective at each epoch | intermediate values |
//! | all else of a trial's summary | user attributes `attune:…` |
//!
//! The study's name there is its name and id here, so that it is the only one of its name. When a
//! trial began is not known: it begins when the study did, and takes its seconds of training.

use super::Trials;
use super::objective;
use super::space::{self, Domain, domains};
use super::timestamp::Timestamp;
use anyhow::{Context, anyhow};
use attune_protocol::{Direction, ImportedTrial, Scalar, StudyDetail, StudySummary, TrialState};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;

/// Operations of the journal.
mod op {
    pub(super) const CREATE_STUDY: i64 = 0;
    pub(super) const SET_STUDY_USER_ATTR: i64 = 2;
    pub(super) const SET_STUDY_SYSTEM_ATTR: i64 = 3;
    pub(super) const CREATE_TRIAL: i64 = 4;
}

/// States of a trial in the journal.
mod state {
    pub(super) const COMPLETE: i64 = 1;
    pub(super) const PRUNED: i64 = 2;
    pub(super) const FAIL: i64 = 3;
    pub(super) const WAITING: i64 = 4;
}

/// The number of the file's only study.
const STUDY: i64 = 0;

/// Writes a study; returns what could not be kept as it is.
pub(super) fn write(
    study: &StudyDetail,
    trials: &mut Trials<'_>,
    to: &mut dyn Write,
) -> anyhow::Result<Vec<String>> {
    let summary = &study.study;
    let mut put = |operation: i64, fields: Vec<(&str, Json)>| -> anyhow::Result<()> {
        let mut line = vec![
            ("op_code".to_owned(), Json::Int(operation.into())),
            ("worker_id".to_owned(), Json::text("attune")),
        ];
        line.extend(fields.into_iter().map(|(key, value)| (key.into(), value)));
        writeln!(to, "{}", Json::Map(line))
            .with_context(|| format!("cannot write study {}; is the disk full?", summary.id))
    };
    put(op::CREATE_STUDY, create_study(summary))?;
    for (key, value) in study_attributes(study) {
        let fields = vec![
            ("study_id", Json::Int(STUDY.into())),
            ("user_attr", Json::Map(vec![(key.to_owned(), value)])),
        ];
        put(op::SET_STUDY_USER_ATTR, fields)?;
    }
    let names = Json::List(vec![Json::text(&summary.metric)]);
    let fields = vec![
        ("study_id", Json::Int(STUDY.into())),
        (
            "system_attr",
            Json::Map(vec![("study:metric_names".to_owned(), names)]),
        ),
    ];
    put(op::SET_STUDY_SYSTEM_ATTR, fields)?;

    let domains = domains(&study.spec, &study.trials);
    let mut counts = Counts::default();
    for trial in trials {
        let trial = trial?;
        let outcome = outcome(&trial);
        counts.add(&trial, &outcome);
        put(
            op::CREATE_TRIAL,
            create_trial(summary, &domains, &trial, outcome)?,
        )?;
    }
    Ok(counts.notes())
}

fn create_study(study: &StudySummary) -> Vec<(&'static str, Json)> {
    let direction = match study.direction {
        Direction::Minimize => 1,
        Direction::Maximize => 2,
    };
    let name = format!("{} ({})", study.name, study.id);
    vec![
        ("study_name", Json::Text(name)),
        ("directions", Json::List(vec![Json::Int(direction)])),
    ]
}

fn study_attributes(study: &StudyDetail) -> Vec<(&'static str, Json)> {
    let texts = |texts: &[String]| Json::List(texts.iter().map(|text| Json::text(text)).collect());
    let summary = &study.study;
    let created = Timestamp::from_unix_ms(summary.created_unix_ms);
    vec![
        ("attune:study", Json::text(&summary.id)),
        ("attune:version", Json::text(env!("CARGO_PKG_VERSION"))),
        ("attune:metric", Json::text(&summary.metric)),
        ("attune:seed", Json::Int(summary.seed.into())),
        ("attune:created", Json::Text(created.to_string())),
        ("attune:spec", Json::text(&study.spec)),
        ("attune:notes", texts(&study.notes)),
        ("attune:changes", texts(&study.changes)),
    ]
}

/// What became of a trial, in Optuna's terms.
enum Outcome {
    Complete(f64),
    Pruned(Option<f64>),
    Fail,
    Waiting,
}

fn outcome(trial: &ImportedTrial) -> Outcome {
    let value = trial.trial.value.map(f64::from);
    let value = value.filter(|value| !value.is_nan());
    match trial.trial.state {
        TrialState::Done => value.map_or(Outcome::Fail, Outcome::Complete),
        TrialState::Stopped => Outcome::Pruned(value),
        TrialState::Diverged | TrialState::Failed | TrialState::Lost => Outcome::Fail,
        TrialState::Queued | TrialState::Running | TrialState::Paused => Outcome::Waiting,
    }
}

fn create_trial(
    study: &StudySummary,
    domains: &BTreeMap<String, Domain>,
    trial: &ImportedTrial,
    outcome: Outcome,
) -> anyhow::Result<Vec<(&'static str, Json)>> {
    let started = Timestamp::from_unix_ms(study.created_unix_ms);
    let ended = started.plus_seconds(trial.trial.seconds.0);
    let waits = matches!(outcome, Outcome::Waiting);
    let (state, value) = match outcome {
        Outcome::Complete(value) => (state::COMPLETE, Some(value)),
        Outcome::Pruned(value) => (state::PRUNED, value),
        Outcome::Fail => (state::FAIL, None),
        Outcome::Waiting => (state::WAITING, None),
    };
    let config = &trial.trial.config;
    let mut system = Vec::new();
    let mut distributions = Vec::new();
    let mut params = Vec::new();
    let mut reports = Vec::new();
    if waits {
        // What Optuna's own `enqueue_trial` writes.
        let fixed = config
            .iter()
            .map(|(name, value)| (name.clone(), external(value)));
        system.push(("fixed_params".to_owned(), Json::Map(fixed.collect())));
    } else {
        for (name, value) in config {
            let (distribution, param) = domains
                .get(name)
                .and_then(|domain| Some((distribution(domain), internal(domain, value)?)))
                .ok_or_else(|| {
                    let id = &trial.trial.id;
                    anyhow!("the configuration of trial {id} has changed; export the study again")
                })?;
            // A distribution is a text with JSON in it.
            distributions.push((name.clone(), Json::Text(distribution.to_string())));
            params.push((name.clone(), param));
        }
        reports = objective::by_epoch(study, trial)
            .map(|(epoch, value)| (epoch.to_string(), Json::Float(value)))
            .collect();
    }
    let time = |time: Timestamp| Json::Text(time.to_string());
    let mut fields = vec![
        ("study_id", Json::Int(STUDY.into())),
        ("state", Json::Int(state.into())),
        ("value", value.map_or(Json::Null, Json::Float)),
        ("values", Json::Null),
        (
            "datetime_start",
            if waits { Json::Null } else { time(started) },
        ),
        ("distributions", Json::Map(distributions)),
        ("params", Json::Map(params)),
        ("user_attrs", Json::Map(trial_attributes(trial))),
        ("system_attrs", Json::Map(system)),
        ("intermediate_values", Json::Map(reports)),
    ];
    if !waits {
        fields.push(("datetime_complete", time(ended)));
    }
    Ok(fields)
}

fn trial_attributes(trial: &ImportedTrial) -> Vec<(String, Json)> {
    let trial = &trial.trial;
    let mut attributes = vec![
        ("trial", Json::text(&trial.id)),
        ("state", Json::Text(trial.state.to_string())),
        ("scheduler", Json::text(&trial.scheduler)),
        ("seed", Json::Int(trial.seed.into())),
        ("plugin", Json::text(&trial.plugin)),
        ("epochs", Json::Int(trial.epochs.into())),
        ("max_epochs", Json::Int(trial.max_epochs.into())),
        ("steps", Json::Int(trial.steps.into())),
        ("seconds", Json::Float(trial.seconds.0)),
    ];
    if let Some(epoch) = trial.best_epoch {
        attributes.push(("best_epoch", Json::Int(epoch.into())));
    }
    if let Some(reason) = &trial.reason {
        attributes.push(("reason", Json::text(reason)));
    }
    attributes
        .into_iter()
        .map(|(key, value)| (format!("attune:{key}"), value))
        .collect()
}

fn distribution(domain: &Domain) -> Json {
    let (class, attributes) = match domain {
        Domain::Floats { low, high, log } => (
            "FloatDistribution",
            vec![
                ("step", Json::Null),
                ("low", Json::Float(*low)),
                ("high", Json::Float(*high)),
                ("log", Json::Bool(*log)),
            ],
        ),
        Domain::Ints { low, high, log } => (
            "IntDistribution",
            vec![
                ("log", Json::Bool(*log)),
                ("step", Json::Int(1)),
                ("low", Json::Int((*low).into())),
                ("high", Json::Int((*high).into())),
            ],
        ),
        Domain::Choice(choices) => (
            "CategoricalDistribution",
            vec![(
                "choices",
                Json::List(choices.iter().map(external).collect()),
            )],
        ),
    };
    let attributes = attributes
        .into_iter()
        .map(|(key, value)| (key.into(), value));
    Json::Map(vec![
        ("name".to_owned(), Json::text(class)),
        ("attributes".to_owned(), Json::Map(attributes.collect())),
    ])
}

/// A value as Optuna's users see it.
fn external(value: &Scalar) -> Json {
    match value {
        Scalar::Bool(value) => Json::Bool(*value),
        Scalar::Int(value) => Json::Int((*value).into()),
        Scalar::Float(value) => Json::Float(value.0),
        Scalar::Text(value) => Json::text(value),
        Scalar::List(values) => {
            let values = values.iter().map(|value| Json::Float(value.0));
            Json::Text(Json::List(values.collect()).to_string())
        }
    }
}

/// A value as Optuna keeps it: a number, which of a choice's values it is among them.
fn internal(domain: &Domain, value: &Scalar) -> Option<Json> {
    match (domain, value) {
        (Domain::Choice(choices), value) => {
            let at = space::position(choices, value)?;
            Some(Json::Int(at as i128))
        }
        (Domain::Ints { low, high, .. }, Scalar::Int(value)) => {
            (low <= value && value <= high).then_some(Json::Int((*value).into()))
        }
        (Domain::Floats { low, high, .. }, value) => {
            let value = match value {
                Scalar::Float(value) => value.0,
                Scalar::Int(value) => *value as f64,
                _ => return None,
            };
            (*low <= value && value <= *high).then_some(Json::Float(value))
        }
        _ => None,
    }
}

/// What is worth a note.
#[derive(Default)]
struct Counts {
    waiting: u32,
    without_value: u32,
    lists: bool,
}

impl Counts {
    fn add(&mut self, trial: &ImportedTrial, outcome: &Outcome) {
        self.waiting += u32::from(matches!(outcome, Outcome::Waiting));
        let failed = matches!(outcome, Outcome::Fail) && trial.trial.state == TrialState::Done;
        self.without_value += u32::from(failed);
        let mut values = trial.trial.config.values();
        self.lists |= values.any(|value| matches!(value, Scalar::List(_)));
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.waiting > 0 {
            notes.push(format!(
                "{} trials have not ended; they wait in Optuna's queue and would begin anew there",
                self.waiting
            ));
        }
        if self.without_value > 0 {
            notes.push(format!(
                "{} trials are done but have no value; Optuna sees them as failed",
                self.without_value
            ));
        }
        if self.lists {
            notes.push("settings that are lists are texts in Optuna".to_owned());
        }
        notes
    }
}

/// JSON as Python writes it: floats that are not finite are the words `NaN` and `Infinity`,
/// unquoted, which JSON proper does not have.
enum Json {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

impl Json {
    fn text(text: &str) -> Self {
        Json::Text(text.to_owned())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Bool(value) => write!(f, "{value}"),
            Json::Int(value) => write!(f, "{value}"),
            Json::Float(value) if value.is_nan() => f.write_str("NaN"),
            Json::Float(value) if value.is_infinite() => f.write_str(if *value > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            }),
            Json::Float(value) => write!(f, "{value:?}"),
            Json::Text(text) => quoted(f, text),
            Json::List(values) => {
                f.write_str("[")?;
                for (at, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if at == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Json::Map(entries) => {
                f.write_str("{")?;
                for (at, (key, value)) in entries.iter().enumerate() {
                    f.write_str(if at == 0 { "" } else { "," })?;
                    quoted(f, key)?;
                    write!(f, ":{value}")?;
                }
                f.write_str("}")
            }
        }
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let quoted = serde_json::to_string(text).map_err(|_| fmt::Error)?;
    f.write_str(&quoted)
}
