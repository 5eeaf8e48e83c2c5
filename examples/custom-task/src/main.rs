//! Trains a task of our own under any scheduler plugin, and goes on where it was left off.

mod ratings;

use anyhow::{Context, bail};
use attune_loader::{Place, Plugins};
use attune_trainer::metrics::Metric;
use attune_trainer::trial::{
    Checkpoint, EpochRecord, StepRecord, Subject, Telemetry, Trial, TrialSettings,
};
use ratings::Ratings;
use std::path::Path;
use std::sync::atomic::AtomicBool;

const EPOCHS: u32 = 30;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (library, scheduler, folder, until) = match &arguments[..] {
        [library, scheduler, folder] => (library, scheduler, Path::new(folder), EPOCHS),
        [library, scheduler, folder, until] => {
            let until = until.parse().context("the fourth argument is an epoch")?;
            (library, scheduler, Path::new(folder), until)
        }
        _ => bail!("usage: custom-task LIBRARY SCHEDULER FOLDER [UNTIL_EPOCH]"),
    };
    let (plugins, refused) = Plugins::load(&[Place::named(library)], &folder.join("plugins"));
    if let Some(error) = refused.into_iter().next() {
        return Err(error.into());
    }

    let subject = Subject::task(Ratings::made_up(7))?;
    let settings = TrialSettings {
        lr: 0.02,
        max_epochs: EPOCHS,
        ..TrialSettings::default()
    };
    let settings = settings.check()?;
    let saved = folder.join("ratings.checkpoint");
    let mut trial = if saved.exists() {
        let bytes = Checkpoint::read(&saved)?;
        let checkpoint = Checkpoint::peek(&bytes)?;
        let controller = plugins.create(scheduler, &[].into(), checkpoint.setup())?;
        Trial::restore(settings, &subject, controller, &bytes)?
    } else {
        let setup = Trial::setup(&settings, &subject);
        let controller = plugins.create(scheduler, &[].into(), &setup)?;
        Trial::new(settings, &subject, controller)?
    };

    let mut printer = Printer { rate: f64::NAN };
    for epoch in trial.epochs() + 1..=until.min(EPOCHS) {
        trial.run_until(epoch, &mut printer, &AtomicBool::new(false))?;
        Checkpoint::write(&saved, &trial.checkpoint()?)?;
    }
    if let Some(best) = trial.snapshot() {
        println!("best: epoch {} with RMSE {}", best.epoch, best.objective);
    }
    for (parameters, values) in trial.best_parameters() {
        let (name, shape) = (parameters.name, parameters.shape);
        let norm = values.iter().map(|x| x * x).sum::<f32>().sqrt();
        println!("{name} {shape:?} of norm {norm}");
    }
    Ok(())
}

/// Prints a line an epoch.
struct Printer {
    rate: f64,
}

impl Telemetry for Printer {
    fn step(&mut self, record: &StepRecord<'_>) {
        self.rate = record.rates[0];
    }

    fn epoch(&mut self, record: &EpochRecord) {
        println!(
            "epoch {:2}: training loss {:.7}, held out RMSE {:.7}, rate {:.7}",
            record.epoch,
            record.train_loss,
            record.valid[&Metric::Rmse],
            self.rate
        );
    }
}
