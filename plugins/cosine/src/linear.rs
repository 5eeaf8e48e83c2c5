//! A straight line between two fractions of the starting rate.

use crate::{Shape, Span};
use attune_plugin_api::prelude::*;

/// PyTorch's `LinearLR`. Where we differ: it falls by default (from 1 to 0.1), since a warm-up has
/// parameters of its own; PyTorch's defaults climb from 1/3 to 1 within 5 steps.
#[derive(Debug, Serialize, Deserialize)]
pub struct Linear {
    start: f64,
    end: f64,
    steps: u64,
}

/// Its own parameters.
#[derive(Debug, Deserialize)]
pub struct LinearParams {
    start_factor: f64,
    end_factor: f64,
}

impl Shape for Linear {
    type Params = LinearParams;

    fn describe() -> Description {
        Description::new(
            "linear",
            "A straight line between two fractions of the starting rate.",
        )
        .reference("PyTorch LinearLR")
        .param(
            Param::float("start_factor", 1.0)
                .at_least(0.0)
                .at_most(1.0)
                .doc("The fraction of the starting rate that it begins with."),
        )
        .param(
            Param::float("end_factor", 0.1)
                .at_least(0.0)
                .at_most(1.0)
                .search(0.0, 0.5)
                .doc("The fraction of the starting rate that it ends with."),
        )
    }

    fn new(params: LinearParams, span: &Span<'_>) -> Result<Self, Error> {
        Ok(Linear {
            start: params.start_factor,
            end: params.end_factor,
            steps: span.steps()?,
        })
    }

    fn factor(&self, t: u64) -> f64 {
        let progress = t.min(self.steps) as f64 / self.steps as f64;
        self.start + (self.end - self.start) * progress
    }
}
