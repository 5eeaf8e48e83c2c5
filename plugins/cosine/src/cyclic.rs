//! A rate that goes up and down between the floor and the starting rate.

use crate::{Shape, Span};
use attune_plugin_api::prelude::*;

/// Cyclical learning rates: Smith (WACV 2017, arXiv 1506.01186), §3; PyTorch's `CyclicLR`. Where we
/// differ: the upper bound is the group's starting rate and the lower one the floor, and the length
/// of a cycle may be left to follow from the length of the run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cyclic {
    cycle: f64,
    /// The part of a cycle in which the rate climbs.
    up: f64,
    mode: Mode,
    gamma: f64,
    momenta: Option<(f64, f64)>,
}

/// How the peaks change from cycle to cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They don't.
    Triangular,
    /// Each is half as high as the one before.
    Triangular2,
    /// They fall by a constant factor a step.
    ExpRange,
}

/// Its own parameters.
#[derive(Debug, Deserialize)]
pub struct CyclicParams {
    mode: Mode,
    cycles: u64,
    step_size_up: u64,
    step_size_down: u64,
    gamma: f64,
    cycle_momentum: bool,
    base_momentum: f64,
    max_momentum: f64,
}

impl Shape for Cyclic {
    type Params = CyclicParams;
    const FLOOR: Option<f64> = Some(0.25);
    const CLIMBS: bool = true;

    fn describe() -> Description {
        Description::new(
            "cyclic",
            "Goes up and down between the floor and the starting rate.",
        )
        .reference("Smith, arXiv 1506.01186, §3; PyTorch CyclicLR")
        .param(
            Param::choice(
                "mode",
                &["triangular", "triangular2", "exp_range"],
                "triangular",
            )
            .search_all()
            .doc(
                "Whether the peaks stay, are halved from cycle to cycle, or fall by `gamma` \
                     at every step.",
            ),
        )
        .param(
            Param::int("cycles", 4)
                .at_least(1)
                .search(1, 8)
                .doc("With `step_size_up` 0: how many cycles `total_steps` holds."),
        )
        .param(
            Param::int("step_size_up", 0)
                .doc("Steps from the floor to the peak; 0 lets `cycles` decide."),
        )
        .param(
            Param::int("step_size_down", 0)
                .doc("Steps from the peak to the floor; 0 is as many as up."),
        )
        .param(
            Param::float("gamma", 1.0)
                .above(0.0)
                .at_most(1.0)
                .doc("The factor of each step in the mode `exp_range`."),
        )
        .param(Param::bool("cycle_momentum", true).doc(
            "Whether SGD's momentum or Adam's beta1 moves between its two ends against the rate.",
        ))
        .param(
            Param::float("base_momentum", 0.8)
                .at_least(0.0)
                .below(1.0)
                .doc("The momentum at the peak of the rate."),
        )
        .param(
            Param::float("max_momentum", 0.9)
                .at_least(0.0)
                .below(1.0)
                .doc("The momentum at the floor."),
        )
    }

    fn new(params: CyclicParams, span: &Span<'_>) -> Result<Self, Error> {
        let (up, down) = match (params.step_size_up, params.step_size_down) {
            (0, 0) => {
                let half = span.steps()? as f64 / params.cycles as f64 / 2.0;
                (half, half)
            }
            (0, down) => {
                return Err(Error::new(format!(
                    "`step_size_down` = {down} is set without `step_size_up`; set both, or leave \
                     both at 0"
                )));
            }
            (up, 0) => (up as f64, up as f64),
            (up, down) => (up as f64, down as f64),
        };
        Ok(Cyclic {
            cycle: up + down,
            up: up / (up + down),
            mode: params.mode,
            gamma: params.gamma,
            momenta: params
                .cycle_momentum
                .then_some((params.base_momentum, params.max_momentum)),
        })
    }

    fn factor(&self, t: u64) -> f64 {
        let cycle = (1.0 + t as f64 / self.cycle).floor();
        let within = 1.0 + t as f64 / self.cycle - cycle;
        let height = if within <= self.up {
            within / self.up
        } else {
            (within - 1.0) / (self.up - 1.0)
        };
        height
            * match self.mode {
                Mode::Triangular => 1.0,
                Mode::Triangular2 => 0.5f64.powf(cycle - 1.0),
                Mode::ExpRange => self.gamma.powf(t as f64),
            }
    }

    fn momentum(&self, t: u64) -> Option<f64> {
        self.momenta
            .map(|(base, max)| max - (max - base) * self.factor(t))
    }
}
