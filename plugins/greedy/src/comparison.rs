//! When one metric is better than another.

use attune_plugin_api::prelude::*;

/// The direction in which the metric is better, as a user writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// As the session says of its metric.
    Auto,
    /// Lower is better.
    Min,
    /// Higher is better.
    Max,
}

/// How a threshold is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThresholdMode {
    /// In units of the metric.
    Abs,
    /// As a fraction of the best metric.
    Rel,
}

/// "Better by more than a threshold", in one direction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    minimize: bool,
    threshold: f64,
    threshold_mode: ThresholdMode,
}

impl Comparison {
    /// A comparison in the given mode, or in the session's own direction.
    pub fn new(mode: Mode, threshold: f64, threshold_mode: ThresholdMode, setup: &Setup) -> Self {
        let minimize = match mode {
            Mode::Auto => setup.metric_minimized,
            Mode::Min => true,
            Mode::Max => false,
        };
        Comparison {
            minimize,
            threshold,
            threshold_mode,
        }
    }

    /// The metric that every other is better than.
    pub fn worst(&self) -> f64 {
        if self.minimize {
            f64::INFINITY
        } else {
            f64::NEG_INFINITY
        }
    }

    /// Whether `metric` is better than `best` by more than the threshold. NaN never is.
    pub fn better(&self, metric: f64, best: f64) -> bool {
        match (self.minimize, self.threshold_mode) {
            (true, ThresholdMode::Rel) => metric < best * (1.0 - self.threshold),
            (true, ThresholdMode::Abs) => metric < best - self.threshold,
            (false, ThresholdMode::Rel) => metric > best * (1.0 + self.threshold),
            (false, ThresholdMode::Abs) => metric > best + self.threshold,
        }
    }

    /// The same direction and kind without a threshold.
    pub fn without_threshold(mut self) -> Self {
        self.threshold = 0.0;
        self.threshold_mode = ThresholdMode::Abs;
        self
    }

    /// The same with the threshold taken as a fraction.
    pub fn relative(mut self) -> Self {
        self.threshold_mode = ThresholdMode::Rel;
        self
    }
}

/// The three parameters that describe a comparison.
pub(crate) fn params(threshold: f64, threshold_mode: &str) -> [Param; 3] {
    [
        Param::choice("mode", &["auto", "min", "max"], "auto").doc(
            "Whether the metric is better when lower (`min`) or higher (`max`); `auto` is the \
             session's own direction.",
        ),
        Param::float("threshold", threshold).at_least(0.0).doc(
            "By how much a metric must be better to count: in its own units, or as a fraction of \
             the best one where `threshold_mode` is `rel`.",
        ),
        Param::choice("threshold_mode", &["abs", "rel"], threshold_mode)
            .doc("Whether `threshold` is absolute or a fraction of the best metric."),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comparison(mode: Mode, threshold: f64, kind: ThresholdMode) -> Comparison {
        Comparison::new(mode, threshold, kind, &Setup::of_rates(&[0.1]))
    }

    #[test]
    fn better_means_by_more_than_the_threshold() {
        use Mode::*;
        use ThresholdMode::*;
        // mode, kind, threshold, metric, best, better
        let table = [
            (Min, Abs, 0.1, 0.8, 1.0, true),
            (Min, Abs, 0.25, 0.75, 1.0, false),
            (Min, Rel, 0.1, 1.7, 2.0, true),
            (Min, Rel, 0.1, 1.85, 2.0, false),
            (Max, Abs, 0.1, 1.2, 1.0, true),
            (Max, Abs, 0.25, 1.25, 1.0, false),
            (Max, Rel, 0.1, 2.3, 2.0, true),
            (Max, Rel, 0.1, 2.15, 2.0, false),
            (Min, Abs, 0.0, f64::NAN, 1.0, false),
            (Max, Abs, 0.0, f64::NAN, 1.0, false),
        ];
        for (mode, kind, threshold, metric, best, expected) in table {
            let better = comparison(mode, threshold, kind).better(metric, best);
            assert_eq!(
                better, expected,
                "{mode:?} {kind:?}: {metric} against {best}"
            );
        }
    }

    #[test]
    fn anything_finite_is_better_than_the_worst() {
        for mode in [Mode::Min, Mode::Max] {
            for kind in [ThresholdMode::Abs, ThresholdMode::Rel] {
                let comparison = comparison(mode, 0.01, kind);
                assert!(comparison.better(1e300, comparison.worst()), "{mode:?}");
                assert!(comparison.better(-1e300, comparison.worst()), "{mode:?}");
            }
        }
    }

    #[test]
    fn auto_follows_the_sessions_metric() {
        let mut setup = Setup::of_rates(&[0.1]);
        setup.metric_minimized = false;
        let auto = Comparison::new(Mode::Auto, 0.0, ThresholdMode::Abs, &setup);
        assert!(auto.better(0.9, 0.8));
        setup.metric_minimized = true;
        let auto = Comparison::new(Mode::Auto, 0.0, ThresholdMode::Abs, &setup);
        assert!(auto.better(0.8, 0.9));
    }
}
