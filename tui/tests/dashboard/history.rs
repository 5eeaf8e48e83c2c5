//! What befell the made-up trials: hands on the wheel, checkpoints, warnings, and their steps one by
//! one.

use attune_protocol::work::{Checkpoint, Intervention};
use attune_protocol::*;
use std::collections::BTreeMap;

/// Updates in an epoch of a made-up trial.
const STEPS: u64 = 23;

fn kept(epoch: u32, kept_as: KeptAs) -> Checkpoint {
    Checkpoint {
        step: u64::from(epoch) * STEPS,
        epoch,
        bytes: 1_234_567,
        kept_as,
    }
}

/// One checkpoint of each of so many epochs.
pub(crate) fn of_each_epoch(epochs: u32) -> Vec<Checkpoint> {
    (1..=epochs)
        .map(|epoch| kept(epoch, KeptAs::Rung))
        .collect()
}

/// Gives a trial its past: the third of a study was taken by hand, the fifth has lost a worker.
pub(crate) fn enrich(detail: &mut TrialDetail, number: u32) {
    let trial = &mut detail.trial;
    let rungs = [2, 6, 18].into_iter().filter(|rung| *rung <= trial.epochs);
    trial.rungs = rungs.collect();
    let rungs = trial.rungs.iter().map(|rung| kept(*rung, KeptAs::Rung));
    trial.checkpoints = rungs.chain([kept(trial.epochs, KeptAs::Last)]).collect();
    if number == 3 {
        trial.interventions.push(Intervention {
            step: 60,
            steer: Steer::SetRate(Number(0.05)),
        });
    }
    if number == 5 {
        let death = "worker 2 (pid 4249) was killed by SIGKILL at step 31, in scheduler greedy";
        trial.deaths.push(death.to_owned());
        let warning = "asked for a rate of NaN at step 12; kept 0.2";
        trial.warnings.push(warning.to_owned());
    }
    let losses = |step: u64| {
        let falls = 2.3 * (-(step as f64) / 70.0).exp() + 0.05;
        Number(falls * (1.0 + 0.2 * (step as f64 * 2.7).sin()))
    };
    detail.step_curves.push(Curve {
        name: "loss".to_owned(),
        points: (1..=trial.steps)
            .map(|step| (Number(step as f64), losses(step)))
            .collect(),
    });
    if trial.scheduler == "hypergradient" {
        let angle = |step: u64| Number((step as f64 / 40.0).cos());
        detail.step_curves.push(Curve {
            name: "signal.grad_angle".to_owned(),
            points: (1..=trial.steps)
                .map(|step| (Number(step as f64), angle(step)))
                .collect(),
        });
    }
}

/// The steps of a trial one by one.
pub(crate) fn steps(detail: &TrialDetail, query: &StepsQuery) -> StepRows {
    let from = query.from.unwrap_or(0);
    let until = from + u64::from(query.limit.unwrap_or(10_000));
    let inside = |x: Number| (from..until).contains(&(x.0 as u64));
    let mut columns = BTreeMap::new();
    let mut steps = Vec::new();
    for curve in &detail.step_curves {
        let points = || curve.points.iter().filter(|(x, _)| inside(*x));
        steps = points().map(|(x, _)| x.0 as u64).collect();
        columns.insert(curve.name.clone(), points().map(|(_, y)| *y).collect());
    }
    StepRows {
        steps,
        columns,
        next: (until < detail.trial.steps).then_some(until),
    }
}
