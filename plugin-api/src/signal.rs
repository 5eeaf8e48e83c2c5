//! Signals: what a scheduler may ask to be shown before it decides a step's rate.
//!
//! A scheduler declares the signals it reads; the host computes those and no others, so a signal
//! that nobody declared costs nothing. Each is one number, or one number a parameter group. Most are
//! reductions of vectors that the host holds, such as `Signal::dot(Slot::Grad, Slot::PrevGrad)`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A quantity that the host can measure at a training step, before the update is made.
///
/// It is written by its [name](fmt::Display), such as `grad_norm_sq`, in descriptions, telemetry and the
/// input of `attune trace`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// The mean loss of this step's batch, in the units of the objective.
    Loss,
    /// How many numbers of a group's gradient are infinite or NaN.
    GradNotFinite,
    /// The trace of the covariance of a group's gradient from row to row, estimated from the batches
    /// that a step accumulates, without bias where all rows count the same; NaN at a step of one
    /// batch. Over ‖g‖² it is the simple noise scale of McCandlish et al. 2018 (appendix A.1), in rows;
    /// average both over some steps before you divide. An estimate may be negative.
    GradVariance,
    /// A reduction of vectors over a group.
    Reduced(Reduction),
}

/// A vector that the host holds: one number for each parameter of a group.
///
/// At the step of this gradient, x are the parameters before the update and lr the rate, so that the
/// update is x ← x − lr·u. What lies behind is kept for who declared that it looks there: one that takes
/// the wheel in the middle of a trial sees as far back as the one before it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// g, the gradient after clipping.
    Grad,
    /// The gradient before clipping.
    RawGrad,
    /// The last step's g. NaN at the first step that is looked at.
    PrevGrad,
    /// x.
    Param,
    /// x − x₀, with x₀ where the trial began, or at the first step that is looked at.
    FromStart,
    /// u, the direction that the optimizer proposes at the momentum in force when the scheduler is
    /// called: for SGD the velocity (the look-ahead direction for Nesterov), for Adam m̂/(√v̂+ε).
    /// Decoupled weight decay is not in it.
    Update,
    /// The last step's u, as it was made. NaN at the first step that is looked at.
    PrevUpdate,
    /// m, the optimizer's velocity or first moment before this step. NaN for Adagrad, which has none.
    FirstMoment,
    /// v, the mean or sum of squared gradients before this step. NaN for SGD and Lion, which have
    /// none.
    SecondMoment,
}

/// What is made of the numbers of one slot, or of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reduce {
    /// ‖a‖², the sum of squares.
    NormSq,
    /// ‖a‖₁, the sum of magnitudes.
    AbsSum,
    /// max|a|.
    AbsMax,
    /// ⟨a, b⟩.
    Dot,
}

/// A reduction of slots to one number a group, NaN where a slot is; made by [`Signal::norm_sq`] and
/// its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reduction {
    reduce: Reduce,
    slots: [Slot; 2],
    scaled: bool,
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
    /// ‖a‖².
    pub const fn norm_sq(slot: Slot) -> Self {
        Self::reduced(Reduce::NormSq, slot, slot)
    }

    /// ‖a‖₁.
    pub const fn abs_sum(slot: Slot) -> Self {
        Self::reduced(Reduce::AbsSum, slot, slot)
    }

    /// max|a|.
    pub const fn abs_max(slot: Slot) -> Self {
        Self::reduced(Reduce::AbsMax, slot, slot)
    }

    /// ⟨a, b⟩, the same signal whichever comes first; ⟨a, a⟩ is ‖a‖².
    pub const fn dot(a: Slot, b: Slot) -> Self {
        match (a as u8, b as u8) {
            (first, second) if first < second => Self::reduced(Reduce::Dot, a, b),
            (first, second) if first > second => Self::reduced(Reduce::Dot, b, a),
            _ => Self::norm_sq(a),
        }
    }

    /// The same reduction with each term divided by √v, as adaptive methods measure: Σ a·b/√v, or the
    /// largest |a|/√v. Terms where v is 0 are infinite, or NaN where they are 0/0. What is no
    /// reduction stays as it is.
    pub const fn scaled(self) -> Self {
        match self {
            Signal::Reduced(reduction) => Signal::Reduced(Reduction {
                scaled: true,
                ..reduction
            }),
            other => other,
        }
    }

    const fn reduced(reduce: Reduce, a: Slot, b: Slot) -> Self {
        Signal::Reduced(Reduction {
            reduce,
            slots: [a, b],
            scaled: false,
        })
    }

    /// The reduction of this name, not scaled.
    fn reduced_by(name: &str) -> Option<Self> {
        let of_one = [
            ("_norm_sq", Reduce::NormSq),
            ("_abs_sum", Reduce::AbsSum),
            ("_abs_max", Reduce::AbsMax),
        ];
        for (ending, reduce) in of_one {
            if let Some(slot) = name.strip_suffix(ending) {
                let slot = Slot::of_name(slot)?;
                return Some(Self::reduced(reduce, slot, slot));
            }
        }
        let (a, b) = name.split_once("_dot_")?;
        let (a, b) = (Slot::of_name(a)?, Slot::of_name(b)?);
        ((a as u8) < b as u8).then(|| Signal::dot(a, b))
    }

    /// Every signal that ABI 1 knows.
    pub fn all() -> impl Iterator<Item = Signal> {
        let each = || Slot::ALL.into_iter();
        let single = [Signal::norm_sq, Signal::abs_sum, Signal::abs_max];
        let of_one = each().flat_map(move |slot| single.map(|reduced| reduced(slot)));
        let pairs = each().flat_map(move |a| each().map(move |b| (a, b)));
        let of_two = pairs
            .filter(|&(a, b)| (a as u8) < b as u8)
            .map(|(a, b)| Signal::dot(a, b));
        let reductions = of_one.chain(of_two);
        let reductions = reductions.flat_map(|signal| [signal, signal.scaled()]);
        [Signal::Loss, Signal::GradNotFinite, Signal::GradVariance]
            .into_iter()
            .chain(reductions)
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

    /// Whether it looks at this slot; one that is scaled looks at v.
    pub fn reads(self, slot: Slot) -> bool {
        match self {
            Signal::Reduced(reduction) => {
                reduction.slots.contains(&slot) || (reduction.scaled && slot == Slot::SecondMoment)
            }
            _ => false,
        }
    }
}

impl Slot {
    /// Every slot.
    pub const ALL: [Slot; 9] = [
        Slot::Grad,
        Slot::RawGrad,
        Slot::PrevGrad,
        Slot::Param,
        Slot::FromStart,
        Slot::Update,
        Slot::PrevUpdate,
        Slot::FirstMoment,
        Slot::SecondMoment,
    ];

    /// The word for it in the names of signals.
    pub fn name(self) -> &'static str {
        match self {
            Slot::Grad => "grad",
            Slot::RawGrad => "raw_grad",
            Slot::PrevGrad => "prev_grad",
            Slot::Param => "param",
            Slot::FromStart => "from_start",
            Slot::Update => "update",
            Slot::PrevUpdate => "prev_update",
            Slot::FirstMoment => "first_moment",
            Slot::SecondMoment => "second_moment",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|slot| slot.name() == name)
    }
}

impl Reduction {
    /// What is made of the slots.
    pub fn reduce(self) -> Reduce {
        self.reduce
    }

    /// The slots: the same one twice where there is one.
    pub fn slots(self) -> [Slot; 2] {
        self.slots
    }

    /// Whether each term is divided by √v.
    pub fn is_scaled(self) -> bool {
        self.scaled
    }

    /// Its value by its definition, of vectors of a few made-up numbers; NaN where there is none for a
    /// slot.
    pub fn of<V: AsRef<[f64]>>(self, vector: impl Fn(Slot) -> Option<V>) -> f64 {
        let scale = match self.scaled {
            true => match vector(Slot::SecondMoment) {
                Some(moments) => Some(moments),
                None => return f64::NAN,
            },
            false => None,
        };
        let root = |at: usize| match &scale {
            Some(moments) => moments.as_ref().get(at).map_or(f64::NAN, |v| v.sqrt()),
            None => 1.0,
        };
        let [Some(a), Some(b)] = self.slots.map(&vector) else {
            return f64::NAN;
        };
        let (a, b) = (a.as_ref().iter(), b.as_ref().iter());
        let magnitudes = a.clone().enumerate().map(|(at, a)| a.abs() / root(at));
        match self.reduce {
            Reduce::AbsSum => magnitudes.sum(),
            Reduce::AbsMax => magnitudes.fold(0.0, |largest: f64, magnitude| {
                match largest.is_nan() || largest > magnitude {
                    true => largest,
                    false => magnitude,
                }
            }),
            Reduce::NormSq | Reduce::Dot => {
                let products = a.zip(b).enumerate();
                products.map(|(at, (a, b))| a * b / root(at)).sum()
            }
        }
    }
}

/// The signal's name.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reduction = match self {
            Signal::Loss => return f.write_str("loss"),
            Signal::GradNotFinite => return f.write_str("grad_not_finite"),
            Signal::GradVariance => return f.write_str("grad_variance"),
            Signal::Reduced(reduction) => reduction,
        };
        if reduction.scaled {
            f.write_str("scaled_")?;
        }
        let [a, b] = reduction.slots.map(Slot::name);
        match reduction.reduce {
            Reduce::NormSq => write!(f, "{a}_norm_sq"),
            Reduce::AbsSum => write!(f, "{a}_abs_sum"),
            Reduce::AbsMax => write!(f, "{a}_abs_max"),
            Reduce::Dot => write!(f, "{a}_dot_{b}"),
        }
    }
}

/// Nothing is called so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no signal `{name}`; there are loss, grad_not_finite, grad_variance, and SLOT_norm_sq, \
     SLOT_abs_sum, SLOT_abs_max and SLOT_dot_SLOT of the slots {slots}, two in this order; with \
     scaled_ before it each term is over √v",
    slots = Slot::ALL.map(Slot::name).join(", ")
)]
pub struct UnknownSignal {
    /// What was taken for a signal.
    pub name: String,
}

impl FromStr for Signal {
    type Err = UnknownSignal;

    fn from_str(name: &str) -> Result<Self, UnknownSignal> {
        let found = match name {
            "loss" => Some(Signal::Loss),
            "grad_not_finite" => Some(Signal::GradNotFinite),
            "grad_variance" => Some(Signal::GradVariance),
            _ => match name.strip_prefix("scaled_") {
                Some(plain) => Signal::reduced_by(plain).map(Signal::scaled),
                None => Signal::reduced_by(name),
            },
        };
        found.ok_or_else(|| UnknownSignal { name: name.into() })
    }
}

impl Serialize for Signal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Signal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
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
    use std::collections::HashSet;

    #[test]
    fn a_layout_places_signals_one_after_another() {
        let (norm, max) = (Signal::norm_sq(Slot::Grad), Signal::abs_max(Slot::Grad));
        let layout = Layout::new(&[norm, Signal::Loss, max], 3);
        assert_eq!(layout.len(), 7);
        assert_eq!(layout.range(norm), Some(0..3));
        assert_eq!(layout.range(Signal::Loss), Some(3..4));
        assert_eq!(layout.range(max), Some(4..7));
        assert_eq!(layout.range(norm.scaled()), None);
    }

    #[test]
    fn each_signal_has_a_name_of_its_own_by_which_it_is_found() {
        let names: Vec<String> = Signal::all().map(|signal| signal.to_string()).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
        assert_eq!(names.len(), 3 + 2 * (3 * 9 + 36));
        for (signal, name) in Signal::all().zip(names) {
            assert_eq!(name.parse(), Ok(signal));
            assert_eq!(serde_json::to_value(signal).unwrap(), name);
            assert_eq!(
                serde_json::from_value::<Signal>(name.into()).unwrap(),
                signal
            );
        }
    }

    #[test]
    fn names_say_what_is_made_of_what() {
        use Slot::{Grad, Param, PrevGrad, PrevUpdate};
        let table = [
            (Signal::norm_sq(Param), "param_norm_sq"),
            (Signal::abs_sum(Slot::RawGrad), "raw_grad_abs_sum"),
            (Signal::dot(Grad, PrevUpdate), "grad_dot_prev_update"),
            (Signal::dot(PrevGrad, Grad), "grad_dot_prev_grad"),
            (Signal::dot(Grad, Grad), "grad_norm_sq"),
            (Signal::abs_max(Grad).scaled(), "scaled_grad_abs_max"),
            (Signal::Loss.scaled(), "loss"),
        ];
        for (signal, name) in table {
            assert_eq!(signal.to_string(), name);
        }
        for name in [
            "prev_grad_dot_grad",
            "grad_dot_grad",
            "scaled_loss",
            "scaled_scaled_grad_abs_max",
        ] {
            assert!(name.parse::<Signal>().is_err(), "{name}");
        }
        let error = "grad_norm".parse::<Signal>().unwrap_err().to_string();
        assert!(
            error.starts_with("there is no signal `grad_norm`; there are loss, "),
            "{error}"
        );
    }

    #[test]
    fn reductions_are_as_defined() {
        let vector = |slot| match slot {
            Slot::Grad => Some(vec![1.0, -2.0, 0.5]),
            Slot::Param => Some(vec![4.0, 1.0, 2.0]),
            Slot::SecondMoment => Some(vec![4.0, 1.0, 0.25]),
            _ => None,
        };
        let (grad, both) = (Slot::Grad, Signal::dot(Slot::Grad, Slot::Param));
        let table = [
            (Signal::norm_sq(grad), 5.25),
            (Signal::abs_sum(grad), 3.5),
            (Signal::abs_max(grad), 2.0),
            (both, 3.0),
            (Signal::norm_sq(grad).scaled(), 0.5 + 4.0 + 0.5),
            (Signal::abs_sum(grad).scaled(), 0.5 + 2.0 + 1.0),
            (Signal::abs_max(grad).scaled(), 2.0),
            (both.scaled(), 2.0 - 2.0 + 2.0),
            (Signal::dot(grad, Slot::PrevGrad), f64::NAN),
        ];
        for (signal, expected) in table {
            let Signal::Reduced(reduction) = signal else {
                panic!("{signal}")
            };
            let found = reduction.of(vector);
            assert_eq!(found.to_bits(), expected.to_bits(), "{signal}");
        }
    }
}
