//! Slow at first, fast at the end.

use crate::{Shape, Span};
use attune_plugin_api::prelude::*;

/// REX: Chen, Wolfe and Kyrillidis, "REX: Revisiting Budgeted Training with an Improved Schedule"
/// (MLSys 2022, arXiv 2107.04197): (1 − z) / (1 − z / 2) with z = t / T.
#[derive(Debug, Serialize, Deserialize)]
pub struct Rex {
    steps: u64,
}

/// It has no parameters of its own.
#[derive(Debug, Deserialize)]
pub struct RexParams {}

impl Shape for Rex {
    type Params = RexParams;
    const FLOOR: Option<f64> = Some(0.0);

    fn describe() -> Description {
        Description::new("rex", "Comes down slowly at first and fast at the end.")
            .reference("Chen, Wolfe and Kyrillidis, arXiv 2107.04197")
    }

    fn new(_: RexParams, span: &Span<'_>) -> Result<Self, Error> {
        Ok(Rex {
            steps: span.steps()?,
        })
    }

    fn factor(&self, t: u64) -> f64 {
        let z = t.min(self.steps) as f64 / self.steps as f64;
        (1.0 - z) / (1.0 - z / 2.0)
    }
}
