//! Checkpoints: a trial that goes on from one is the trial that never stopped.

#![allow(
    clippy::unwrap_used,
    reason = "clippy does not know that helpers belong to tests"
)]

mod support;

use attune_plugin_api::controller::{CallError, Clock, Controller};
use attune_plugin_api::prelude::*;
use attune_trainer::data::{Dataset, Part, Table, Text, TextOptions};
use attune_trainer::trial::{
    Cadence, CheckedSettings, Checkpoint, CheckpointError, ClassWeights, Every, Goal, MetricSource,
    NanPolicy, Progress, Subject, Trial, TrialError, TrialSettings,
};
use attune_trainer::{
    AdapterSettings, CnnSettings, Loss, MlpSettings, ModelSettings, NormKind,
    TabularResnetSettings, TransformerSettings,
};
use proptest::prelude::*;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use support::{
    Constant, History, NoParams, adapting, base, configured, dataset, flowers, flowers_text, hills,
    meadow, stripes, trial,
};

static GO: AtomicBool = AtomicBool::new(false);
const EPOCHS: u32 = 5;

/// Decides by everything that it ever saw, so that no bit of its past may be lost.
#[derive(Serialize, Deserialize)]
struct Wayward {
    calls: u64,
    seen: Vec<f64>,
    mood: f64,
}

impl Scheduler for Wayward {
    type Params = NoParams;

    fn describe() -> Description {
        let all = Description::new("wayward", "Remembers everything.").reads_metric();
        Signal::all().fold(all, Description::signal)
    }

    fn configure(_: NoParams, setup: &Setup) -> Result<Self, Error> {
        Ok(Wayward {
            calls: 0,
            seen: Vec::new(),
            mood: setup.groups[0].lr,
        })
    }

    fn step(&mut self, now: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        self.calls += 1;
        let seen = Signal::all().map(|signal| now.of_group(signal, 0));
        let finite = seen.filter(|value| value.is_finite());
        let stirs = finite.map(|value| (value + now.epoch()).sin().abs());
        self.mood = 0.5 * self.mood + 1e-5 * stirs.sum::<f64>();
        let calls = self.calls as f64;
        rates.set_each(|group, rate| 0.5 * rate + 0.5 * self.mood * (1.0 + group as f64));
        rates.set_momentum(0.85 + 0.1 * calls.sin().abs());
        Ok(())
    }

    fn metric(&mut self, value: f64, now: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        self.seen.push(value);
        let sum: f64 = self.seen.iter().sum();
        self.mood *= 1.0 + 0.01 * (sum + now.samples() as f64).sin();
        rates.set_each(|_, rate| rate * 0.99);
        Ok(())
    }
}

fn settings() -> TrialSettings {
    TrialSettings {
        model: ModelSettings::mlp([12, 6]),
        batch_size: 16,
        max_epochs: EPOCHS,
        lr: 0.01,
        clip_norm: Some(1.0),
        seed: 11,
        ..TrialSettings::default()
    }
}

fn restored(trial: &Trial, bytes: &[u8]) -> Result<Trial, CheckpointError> {
    let setup = Checkpoint::peek(bytes)?.setup().clone();
    let controller = configured::<Wayward>(&setup);
    Trial::restore(trial.settings().clone(), trial.subject(), controller, bytes)
}

/// All that a trial comes to, in a form that tells every bit and every NaN apart.
fn outcome(history: &History, trial: &Trial) -> String {
    let stats = trial.steering();
    format!(
        "{history:?} {:?} {:?} {:?} {:?}",
        trial.snapshot(),
        trial.evaluate(Part::Test),
        (stats.metric_calls, stats.metrics_not_finite, stats.clamped),
        trial
            .model(serde_json::Value::Null)
            .map(|model| format!("{:?}", model.card())),
    )
}

fn run(trial: &mut Trial, history: &mut History, goal: impl Into<Goal>) {
    assert_eq!(trial.run_until(goal, history, &GO), Ok(Progress::Reached));
}

/// Pseudo-random steps below a bound, the first, a middle and the last among them.
fn steps_below(bound: u64, seed: u64) -> Vec<u64> {
    let drawn = (1..4_u64).map(|i| (seed * 7919 + i * 104_729) % bound);
    [0, bound].into_iter().chain(drawn).collect()
}

#[test]
fn a_restored_trial_goes_on_bit_for_bit_wherever_it_was_cut() {
    let tables = [
        (dataset(&flowers(120), "kind"), NanPolicy::Drop),
        (dataset(&hills(120), "height"), NanPolicy::Substitute),
    ];
    let cadences = [
        (MetricSource::TrainLoss, Every::Steps(3)),
        (MetricSource::ValidLoss, Every::Steps(4)),
        (MetricSource::Objective, Every::Auto),
        (MetricSource::TrainLoss, Every::Epochs(2)),
    ];
    // Averages, several batches a step of which an epoch's last has fewer, weights of classes and
    // another loss.
    let averaged = |settings: TrialSettings| TrialSettings {
        ema: Some(0.9),
        batch_size: 7,
        accumulate: 3,
        class_weights: ClassWeights::Balanced,
        loss: Loss::Huber,
        group_decay: [("biases".to_owned(), 0.02)].into(),
        ..settings
    };
    let mut seed = 0;
    for (data, nan_policy) in &tables {
        let cadences = cadences.into_iter().cycle();
        for (optimizer, (source, every)) in OptimizerKind::ALL.into_iter().zip(cadences) {
            for dropout in [0.0, 0.3] {
                seed += 1;
                let settings = TrialSettings {
                    optimizer,
                    dropout,
                    seed,
                    nan_policy: *nan_policy,
                    cadence: Cadence { source, every },
                    ..settings()
                };
                resumes_exactly(&settings, data);
                if dropout > 0.0 {
                    resumes_exactly(&averaged(settings), data);
                }
            }
        }
    }
}

/// Running statistics are state that no optimizer knows of; pictures and windows of a text are rows
/// like others.
#[test]
fn every_kind_of_network_resumes_exactly_with_every_optimizer() {
    let norms = MlpSettings {
        hidden: vec![8, 8],
        norm: NormKind::Batch,
        residual: true,
        ..MlpSettings::default()
    };
    let resnet = TabularResnetSettings {
        blocks: 2,
        width: 8,
        hidden: 12,
        ..TabularResnetSettings::default()
    };
    let cnn = |norm, residual| {
        ModelSettings::Cnn(CnnSettings {
            channels: vec![3, 4],
            norm,
            residual,
            hidden: residual.then_some(6),
            global_average: norm,
            ..CnnSettings::default()
        })
    };
    let transformer = TransformerSettings {
        layers: 1,
        heads: 2,
        width: 8,
        ..TransformerSettings::default()
    };
    let (rows, pictures) = (dataset(&flowers(120), "kind"), stripes(120));
    let text = Text::parse("abc.txt", "abc bca cab. ".repeat(150).as_bytes()).unwrap();
    let options = TextOptions {
        context: 16,
        ..TextOptions::default()
    };
    let text = Arc::new(Dataset::prepare_text(&text, &options).unwrap());
    let table = [
        (ModelSettings::mlp([]), &rows),
        (ModelSettings::Mlp(norms), &rows),
        (ModelSettings::TabularResnet(resnet), &rows),
        (cnn(false, false), &pictures),
        (cnn(true, false), &pictures),
        (cnn(true, true), &pictures),
        (ModelSettings::Transformer(transformer), &text),
    ];
    for (kind, (model, data)) in (0..).zip(table) {
        for (number, optimizer) in (0..).zip(OptimizerKind::ALL) {
            let settings = TrialSettings {
                model: model.clone(),
                optimizer,
                dropout: 0.3,
                // Each is cut at steps of its own.
                seed: 100 + 10 * kind + number,
                cadence: Cadence {
                    source: MetricSource::ValidLoss,
                    every: Every::Steps(4),
                },
                ..settings()
            };
            resumes_exactly(&settings, data);
        }
    }
}

/// Of a base there is nothing in a checkpoint, and all that was learned beside it is there.
#[test]
fn adapters_resume_exactly() {
    let resnet = TabularResnetSettings {
        blocks: 2,
        width: 8,
        hidden: 12,
        ..TabularResnetSettings::default()
    };
    let base = Arc::new(base(ModelSettings::TabularResnet(resnet)));
    for (seed, target) in [(200, "kind"), (300, "weight")] {
        for (number, optimizer) in (0..).zip(OptimizerKind::ALL) {
            let ema = (optimizer == OptimizerKind::AdamW).then_some(0.9);
            let settings = TrialSettings {
                model: ModelSettings::Adapter(AdapterSettings::default()),
                optimizer,
                ema,
                dropout: 0.2,
                seed: seed + number,
                ..settings()
            };
            resumes_exactly(&settings, adapting(&base, &meadow(90), target));
        }
    }
}

fn resumes_exactly(settings: &TrialSettings, subject: impl Into<Subject>) {
    let data = &subject.into();
    let mut whole = trial::<Wayward>(settings.clone(), data);
    let mut history = History::default();
    run(&mut whole, &mut history, EPOCHS);
    let expected = outcome(&history, &whole);
    for step in steps_below(whole.steps(), settings.seed) {
        let mut history = History::default();
        let mut first = trial::<Wayward>(settings.clone(), data);
        let goal = Goal {
            epoch: EPOCHS,
            step: Some(step),
        };
        run(&mut first, &mut history, goal);
        assert_eq!(first.steps(), step);
        let bytes = first.checkpoint().unwrap();
        assert_eq!(first.checkpoint().unwrap(), bytes, "asking changes nothing");
        let mut second = restored(&first, &bytes).unwrap();
        assert_eq!(second.checkpoint().unwrap(), bytes, "nothing is lost");
        // What waited in memory goes on as what was written down does.
        first.rest();
        for mut trial in [first, second] {
            let mut history = history.clone();
            run(&mut trial, &mut history, EPOCHS);
            let found = outcome(&history, &trial);
            assert!(found == expected, "{settings:?} cut at step {step}");
        }
    }
}

/// The step that diverges is reported with the signals of the step before.
#[test]
fn a_restored_trial_diverges_as_it_would_have() {
    let settings = TrialSettings {
        optimizer: OptimizerKind::Sgd,
        lr: 30.0,
        clip_norm: None,
        ..settings()
    };
    let data = dataset(&hills(120), "height");
    let diverge = |trial: &mut Trial, mut history: History| {
        let error = trial.run_until(EPOCHS, &mut history, &GO).unwrap_err();
        assert!(matches!(error, TrialError::Diverged { .. }), "{error}");
        (format!("{history:?} {error}"), trial.steps())
    };
    let mut whole = trial::<Wayward>(settings.clone(), &data);
    let (expected, steps) = diverge(&mut whole, History::default());
    assert!(steps > 1);
    for step in 1..=steps {
        let mut first = trial::<Wayward>(settings.clone(), &data);
        let mut history = History::default();
        let goal = Goal {
            epoch: EPOCHS,
            step: Some(step),
        };
        run(&mut first, &mut history, goal);
        let bytes = first.checkpoint().unwrap();
        let mut second = restored(&first, &bytes).unwrap();
        assert!(diverge(&mut second, history).0 == expected, "{step}");
    }
}

/// A checkpoint in the middle of the second epoch, with a best epoch behind it.
fn midway(data: &Arc<Dataset>) -> (Trial, Vec<u8>) {
    let mut trial = trial::<Wayward>(settings(), data);
    let goal = Goal {
        epoch: EPOCHS,
        step: Some(8),
    };
    run(&mut trial, &mut History::default(), goal);
    assert!(trial.epochs() == 1 && trial.snapshot().is_some());
    let bytes = trial.checkpoint().unwrap();
    assert!(!Checkpoint::peek(&bytes).unwrap().between_epochs());
    (trial, bytes)
}

#[test]
fn a_checkpoint_says_what_it_is() {
    let data = dataset(&flowers(120), "kind");
    let (trial, bytes) = midway(&data);
    let checkpoint = Checkpoint::peek(&bytes).unwrap();
    assert_eq!((checkpoint.step(), checkpoint.epochs()), (8, 1));
    assert_eq!(checkpoint.scheduler(), "wayward");
    assert_eq!(checkpoint.settings(), &**trial.settings());
    assert_eq!(
        checkpoint.setup(),
        &Trial::setup(trial.settings(), trial.subject())
    );
}

#[test]
fn a_checkpoint_that_was_written_is_read_again_and_nothing_is_left_aside() {
    let data = dataset(&flowers(120), "kind");
    let (_, bytes) = midway(&data);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("8.safetensors");
    for bytes in [&b"an earlier one"[..], &bytes] {
        Checkpoint::write(&path, bytes).unwrap();
        assert_eq!(Checkpoint::read(&path).unwrap(), bytes);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    let nowhere = Path::new("nowhere/8.safetensors");
    let unwritable = Checkpoint::write(nowhere, &bytes).unwrap_err();
    assert!(matches!(unwritable, CheckpointError::Unwritable { .. }));
    let unreadable = Checkpoint::read(nowhere).unwrap_err();
    assert!(matches!(unreadable, CheckpointError::Unreadable { .. }));
}

#[test]
fn a_checkpoint_that_is_cut_anywhere_is_refused() {
    let (trial, bytes) = midway(&dataset(&flowers(120), "kind"));
    for length in 0..bytes.len() {
        let error = restored(&trial, &bytes[..length]).unwrap_err();
        assert!(
            matches!(error, CheckpointError::Damaged { .. }),
            "{length}: {error}"
        );
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(Checkpoint::peek(&longer).is_err());
}

#[test]
fn a_checkpoint_with_any_flipped_bit_is_refused() {
    let (_, bytes) = midway(&dataset(&flowers(120), "kind"));
    let mut flipped = bytes.clone();
    for place in 0..bytes.len() {
        flipped[place] ^= 1 << (place % 8);
        let error = Checkpoint::peek(&flipped).unwrap_err();
        assert!(
            matches!(error, CheckpointError::Damaged { .. }),
            "{place}: {error}"
        );
        flipped[place] = bytes[place];
    }
}

/// Gives bytes the checksum that fits them.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some((all_else, checksum)) = bytes.split_last_chunk_mut::<4>() {
        *checksum = crc32fast::hash(all_else).to_le_bytes();
    }
    bytes
}

/// What forgeries begin from.
static TEMPLATE: OnceLock<(CheckedSettings, Arc<Dataset>, Vec<u8>)> = OnceLock::new();

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// Whoever forges the checksum still cannot make it panic: not while it is restored, and not in
    /// the step after.
    #[test]
    fn a_forged_checkpoint_never_panics(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        in_card in any::<bool>(),
    ) {
        let (settings, data, bytes) = TEMPLATE.get_or_init(|| {
            let data = dataset(&flowers(120), "kind");
            let (trial, bytes) = midway(&data);
            (trial.settings().clone(), data, bytes)
        });
        let mut bytes = bytes.clone();
        let header = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
        let reach = if in_card { header + 8 } else { bytes.len() };
        for (place, byte) in &edits {
            // Digits stay digits more often than chance would have it.
            bytes[place.index(reach)] = if byte % 2 == 0 { b'0' + byte / 2 % 10 } else { *byte };
        }
        let bytes = sealed(bytes);
        let controller = configured::<Wayward>(&Trial::setup(settings, data));
        let restored = Trial::restore(settings.clone(), data.clone(), controller, &bytes);
        if let Ok(mut trial) = restored {
            let result = trial.run_until(2, &mut (), &GO);
            prop_assert!(!matches!(result, Err(TrialError::Broken { .. })), "{result:?}");
        }
    }
}

#[test]
fn a_checkpoint_of_a_later_version_is_refused() {
    let (_, bytes) = midway(&dataset(&flowers(120), "kind"));
    let found = br#"{\"format\":1,"#;
    let place = bytes.windows(found.len()).position(|w| w == found).unwrap();
    let mut later = bytes;
    later[place + found.len() - 2] = b'7';
    let error = Checkpoint::peek(&sealed(later)).unwrap_err();
    assert_eq!(error, CheckpointError::Newer { found: 7, known: 1 });
}

#[test]
fn what_does_not_fit_a_checkpoint_is_named() {
    type Change = fn(&mut TrialSettings);
    let data = dataset(&flowers(120), "kind");
    let (original, bytes) = midway(&data);
    let changes: [(Change, &str); 7] = [
        (
            |s| s.model = ModelSettings::mlp([12, 7]),
            r#"`model` = {"activation":"relu","hidden":[12,6],"kind":"mlp","norm":"none","residual":false}, but"#,
        ),
        (
            |s| s.optimizer = OptimizerKind::Sgd,
            r#"`optimizer` = "adam_w", but the trial has "sgd""#,
        ),
        (|s| s.seed = 12, "`seed` = 11, but the trial has 12"),
        (
            |s| s.batch_size = 8,
            "`batch_size` = 16, but the trial has 8",
        ),
        (|s| s.lr = 0.02, "`lr` = 0.01, but the trial has 0.02"),
        (
            |s| s.dropout = 0.5,
            "`dropout` = 0.0, but the trial has 0.5",
        ),
        (
            |s| s.max_epochs = 6,
            "`max_epochs` = 5, but the trial has 6",
        ),
    ];
    for (change, expected) in changes {
        let mut settings = settings();
        change(&mut settings);
        let settings = settings.check().unwrap();
        let controller = configured::<Wayward>(&Trial::setup(&settings, &data));
        let error = Trial::restore(settings, data.clone(), controller, &bytes).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(expected), "{message}");
        assert!(
            message.ends_with("restore it with the same settings, or fork it"),
            "{message}"
        );
    }

    // The same flowers, of which one was measured anew.
    let taller = flowers_text(120).replacen('.', ".5", 1);
    let taller = Table::parse("flowers.csv", taller.as_bytes()).unwrap();
    let other_data = [
        (
            dataset(&flowers(123), "kind"),
            "the number of training rows",
        ),
        (dataset(&hills(120), "height"), "the number of features"),
        (dataset(&taller, "kind"), "the checksum of all rows"),
    ];
    for (data, expected) in other_data {
        let settings = original.settings().clone();
        let controller = configured::<Wayward>(&Trial::setup(&settings, &data));
        let error = Trial::restore(settings, data, controller, &bytes).unwrap_err();
        assert!(
            matches!(&error, CheckpointError::Data { what, .. } if *what == expected),
            "{error}"
        );
    }

    let setup = Trial::setup(original.settings(), &data);
    let other = configured::<Constant>(&setup);
    let settings = original.settings().clone();
    let error = Trial::restore(settings.clone(), data.clone(), other, &bytes).unwrap_err();
    assert!(
        matches!(error, CheckpointError::Scheduler { .. }),
        "{error}"
    );

    // As many numbers, in another order.
    let mut turned = Puppet::named("wayward");
    let all: Vec<Signal> = Signal::all().collect();
    for signal in all.into_iter().rev() {
        turned.description = turned.description.signal(signal);
    }
    for other in [Puppet::named("wayward"), turned] {
        let error = Trial::restore(settings.clone(), data.clone(), Box::new(other), &bytes);
        let error = error.unwrap_err();
        assert!(matches!(error, CheckpointError::Signals { .. }), "{error}");
    }
}

/// A scheduler that declares nothing and cannot keep its state.
struct Puppet {
    description: Description,
    panics: bool,
}

impl Puppet {
    fn named(name: &str) -> Self {
        Puppet {
            description: Description::new(name, ""),
            panics: false,
        }
    }
}

impl Controller for Puppet {
    fn description(&self) -> &Description {
        &self.description
    }

    fn warnings(&self) -> &[String] {
        &[]
    }

    fn step(
        &mut self,
        _: &Clock,
        _: &[f64],
        _: &mut [f64],
        _: &mut [f64],
    ) -> Result<(), CallError> {
        Ok(())
    }

    fn metric(&mut self, _: f64, _: &Clock, _: &mut [f64], _: &mut [f64]) -> Result<(), CallError> {
        Ok(())
    }

    fn save(&mut self) -> Result<Vec<u8>, CallError> {
        assert!(!self.panics, "a bad day");
        Err(CallError::Refused("too much to remember".into()))
    }

    fn load(&mut self, _: &[u8]) -> Result<(), CallError> {
        Err(CallError::Refused("never seen".into()))
    }
}

#[test]
fn a_scheduler_that_cannot_save_ends_its_trial() {
    let data = dataset(&flowers(120), "kind");
    for (panics, expected) in [
        (
            false,
            "scheduler `puppet` failed at step 0: too much to remember",
        ),
        (true, "training broke at step 0: a bad day"),
    ] {
        let puppet = Puppet {
            panics,
            ..Puppet::named("puppet")
        };
        let settings = settings().check().unwrap();
        let mut trial = Trial::new(settings, data.clone(), Box::new(puppet)).unwrap();
        let error = trial.checkpoint().unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert_eq!(trial.run_until(1, &mut (), &GO).unwrap_err(), error);
        assert_eq!(trial.checkpoint().unwrap_err(), error);
    }
}

#[test]
fn a_scheduler_that_does_not_take_its_state_back_is_named() {
    let data = dataset(&flowers(120), "kind");
    let mut original = trial::<Constant>(settings(), &data);
    let bytes = original.checkpoint().unwrap();
    let settings = original.settings().clone();
    let puppet = Box::new(Puppet::named("constant"));
    let error = Trial::restore(settings, data, puppet, &bytes).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the scheduler `constant` cannot go on from its saved state: never seen"
    );
}

#[test]
fn a_trial_that_failed_has_no_checkpoint() {
    let settings = TrialSettings {
        optimizer: OptimizerKind::Sgd,
        lr: 900.0,
        clip_norm: None,
        ..settings()
    };
    let mut trial = trial::<Constant>(settings, &dataset(&hills(120), "height"));
    let error = trial.run_until(EPOCHS, &mut (), &GO).unwrap_err();
    assert!(matches!(error, TrialError::Diverged { .. }));
    assert_eq!(trial.checkpoint().unwrap_err(), error);
}
