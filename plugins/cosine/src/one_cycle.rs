//! One climb to the peak and one descent far below where it began.

use crate::{Shape, Span};
use attune_plugin_api::prelude::*;
use std::f64::consts::PI;

/// The one-cycle policy: Smith and Topin, "Super-Convergence" (arXiv 1708.07120); PyTorch's
/// `OneCycleLR`. The momentum moves against the rate. Where we differ: the peak is the group's
/// starting rate, and past the end the last value stays, where PyTorch raises an error.
#[derive(Debug, Serialize, Deserialize)]
pub struct OneCycle {
    phases: Vec<Phase>,
    anneal: Anneal,
    momentum: bool,
    last: f64,
}

/// A stretch from one rate and momentum to others; steps may be fractional, as in the reference.
#[derive(Debug, Serialize, Deserialize)]
struct Phase {
    end: f64,
    rates: (f64, f64),
    momenta: (f64, f64),
}

/// How a phase gets from one end to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Anneal {
    /// Half a cosine.
    Cos,
    /// A straight line.
    Linear,
}

/// Its own parameters.
#[derive(Debug, Deserialize)]
pub struct OneCycleParams {
    pct_start: f64,
    anneal: Anneal,
    div_factor: f64,
    final_div_factor: f64,
    three_phase: bool,
    cycle_momentum: bool,
    base_momentum: f64,
    max_momentum: f64,
}

impl Shape for OneCycle {
    type Params = OneCycleParams;
    const CLIMBS: bool = true;

    fn describe() -> Description {
        Description::new(
            "one-cycle",
            "One climb to the starting rate and one descent far below where it began.",
        )
        .reference("Smith and Topin, arXiv 1708.07120; PyTorch OneCycleLR")
        .param(
            Param::float("pct_start", 0.3)
                .at_least(0.0)
                .at_most(1.0)
                .search(0.1, 0.5)
                .doc("The part of the schedule that climbs."),
        )
        .param(
            Param::choice("anneal", &["cos", "linear"], "cos")
                .doc("Whether it moves along half a cosine or a straight line."),
        )
        .param(
            Param::float("div_factor", 25.0)
                .at_least(1.0)
                .search_log(3.0, 100.0)
                .doc("It begins at the starting rate divided by this."),
        )
        .param(
            Param::float("final_div_factor", 1e4)
                .at_least(1.0)
                .doc("It ends at its beginning divided by this."),
        )
        .param(Param::bool("three_phase", false).doc(
            "Whether it first comes down symmetrically and then to the end, instead of straight.",
        ))
        .param(Param::bool("cycle_momentum", true).doc(
            "Whether SGD's momentum or Adam's beta1 moves from `max_momentum` to `base_momentum` \
             and back while the rate climbs and falls.",
        ))
        .param(
            Param::float("base_momentum", 0.85)
                .at_least(0.0)
                .below(1.0)
                .doc("The momentum at the peak of the rate."),
        )
        .param(
            Param::float("max_momentum", 0.95)
                .at_least(0.0)
                .below(1.0)
                .doc("The momentum at both ends."),
        )
    }

    fn new(params: OneCycleParams, span: &Span<'_>) -> Result<Self, Error> {
        let steps = span.steps()? as f64;
        let initial = 1.0 / params.div_factor;
        let lowest = initial / params.final_div_factor;
        let (base, max) = (params.base_momentum, params.max_momentum);
        let mut phases = vec![Phase {
            end: params.pct_start * steps - 1.0,
            rates: (initial, 1.0),
            momenta: (max, base),
        }];
        if params.three_phase {
            if params.pct_start > 0.5 {
                return Err(Error::new(format!(
                    "`pct_start` = {} leaves no room for three phases; set it to at most 0.5",
                    params.pct_start
                )));
            }
            phases.push(Phase {
                end: 2.0 * params.pct_start * steps - 2.0,
                rates: (1.0, initial),
                momenta: (base, max),
            });
            phases.push(Phase {
                end: steps - 1.0,
                rates: (initial, lowest),
                momenta: (max, max),
            });
        } else {
            phases.push(Phase {
                end: steps - 1.0,
                rates: (1.0, lowest),
                momenta: (base, max),
            });
        }
        Ok(OneCycle {
            phases,
            anneal: params.anneal,
            momentum: params.cycle_momentum,
            last: steps - 1.0,
        })
    }

    fn factor(&self, t: u64) -> f64 {
        self.at(t, |phase| phase.rates)
    }

    fn momentum(&self, t: u64) -> Option<f64> {
        self.momentum.then(|| self.at(t, |phase| phase.momenta))
    }
}

impl OneCycle {
    fn at(&self, t: u64, ends: impl Fn(&Phase) -> (f64, f64)) -> f64 {
        let t = (t as f64).min(self.last);
        let mut start = 0.0;
        let mut reached = 0.0;
        for phase in &self.phases {
            let (from, to) = ends(phase);
            if t <= phase.end {
                // A phase of no length, in a run of a step or two, is at its end at once.
                let length = phase.end - start;
                let progress = if length > 0.0 {
                    (t - start) / length
                } else {
                    1.0
                };
                return self.anneal.between(from, to, progress);
            }
            start = phase.end;
            reached = to;
        }
        reached
    }
}

impl Anneal {
    fn between(self, from: f64, to: f64, progress: f64) -> f64 {
        match self {
            Anneal::Cos => to + (from - to) / 2.0 * ((PI * progress).cos() + 1.0),
            Anneal::Linear => (to - from) * progress + from,
        }
    }
}
