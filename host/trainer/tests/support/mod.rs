//! Small synthetic tables, constant rates, and a telemetry that remembers.
#![allow(dead_code, reason = "each test binary uses its own part of it")]
#![allow(
    clippy::unwrap_used,
    reason = "clippy does not know that helpers belong to tests"
)]

use attune_plugin_api::Controller;
use attune_plugin_api::controller::InProcess;
use attune_plugin_api::prelude::*;
use attune_trainer::ModelSettings;
use attune_trainer::artifact::Model;
use attune_trainer::data::{DataOptions, Dataset, Table, Text, TextOptions};
use attune_trainer::trial::{
    CheckedSettings, EpochRecord, StepRecord, Subject, Telemetry, Trial, TrialSettings,
};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Three classes round three centres, with a column of text, a missing cell here and there, and a
/// column that says nothing.
pub(crate) fn flowers(rows: usize) -> Table {
    Table::parse("flowers.csv", flowers_text(rows).as_bytes()).unwrap()
}

pub(crate) fn flowers_text(rows: usize) -> String {
    let mut text = String::from("länge,width,colour,same,kind\n");
    for row in 0..rows {
        let class = row % 3;
        let wobble = |scale: f64| ((row * 7919 + 13) as f64 * scale).sin();
        let length = class as f64 * 2.0 + wobble(0.37);
        let width = if row % 11 == 0 {
            "NA".into()
        } else {
            format!("{:.4}", 3.0 - class as f64 + wobble(0.91))
        };
        let colour = ["red", "blue", "\"white, pale\""][(class + row / 17) % 3];
        let kind = ["setosa", "virginica", "versicolor"][class];
        writeln!(text, "{length:.4},{width},{colour},1,{kind}").unwrap();
    }
    text
}

/// A number that depends smoothly on two others.
pub(crate) fn hills(rows: usize) -> Table {
    let mut text = String::from("x;y;height\n");
    for row in 0..rows {
        let x = (row as f64 * 0.7).sin() * 2.0;
        let y = (row as f64 * 1.3).cos() * 2.0;
        writeln!(text, "{x};{y};{}", 100.0 + 20.0 * x - 5.0 * y * y).unwrap();
    }
    Table::parse("hills.csv", text.as_bytes()).unwrap()
}

/// Pictures of 6 by 5 points with stripes that lie, stand or lean.
pub(crate) fn stripes(rows: usize) -> Arc<Dataset> {
    stripes_of(rows, 6, 5)
}

/// The same on pictures of another size.
pub(crate) fn stripes_of(rows: usize, height: usize, width: usize) -> Arc<Dataset> {
    let options = DataOptions {
        image: Some([height, width, 1]),
        ..DataOptions::of_target("stripes")
    };
    Arc::new(Dataset::prepare(&table_of_stripes(rows, height, width), &options).unwrap())
}

pub(crate) fn stripes_table(rows: usize) -> Table {
    table_of_stripes(rows, 6, 5)
}

fn table_of_stripes(rows: usize, height: usize, width: usize) -> Table {
    let points = || (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
    let mut text: String = points().map(|(y, x)| format!("p{y}{x},")).collect();
    text.push_str("stripes\n");
    for row in 0..rows {
        let kind = row % 3;
        for (y, x) in points() {
            let stripe = [y, x, y + x][kind] + row / 3;
            let noise = ((row * 7919 + y * 31 + x * 17) as f64).sin();
            write!(text, "{:.3},", (stripe % 2) as f64 * 200.0 + 40.0 * noise).unwrap();
        }
        writeln!(text, "{}", ["lying", "standing", "leaning"][kind]).unwrap();
    }
    Table::parse("stripes.csv", text.as_bytes()).unwrap()
}

pub(crate) fn dataset(table: &Table, target: &str) -> Arc<Dataset> {
    Arc::new(Dataset::prepare(table, &DataOptions::of_target(target)).unwrap())
}

/// 120 flowers, of which 84 are for training.
pub(crate) fn blossoms() -> Arc<Dataset> {
    dataset(&flowers(120), "kind")
}

/// A verse over and over, in rows of so many tokens.
pub(crate) fn verse(context: usize, lines: usize) -> Arc<Dataset> {
    let text = Text::parse("verse.txt", "to be or not to be\n".repeat(lines).as_bytes()).unwrap();
    let options = TextOptions {
        context,
        ..TextOptions::default()
    };
    Arc::new(Dataset::prepare_text(&text, &options).unwrap())
}

/// Flowers from elsewhere: the columns in another order and one more, another colour among them,
/// and a weight.
pub(crate) fn meadow(rows: usize) -> Table {
    let mut text = String::from("kind,colour,place,width,länge,weight\n");
    for row in 0..rows {
        let class = (row * 5 + 1) % 3;
        let wobble = |scale: f64| ((row * 104_729 + 7) as f64 * scale).sin();
        let (length, width) = (
            1.5 * class as f64 + 1.0 + wobble(0.41),
            4.0 - class as f64 + wobble(0.83),
        );
        let colour = ["red", "blue", "green"][(class + row / 7) % 3];
        let kind = ["setosa", "virginica", "versicolor"][class];
        let weight = 10.0 * length + width * width;
        writeln!(
            text,
            "{kind},{colour},{row},{width:.4},{length:.4},{weight:.3}"
        )
        .unwrap();
    }
    Table::parse("meadow.csv", text.as_bytes()).unwrap()
}

/// A model that has learned a little of the flowers.
pub(crate) fn base(model: ModelSettings) -> Model {
    let settings = TrialSettings {
        model,
        max_epochs: 3,
        lr: 0.01,
        ..TrialSettings::default()
    };
    let mut trial = trial::<Constant>(settings, blossoms());
    let go = AtomicBool::new(false);
    trial.run_until(3, &mut (), &go).unwrap();
    trial.model(serde_json::Value::Null).unwrap()
}

/// A base, and a table that is prepared for it.
pub(crate) fn adapting(base: &Arc<Model>, table: &Table, target: &str) -> Subject {
    let options = DataOptions {
        like: Some(base.fitted()),
        ..DataOptions::of_target(target)
    };
    let dataset = Dataset::prepare(table, &options).unwrap();
    Subject::adapting(Arc::new(dataset), Arc::clone(base)).unwrap()
}

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

/// Falls in a straight line from the starting rates to nothing at the planned end.
#[derive(Serialize, Deserialize)]
pub(crate) struct Falling {
    starts: Vec<f64>,
    steps: u64,
}

/// The parameters of a scheduler that has none.
#[derive(Deserialize)]
pub(crate) struct NoParams {}

impl Scheduler for Falling {
    type Params = NoParams;

    fn describe() -> Description {
        Description::new("falling", "Falls to nothing.")
    }

    fn configure(_: NoParams, setup: &Setup) -> Result<Self, Error> {
        Ok(Falling {
            starts: setup.rates(),
            steps: setup.horizon("steps", 0)?,
        })
    }

    fn step(&mut self, now: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        let left = 1.0 - now.step() as f64 / self.steps as f64;
        rates.set_each(|group, _| self.starts[group] * left);
        Ok(())
    }
}

/// Lowers the rates after each metric, and looks at what it can of the last update.
#[derive(Serialize, Deserialize)]
pub(crate) struct Watchful {
    metrics: u64,
}

impl Scheduler for Watchful {
    type Params = NoParams;

    fn describe() -> Description {
        Description::new("watchful", "Lowers the rates after each metric.")
            .signal(Signal::dot(Slot::Grad, Slot::PrevUpdate))
            .reads_metric()
    }

    fn configure(_: NoParams, _: &Setup) -> Result<Self, Error> {
        Ok(Watchful { metrics: 0 })
    }

    fn metric(&mut self, value: f64, _: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        self.metrics += 1;
        rates.set_each(|_, rate| rate * (0.9 - 0.01 * value.tanh()));
        Ok(())
    }
}

/// Leaves every rate as it is, and declares every signal.
#[derive(Serialize, Deserialize)]
pub(crate) struct Watching {}

impl Scheduler for Watching {
    type Params = NoParams;

    fn describe() -> Description {
        let none = Description::new("watching", "Looks at everything.");
        Signal::all().fold(none, Description::signal)
    }

    fn configure(_: NoParams, _: &Setup) -> Result<Self, Error> {
        Ok(Watching {})
    }
}

/// Refuses its third step, and the metric before it is fine.
#[derive(Serialize, Deserialize)]
pub(crate) struct Refusing {}

impl Scheduler for Refusing {
    type Params = Refusing;

    fn describe() -> Description {
        Description::new("refusing", "Refuses the third step.").reads_metric()
    }

    fn configure(params: Refusing, _: &Setup) -> Result<Self, Error> {
        Ok(params)
    }

    fn step(&mut self, now: &Now<'_>, _: &mut Rates<'_>) -> Result<(), Error> {
        if now.step() == 2 {
            Err(Error::new("no more"))
        } else {
            Ok(())
        }
    }
}

/// A short trial of a small network in which dropout and clipping have a part.
pub(crate) fn settings() -> TrialSettings {
    TrialSettings {
        model: ModelSettings::mlp([16, 8]),
        dropout: 0.1,
        batch_size: 16,
        max_epochs: 6,
        lr: 0.01,
        clip_norm: Some(1.0),
        seed: 3,
        ..TrialSettings::default()
    }
}

pub(crate) fn controller<S: Scheduler>(
    settings: &CheckedSettings,
    subject: impl Into<Subject>,
) -> Box<dyn Controller> {
    let setup = Trial::setup(settings, subject);
    configured::<S>(&setup)
}

pub(crate) fn configured<S: Scheduler>(setup: &Setup) -> Box<dyn Controller> {
    Box::new(InProcess::<S>::configure(&BTreeMap::new(), setup).unwrap())
}

pub(crate) fn trial<S: Scheduler>(settings: TrialSettings, subject: impl Into<Subject>) -> Trial {
    let settings = settings.check().unwrap();
    let subject = subject.into();
    let controller = controller::<S>(&settings, &subject);
    Trial::new(settings, subject, controller).unwrap()
}

/// All that a trial reported, times left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct History {
    pub(crate) steps: Vec<Step>,
    pub(crate) epochs: Vec<EpochRecord>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) step: u64,
    pub(crate) epoch: u32,
    pub(crate) loss: f32,
    pub(crate) rates: Vec<f64>,
    pub(crate) momenta: Vec<f64>,
    pub(crate) signals: Vec<f64>,
}

impl Telemetry for History {
    fn step(&mut self, record: &StepRecord<'_>) {
        self.steps.push(Step {
            step: record.step,
            epoch: record.epoch,
            loss: record.loss,
            rates: record.rates.to_vec(),
            momenta: record.momenta.to_vec(),
            signals: record.signals.to_vec(),
        });
    }

    fn epoch(&mut self, record: &EpochRecord) {
        let seconds = 0.0;
        self.epochs.push(EpochRecord {
            seconds,
            ..record.clone()
        });
    }
}
