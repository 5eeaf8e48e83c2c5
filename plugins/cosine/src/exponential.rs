//! A drop by a constant factor at every step.

use crate::{Shape, Span};
use attune_plugin_api::prelude::*;

/// PyTorch's `ExponentialLR`: γ^t. Where we differ: γ may be left to follow from the length of the
/// run and the factor to end with, since γ alone means something else for every length.
#[derive(Debug, Serialize, Deserialize)]
pub struct Exponential {
    gamma: f64,
}

/// Its own parameters.
#[derive(Debug, Deserialize)]
pub struct ExponentialParams {
    gamma: f64,
    final_factor: f64,
}

impl Shape for Exponential {
    type Params = ExponentialParams;

    fn describe() -> Description {
        Description::new("exponential", "Drops by a constant factor at every step.")
            .reference("PyTorch ExponentialLR")
            .param(
                Param::float("gamma", 0.0)
                    .at_least(0.0)
                    .at_most(1.0)
                    .doc("The factor of each step; 0 lets `final_factor` decide."),
            )
            .param(
                Param::float("final_factor", 0.01)
                    .above(0.0)
                    .at_most(1.0)
                    .search_log(1e-4, 0.5)
                    .doc("With `gamma` 0: the fraction of the starting rate at `total_steps`."),
            )
    }

    fn new(params: ExponentialParams, span: &Span<'_>) -> Result<Self, Error> {
        let gamma = if params.gamma > 0.0 {
            params.gamma
        } else {
            params.final_factor.powf(1.0 / span.steps()? as f64)
        };
        Ok(Exponential { gamma })
    }

    fn factor(&self, t: u64) -> f64 {
        self.gamma.powf(t as f64)
    }
}
