//! A drop by a constant factor at given steps.

use crate::step::drop_factor;
use crate::{Shape, Span};
use attune_plugin_api::prelude::*;

/// PyTorch's `MultiStepLR`: γ to the power of the milestones reached. Where we differ: milestones
/// count from the end of the warm-up, and a milestone cannot be named twice.
#[derive(Debug, Serialize, Deserialize)]
pub struct Multistep {
    milestones: Vec<u64>,
    gamma: f64,
}

/// Its own parameters.
#[derive(Debug, Deserialize)]
pub struct MultistepParams {
    milestones: Vec<f64>,
    gamma: f64,
}

impl Shape for Multistep {
    type Params = MultistepParams;

    fn describe() -> Description {
        Description::new("multistep", "Drops by a constant factor at given steps.")
            .reference("PyTorch MultiStepLR")
            .param(Param::steps("milestones").doc(
                "The steps at which it drops, counted from the end of the warm-up; none given, \
                 it drops at a half and at three quarters of what `total_steps` leaves (He et \
                 al., arXiv 1512.03385, §4.2).",
            ))
            .param(drop_factor())
    }

    fn new(params: MultistepParams, span: &Span<'_>) -> Result<Self, Error> {
        let milestones = if params.milestones.is_empty() {
            let steps = span.steps()?;
            vec![steps / 2, steps - steps / 4]
        } else {
            params.milestones.iter().map(|&at| at as u64).collect()
        };
        Ok(Multistep {
            milestones,
            gamma: params.gamma,
        })
    }

    fn factor(&self, t: u64) -> f64 {
        let reached = self.milestones.iter().filter(|&&at| at <= t).count();
        self.gamma.powf(reached as f64)
    }

    fn warnings(&self, span: &Span<'_>) -> Vec<String> {
        let steps = span.steps().unwrap_or(u64::MAX);
        match self.milestones.iter().find(|&&at| at >= steps) {
            Some(at) => vec![format!(
                "the milestone {at} lies past the end of the schedule, {steps} steps after the \
                 warm-up; it will not be reached"
            )],
            None => Vec::new(),
        }
    }
}
