//! Cosine annealing that starts again from the top, several times.

use crate::{Shape, Span};
use attune_plugin_api::prelude::*;
use std::f64::consts::PI;

/// Cosine with warm restarts: Loshchilov and Hutter, SGDR (ICLR 2017, arXiv 1608.03983), §3. With
/// `first_cycle` it is PyTorch's `CosineAnnealingWarmRestarts` (T_0, T_mult) and never ends;
/// without, the run is divided into `cycles` and with a `growth` of 1 it is Hugging Face's
/// `get_cosine_with_hard_restarts_schedule_with_warmup`. Where we differ: the second form takes a
/// growth as well.
#[derive(Debug, Serialize, Deserialize)]
pub struct CosineRestarts {
    cycles: Cycles,
    growth: f64,
}

#[derive(Debug, Serialize, Deserialize)]
enum Cycles {
    /// One after another without end, the first of this length.
    Endless { first: f64 },
    /// So many within these steps.
    Within { cycles: f64, steps: u64 },
}

/// Its own parameters.
#[derive(Debug, Deserialize)]
pub struct CosineRestartsParams {
    first_cycle: u64,
    cycles: u64,
    growth: u64,
}

impl Shape for CosineRestarts {
    type Params = CosineRestartsParams;
    const FLOOR: Option<f64> = Some(0.0);

    fn describe() -> Description {
        Description::new(
            "cosine-restarts",
            "Cosine annealing that starts again from the top, several times.",
        )
        .reference(
            "Loshchilov and Hutter, arXiv 1608.03983, §3; PyTorch CosineAnnealingWarmRestarts; \
             transformers get_cosine_with_hard_restarts_schedule_with_warmup",
        )
        .param(
            Param::int("first_cycle", 0).doc(
                "Steps of the first cycle (PyTorch: T_0); 0 divides `total_steps` into `cycles`.",
            ),
        )
        .param(
            Param::int("cycles", 3)
                .at_least(1)
                .at_most(100)
                .search(1, 5)
                .doc("With `first_cycle` 0: how many cycles the schedule has."),
        )
        .param(
            Param::int("growth", 1)
                .at_least(1)
                .at_most(10)
                .search(1, 3)
                .doc("How many times longer each cycle is than the one before (PyTorch: T_mult)."),
        )
    }

    fn new(params: CosineRestartsParams, span: &Span<'_>) -> Result<Self, Error> {
        let cycles = match params.first_cycle {
            0 => Cycles::Within {
                cycles: params.cycles as f64,
                steps: span.steps()?,
            },
            first => Cycles::Endless {
                first: first as f64,
            },
        };
        Ok(CosineRestarts {
            cycles,
            growth: params.growth as f64,
        })
    }

    fn factor(&self, t: u64) -> f64 {
        let progress = match self.cycles {
            Cycles::Endless { first } => self.within_cycle(t as f64, first),
            Cycles::Within { steps, .. } if t >= steps => return 0.0,
            // The order of the operations is the reference's, so that restarts round to the same
            // step.
            Cycles::Within { cycles, steps } if self.growth == 1.0 => {
                (cycles * (t as f64 / steps as f64)).fract()
            }
            Cycles::Within { cycles, steps } => {
                let first_cycles = (self.growth.powf(cycles) - 1.0) / (self.growth - 1.0);
                self.within_cycle(t as f64, steps as f64 / first_cycles)
            }
        };
        0.5 * (1.0 + (PI * progress).cos())
    }
}

impl CosineRestarts {
    /// How much of the cycle that holds `t` has passed.
    fn within_cycle(&self, t: f64, first: f64) -> f64 {
        if self.growth == 1.0 {
            return (t % first) / first;
        }
        let (mut left, mut length) = (t, first);
        while left >= length {
            left -= length;
            length *= self.growth;
        }
        left / length
    }
}
