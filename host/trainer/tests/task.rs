//! Tasks: what a trial trains that is no network on a dataset.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy does not know that helpers belong to tests"
)]

mod support;

use attune_plugin_api::prelude::*;
use attune_trainer::artifact::{Artifact, Model};
use attune_trainer::data::{Part, Table};
use attune_trainer::metrics::{Metric, OwnMetric, Scores};
use attune_trainer::task::{
    Batch, Factorisation, FactorisationSettings, Failure, FunctionSettings, Kind, Parameters,
    Random, Shape, Task,
};
use attune_trainer::trial::{
    Cadence, Checkpoint, CheckpointError, Every, Goal, MetricSource, Progress, StartRate, Subject,
    Trial, TrialError, TrialSettings,
};
use std::sync::atomic::AtomicBool;
use support::{Constant, Falling, History, Watchful, blossoms, configured, controller, trial};

static GO: AtomicBool = AtomicBool::new(false);

fn quadratic(condition: f64, noise: f64) -> FunctionSettings {
    FunctionSettings {
        shape: Shape::Quadratic { condition },
        dimensions: 12,
        noise,
        rows: 40,
    }
}

fn rosenbrock(noise: f64) -> FunctionSettings {
    FunctionSettings {
        shape: Shape::Rosenbrock,
        dimensions: 5,
        ..quadratic(1.0, noise)
    }
}

fn matrix() -> FactorisationSettings {
    FactorisationSettings {
        rows: 21,
        columns: 9,
        rank: 3,
        planted: 3,
        ..FactorisationSettings::default()
    }
}

fn function(settings: FunctionSettings) -> Subject {
    Subject::task(settings.check().unwrap()).unwrap()
}

fn factorisation() -> Subject {
    Subject::task(matrix().check().unwrap()).unwrap()
}

/// Plain gradient descent.
fn descent(lr: f64) -> TrialSettings {
    TrialSettings {
        optimizer: OptimizerKind::Sgd,
        momentum: 0.0,
        weight_decay: 0.0,
        lr,
        batch_size: 8,
        max_epochs: 4,
        seed: 5,
        ..TrialSettings::default()
    }
}

fn start(task: &dyn Task) -> Vec<Vec<f32>> {
    task.start(&mut Random::new(3))
}

fn slices(values: &[Vec<f32>]) -> Vec<&[f32]> {
    values.iter().map(Vec::as_slice).collect()
}

fn learn(task: &dyn Task, rows: &[u32], values: &[Vec<f32>]) -> (f32, Vec<Vec<f32>>) {
    let mut gradients: Vec<Vec<f32>> = values.iter().map(|v| vec![0.0; v.len()]).collect();
    let batch = Batch {
        rows,
        number: 7,
        seed: 2,
    };
    let mut places: Vec<&mut [f32]> = gradients.iter_mut().map(Vec::as_mut_slice).collect();
    let loss = task.learn(&batch, &slices(values), &mut places).unwrap();
    (loss, gradients)
}

fn run(trial: &mut Trial, goal: impl Into<Goal>) -> History {
    let mut history = History::default();
    assert_eq!(
        trial.run_until(goal, &mut history, &GO),
        Ok(Progress::Reached)
    );
    history
}

/// The loss is told in f64 where it is validated, on the same rows.
#[test]
fn gradients_are_those_of_the_loss() {
    let tasks: [Box<dyn Task>; 3] = [
        Box::new(quadratic(300.0, 0.0).check().unwrap()),
        Box::new(rosenbrock(0.0).check().unwrap()),
        Box::new(matrix().check().unwrap()),
    ];
    for task in tasks {
        let mut values = start(&*task);
        let all: Vec<u32> = (0..task.rows() as u32).collect();
        let (loss, gradients) = learn(&*task, &all, &values);
        let told = |values: &[Vec<f32>]| task.validate(&slices(values)).unwrap()[&Metric::Loss];
        assert!((f64::from(loss) - told(&values)).abs() <= 1e-5 * told(&values));
        let largest = gradients
            .iter()
            .flatten()
            .fold(0.0, |m: f32, g| m.max(g.abs()));
        for (group, gradient) in gradients.iter().enumerate() {
            for (place, &slope) in gradient.iter().enumerate() {
                let middle = values[group][place];
                let ends = [middle + 1e-3, middle - 1e-3];
                let [above, below] = ends.map(|end| {
                    values[group][place] = end;
                    told(&values)
                });
                values[group][place] = middle;
                let found = (above - below) / f64::from(ends[0] - ends[1]);
                assert!(
                    (found - f64::from(slope)).abs() <= 1e-3 * f64::from(largest),
                    "{} {group} {place}: {found} {slope}",
                    task.name()
                );
            }
        }
    }
}

#[test]
fn noise_is_in_the_loss_as_it_is_in_the_gradient() {
    for settings in [quadratic(10.0, 0.5), rosenbrock(0.5)] {
        let noisy = settings.clone().check().unwrap();
        let quiet = FunctionSettings {
            noise: 0.0,
            ..settings
        };
        let minimum = if quiet.shape == Shape::Rosenbrock {
            1.0
        } else {
            0.0
        };
        let quiet = quiet.check().unwrap();
        let values = start(&noisy);
        let (loss, gradients) = learn(&noisy, &[1, 2], &values);
        let (smooth, slopes) = learn(&quiet, &[1, 2], &values);
        let parts = gradients[0].iter().zip(&slopes[0]).zip(&values[0]);
        let expected: f32 = parts.map(|((g, s), x)| (g - s) * (x - minimum)).sum();
        assert!(
            (loss - smooth - expected).abs() < 1e-3,
            "{loss} {smooth} {expected}"
        );
        assert_ne!(gradients, slopes);
        assert_eq!((loss, gradients), learn(&noisy, &[1, 2], &values));
    }
}

#[test]
fn a_batch_of_a_matrix_is_the_mean_of_its_rows() {
    let task = matrix().check().unwrap();
    let values = start(&task);
    let rows = [17, 2, 5];
    let (loss, gradients) = learn(&task, &rows, &values);
    let single = rows.map(|row| learn(&task, &[row], &values));
    let mean = single.iter().map(|(loss, _)| loss / 3.0).sum::<f32>();
    assert!((loss - mean).abs() < 1e-4 * mean);
    for (group, gradient) in gradients.iter().enumerate() {
        for (place, slope) in gradient.iter().enumerate() {
            let mean: f32 = single.iter().map(|(_, g)| g[group][place] / 3.0).sum();
            assert!(
                (slope - mean).abs() < 1e-4,
                "{group} {place}: {slope} {mean}"
            );
        }
    }
    let untouched = &gradients[0][3 * 3..5 * 3];
    assert!(untouched.iter().all(|slope| *slope == 0.0));
}

#[test]
fn minima_are_where_they_are_said_to_be() {
    for (settings, at) in [(quadratic(50.0, 0.0), 0.0), (rosenbrock(0.0), 1.0)] {
        let values = vec![vec![at; settings.dimensions]];
        let task = settings.check().unwrap();
        assert_eq!(
            task.validate(&slices(&values)).unwrap(),
            task.metrics()
                .into_iter()
                .map(|metric| (metric, 0.0))
                .collect()
        );
        let (loss, gradients) = learn(&task, &[0], &values);
        assert!(loss == 0.0 && gradients[0].iter().all(|slope| *slope == 0.0));
    }
}

/// xᵢ after k steps is (1 − lr·λᵢ)ᵏ times where it started.
#[test]
fn gradient_descent_on_a_quadratic_follows_its_closed_form() {
    let (condition, lr) = (40.0_f64, 1.7);
    let settings = FunctionSettings {
        rows: 8,
        ..quadratic(condition, 0.0)
    };
    let mut trial = trial::<Constant>(descent(lr), &function(settings));
    let begun = trial.best_parameters().remove(0).1;
    let history = run(&mut trial, 4);
    assert_eq!(history.steps.len(), 4);
    let moved = trial.best_parameters().remove(0).1;
    for (place, (start, end)) in begun.iter().zip(&moved).enumerate() {
        let curvature = condition.powf(place as f64 / 11.0 - 1.0);
        let expected = (1.0 - lr * curvature).powi(4) * f64::from(*start);
        assert!(
            (f64::from(*end) - expected).abs() < 1e-5,
            "{place}: {end} {expected}"
        );
    }
    let best = trial.snapshot().unwrap();
    assert_eq!(best.epoch, 4);
    let metrics: Vec<&str> = best.valid.keys().map(|metric| metric.name()).collect();
    assert_eq!(metrics, ["loss", "distance"]);
}

#[test]
fn a_rate_above_what_the_curvature_allows_diverges() {
    let settings = TrialSettings {
        max_epochs: 200,
        ..descent(2.2)
    };
    let mut trial = trial::<Constant>(settings, &function(quadratic(3.0, 0.0)));
    let ended = trial.run_until(200, &mut (), &AtomicBool::new(false));
    assert!(
        matches!(ended, Err(TrialError::Diverged { .. })),
        "{ended:?}"
    );
}

/// Where noise and a constant rate hold each other, E x² = lr·σ²/b / (λ·(2 − lr·λ)) with batches of b.
#[test]
fn noise_ends_at_the_floor_that_theory_says() {
    for batch_size in [1, 4] {
        let wide = function(FunctionSettings {
            dimensions: 4000,
            rows: 100 * batch_size,
            ..quadratic(1.0, 0.3)
        });
        let settings = TrialSettings {
            batch_size,
            max_epochs: 1,
            ..descent(0.2)
        };
        let mut trial = trial::<Constant>(settings, &wide);
        run(&mut trial, 1);
        let x = trial.best_parameters().remove(0).1;
        let found = x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32;
        let expected = 0.2 * 0.09 / batch_size as f32 / 1.8;
        assert!((found / expected - 1.0).abs() < 0.1, "{found} {expected}");
    }
}

#[test]
fn a_matrix_is_factored_by_numbers_that_are_never_negative() {
    for optimizer in [
        OptimizerKind::Sgd,
        OptimizerKind::AdamW,
        OptimizerKind::Lion,
    ] {
        let settings = TrialSettings {
            optimizer,
            momentum: 0.9,
            lr: if optimizer == OptimizerKind::Sgd {
                0.01
            } else {
                0.005
            },
            max_epochs: 150,
            ..descent(0.01)
        };
        let mut trial = trial::<Falling>(settings, &factorisation());
        let mut losses = Vec::new();
        for epoch in 1..=150 {
            let history = run(&mut trial, epoch);
            losses.push(history.epochs[0].valid[&Metric::Loss]);
            let numbers = trial.best_parameters();
            let numbers = numbers.iter().flat_map(|(_, values)| values);
            assert!(numbers.clone().all(|number| *number >= 0.0));
        }
        let best = trial.snapshot().unwrap();
        let error = best
            .valid
            .iter()
            .find(|(m, _)| m.name() == "relative_error");
        assert!(*error.unwrap().1 < 0.12, "{optimizer:?} {best:?}");
        assert!(
            losses[20] < losses[0] && losses[149] < losses[20],
            "{losses:?}"
        );
    }
}

/// The largest eigenvalue of HHᵀ, by power iteration.
fn steepest(h: &[f32], columns: usize) -> f32 {
    let mut x = vec![1.0; h.len() / columns];
    let mut length = 0.0;
    for _ in 0..200 {
        let h = h.chunks_exact(columns);
        let mut across = vec![0.0; columns];
        for (row, x) in h.clone().zip(&x) {
            (across.iter_mut().zip(row)).for_each(|(sum, h)| *sum += h * x);
        }
        let back = h.map(|row| row.iter().zip(&across).map(|(h, a)| h * a).sum::<f32>());
        let back: Vec<f32> = back.collect();
        length = back.iter().map(|x| x * x).sum::<f32>().sqrt();
        x = back.iter().map(|x| x / length).collect();
    }
    length
}

/// lr_W < m/λmax(HHᵀ), where H stays as it is.
#[test]
fn one_factor_alone_falls_exactly_below_its_bound() {
    let task = matrix().check().unwrap();
    let all: Vec<u32> = (0..21).collect();
    let mut losses = [0.95_f32, 1.05].map(|share| {
        let mut values = start(&task);
        let rate = share * 21.0 / steepest(&values[1], 9);
        let mut losses = Vec::new();
        for _ in 0..300 {
            let (loss, gradients) = learn(&task, &all, &values);
            losses.push(loss);
            let w = values[0].iter_mut().zip(&gradients[0]);
            w.for_each(|(w, slope)| *w -= rate * slope);
        }
        losses
    });
    let above = losses[1].split_off(250);
    assert!(losses[0].windows(2).all(|pair| pair[1] <= pair[0] * 1.0001));
    assert!(above.windows(2).all(|pair| pair[1] > pair[0]), "{above:?}");
}

#[test]
fn several_batches_that_make_a_step_are_the_one_batch_of_their_rows() {
    let of = |batch_size, accumulate| {
        let settings = TrialSettings {
            batch_size,
            accumulate,
            ..descent(0.01)
        };
        let mut trial = trial::<Constant>(settings, &factorisation());
        run(&mut trial, 4);
        trial.best_parameters()
    };
    for (one, several) in of(6, 1).iter().zip(of(2, 3)) {
        for (one, several) in one.1.iter().zip(several.1) {
            assert!((one - several).abs() < 1e-4, "{one} {several}");
        }
    }
}

#[test]
fn schedulers_are_told_a_tasks_groups_and_steps() {
    let settings = descent(0.1).check().unwrap();
    let setup = Trial::setup(&settings, factorisation());
    let groups: Vec<_> = setup
        .groups
        .iter()
        .map(|g| (&*g.name, g.size, &*g.tags[0]))
        .collect();
    assert_eq!(groups, [("w", 63, "weight"), ("h", 27, "weight")]);
    assert_eq!(
        (setup.steps_per_epoch, setup.total_steps),
        (Some(3), Some(12))
    );
}

/// Everything that a trial keeps, at once.
fn laden(optimizer: OptimizerKind, every: Every) -> TrialSettings {
    TrialSettings {
        optimizer,
        momentum: 0.8,
        clip_norm: Some(2.0),
        ema: Some(0.9),
        batch_size: 4,
        accumulate: 3,
        weight_decay: 0.01,
        cadence: Cadence {
            source: MetricSource::ValidLoss,
            every,
        },
        ..descent(0.01)
    }
}

fn outcome(history: &History, trial: &Trial) -> String {
    let stats = trial.steering();
    let (snapshot, best) = (trial.snapshot(), trial.best_parameters());
    format!("{history:?} {snapshot:?} {best:?} {}", stats.metric_calls)
}

#[test]
fn tasks_go_on_from_any_step_bit_for_bit() {
    let subjects = [
        function(quadratic(30.0, 0.4)),
        function(rosenbrock(0.1)),
        factorisation(),
    ];
    for subject in &subjects {
        for (optimizer, every) in [
            (OptimizerKind::Nesterov, Every::Steps(3)),
            (OptimizerKind::AdamW, Every::Epochs(1)),
        ] {
            let settings = laden(optimizer, every);
            let mut whole = trial::<Watchful>(settings.clone(), subject);
            let whole_history = run(&mut whole, 4);
            let expected = outcome(&whole_history, &whole);
            for step in 0..=whole.steps() {
                let mut first = trial::<Watchful>(settings.clone(), subject);
                let goal = Goal {
                    epoch: 4,
                    step: Some(step),
                };
                let mut history = run(&mut first, goal);
                let bytes = first.checkpoint().unwrap();
                let checkpoint = Checkpoint::peek(&bytes).unwrap();
                let controller = configured::<Watchful>(checkpoint.setup());
                let checked = settings.clone().check().unwrap();
                let mut second = Trial::restore(checked, subject, controller, &bytes).unwrap();
                let rest = run(&mut second, 4);
                history.steps.extend(rest.steps);
                history.epochs.extend(rest.epochs);
                assert_eq!(
                    outcome(&history, &second),
                    expected,
                    "{subject:?} cut at {step}"
                );
            }
        }
    }
}

#[test]
fn a_checkpoint_is_of_one_task_alone() {
    let settings = descent(0.01);
    let mut begun = trial::<Constant>(settings.clone(), &function(quadratic(30.0, 0.4)));
    run(&mut begun, 1);
    let bytes = begun.checkpoint().unwrap();
    let restored = |subject: &Subject, bytes: &[u8]| {
        let checked = settings.clone().check().unwrap();
        let controller = controller::<Constant>(&checked, subject);
        Trial::restore(checked, subject, controller, bytes)
    };
    let data = Subject::from(blossoms());
    assert!(restored(&function(quadratic(30.0, 0.4)), &bytes).is_ok());
    for other in [
        function(quadratic(31.0, 0.4)),
        function(quadratic(30.0, 0.5)),
        function(rosenbrock(0.4)),
        factorisation(),
        data.clone(),
    ] {
        let error = restored(&other, &bytes).unwrap_err();
        assert!(
            matches!(
                error,
                CheckpointError::Data {
                    what: "the task",
                    ..
                }
            ),
            "{error}"
        );
    }
    let bytes = trial::<Constant>(settings.clone(), &data)
        .checkpoint()
        .unwrap();
    let error = restored(&factorisation(), &bytes).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "the checkpoint belongs to other data: the task was none and is now factorisation of \
             21 x 9 numbers"
        ),
        "{error}"
    );
}

#[test]
fn a_task_is_forked_swapped_and_steered_as_networks_are() {
    let subject = factorisation();
    let mut parent = trial::<Falling>(descent(0.02), &subject);
    run(&mut parent, 2);
    let bytes = parent.checkpoint().unwrap();
    let longer = TrialSettings {
        max_epochs: 6,
        optimizer: OptimizerKind::Nesterov,
        ..descent(0.01)
    };
    let longer = longer.check().unwrap();
    let checkpoint = Checkpoint::peek(&bytes).unwrap();
    let start = StartRate::OfSettings;
    let setup = checkpoint.fork_setup(&longer, &subject, start).unwrap();
    let controller = configured::<Constant>(&setup);
    let mut fork = Trial::fork(longer, &subject, controller, &bytes, start).unwrap();
    assert_eq!(
        (fork.snapshot(), fork.steps()),
        (parent.snapshot(), parent.steps())
    );
    fork.set_rate(0.005).unwrap();
    assert_eq!(run(&mut fork, 3).steps[0].rates, [0.005, 0.005]);
    let setup = fork.setup_now();
    fork.swap(configured::<Falling>(&setup)).unwrap();
    let history = run(&mut fork, 6);
    assert_eq!(history.epochs.len(), 3);
    assert!(history.steps.last().unwrap().rates[0] < 0.001);
}

#[test]
fn what_is_of_networks_is_refused_for_tasks() {
    let subject = factorisation();
    type Change = fn(&mut TrialSettings);
    let table: [(Change, &str); 3] = [
        (
            |s| s.dropout = 0.5,
            "`dropout` is 0.5, but it must be left out: a task has no network",
        ),
        (
            |s| s.label_smoothing = 0.1,
            "`label_smoothing` is 0.1, but it must be left out: a task has no network",
        ),
        (
            |s| s.objective = Some(Metric::Accuracy),
            "`objective` is accuracy, but it must be one of loss for this task",
        ),
    ];
    for (change, expected) in table {
        let mut settings = descent(0.1);
        change(&mut settings);
        let settings = settings.check().unwrap();
        let controller = controller::<Constant>(&settings, &subject);
        let error = Trial::new(settings, &subject, controller).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let own = TrialSettings {
        objective: Some(HEIGHT),
        ..descent(0.1)
    };
    let error = own.check().unwrap_err().to_string();
    assert!(error.starts_with("`objective` is height, but it must be left out"));
    let trial = trial::<Constant>(descent(0.1), &subject);
    let error = trial.model(serde_json::Value::Null).unwrap_err();
    assert!(matches!(error, TrialError::NoModel { .. }), "{error}");
    assert_eq!(trial.evaluate(Part::Test), Ok(Scores::new()));
    assert_eq!(trial.evaluate(Part::Valid).unwrap().len(), 2);
}

#[test]
fn settings_of_tasks_outside_their_range_are_named() {
    let functions = [
        (quadratic(0.5, 0.0), "`condition` is 0.5"),
        (quadratic(2.0, -1.0), "`noise` is -1"),
        (
            FunctionSettings {
                dimensions: 1,
                ..rosenbrock(0.0)
            },
            "`dimensions` is 1, but it must be from 2",
        ),
    ];
    for (settings, start) in functions {
        let message = settings.check().unwrap_err().to_string();
        assert!(message.starts_with(start), "{message}");
    }
    let rank = FactorisationSettings {
        rank: 10,
        ..matrix()
    };
    let message = rank.check().unwrap_err().to_string();
    assert!(
        message.starts_with("`rank` is 10, but it must be from 1 to"),
        "{message}"
    );
    for (columns, v) in [
        (0, vec![1.0]),
        (2, vec![1.0; 3]),
        (2, vec![1.0, -1.0]),
        (1, vec![]),
    ] {
        assert!(Factorisation::new(columns, v, 1).is_err());
    }
}

/// Goes down a parabola past what it says is highest, and fails or lies where it is told to.
struct Fickle(&'static str);

const HEIGHT: Metric = Metric::Own(OwnMetric {
    name: "height",
    minimized: false,
});

impl Fickle {
    fn fail(&self, at: &str) -> Result<(), Failure> {
        if self.0 == at {
            return Err("no more".into());
        }
        assert_ne!(self.0, format!("{at}!"), "it broke");
        Ok(())
    }
}

impl Task for Fickle {
    fn name(&self) -> String {
        "fickle".into()
    }

    fn fingerprint(&self) -> String {
        "fickle".into()
    }

    fn parameters(&self) -> Vec<Parameters> {
        self.fail("parameters").unwrap();
        let names = if self.0 == "doubled" {
            ["a", "a"]
        } else {
            ["a", "b"]
        };
        names
            .map(|name| Parameters::new(name, Kind::Bias, []))
            .into()
    }

    fn start(&self, _: &mut Random) -> Vec<Vec<f32>> {
        let numbers = if self.0 == "start" { 2 } else { 1 };
        vec![vec![1.0], vec![-1.0; numbers]]
    }

    fn rows(&self) -> usize {
        if self.0 == "rows" { 0 } else { 2 }
    }

    fn learn(
        &self,
        batch: &Batch<'_>,
        values: &[&[f32]],
        gradients: &mut [&mut [f32]],
    ) -> Result<f32, Failure> {
        if batch.number == 3 {
            self.fail("learn")?;
        }
        gradients[0][0] = 2.0 * values[0][0];
        Ok(values[0][0] * values[0][0])
    }

    fn project(&self, values: &mut [&mut [f32]]) -> Result<(), Failure> {
        values[1][0] += 1.0;
        self.fail("project")
    }

    fn metrics(&self) -> Vec<Metric> {
        if self.0 == "metrics" {
            return vec![HEIGHT];
        }
        vec![HEIGHT, Metric::Loss]
    }

    fn validate(&self, values: &[&[f32]]) -> Result<Scores, Failure> {
        self.fail("validate")?;
        let loss = f64::from(values[0][0]).powi(2);
        if self.0 == "unmeasured" {
            return Ok(Scores::from([(Metric::Loss, loss)]));
        }
        let height = -(f64::from(values[0][0]) - 0.5).abs();
        Ok(Scores::from([(Metric::Loss, loss), (HEIGHT, height)]))
    }
}

fn fickle(settings: TrialSettings, how: &'static str) -> Result<Trial, TrialError> {
    let subject = Subject::task(Fickle(how))?;
    let settings = settings.check().unwrap();
    let controller = controller::<Constant>(&settings, &subject);
    Trial::new(settings, &subject, controller)
}

#[test]
fn a_tasks_errors_and_panics_are_its_trials() {
    let table = [
        ("learn", "failed at step 3: no more"),
        ("learn!", "failed at step 3: it panicked: "),
        ("project", "failed at step 0: no more"),
        ("validate!", "failed at step 2: it panicked: "),
        (
            "unmeasured",
            "failed at step 2: it did not measure `height`",
        ),
        ("parameters!", "cannot be trained: it panicked: "),
        (
            "doubled",
            "cannot be trained: its parameters must be at least one group",
        ),
        (
            "start",
            "cannot be trained: it starts from other numbers of parameters",
        ),
        ("rows", "cannot be trained: it must have at least one row"),
        ("metrics", "cannot be trained: its metrics must"),
    ];
    for (how, expected) in table {
        let settings = TrialSettings {
            batch_size: 1,
            ..descent(0.1)
        };
        let made = fickle(settings, how);
        let ended = made.and_then(|mut trial| trial.run_until(4, &mut (), &GO));
        let message = ended.unwrap_err().to_string();
        let expected = format!("the task `fickle` {expected}");
        assert!(message.starts_with(&expected), "{how}: {message}");
    }
}

#[test]
fn a_tasks_first_metric_chooses_the_best_epoch() {
    let mut trial = fickle(descent(0.1), "never").unwrap();
    run(&mut trial, 4);
    // 0.8 to the third is nearest to a half.
    let best = trial.snapshot().unwrap();
    assert!(trial.objective() == HEIGHT && best.epoch == 3);
    // What was projected is what is kept: one more a step, of which an epoch has one.
    assert_eq!(trial.best_parameters()[1].1, [2.0]);
}

#[test]
fn a_task_can_be_optimised_by_any_of_its_metrics() {
    let subject = function(rosenbrock(0.0));
    let distance = subject.metrics()[1];
    assert_eq!(subject.usual_objective(), Metric::Loss);
    let by_distance = subject.clone().optimising(distance);
    assert_eq!(by_distance.usual_objective(), distance);
    let mut trial = trial::<Constant>(descent(1e-4), &by_distance);
    run(&mut trial, 3);
    let best = trial.snapshot().unwrap();
    assert_eq!(best.objective, best.valid[&distance]);
    // What it does not measure changes nothing.
    let other = subject.optimising(Metric::Accuracy);
    assert_eq!(other.usual_objective(), Metric::Loss);
}

#[test]
fn what_a_task_was_trained_to_is_a_file_that_is_whole_or_refused() {
    let mut trial = trial::<Constant>(descent(0.02), &factorisation());
    run(&mut trial, 4);
    let artifact = trial
        .artifact(serde_json::json!({"trial": "s1.0"}))
        .unwrap();
    assert!(artifact.test().is_none());
    let Artifact::Solution(solution) = &artifact else {
        panic!("{artifact:?}");
    };
    let card = solution.card();
    assert_eq!((card.solves.as_str(), card.epoch), ("factorisation", 4));
    assert!(card.valid["relative_error"] < 1.0);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("factors.safetensors");
    artifact.save(&path).unwrap();
    let good = Artifact::read(&path).unwrap();
    for place in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[place] ^= 4;
        std::fs::write(&path, &bad).unwrap();
        assert!(
            Artifact::read(&path).is_err(),
            "byte {place} of {}",
            good.len()
        );
    }
    std::fs::write(&path, &good[..good.len() - 4]).unwrap();
    assert!(Artifact::read(&path).is_err());
    std::fs::write(&path, &good).unwrap();
    let refused = Model::load(&path).unwrap_err().to_string();
    assert!(refused.contains("is no model to predict with"), "{refused}");
}

#[test]
fn the_same_matrix_is_factored_at_other_ranks() {
    let of_three = matrix().check().unwrap();
    let of_five = of_three.of_rank(5).unwrap();
    let as_made = FactorisationSettings {
        rank: 5,
        ..matrix()
    }
    .check()
    .unwrap();
    assert_eq!(of_five.fingerprint(), as_made.fingerprint());
    assert_eq!(of_five.sides(), (21, 9));
    let error = of_three.of_rank(10).unwrap_err().to_string();
    assert!(error.starts_with("`rank` is 10"), "{error}");
    let table = Table::parse("m.csv", b"a,b,who\n1,2,x\n0,0.5,y\n").unwrap();
    let read = Factorisation::of_table(&table, &["who".to_owned()]).unwrap();
    let made = Factorisation::new(2, vec![1.0, 2.0, 0.0, 0.5], 1).unwrap();
    assert_eq!(read.fingerprint(), made.fingerprint());
    assert!(Factorisation::new(2, vec![0.0; 4], 1).is_err());
}
