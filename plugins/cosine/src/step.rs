//! A drop by a constant factor at regular intervals.

use crate::{Shape, Span};
use attune_plugin_api::prelude::*;

/// PyTorch's `StepLR`: γ^⌊t / step_size⌋.
#[derive(Debug, Serialize, Deserialize)]
pub struct Step {
    step_size: u64,
    gamma: f64,
}

/// Its own parameters.
#[derive(Debug, Deserialize)]
pub struct StepParams {
    step_size: u64,
    gamma: f64,
}

impl Shape for Step {
    type Params = StepParams;

    fn describe() -> Description {
        Description::new("step", "Drops by a constant factor at regular intervals.")
            .reference("PyTorch StepLR")
            .param(Param::int("step_size", 0).doc(
                "Steps between two drops; 0 is a third of what `total_steps` leaves after the \
                 warm-up, so two drops in a run.",
            ))
            .param(drop_factor())
    }

    fn new(params: StepParams, span: &Span<'_>) -> Result<Self, Error> {
        let step_size = match params.step_size {
            0 => span.steps()?.div_ceil(3),
            set => set,
        };
        Ok(Step {
            step_size,
            gamma: params.gamma,
        })
    }

    fn factor(&self, t: u64) -> f64 {
        self.gamma.powf((t / self.step_size) as f64)
    }
}

/// What a rate is multiplied by at each drop; `multistep` drops by it too.
pub(crate) fn drop_factor() -> Param {
    Param::float("gamma", 0.1)
        .at_least(0.0)
        .at_most(1.0)
        .search(0.1, 0.9)
        .doc("The factor of each drop.")
}
