//! Reduce on plateau: lower the rate when the metric has stopped improving.
//!
//! Reference: `ReduceLROnPlateau` of PyTorch 2.15. Where we differ: `mode` is `auto` by default,
//! the session's own direction. Unlike GreedyLR in its `hf` form, the best metric is still updated
//! while cooling down. As there, patience p means p + 1 metrics in a row without improvement, and
//! `eps` is absolute.

use crate::comparison::{self, Comparison, Mode, ThresholdMode};
use attune_plugin_api::prelude::*;

/// The parameters; their meaning stands in [`Plateau::describe`].
#[derive(Debug, Deserialize)]
pub struct PlateauParams {
    mode: Mode,
    factor: f64,
    patience: u64,
    threshold: f64,
    threshold_mode: ThresholdMode,
    cooldown: u64,
    min_lr: PerGroup,
    eps: f64,
}

/// Reduce on plateau; see the [module](self).
#[derive(Debug, Serialize, Deserialize)]
pub struct Plateau {
    comparison: Comparison,
    factor: f64,
    patience: u64,
    cooldown: u64,
    min_lr: Vec<f64>,
    eps: f64,
    best: f64,
    bad: u64,
    cooling: u64,
}

impl Scheduler for Plateau {
    type Params = PlateauParams;

    fn describe() -> Description {
        Description::new(
            "plateau",
            "Lowers the rate when the metric has stopped improving.",
        )
        .reference("ReduceLROnPlateau of PyTorch 2.15")
        .reads_metric()
        .param(
            Param::float("factor", 0.1)
                .at_least(0.0)
                .below(1.0)
                .search(0.1, 0.8)
                .doc("The rate is multiplied by this to fall."),
        )
        .param(
            Param::int("patience", 10)
                .search_log(1, 20)
                .doc("The rate falls after patience + 1 consecutive metrics without improvement."),
        )
        .params(comparison::params(1e-4, "rel"))
        .param(
            Param::int("cooldown", 0)
                .doc("Metrics after a decrease that cannot count against the rate."),
        )
        .param(
            Param::per_group("min_lr", 0.0)
                .at_least(0.0)
                .doc("The lowest rate."),
        )
        .param(
            Param::float("eps", 1e-8)
                .at_least(0.0)
                .doc("A change of the rate must exceed this to be made."),
        )
    }

    fn configure(params: PlateauParams, setup: &Setup) -> Result<Self, Error> {
        let comparison =
            Comparison::new(params.mode, params.threshold, params.threshold_mode, setup);
        Ok(Plateau {
            best: comparison.worst(),
            comparison,
            factor: params.factor,
            patience: params.patience,
            cooldown: params.cooldown,
            min_lr: params.min_lr.expand("min_lr", setup.groups.len())?,
            eps: params.eps,
            bad: 0,
            cooling: 0,
        })
    }

    fn warnings(&self, setup: &Setup) -> Vec<String> {
        let mut warnings = Vec::new();
        for (group, min) in setup.groups.iter().zip(&self.min_lr) {
            if group.lr <= *min {
                warnings.push(format!(
                    "the starting rate {} of the group `{}` is not above `min_lr` = {min}: it \
                     will never fall; set `min_lr` lower",
                    group.lr, group.name
                ));
            }
        }
        let needed = self.patience.saturating_add(1);
        // The first metric is always an improvement.
        match setup.metric_calls {
            Some(calls) if calls <= needed => warnings.push(format!(
                "`patience` = {} needs {needed} metrics in a row without improvement, but only \
                 {calls} are planned and the first always improves: the rate will never fall; \
                 lower `patience` or report the metric more often",
                self.patience
            )),
            _ => {}
        }
        warnings
    }

    fn metric(&mut self, value: f64, _: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        if self.comparison.better(value, self.best) {
            self.best = value;
            self.bad = 0;
        } else {
            self.bad += 1;
        }
        if self.cooling > 0 {
            self.cooling -= 1;
            self.bad = 0;
        }
        if self.bad > self.patience {
            rates.set_each(|group, rate| {
                let lowered = (rate * self.factor).max(self.min_lr[group]);
                if rate - lowered > self.eps {
                    lowered
                } else {
                    rate
                }
            });
            self.cooling = self.cooldown;
            self.bad = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "plateau_tests.rs"]
mod tests;
