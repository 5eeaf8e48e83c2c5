//! GreedyLR: raise the rate while the metric improves, lower it while it does not.
//!
//! Paper: Subramanian, Krishnamoorthy and Murthy, "Dynamic Learning Rate Scheduling based on Loss
//! Changes Leads to Faster Convergence", arXiv 2512.14527. Compatibility target: `GreedyLR` of
//! Hugging Face transformers 5.23. Four algorithms go under this name; `variant` picks one:
//!
//! | variant | a metric is compared with | threshold, patience | while cooling down or warming up |
//! |---|---|---|---|
//! | `hf` (default) | the best so far | both | nothing is compared, both counts are zero |
//! | `previous` (paper, Alg. 1) | the one before | neither | neither exists |
//! | `paper` (Alg. 2 and 3) | the best so far | relative, patience | compared; bad counts (cooldown) or good counts (warmup) are dropped |
//! | `momentum` (the authors' blog) | the best so far | both | the rate goes on falling, or rising, at every call |
//!
//! # Where we differ
//! - `mode` is `auto` by default: the session knows its metric's direction.
//! - `previous` keeps the rate within `min_lr` and `max_lr`, which Alg. 1 does not bound, and does
//!   nothing at the first metric.
//! - `paper`'s reset clears the counters only and leaves rates and best metric; it is triggered as
//!   in `hf`. In `momentum` the best metric goes on being updated while the rate is driven.
//!
//! # What to know before using it
//! - Patience p means p + 1 consecutive observations: with 10 metrics and patience 10 nothing
//!   ever happens.
//! - `min_lr` is 1e-3 by default, as in the reference. Fine-tuning starts far below, and from
//!   there the rate can only rise: set `min_lr` (a hundredth of the starting rate, say).
//! - Raising needs p + 1 *consecutive* records, so under noise the rate is biased downwards.
//!   `smooth` with a `window_size` of some tens of metrics mends that.
//! - `eps` is absolute: no rate falls below about eps / (1 − factor).
//! - `reset_start` counts decreases at the floor, not steps; 0 is the same as 1, as in the
//!   reference: the first such decrease starts anew. To never start anew, set it higher than the
//!   number of metrics.
//! - `warmup` is a rest after an increase, not a learning-rate warm-up.

use crate::comparison::{self, Comparison, Mode, ThresholdMode};
use crate::window::Window;
use attune_plugin_api::prelude::*;

/// Which of the algorithms of this name; see the [module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Variant {
    /// Hugging Face transformers.
    Hf,
    /// The paper's Algorithm 1.
    Previous,
    /// The paper's Algorithms 2 and 3.
    Paper,
    /// The authors' blog.
    Momentum,
}

/// GreedyLR's parameters; their meaning stands in [`Greedy::describe`].
#[derive(Debug, Deserialize)]
pub struct GreedyParams {
    variant: Variant,
    mode: Mode,
    factor: f64,
    patience: u64,
    threshold: f64,
    threshold_mode: ThresholdMode,
    cooldown: u64,
    warmup: u64,
    min_lr: PerGroup,
    max_lr: PerGroup,
    eps: f64,
    smooth: bool,
    window_size: usize,
    reset_start: u64,
}

/// GreedyLR; see the [module](self).
#[derive(Debug, Serialize, Deserialize)]
pub struct Greedy {
    variant: Variant,
    comparison: Comparison,
    factor: f64,
    patience: u64,
    cooldown: u64,
    warmup: u64,
    min_lr: Vec<f64>,
    max_lr: Vec<f64>,
    eps: f64,
    reset_start: u64,
    initial: Vec<f64>,
    window: Option<Window>,
    /// What the next metric is compared with: the best, or with `previous` the last.
    best: f64,
    good: u64,
    bad: u64,
    cooling: u64,
    warming: u64,
    resets_in: u64,
}

impl Scheduler for Greedy {
    type Params = GreedyParams;

    fn describe() -> Description {
        Description::new(
            "greedy",
            "GreedyLR: raises the rate while the metric improves, lowers it while it does not.",
        )
        .reference(
            "Subramanian et al., arXiv 2512.14527, Alg. 1-3; GreedyLR of Hugging Face \
             transformers 5.23",
        )
        .reads_metric()
        .param(
            Param::choice("variant", &["hf", "previous", "paper", "momentum"], "hf").doc(
                "Which algorithm of this name: Hugging Face's, the paper's Algorithm 1 \
                 (`previous`) or 2 and 3 (`paper`), or the authors' blog (`momentum`).",
            ),
        )
        .param(
            Param::float("factor", 0.95)
                .above(0.0)
                .below(1.0)
                .search(0.5, 0.99)
                .doc("The rate is divided by this to rise and multiplied by it to fall."),
        )
        .param(Param::int("patience", 10).search_log(1, 20).doc(
            "The rate moves after patience + 1 consecutive metrics of the same kind. Unused \
                 by `previous`.",
        ))
        .params(comparison::params(1e-6, "abs"))
        .param(Param::int("cooldown", 0).doc(
            "Metrics after a decrease that count for nothing (`hf`), cannot count against it \
             (`paper`) or lower the rate again (`momentum`).",
        ))
        .param(
            Param::int("warmup", 0)
                .doc("The same after an increase. This is not a learning-rate warm-up."),
        )
        .param(Param::per_group("min_lr", 1e-3).at_least(0.0).doc(
            "The lowest rate. The reference's default; below it a starting rate can only rise, \
             so set it with starting rates under 1e-3.",
        ))
        .param(
            Param::per_group("max_lr", 1.0)
                .above(0.0)
                .doc("The highest rate."),
        )
        .param(Param::float("eps", 1e-8).at_least(0.0).doc(
            "A change of the rate must exceed this to be made; no rate falls below about \
             eps / (1 - factor).",
        ))
        .param(Param::bool("smooth", false).search_all().doc(
            "Whether the mean of the last `window_size` metrics is compared. Under noise records \
             in a row are rare and the rate is biased downwards; smoothing mends that.",
        ))
        .param(
            Param::int("window_size", 50)
                .at_least(1)
                .at_most(100_000)
                .doc("How many metrics `smooth` averages."),
        )
        .param(Param::int("reset_start", 500).doc(
            "After so many decreases with every group at its floor all starts anew from the \
             starting rates; 0 is the same as 1. An increase sets the count back. `previous` never \
             starts anew.",
        ))
    }

    fn configure(params: GreedyParams, setup: &Setup) -> Result<Self, Error> {
        let groups = setup.groups.len();
        let min_lr = params.min_lr.expand("min_lr", groups)?;
        let max_lr = params.max_lr.expand("max_lr", groups)?;
        if let Some(group) = (0..groups).find(|&g| min_lr[g] > max_lr[g]) {
            return Err(Error::new(format!(
                "`min_lr` is {}, above `max_lr`, which is {}, for the parameter group `{}`; \
                 lower `min_lr` or raise `max_lr`",
                min_lr[group], max_lr[group], setup.groups[group].name
            )));
        }
        let comparison =
            Comparison::new(params.mode, params.threshold, params.threshold_mode, setup);
        let comparison = match params.variant {
            Variant::Hf | Variant::Momentum => comparison,
            Variant::Previous => comparison.without_threshold(),
            Variant::Paper => comparison.relative(),
        };
        Ok(Greedy {
            variant: params.variant,
            best: comparison.worst(),
            comparison,
            factor: params.factor,
            patience: params.patience,
            cooldown: params.cooldown,
            warmup: params.warmup,
            min_lr,
            max_lr,
            eps: params.eps,
            reset_start: params.reset_start,
            initial: setup.rates(),
            window: params.smooth.then(|| Window::new(params.window_size)),
            good: 0,
            bad: 0,
            cooling: 0,
            warming: 0,
            resets_in: params.reset_start,
        })
    }

    fn warnings(&self, setup: &Setup) -> Vec<String> {
        let mut warnings = Vec::new();
        for (group, (min, max)) in setup
            .groups
            .iter()
            .zip(self.min_lr.iter().zip(&self.max_lr))
        {
            if group.lr < *min {
                warnings.push(format!(
                    "the starting rate {} of the group `{}` lies below `min_lr` = {min}: the rate \
                     can only rise; set `min_lr` lower",
                    group.lr, group.name
                ));
            } else if group.lr > *max {
                warnings.push(format!(
                    "the starting rate {} of the group `{}` lies above `max_lr` = {max}: the rate \
                     can only fall; set `max_lr` higher",
                    group.lr, group.name
                ));
            }
        }
        let needed = self.patience.saturating_add(1);
        match setup.metric_calls {
            Some(calls) if self.variant != Variant::Previous && calls < needed => {
                warnings.push(format!(
                    "`patience` = {} needs {needed} metrics in a row, but only {calls} are \
                     planned: the rate will never move; lower `patience` or report the metric \
                     more often",
                    self.patience
                ));
            }
            _ => {}
        }
        let freezes_at = self.eps / (1.0 - self.factor);
        let lowest_floor = self.min_lr.iter().copied().fold(f64::INFINITY, f64::min);
        if lowest_floor > 0.0 && freezes_at > lowest_floor {
            warnings.push(format!(
                "changes of less than `eps` = {} are not made, so the rate stops falling near \
                 {freezes_at:.3e} and never reaches `min_lr` = {lowest_floor}; lower `eps`",
                self.eps
            ));
        }
        warnings
    }

    fn metric(&mut self, value: f64, _: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        let metric = match &mut self.window {
            Some(window) => window.mean_with(value),
            None => value,
        };
        match self.variant {
            Variant::Hf => self.hf(metric, rates),
            Variant::Previous => self.previous(metric, rates),
            Variant::Paper => self.paper(metric, rates),
            Variant::Momentum => self.momentum(metric, rates),
        }
        Ok(())
    }
}

impl Greedy {
    fn hf(&mut self, metric: f64, rates: &mut Rates<'_>) {
        if self.cooling > 0 || self.warming > 0 {
            // The cooldown runs out first where both are armed.
            if self.cooling > 0 {
                self.cooling -= 1;
            } else {
                self.warming -= 1;
            }
            self.good = 0;
            self.bad = 0;
            return;
        }
        self.count(metric);
        if self.good > self.patience {
            self.rise(rates);
        } else if self.bad > self.patience {
            self.fall(rates);
        }
    }

    fn previous(&mut self, metric: f64, rates: &mut Rates<'_>) {
        let first = self.best == self.comparison.worst();
        if !first && self.comparison.better(metric, self.best) {
            self.raise(rates);
        } else if !first {
            self.lower(rates);
        }
        self.best = metric;
    }

    fn paper(&mut self, metric: f64, rates: &mut Rates<'_>) {
        self.count(metric);
        if self.cooling > 0 {
            self.cooling -= 1;
            self.bad = 0;
        }
        if self.warming > 0 {
            self.warming -= 1;
            self.good = 0;
        }
        if self.good > self.patience {
            self.rise(rates);
        } else if self.bad > self.patience {
            self.fall(rates);
        }
    }

    fn momentum(&mut self, metric: f64, rates: &mut Rates<'_>) {
        self.count(metric);
        if self.cooling > 0 || self.warming > 0 {
            if self.cooling > 0 {
                self.cooling -= 1;
                self.lower(rates);
            } else {
                self.warming -= 1;
                self.raise(rates);
            }
            self.good = 0;
            self.bad = 0;
        } else if self.good > self.patience {
            self.rise(rates);
        } else if self.bad > self.patience {
            self.fall(rates);
        }
    }

    fn count(&mut self, metric: f64) {
        if self.comparison.better(metric, self.best) {
            self.best = metric;
            self.good += 1;
            self.bad = 0;
        } else {
            self.bad += 1;
            self.good = 0;
        }
    }

    /// An increase with all that follows from it.
    fn rise(&mut self, rates: &mut Rates<'_>) {
        self.raise(rates);
        self.resets_in = self.reset_start;
        self.warming = self.warmup;
        self.good = 0;
    }

    /// A decrease with all that follows from it. A reset comes before the cooldown is armed.
    fn fall(&mut self, rates: &mut Rates<'_>) {
        self.lower(rates);
        if (0..rates.groups()).all(|group| rates.get(group) <= self.min_lr[group]) {
            self.resets_in = self.resets_in.saturating_sub(1);
            if self.resets_in == 0 {
                self.start_anew(rates);
            }
        }
        self.cooling = self.cooldown;
        self.bad = 0;
    }

    fn raise(&self, rates: &mut Rates<'_>) {
        rates.set_each(|group, rate| {
            let raised = (rate / self.factor).min(self.max_lr[group]);
            if raised - rate > self.eps {
                raised
            } else {
                rate
            }
        });
    }

    fn lower(&self, rates: &mut Rates<'_>) {
        rates.set_each(|group, rate| {
            let lowered = (rate * self.factor).max(self.min_lr[group]);
            if rate - lowered > self.eps {
                lowered
            } else {
                rate
            }
        });
    }

    fn start_anew(&mut self, rates: &mut Rates<'_>) {
        if self.variant != Variant::Paper {
            rates.set_each(|group, _| self.initial[group]);
            self.best = self.comparison.worst();
            if let Some(window) = &mut self.window {
                window.clear();
            }
        }
        self.good = 0;
        self.bad = 0;
        self.cooling = 0;
        self.warming = 0;
        self.resets_in = self.reset_start;
    }
}

#[cfg(test)]
#[path = "greedy_tests.rs"]
mod tests;
