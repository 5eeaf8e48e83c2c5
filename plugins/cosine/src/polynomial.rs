//! A power of the remaining part of the run.

use crate::{Shape, Span};
use attune_plugin_api::prelude::*;

/// PyTorch's `PolynomialLR` and, with a floor, Hugging Face's
/// `get_polynomial_decay_schedule_with_warmup`: (1 − t / T)^power.
#[derive(Debug, Serialize, Deserialize)]
pub struct Polynomial {
    power: f64,
    steps: u64,
}

/// Its own parameters.
#[derive(Debug, Deserialize)]
pub struct PolynomialParams {
    power: f64,
}

impl Shape for Polynomial {
    type Params = PolynomialParams;
    const FLOOR: Option<f64> = Some(0.0);

    fn describe() -> Description {
        Description::new("polynomial", "A power of the remaining part of the run.")
            .reference(
                "PyTorch PolynomialLR; transformers get_polynomial_decay_schedule_with_warmup",
            )
            .param(
                Param::float("power", 1.0)
                    .above(0.0)
                    .search_log(0.25, 4.0)
                    .doc("The power; 1 is a straight line, above it the rate falls early."),
            )
    }

    fn new(params: PolynomialParams, span: &Span<'_>) -> Result<Self, Error> {
        Ok(Polynomial {
            power: params.power,
            steps: span.steps()?,
        })
    }

    fn factor(&self, t: u64) -> f64 {
        let progress = t.min(self.steps) as f64 / self.steps as f64;
        (1.0 - progress).powf(self.power)
    }
}
