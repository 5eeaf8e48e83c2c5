//! One over the square root of the step.

use crate::{Shape, Span};
use attune_plugin_api::prelude::*;

const DEFAULT_TIMESCALE: u64 = 10_000;

/// Inverse square root decay: Vaswani et al. (arXiv 1706.03762), §5.3, in the form of Hugging Face's
/// `get_inverse_sqrt_schedule`, √(timescale / (t + timescale)) with t counted from the warm-up's
/// end.
#[derive(Debug, Serialize, Deserialize)]
pub struct InverseSqrt {
    timescale: u64,
}

/// Its own parameters.
#[derive(Debug, Deserialize)]
pub struct InverseSqrtParams {
    timescale: u64,
}

impl Shape for InverseSqrt {
    type Params = InverseSqrtParams;

    fn describe() -> Description {
        Description::new("inverse-sqrt", "One over the square root of the step.")
            .reference(
                "Vaswani et al., arXiv 1706.03762, §5.3; transformers get_inverse_sqrt_schedule",
            )
            .param(Param::int("timescale", 0).search_log(10, 10_000).doc(
                "Steps after which the rate has fallen to 1/√2; 0 is the length of the warm-up, \
                 or 10000 where there is none.",
            ))
    }

    fn new(params: InverseSqrtParams, span: &Span<'_>) -> Result<Self, Error> {
        let timescale = match (params.timescale, span.warmup()) {
            (0, 0) => DEFAULT_TIMESCALE,
            (0, warmup) => warmup,
            (set, _) => set,
        };
        Ok(InverseSqrt { timescale })
    }

    fn factor(&self, t: u64) -> f64 {
        let timescale = self.timescale as f64;
        1.0 / ((t as f64 + timescale) / timescale).sqrt()
    }

    fn warnings(&self, span: &Span<'_>) -> Vec<String> {
        match span.steps() {
            Ok(steps) if steps.saturating_mul(10) < self.timescale => vec![format!(
                "with a timescale of {} the rate hardly falls within the {steps} steps of the \
                 run; set `timescale` lower, or a warm-up",
                self.timescale
            )],
            _ => Vec::new(),
        }
    }
}
