//! Our side of the comparison.

#![expect(
    unsafe_code,
    reason = "the peak is measured at the door to the products"
)]

use crate::case::{CASES, Case, Model};
use crate::common::{Constant, Failure, Stopwatch, new_trial, rows};
use attune_plugin_api::prelude::*;
use attune_trainer::data::{Dataset, Text, TextOptions};
use attune_trainer::trial::{Goal, Trial, TrialSettings};
use attune_trainer::{
    CnnSettings, ModelSettings, TransformerSettings, use_one_thread, use_threads,
};
use std::collections::HashMap;
use std::io::{BufRead, stdin};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Rows of a dataset.
const ROWS: usize = 4096;

#[derive(Deserialize)]
struct Question {
    name: String,
    steps: u64,
}

/// Answers questions until there are no more.
pub(crate) fn answer(threads: usize) -> Result<(), Failure> {
    use_one_thread()?;
    use_threads(threads);
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
        let mut stopwatch = Stopwatch::new();
        let goal = Goal {
            epoch: u32::MAX,
            step: Some(trial.steps() + steps),
        };
        trial.run_until(goal, &mut stopwatch, &AtomicBool::new(false))?;
        let times = stopwatch.milliseconds();
        println!("{}", serde_json::to_string(&times)?);
    }
    Ok(())
}

fn trial(case: &Case) -> Result<Trial, Failure> {
    let (model, data) = match case.model {
        Model::Mlp([inputs, hidden @ .., _]) => {
            (ModelSettings::mlp(hidden), rows(ROWS, *inputs, None)?)
        }
        Model::Mlp(_) => return Err("a network has two layers of units at least".into()),
        Model::Cnn(side, channels) => {
            let settings = CnnSettings {
                channels: channels.to_vec(),
                ..CnnSettings::default()
            };
            let data = rows(ROWS, side * side, Some([side, side, 1]))?;
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
    new_trial::<Constant>(&settings.check()?, &Arc::new(data))
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
