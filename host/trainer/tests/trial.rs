//! Trials: learning, steering, and being the same bit for bit.

mod support;

use attune_plugin_api::prelude::*;
use attune_trainer::artifact::Answers;
use attune_trainer::data::{DataOptions, Dataset, Part, Table};
use attune_trainer::metrics::Metric;
use attune_trainer::trial::{
    Cadence, ClassWeights, EpochRecord, Every, MetricSource, Progress, StepRecord, Telemetry,
    Trial, TrialError, TrialSettings,
};
use attune_trainer::{CnnSettings, ModelSettings};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use support::{
    Constant, History, NoParams, Refusing, blossoms, controller, dataset, flowers, hills, settings,
    stripes, trial,
};

static GO: AtomicBool = AtomicBool::new(false);

/// Declares every signal and is driven by the metric, so that all that steering does takes part.
#[derive(Serialize, Deserialize)]
struct Curious {
    metrics: Vec<f64>,
}

impl Scheduler for Curious {
    type Params = NoParams;

    fn describe() -> Description {
        let all = Description::new("curious", "Looks at everything.").reads_metric();
        Signal::all().fold(all, Description::signal)
    }

    fn configure(_: NoParams, _: &Setup) -> Result<Self, Error> {
        Ok(Curious {
            metrics: Vec::new(),
        })
    }

    fn step(&mut self, now: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        let dot = now.of_group(Signal::dot(Slot::Grad, Slot::PrevUpdate), 0);
        if dot.is_finite() {
            rates.set_each(|_, rate| rate * (1.0 + 0.01 * dot.signum()));
        }
        Ok(())
    }

    fn metric(&mut self, value: f64, _: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        self.metrics.push(value);
        rates.set_each(|_, rate| rate * 0.99);
        Ok(())
    }
}

fn advance(trial: &mut Trial, history: &mut History, epochs: &[u32]) {
    for &epoch in epochs {
        assert_eq!(trial.run_until(epoch, history, &GO), Ok(Progress::Reached));
        assert_eq!(trial.epochs(), epoch);
    }
}

/// History, weights and final scores, in a form that tells every bit and every NaN apart.
fn fingerprint(mut trial: Trial, epochs: &[u32]) -> String {
    let mut history = History::default();
    advance(&mut trial, &mut history, epochs);
    format!(
        "{history:?} {:?} {:?}",
        trial.snapshot(),
        trial.evaluate(Part::Test)
    )
}

#[test]
fn a_trial_is_the_same_in_whatever_pieces_it_is_advanced() {
    let data = dataset(&flowers(200), "kind");
    let whole = fingerprint(trial::<Curious>(settings(), &data), &[6]);
    let pieces = fingerprint(trial::<Curious>(settings(), &data), &[2, 3, 6]);
    assert_eq!(whole, pieces);
    let other = TrialSettings {
        seed: 4,
        ..settings()
    };
    assert_ne!(whole, fingerprint(trial::<Curious>(other, &data), &[6]));
}

#[test]
fn a_trial_is_the_same_beside_another() {
    let data = dataset(&flowers(200), "kind");
    let alone = fingerprint(trial::<Curious>(settings(), &data), &[6]);
    let beside: Vec<String> = std::thread::scope(|scope| {
        let run = || fingerprint(trial::<Curious>(settings(), &data), &[6]);
        let threads = [scope.spawn(run), scope.spawn(run)];
        threads.map(|thread| thread.join().unwrap()).into()
    });
    assert_eq!(beside, [alone.clone(), alone]);
}

#[test]
fn a_trial_may_change_threads() {
    fn is_send<T: Send>() {}
    is_send::<Trial>();
}

/// Weights that blew up in an epoch's last step still guess some classes right.
#[test]
fn an_epoch_whose_loss_is_not_finite_is_never_the_best() {
    let data = dataset(&flowers(60), "kind");
    let settings = TrialSettings {
        optimizer: OptimizerKind::Sgd,
        model: ModelSettings::mlp([16; 8]),
        lr: 1e38,
        max_lr: 1e38,
        clip_norm: None,
        batch_size: 1024,
        ..settings()
    };
    let mut trial = trial::<Constant>(settings, &data);
    let mut history = History::default();
    let progress = trial.run_until(1, &mut history, &GO);
    assert_eq!(progress, Ok(Progress::Reached));
    let only = &history.epochs[0];
    assert!(!only.valid[&Metric::Loss].is_finite() && only.objective.is_finite());
    assert!(!only.best && trial.snapshot().is_none());
    let error = trial.run_until(2, &mut history, &GO).unwrap_err();
    assert!(
        matches!(error, TrialError::Diverged { step: 1, .. }),
        "{error}"
    );
}

#[test]
fn a_trial_that_was_interrupted_goes_on_where_it_stopped() {
    /// Asks for a stop in the middle of the second epoch.
    struct Stopping<'a>(&'a mut History, &'a AtomicBool);

    impl Telemetry for Stopping<'_> {
        fn step(&mut self, record: &StepRecord<'_>) {
            self.0.step(record);
            self.1.store(record.step == 12, Ordering::Relaxed);
        }

        fn epoch(&mut self, record: &EpochRecord) {
            self.0.epoch(record);
        }
    }

    let data = dataset(&flowers(200), "kind");
    let mut whole = History::default();
    advance(&mut trial::<Constant>(settings(), &data), &mut whole, &[6]);

    let mut cut = History::default();
    let mut stopped = trial::<Constant>(settings(), &data);
    let stop = AtomicBool::new(false);
    let progress = stopped.run_until(6, &mut Stopping(&mut cut, &stop), &stop);
    assert_eq!(progress, Ok(Progress::Interrupted));
    assert_eq!((stopped.steps(), stopped.epochs()), (13, 1));
    advance(&mut stopped, &mut cut, &[6]);
    assert_eq!(cut, whole);
}

#[test]
fn classes_are_learnt() {
    let data = dataset(&flowers(600), "kind");
    let settings = TrialSettings {
        max_epochs: 20,
        ..settings()
    };
    let mut trial = trial::<Constant>(settings, &data);
    let mut history = History::default();
    advance(&mut trial, &mut history, &[20]);
    let test = trial.evaluate(Part::Test).unwrap();
    assert!(test[&Metric::Accuracy] > 0.9, "{test:?}");
    assert!(history.epochs[19].train_loss < history.epochs[0].train_loss / 2.0);

    let best = trial.snapshot().unwrap();
    let highest = history
        .epochs
        .iter()
        .map(|epoch| epoch.objective)
        .fold(0.0, f64::max);
    assert_eq!(best.objective, highest);
    let last_best = history.epochs.iter().rfind(|epoch| epoch.best).unwrap();
    assert_eq!(
        (best.epoch, &best.valid),
        (last_best.epoch, &last_best.valid)
    );
    let mut measured = trial.evaluate(Part::Valid).unwrap();
    measured.remove(&Metric::Auc);
    assert_eq!(measured, best.valid);
}

/// Every epoch that is called the best is the snapshot's, and no other is; ties included, which
/// accuracy on so few rows has many of.
#[test]
fn an_epoch_is_called_the_best_exactly_when_it_is_kept() {
    let data = dataset(&flowers(100), "kind");
    let settings = TrialSettings {
        max_epochs: 25,
        ..settings()
    };
    let mut trial = trial::<Constant>(settings, &data);
    let mut history = History::default();
    for epoch in 1..=25 {
        advance(&mut trial, &mut history, &[epoch]);
        let kept = trial.snapshot().unwrap().epoch;
        assert_eq!(history.epochs.last().unwrap().best, kept == epoch);
        let last_best = history.epochs.iter().rfind(|record| record.best).unwrap();
        assert_eq!(last_best.epoch, kept);
    }
    let called_best = history.epochs.iter().filter(|record| record.best).count();
    assert!((2..25).contains(&called_best), "{called_best}");
}

#[test]
fn a_network_that_is_too_large_is_told_by_layers_and_width() {
    let data = dataset(&flowers(100), "kind");
    let settings = TrialSettings {
        model: ModelSettings::mlp([8192; 3]),
        ..settings()
    }
    .check()
    .unwrap();
    let controller = controller::<Constant>(&settings, &data);
    let message = Trial::new(settings, data, controller)
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("a network of 3 hidden layers of width 8192, from ")
            && message.ends_with(
                "but at most 67108864 are trained; lower `layers` or `width`, or leave out columns"
            ),
        "{message}"
    );
}

#[test]
fn numbers_are_learnt_in_their_own_units() {
    let data = dataset(&hills(400), "height");
    for optimizer in OptimizerKind::ALL {
        let settings = TrialSettings {
            optimizer,
            dropout: 0.0,
            max_epochs: 40,
            lr: match optimizer {
                OptimizerKind::Adagrad => 0.1,
                OptimizerKind::Lion => 2e-3,
                _ => settings().lr,
            },
            ..settings()
        };
        let mut trial = trial::<Constant>(settings, &data);
        advance(&mut trial, &mut History::default(), &[40]);
        let valid = trial.evaluate(Part::Valid).unwrap();
        assert_eq!(trial.objective(), Metric::Rmse);
        assert!(
            valid[&Metric::R2] > 0.95 && valid[&Metric::Rmse] < 8.0,
            "{optimizer:?} {valid:?}"
        );
    }
}

/// Several small batches make the step that their rows in one batch would, class weights or not.
#[test]
fn batches_accumulate_into_one_step() {
    let data = blossoms();
    let run = |batch_size, accumulate, class_weights| {
        let settings = TrialSettings {
            batch_size,
            accumulate,
            class_weights,
            optimizer: OptimizerKind::Sgd,
            dropout: 0.0,
            ..settings()
        };
        let checked = settings.clone().check().unwrap();
        let planned = Trial::setup(&checked, &data).total_steps;
        let mut trial = trial::<Constant>(settings, &data);
        let mut history = History::default();
        advance(&mut trial, &mut history, &[6]);
        assert_eq!(planned, Some(history.steps.len() as u64));
        history
    };
    let given = ClassWeights::Given([("setosa".to_owned(), 3.0)].into());
    for weights in [ClassWeights::Even, ClassWeights::Balanced, given] {
        // Of 84 rows the last step has 24.
        let whole = run(30, 1, weights.clone());
        assert_eq!(whole.steps.len(), 18);
        for (batch_size, accumulate) in [(10, 3), (15, 2)] {
            let parts = run(batch_size, accumulate, weights.clone());
            assert_eq!(parts.steps.len(), whole.steps.len());
            for (parts, whole) in parts.steps.iter().zip(&whole.steps) {
                assert!(
                    (parts.loss - whole.loss).abs() < 1e-4,
                    "{batch_size} {parts:?} {whole:?}"
                );
            }
        }
    }
}

#[test]
fn a_moving_average_is_what_is_validated_and_saved() {
    let data = blossoms();
    let run = |ema| {
        let mut trial = trial::<Constant>(TrialSettings { ema, ..settings() }, &data);
        let mut history = History::default();
        advance(&mut trial, &mut history, &[6]);
        (history, trial.evaluate(Part::Valid).unwrap(), trial)
    };
    let (plain, ..) = run(None);
    let (averaged, valid, trial) = run(Some(0.99));
    let losses = |history: &History| -> Vec<f32> { history.steps.iter().map(|s| s.loss).collect() };
    assert_eq!(
        losses(&averaged),
        losses(&plain),
        "training goes on as before"
    );
    let valid_losses = |history: &History| -> Vec<f64> {
        let epochs = history.epochs.iter();
        epochs.map(|epoch| epoch.valid[&Metric::Loss]).collect()
    };
    for (averaged, plain) in valid_losses(&averaged).iter().zip(valid_losses(&plain)) {
        assert_ne!(*averaged, plain);
    }
    let best = trial.snapshot().unwrap();
    assert_eq!(best.valid[&Metric::Loss], valid[&Metric::Loss]);
}

#[test]
fn what_takes_long_is_measured_where_it_is_wanted() {
    let data = blossoms();
    let plain = TrialSettings {
        max_epochs: 1,
        ..settings()
    };
    let asked = TrialSettings {
        measure: vec![Metric::Auc],
        ..plain.clone()
    };
    let aimed = TrialSettings {
        objective: Some(Metric::Auc),
        ..plain.clone()
    };
    for (settings, expected) in [(plain, false), (asked, true), (aimed, true)] {
        let mut trial = trial::<Constant>(settings, &data);
        let mut history = History::default();
        advance(&mut trial, &mut history, &[1]);
        let valid = &history.epochs[0].valid;
        assert_eq!(valid.contains_key(&Metric::Auc), expected);
        assert!(valid.contains_key(&Metric::F1) && valid.contains_key(&Metric::CalibrationError));
        assert!(
            trial
                .evaluate(Part::Test)
                .unwrap()
                .contains_key(&Metric::Auc)
        );
    }
}

#[test]
fn class_weights_of_no_class_are_refused() {
    let settings = TrialSettings {
        class_weights: ClassWeights::Given([("rose".to_owned(), 2.0)].into()),
        ..settings()
    };
    for (data, end) in [
        (
            blossoms(),
            "for classes of the target: setosa, versicolor, virginica",
        ),
        (
            dataset(&hills(100), "height"),
            "left out: this target is a number",
        ),
    ] {
        let checked = settings.clone().check().unwrap();
        let controller = controller::<Constant>(&checked, &data);
        let error = Trial::new(checked, data, controller)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("`class_weights`") && error.ends_with(end),
            "{error}"
        );
    }
}

#[test]
fn a_trial_that_diverges_says_so_after_its_last_step() {
    let data = dataset(&hills(100), "height");
    let settings = TrialSettings {
        optimizer: OptimizerKind::Sgd,
        lr: 900.0,
        clip_norm: None,
        ..settings()
    };
    let mut trial = trial::<Constant>(settings, &data);
    let mut history = History::default();
    let error = trial.run_until(6, &mut history, &GO).unwrap_err();
    let TrialError::Diverged { step, .. } = error else {
        panic!("{error}")
    };
    let last = history.steps.last().unwrap();
    assert_eq!(last.step, step);
    assert!(!last.loss.is_finite());
    assert!(
        history.steps[..history.steps.len() - 1]
            .iter()
            .all(|step| step.loss.is_finite())
    );
    assert_eq!(trial.run_until(6, &mut history, &GO).unwrap_err(), error);
}

#[test]
fn a_scheduler_that_refuses_ends_its_trial() {
    let data = dataset(&flowers(100), "kind");
    let mut trial = trial::<Refusing>(settings(), &data);
    let message = trial.run_until(6, &mut (), &GO).unwrap_err().to_string();
    assert_eq!(message, "scheduler `refusing` failed at step 2: no more");
}

#[test]
fn a_network_of_pictures_needs_pictures_that_are_large_enough() {
    let refusal = |channels: Vec<usize>, data: Arc<Dataset>| {
        let cnn = CnnSettings {
            channels,
            ..CnnSettings::default()
        };
        let settings = TrialSettings {
            model: ModelSettings::Cnn(cnn),
            ..settings()
        };
        let settings = settings.check().unwrap();
        let controller = controller::<Constant>(&settings, &data);
        Trial::new(settings, data, controller)
            .err()
            .map(|error| error.to_string())
    };
    assert_eq!(
        refusal(vec![4], blossoms()).unwrap(),
        "`model` is cnn, but it must be a kind for data without pictures, or the data needs \
         `image = [height, width, channels]`"
    );
    assert_eq!(
        refusal(vec![4; 3], stripes(60)).unwrap(),
        "`channels` is [4, 4, 4], but it must be at most 2 stages for pictures of 6 by 5: each \
         halves them"
    );
    assert_eq!(refusal(vec![4; 2], stripes(60)), None);
}

#[test]
fn an_objective_of_another_task_is_refused() {
    let data = dataset(&flowers(100), "kind");
    let settings = TrialSettings {
        objective: Some(Metric::R2),
        ..settings()
    }
    .check()
    .unwrap();
    let controller = controller::<Constant>(&settings, &data);
    let error = Trial::new(settings, data, controller).unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with("`objective` is r2, but it must be one of loss, accuracy"),
        "{message}"
    );
}

#[test]
fn the_metric_arrives_as_often_as_planned() {
    let data = dataset(&flowers(200), "kind");
    let sources = [
        MetricSource::TrainLoss,
        MetricSource::ValidLoss,
        MetricSource::Objective,
    ];
    for source in sources {
        for every in [Every::Auto, Every::Steps(7), Every::Epochs(2)] {
            let settings = TrialSettings {
                cadence: Cadence { source, every },
                ..settings()
            };
            let planned = Trial::setup(&settings.clone().check().unwrap(), &data).metric_calls;
            let mut trial = trial::<Curious>(settings, &data);
            advance(&mut trial, &mut History::default(), &[6]);
            assert_eq!(
                Some(trial.steering().metric_calls),
                planned,
                "{source:?} {every:?}"
            );
        }
    }
}

#[test]
fn the_setup_describes_the_run() {
    let data: Arc<Dataset> = dataset(&flowers(200), "kind");
    let settings = TrialSettings {
        cadence: Cadence {
            source: MetricSource::Objective,
            every: Every::Auto,
        },
        ..settings()
    };
    let setup = Trial::setup(&settings.check().unwrap(), &data);
    let inputs = data.preprocessor().width() as u64;
    let sizes: Vec<u64> = setup.groups.iter().map(|group| group.size).collect();
    assert_eq!(sizes, [inputs * 16 + 16 * 8 + 8 * 3, 16 + 8 + 3]);
    let steps = data.part(Part::Train).rows().div_ceil(16) as u64;
    assert_eq!(
        (setup.steps_per_epoch, setup.total_steps),
        (Some(steps), Some(6 * steps))
    );
    assert!(!setup.metric_minimized);
    assert_eq!(setup.groups[0].momentum, Some(0.9));
    assert_eq!(setup.groups[1].tags, ["bias"]);
}

/// Applicants of three places, who are not treated alike: of the first fewer are taken and paid less.
fn applicants(days: std::ops::Range<u32>) -> String {
    let mut text = String::from("day,place,grade,taken,pay\n");
    for day in days {
        let place = day * 7 % 3;
        let grade = f64::from(day * 31 % 40) / 10.0 + f64::from(place);
        let taken = ["no", "yes"][usize::from(grade > 3.0)];
        let pay = 50.0 + 8.0 * grade;
        text += &format!("{day},{place},{grade},{taken},{pay}\n");
    }
    text
}

/// What a trial tells of its test rows is what its model's predictions of these rows come to, counted
/// here by hand; and the least disparate epoch is the one that is kept where that is the objective.
#[test]
fn disparities_are_those_of_the_rows_own_groups() {
    let table = |days| Table::parse("applicants.csv", applicants(days).as_bytes()).unwrap();
    let new = table(255..300);
    let places: Vec<usize> = (255..300).map(|day| day * 7 % 3).collect();
    // The greatest mean of a place's values less the smallest.
    let spread = |value: &dyn Fn(usize) -> Option<f64>| {
        let means = [0, 1, 2].map(|place| {
            let rows = (0..places.len()).filter(|&row| places[row] == place);
            let values: Vec<f64> = rows.filter_map(value).collect();
            values.iter().sum::<f64>() / values.len() as f64
        });
        let most = means.iter().copied().fold(f64::MIN, f64::max);
        most - means.iter().copied().fold(f64::MAX, f64::min)
    };
    let truths = applicants(255..300);
    let truth = |row: usize, column: usize| {
        let line = truths.lines().nth(row + 1).unwrap();
        line.split(',').nth(column).unwrap().to_owned()
    };
    for (target, objective) in [
        ("taken", Metric::EqualOpportunityDifference),
        ("pay", Metric::MaeDifference),
    ] {
        let other = ["pay", "taken"][usize::from(target == "pay")];
        let options = DataOptions {
            time: Some("day".into()),
            ignore: vec!["place".into(), other.into()],
            protected: Some("place".into()),
            ..DataOptions::of_target(target)
        };
        let data = Arc::new(Dataset::prepare(&table(0..300), &options).unwrap());
        let settings = TrialSettings {
            objective: Some(objective),
            max_epochs: 6,
            ..settings()
        };
        let mut trial = trial::<Constant>(settings, &data);
        let mut history = History::default();
        advance(&mut trial, &mut history, &[6]);
        let least = (history.epochs.iter().map(|epoch| epoch.valid[&objective]))
            .fold(f64::INFINITY, f64::min);
        let best = trial.snapshot().unwrap();
        assert_eq!((best.objective, best.valid[&objective]), (least, least));

        let mut model = trial.model(serde_json::Value::Null).unwrap();
        let told = &model.card().test.clone();
        assert_eq!(*told, trial.evaluate(Part::Test).unwrap());
        match model.predict(&new).unwrap().answers {
            Answers::Classes { chosen, .. } => {
                let taken = |row: usize| Some(chosen[row] as f64);
                let of = |truth_is: &'static str| {
                    spread(&|row| taken(row).filter(|_| truth(row, 3) == truth_is))
                };
                let opportunity = of("yes");
                for (metric, expected) in [
                    (Metric::DemographicParityDifference, spread(&taken)),
                    (Metric::EqualOpportunityDifference, opportunity),
                    (Metric::EqualizedOddsDifference, opportunity.max(of("no"))),
                ] {
                    assert!(
                        (told[&metric] - expected).abs() < 1e-9,
                        "{metric}: {told:?}"
                    );
                }
                assert!(told[&Metric::DemographicParityDifference] > 0.1, "{told:?}");
            }
            Answers::Numbers(numbers) => {
                let predicted = spread(&|row| Some(numbers[row]));
                let off = spread(&|row| {
                    Some((numbers[row] - truth(row, 4).parse::<f64>().unwrap()).abs())
                });
                for (metric, expected) in [
                    (Metric::MeanPredictionDifference, predicted),
                    (Metric::MaeDifference, off),
                ] {
                    assert!(
                        (told[&metric] - expected).abs() < 1e-4,
                        "{metric}: {told:?}"
                    );
                }
            }
        }
    }
}
