//! Signals: what a scheduler may ask to be shown before it decides a step's rate.
//!
//! A scheduler declares the signals it reads; the host computes those and no others, so a signal
//! that nobody declared costs nothing. Each is one number, or one number a parameter group.

use serde::{Deserialize, Serialize};

/// A quantity that the host can measure at a training step, before the update is made.
///
/// With x the parameters, g the gradient of this step (after clipping) and u the *previous*
/// update direction, so that the previous step was x ← x − lr·u: for plain SGD u is the previous
/// gradient, with momentum the previous velocity (the look-ahead direction for Nesterov), for
/// Adam m̂/(√v̂+ε).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Signal {
    /// The mean loss of this step's batch, in the units of the objective.
    Loss,
    /// ‖g‖² of a group.
    GradNormSq,
    /// max|g| over a group.
    GradAbsMax,
    /// ‖x‖² of a group, before the update.
    ParamNormSq,
    /// ‖u‖² of a group's previous update direction; NaN on the first step.
    PrevUpdateNormSq,
    /// ⟨g, u⟩ of a group: this gradient against the previous update direction; NaN on the first
    /// step.
    GradDotPrevUpdate,
}

/// Whether a signal is one number or one a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One number for the whole step.
    Global,
    /// One number for each parameter group.
    Group,
}

impl Signal {
    /// Every signal that ABI 1 knows.
    pub const ALL: [Signal; 6] = [
        Signal::Loss,
        Signal::GradNormSq,
        Signal::GradAbsMax,
        Signal::ParamNormSq,
        Signal::PrevUpdateNormSq,
        Signal::GradDotPrevUpdate,
    ];

    /// The name in descriptions, in telemetry and in the input of `attune trace`.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Loss => "loss",
            Signal::GradNormSq => "grad_norm_sq",
            Signal::GradAbsMax => "grad_abs_max",
            Signal::ParamNormSq => "param_norm_sq",
            Signal::PrevUpdateNormSq => "prev_update_norm_sq",
            Signal::GradDotPrevUpdate => "grad_dot_prev_update",
        }
    }

    /// One number for the step, or one a group.
    pub fn scope(self) -> Scope {
        match self {
            Signal::Loss => Scope::Global,
            _ => Scope::Group,
        }
    }

    /// How many numbers it takes for this many groups.
    pub fn width(self, groups: usize) -> usize {
        match self.scope() {
            Scope::Global => 1,
            Scope::Group => groups,
        }
    }
}

/// Where each declared signal's numbers stand in the flat slice that a step receives: the declared
/// signals in their order, a global one taking one place and a group one taking one a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    offsets: Vec<(Signal, usize)>,
    groups: usize,
    len: usize,
}

impl Layout {
    /// The layout of these signals for this many groups.
    pub fn new(signals: &[Signal], groups: usize) -> Self {
        let mut len = 0;
        let offsets = signals
            .iter()
            .map(|&signal| {
                let at = len;
                len += signal.width(groups);
                (signal, at)
            })
            .collect();
        Layout {
            offsets,
            groups,
            len,
        }
    }

    /// How many numbers a step receives.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was declared.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The declared signals in their order.
    pub fn signals(&self) -> impl Iterator<Item = Signal> + '_ {
        self.offsets.iter().map(|&(signal, _)| signal)
    }

    /// The places of one signal's numbers, or nothing where it was not declared.
    pub fn range(&self, signal: Signal) -> Option<std::ops::Range<usize>> {
        self.offsets
            .iter()
            .find(|(declared, _)| *declared == signal)
            .map(|&(_, at)| at..at + signal.width(self.groups))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_places_signals_one_after_another() {
        let layout = Layout::new(&[Signal::GradNormSq, Signal::Loss, Signal::GradAbsMax], 3);
        assert_eq!(layout.len(), 7);
        assert_eq!(layout.range(Signal::GradNormSq), Some(0..3));
        assert_eq!(layout.range(Signal::Loss), Some(3..4));
        assert_eq!(layout.range(Signal::GradAbsMax), Some(4..7));
        assert_eq!(layout.range(Signal::ParamNormSq), None);
    }

    #[test]
    fn names_are_what_serde_writes() {
        for signal in Signal::ALL {
            let json = serde_json::to_value(signal).unwrap();
            assert_eq!(json, signal.name());
        }
    }
}
