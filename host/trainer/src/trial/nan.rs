//! What a scheduler is told of metrics that are not finite.

use super::settings::NanPolicy;

/// Applies a [`NanPolicy`] to a stream of metrics, and counts what was not finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NanFilter {
    policy: NanPolicy,
    last_finite: Option<f64>,
    not_finite: u64,
}

impl NanFilter {
    /// A filter that has seen nothing.
    pub fn new(policy: NanPolicy) -> Self {
        NanFilter {
            policy,
            last_finite: None,
            not_finite: 0,
        }
    }

    /// A filter that has seen this much.
    pub(super) fn resumed(policy: NanPolicy, last_finite: Option<f64>, not_finite: u64) -> Self {
        NanFilter {
            policy,
            last_finite: last_finite.filter(|value| value.is_finite()),
            not_finite,
        }
    }

    /// Its policy.
    pub(super) fn policy(&self) -> NanPolicy {
        self.policy
    }

    /// The last finite metric.
    pub(super) fn last_finite(&self) -> Option<f64> {
        self.last_finite
    }

    /// What the scheduler is told of this metric; nothing where it is not to be called.
    pub fn admit(&mut self, value: f64) -> Option<f64> {
        if value.is_finite() {
            self.last_finite = Some(value);
            return Some(value);
        }
        self.not_finite += 1;
        match self.policy {
            NanPolicy::Drop => None,
            NanPolicy::Substitute => self.last_finite,
            NanPolicy::Pass => Some(value),
        }
    }

    /// How many metrics were not finite, whatever was done with them.
    pub fn not_finite(&self) -> u64 {
        self.not_finite
    }
}
