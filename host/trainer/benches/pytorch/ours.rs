//! Our side of the comparison.

#![expect(
    unsafe_code,
    reason = "the peak is measured at the door to the products"
)]

use crate::case::{CASES, Case, Model};
use crate::side::Failure;
use attune_plugin_api::controller::InProcess;
use attune_plugin_api::prelude::*;
use attune_trainer::data::{DataOptions, Dataset, Table, Text, TextOptions};
use attune_trainer::trial::{EpochRecord, Goal, StepRecord, Telemetry, Trial, TrialSettings};
use attune_trainer::{CnnSettings, ModelSettings, TransformerSettings, use_threads};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::io::{BufRead, stdin};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Leaves every rate as it is.
#[derive(Serialize, Deserialize)]
struct Constant {}

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
struct Stopwatch(Vec<Instant>);

impl Telemetry for Stopwatch {
    fn step(&mut self, _: &StepRecord<'_>) {
        self.0.push(Instant::now());
    }

    fn epoch(&mut self, _: &EpochRecord) {}
}

#[derive(Deserialize)]
struct Question {
    name: String,
    steps: u64,
}

/// Answers questions until there are no more.
pub(crate) fn answer(threads: usize) -> Result<(), Failure> {
    use_threads(threads)?;
    let mut trials: HashMap<String, Trial> = HashMap::new();
    println!("{{}}");
    for line in stdin().lock().lines() {
        let Question { name, steps } = serde_json::from_str(&line?)?;
        let case = CASES
            .iter()
            .find(|case| case.name == name)
            .ok_or("no such case")?;
        if !trials.contains_key(&name) {
            trials.insert(name.clone(), trial(case)?);
        }
        let trial = trials.get_mut(&name).ok_or("no trial")?;
        let mut stopwatch = Stopwatch(vec![Instant::now()]);
        let goal = Goal {
            epoch: u32::MAX,
            step: Some(trial.steps() + steps),
        };
        trial.run_until(goal, &mut stopwatch, &AtomicBool::new(false))?;
        let pairs = stopwatch.0.windows(2);
        let times: Vec<f64> = pairs
            .map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1e3)
            .collect();
        println!("{}", serde_json::to_string(&times)?);
    }
    Ok(())
}

fn trial(case: &Case) -> Result<Trial, Failure> {
    let (model, data) = match case.model {
        Model::Mlp([inputs, hidden @ .., _]) => (ModelSettings::mlp(hidden), rows(*inputs, None)?),
        Model::Mlp(_) => return Err("a network has two layers of units at least".into()),
        Model::Cnn(side, channels) => {
            let settings = CnnSettings {
                channels: channels.to_vec(),
                ..CnnSettings::default()
            };
            let data = rows(side * side, Some([side, side, 1]))?;
            (ModelSettings::Cnn(settings), data)
        }
        Model::Transformer {
            layers,
            heads,
            width,
            context,
            vocabulary,
        } => {
            let model = TransformerSettings {
                layers,
                heads,
                width,
                ..TransformerSettings::default()
            };
            let data = text(context, vocabulary)?;
            (ModelSettings::Transformer(model), data)
        }
    };
    let settings = TrialSettings {
        model,
        optimizer: OptimizerKind::Sgd,
        batch_size: case.batch,
        max_epochs: 1_000_000,
        lr: 0.001,
        weight_decay: 0.0,
        ..TrialSettings::default()
    };
    let settings = settings.check()?;
    let data = Arc::new(data);
    let setup = Trial::setup(&settings, &data);
    let controller = InProcess::<Constant>::configure(&BTreeMap::new(), &setup)?;
    Ok(Trial::new(settings, data, Box::new(controller))?)
}

/// So many numbers a row, and ten classes.
fn rows(inputs: usize, image: Option<[usize; 3]>) -> Result<Dataset, Failure> {
    let mut text: String = (0..inputs).map(|column| format!("p{column},")).collect();
    text.push_str("digit\n");
    for row in 0..4096_usize {
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

/// A text of so many different characters, one of which stands for the unknown.
fn text(context: usize, vocabulary: usize) -> Result<Dataset, Failure> {
    let characters: Vec<char> = (' '..).take(vocabulary - 1).collect();
    let letters = (0..600 * context).map(|i| characters[(i * i / 7 + i) % characters.len()]);
    let text: String = characters.iter().copied().chain(letters).collect();
    let text = Text::parse("text.txt", text.as_bytes())?;
    let options = TextOptions {
        context,
        ..TextOptions::default()
    };
    let data = Dataset::prepare_text(&text, &options)?;
    match data.task().outputs() == vocabulary {
        true => Ok(data),
        false => Err("the text lacks characters".into()),
    }
}

/// What one thread of this machine does at best, in GFLOP/s: that of a product that stays in the
/// nearer caches.
pub(crate) fn peak() -> f64 {
    const SIDE: usize = 192;
    let (a, b) = (vec![0.5_f32; SIDE * SIDE], vec![0.25_f32; SIDE * SIDE]);
    let mut out = vec![0.0_f32; SIDE * SIDE];
    let mut least = f64::INFINITY;
    for _ in 0..2_000 {
        let started = Instant::now();
        // SAFETY: each pointer is that of SIDE · SIDE numbers, row by row.
        unsafe {
            gemm::gemm(
                SIDE,
                SIDE,
                SIDE,
                out.as_mut_ptr(),
                1,
                SIDE as isize,
                false,
                a.as_ptr(),
                1,
                SIDE as isize,
                b.as_ptr(),
                1,
                SIDE as isize,
                0.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
        least = least.min(started.elapsed().as_secs_f64());
    }
    2.0 * (SIDE as f64).powi(3) / least / 1e9
}
