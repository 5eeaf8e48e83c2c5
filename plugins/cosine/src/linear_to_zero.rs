//! A straight line from the starting rate to zero.

use crate::{Shape, Span};
use attune_plugin_api::prelude::*;

/// Linear decay to zero: Hugging Face's `get_linear_schedule_with_warmup`. Bergsma et al.,
/// "Straight to Zero" (ICLR 2025, arXiv 2502.15938), find it the strongest simple schedule when the
/// peak rate is tuned.
#[derive(Debug, Serialize, Deserialize)]
pub struct LinearToZero {
    steps: u64,
}

/// It has no parameters of its own.
#[derive(Debug, Deserialize)]
pub struct LinearToZeroParams {}

impl Shape for LinearToZero {
    type Params = LinearToZeroParams;

    fn describe() -> Description {
        Description::new(
            "linear-to-zero",
            "A straight line from the starting rate to zero.",
        )
        .reference("transformers get_linear_schedule_with_warmup; Bergsma et al., arXiv 2502.15938")
    }

    fn new(_: LinearToZeroParams, span: &Span<'_>) -> Result<Self, Error> {
        Ok(LinearToZero {
            steps: span.steps()?,
        })
    }

    fn factor(&self, t: u64) -> f64 {
        self.steps.saturating_sub(t) as f64 / self.steps as f64
    }
}
