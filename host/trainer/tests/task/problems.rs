//! The tasks that come along: their losses, gradients and minima.

use super::*;

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
