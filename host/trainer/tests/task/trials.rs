//! Trials of tasks: steps, checkpoints, forks, errors, and what they leave.

use super::*;

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
