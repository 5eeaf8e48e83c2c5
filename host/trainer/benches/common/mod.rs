//! What the benches of training have in common.

use attune_plugin_api::controller::InProcess;
use attune_plugin_api::prelude::*;
use attune_trainer::data::{DataOptions, Dataset, Table};
use attune_trainer::trial::{CheckedSettings, EpochRecord, StepRecord, Subject, Telemetry, Trial};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Instant;

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Leaves every rate as it is.
#[derive(Serialize, Deserialize)]
pub(crate) struct Constant {}

impl Scheduler for Constant {
    type Params = Constant;

    fn describe() -> Description {
        Description::new("constant", "Leaves every rate as it is.")
    }

    fn configure(params: Constant, _: &Setup) -> Result<Self, Error> {
        Ok(params)
    }
}

/// Notes when each step ended.
pub(crate) struct Stopwatch(Vec<Instant>);

impl Stopwatch {
    /// Started now.
    pub(crate) fn new() -> Self {
        Stopwatch(vec![Instant::now()])
    }

    /// What each step took.
    pub(crate) fn milliseconds(&self) -> Vec<f64> {
        let pairs = self.0.windows(2);
        pairs
            .map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1e3)
            .collect()
    }
}

impl Telemetry for Stopwatch {
    fn step(&mut self, _: &StepRecord<'_>) {
        self.0.push(Instant::now());
    }

    fn epoch(&mut self, _: &EpochRecord) {}
}

pub(crate) fn new_trial<S: Scheduler>(
    settings: &CheckedSettings,
    subject: impl Into<Subject>,
) -> Result<Trial, Failure> {
    let subject = subject.into();
    let setup = Trial::setup(settings, &subject);
    let controller = InProcess::<S>::configure(&BTreeMap::new(), &setup)?;
    Ok(Trial::new(settings.clone(), subject, Box::new(controller))?)
}

/// So many rows of so many numbers, and ten classes; pictures where they have a size.
pub(crate) fn rows(
    count: usize,
    inputs: usize,
    image: Option<[usize; 3]>,
) -> Result<Dataset, Failure> {
    let mut text: String = (0..inputs).map(|column| format!("p{column},")).collect();
    text.push_str("digit\n");
    for row in 0..count {
        for column in 0..inputs {
            let pixel =
                (row % 10 + 1) * (column * 2_654_435 + 1) % 13 + (row * 31 + column * 17) % 5;
            let _ = write!(text, "{pixel},");
        }
        let _ = writeln!(text, "{}", row % 10);
    }
    let table = Table::parse("rows.csv", text.as_bytes())?;
    let options = DataOptions {
        image,
        ..DataOptions::of_target("digit")
    };
    Ok(Dataset::prepare(&table, &options)?)
}
