//! Half a cosine from the starting rate down to the floor.

use crate::{Shape, Span};
use attune_plugin_api::prelude::*;
use std::f64::consts::PI;

/// Cosine annealing: Loshchilov and Hutter, SGDR (ICLR 2017, arXiv 1608.03983), eq. 5; PyTorch's
/// `CosineAnnealingLR` and Hugging Face's `get_cosine_schedule_with_warmup`. Where we differ: past
/// the end it stays at its last value, where both references climb again; `past_end` chooses.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cosine {
    cycles: f64,
    past_end: PastEnd,
    steps: u64,
}

/// What happens past the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PastEnd {
    /// The last value stays.
    Hold,
    /// The wave goes on.
    Repeat,
}

/// Its own parameters.
#[derive(Debug, Deserialize)]
pub struct CosineParams {
    cycles: f64,
    past_end: PastEnd,
}

impl Shape for Cosine {
    type Params = CosineParams;
    const FLOOR: Option<f64> = Some(0.0);

    fn describe() -> Description {
        Description::new(
            "cosine",
            "Half a cosine from the starting rate down to the floor.",
        )
        .reference(
            "Loshchilov and Hutter, arXiv 1608.03983, eq. 5; PyTorch CosineAnnealingLR; \
                 transformers get_cosine_schedule_with_warmup",
        )
        .param(
            Param::float("cycles", 0.5)
                .above(0.0)
                .doc("Waves of the cosine in the schedule; a half comes down once."),
        )
        .param(
            Param::choice("past_end", &["hold", "repeat"], "hold")
                .doc("Past the end, keep the last value or go on with the wave."),
        )
    }

    fn new(params: CosineParams, span: &Span<'_>) -> Result<Self, Error> {
        Ok(Cosine {
            cycles: params.cycles,
            past_end: params.past_end,
            steps: span.steps()?,
        })
    }

    fn factor(&self, t: u64) -> f64 {
        let t = match self.past_end {
            PastEnd::Hold => t.min(self.steps),
            PastEnd::Repeat => t,
        };
        let progress = t as f64 / self.steps as f64;
        0.5 * (1.0 + (PI * self.cycles * 2.0 * progress).cos())
    }
}
