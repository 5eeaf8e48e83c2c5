//! Warm up, stay, and come down at the end.

use crate::{Shape, Span};
use attune_plugin_api::prelude::*;
use std::f64::consts::PI;

/// Warmup–stable–decay: Hu et al., MiniCPM (arXiv 2404.06395), §4; Hugging Face's
/// `get_wsd_schedule`. The `1-sqrt` decay is Hägele et al. (arXiv 2405.18392). Where we differ:
/// the length of the decay may be given as a fraction of the schedule. Hugging Face's warm-up begins
/// at `min_lr_ratio`; ours at `warmup_start`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Wsd {
    stable: u64,
    decay: u64,
    shape: DecayShape,
    cycles: f64,
}

/// The form of the descent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecayShape {
    /// A straight line.
    #[serde(rename = "linear")]
    Linear,
    /// Half a cosine.
    #[serde(rename = "cosine")]
    Cosine,
    /// 1 − √progress.
    #[serde(rename = "1-sqrt")]
    OneMinusSqrt,
}

/// Its own parameters.
#[derive(Debug, Deserialize)]
pub struct WsdParams {
    decay_steps: u64,
    decay_ratio: f64,
    decay_shape: DecayShape,
    decay_cycles: f64,
}

impl Shape for Wsd {
    type Params = WsdParams;
    const FLOOR: Option<f64> = Some(0.0);

    fn describe() -> Description {
        Description::new(
            "wsd",
            "Warm up, stay at the starting rate, and come down at the end.",
        )
        .reference(
            "Hu et al., arXiv 2404.06395, §4; Hägele et al., arXiv 2405.18392; \
                 transformers get_wsd_schedule",
        )
        .param(
            Param::int("decay_steps", 0)
                .doc("Steps of the descent at the end; 0 lets `decay_ratio` decide."),
        )
        .param(
            Param::float("decay_ratio", 0.2)
                .above(0.0)
                .at_most(1.0)
                .search(0.05, 0.5)
                .doc(
                    "With `decay_steps` 0: the descent as a fraction of what `total_steps` \
                         leaves after the warm-up, rounded up.",
                ),
        )
        .param(
            Param::choice("decay_shape", &["linear", "cosine", "1-sqrt"], "cosine")
                .search_all()
                .doc("The form of the descent."),
        )
        .param(
            Param::float("decay_cycles", 0.5)
                .above(0.0)
                .doc("Waves of a cosine descent; a half comes down once."),
        )
    }

    fn new(params: WsdParams, span: &Span<'_>) -> Result<Self, Error> {
        let steps = span.steps()?;
        let decay = match params.decay_steps {
            0 => (steps as f64 * params.decay_ratio).ceil() as u64,
            set => set,
        };
        let stable = steps.checked_sub(decay).ok_or_else(|| {
            Error::new(format!(
                "`decay_steps` = {decay} is more than the {steps} steps that the schedule has \
                 after its warm-up; set it lower, or set `decay_ratio` instead"
            ))
        })?;
        Ok(Wsd {
            stable,
            decay,
            shape: params.decay_shape,
            cycles: params.decay_cycles,
        })
    }

    fn factor(&self, t: u64) -> f64 {
        let Some(into_decay) = t.checked_sub(self.stable) else {
            return 1.0;
        };
        if into_decay >= self.decay {
            return 0.0;
        }
        let progress = into_decay as f64 / self.decay as f64;
        match self.shape {
            DecayShape::Linear => 1.0 - progress,
            DecayShape::Cosine => 0.5 * (1.0 + (PI * self.cycles * 2.0 * progress).cos()),
            DecayShape::OneMinusSqrt => 1.0 - progress.sqrt(),
        }
    }
}
