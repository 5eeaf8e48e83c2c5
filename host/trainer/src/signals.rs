//! The signals that a controller declared, and no others.
//!
//! What each means is defined at [`Signal`]. Numbers are looked at in pieces that stay in the
//! nearest cache, so that memory is read once whatever was declared.

mod kept;
mod spread;

pub(crate) use kept::Kept;
use spread::Spread;

use crate::kernel::{abs_max, abs_sum, dot, norm_sq, not_finite, over_roots, subtract};
use crate::model::Group;
use crate::optimizer::Optimizer;
use attune_plugin_api::signal::{Layout, Reduce, Reduction};
use attune_plugin_api::{Signal, Slot};
use std::ops::Range;

/// So many numbers of a group at once: those of a few slots together fill half of a common
/// first-level cache.
const PIECE: usize = 2048;

/// Measures the declared signals into one flat slice.
#[derive(Debug)]
pub(crate) struct Signals {
    declared: Vec<Declared>,
    values: Vec<f64>,
    kept: Kept,
    spread: Option<Spread>,
    made: Made,
}

#[derive(Debug)]
struct Declared {
    signal: Signal,
    /// The places of its values.
    places: Range<usize>,
    /// Where gradients are not clipped, the places of one that is the same.
    unclipped: Option<Range<usize>>,
}

impl Declared {
    /// The places of one that is the same at such a step.
    fn same(&self, is_clipped: bool) -> Option<Range<usize>> {
        self.unclipped.clone().filter(|_| !is_clipped)
    }
}

/// What there is to measure at a step, before the update.
pub(crate) struct Moment<'a> {
    pub(crate) loss: f32,
    /// How many rows the loss is of.
    pub(crate) rows: usize,
    pub(crate) groups: &'a [Group],
    /// After clipping.
    pub(crate) gradients: &'a [Vec<f32>],
    pub(crate) optimizer: &'a Optimizer,
    /// The momenta in force.
    pub(crate) momenta: &'a [f64],
}

/// A piece of what is in no memory, but made of what is.
#[derive(Debug, Default)]
struct Made {
    from_start: Vec<f32>,
    update: Vec<f32>,
    scaled: Vec<f32>,
}

impl Signals {
    /// The declared signals of a trial that has these parameters.
    pub(crate) fn new(declared: &[Signal], groups: &[Group]) -> Self {
        let layout = Layout::new(declared, groups.len());
        let place = |&signal: &Signal| {
            Some(Declared {
                signal,
                places: layout.range(signal)?,
                unclipped: unclipped(signal).and_then(|other| layout.range(other)),
            })
        };
        Signals {
            declared: declared.iter().filter_map(place).collect(),
            values: vec![f64::NAN; layout.len()],
            kept: Kept::of(declared, groups),
            spread: declared
                .contains(&Signal::GradVariance)
                .then(Spread::default),
            made: Made::default(),
        }
    }

    /// Sees as far back as those before it.
    pub(crate) fn inherit(&mut self, before: Signals) {
        self.kept.inherit(before.kept);
    }

    /// Whether the optimizer must remember its last direction for them.
    pub(crate) fn need_direction(declared: &[Signal]) -> bool {
        reads(declared, Slot::PrevUpdate)
    }

    /// The last measured values, laid out by [`Layout`].
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    /// What they look back to.
    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// The same, to go on from an earlier one.
    pub(crate) fn kept_mut(&mut self) -> &mut Kept {
        &mut self.kept
    }

    /// Puts earlier values of as many numbers in place; false where there are not as many.
    pub(crate) fn resume(&mut self, values: &[f64]) -> bool {
        let fits = values.len() == self.values.len();
        if fits {
            self.values.copy_from_slice(values);
        }
        fits
    }

    /// Takes note of the gradients before the next batch of a step adds its own.
    pub(crate) fn before_batch(&mut self, gradients: &[Vec<f32>]) {
        if let Some(spread) = &mut self.spread {
            spread.before_batch(gradients);
        }
    }

    /// Takes note of what a batch, which counts so much in its step, made of them.
    pub(crate) fn after_batch(&mut self, gradients: &[Vec<f32>], of_step: f64) {
        if let Some(spread) = &mut self.spread {
            spread.after_batch(gradients, of_step);
        }
    }

    /// Takes note of gradients that are about to be clipped.
    pub(crate) fn before_clipping(&mut self, gradients: &[Vec<f32>]) {
        // How far gradients lie apart is told of them as they are.
        let has_spread = self.spread.as_ref().is_some_and(Spread::is_told);
        self.kept.before_clipping(gradients, has_spread);
    }

    /// The update is made, and the gradients are not needed any more: these may be exchanged for
    /// others.
    pub(crate) fn after_update(&mut self, gradients: &mut [Vec<f32>]) {
        self.kept.after_update(gradients);
    }

    /// Lets go of what the next step takes anew.
    pub(crate) fn rest(&mut self) {
        self.kept.rest();
        self.spread = self.spread.take().map(|_| Spread::default());
    }

    /// Measures them anew.
    pub(crate) fn measure(&mut self, moment: &Moment<'_>) {
        let is_clipped = self.kept.is_clipped();
        for declared in &self.declared {
            let values = &mut self.values[declared.places.clone()];
            match declared.signal {
                Signal::Loss => values.fill(moment.loss.into()),
                Signal::GradVariance => {
                    let raw = self.kept.raw(moment.gradients);
                    if let Some(spread) = &mut self.spread {
                        spread.measure(raw, moment.rows, values);
                    }
                }
                _ => values.fill(0.0),
            }
        }
        self.measure_by_piece(moment, is_clipped);
        self.count_not_finite(moment.gradients);
        for declared in &self.declared {
            if let Some(same) = declared.same(is_clipped) {
                self.values.copy_within(same, declared.places.start);
            }
        }
    }

    /// Adds up what is made of numbers.
    fn measure_by_piece(&mut self, moment: &Moment<'_>, is_clipped: bool) {
        let by_piece = self
            .declared
            .iter()
            .filter_map(|declared| match declared.signal {
                Signal::Reduced(of) if declared.same(is_clipped).is_none() => {
                    Some((of, declared.places.start))
                }
                _ => None,
            });
        if by_piece.clone().next().is_none() {
            return;
        }
        let wanted = |slot| {
            let mut all = by_piece.clone();
            all.any(|(reduction, _)| Signal::Reduced(reduction).reads(slot))
        };
        let (from_start, update) = (wanted(Slot::FromStart), wanted(Slot::Update));
        for group in 0..moment.groups.len() {
            let len = moment.groups[group].values.len();
            for start in (0..len).step_by(PIECE) {
                let range = start..len.min(start + PIECE);
                let values = &moment.groups[group].values[range.clone()];
                let gradients = &moment.gradients[group][range.clone()];
                if let Some(first) = self.kept.start(group).filter(|_| from_start) {
                    subtract(&mut self.made.from_start, values, &first[range.clone()]);
                }
                if update {
                    let (run, momentum) = ((group, range.clone()), moment.momenta[group]);
                    let update = &mut self.made.update;
                    moment
                        .optimizer
                        .propose(update, run, values, gradients, momentum);
                }
                let piece = Piece {
                    moment,
                    kept: &self.kept,
                    group,
                    range,
                    from_start: &self.made.from_start,
                    update: &self.made.update,
                };
                for (reduction, place) in by_piece.clone() {
                    let found = piece.reduced(reduction, &mut self.made.scaled);
                    let sum = &mut self.values[place + group];
                    *sum = joined(reduction, *sum, found.unwrap_or(f64::NAN));
                }
            }
        }
    }

    /// Looks at gradients once more only where the largest of them does not tell that there are none.
    fn count_not_finite(&mut self, gradients: &[Vec<f32>]) {
        let place = |signal| {
            let mut all = self.declared.iter();
            let found = all.find(|declared| declared.signal == signal)?;
            Some(found.places.start)
        };
        let Some(counts) = place(Signal::GradNotFinite) else {
            return;
        };
        let largest = place(Signal::abs_max(Slot::Grad));
        for (group, gradients) in gradients.iter().enumerate() {
            let is_finite = largest.is_some_and(|place| self.values[place + group].is_finite());
            self.values[counts + group] = match is_finite {
                true => 0.0,
                false => not_finite(gradients),
            };
        }
    }
}

fn reads(declared: &[Signal], slot: Slot) -> bool {
    declared.iter().any(|signal| signal.reads(slot))
}

/// The signal that one of gradients before clipping is where they are not clipped.
fn unclipped(signal: Signal) -> Option<Signal> {
    let Signal::Reduced(reduction) = signal else {
        return None;
    };
    let [a, b] = reduction.slots().map(|slot| match slot {
        Slot::RawGrad => Slot::Grad,
        other => other,
    });
    let same = match reduction.reduce() {
        Reduce::NormSq => Signal::norm_sq(a),
        Reduce::AbsSum => Signal::abs_sum(a),
        Reduce::AbsMax => Signal::abs_max(a),
        Reduce::Dot => Signal::dot(a, b),
    };
    let same = match reduction.is_scaled() {
        true => same.scaled(),
        false => same,
    };
    (same != signal).then_some(same)
}

/// A reduction's value so far with one more piece's.
fn joined(reduction: Reduction, sum: f64, found: f64) -> f64 {
    match reduction.reduce() {
        Reduce::AbsMax if sum.is_nan() || sum > found => sum,
        Reduce::AbsMax => found,
        _ => sum + found,
    }
}

/// A run of a group's numbers, in every slot.
struct Piece<'a> {
    moment: &'a Moment<'a>,
    kept: &'a Kept,
    group: usize,
    range: Range<usize>,
    from_start: &'a [f32],
    update: &'a [f32],
}

impl<'a> Piece<'a> {
    fn slot(&self, slot: Slot) -> Option<&'a [f32]> {
        let Moment {
            groups,
            gradients,
            optimizer,
            ..
        } = self.moment;
        let whole = match slot {
            Slot::FromStart => return Some(self.from_start),
            Slot::Update => return Some(self.update),
            Slot::Grad => &gradients[self.group],
            Slot::RawGrad => &self.kept.raw(gradients)[self.group],
            Slot::Param => &groups[self.group].values,
            Slot::PrevGrad => self.kept.gradient(self.group)?,
            Slot::PrevUpdate => optimizer.direction(self.group)?,
            Slot::FirstMoment => optimizer.first(self.group)?,
            Slot::SecondMoment => optimizer.second(self.group)?,
        };
        Some(&whole[self.range.clone()])
    }

    fn reduced(&self, reduction: Reduction, scaled: &mut Vec<f32>) -> Option<f64> {
        let [a, b] = reduction.slots();
        let (mut a, b) = (self.slot(a)?, self.slot(b)?);
        if reduction.is_scaled() {
            over_roots(scaled, a, self.slot(Slot::SecondMoment)?);
            a = scaled;
        }
        Some(match reduction.reduce() {
            Reduce::NormSq if !reduction.is_scaled() => norm_sq(a),
            Reduce::NormSq | Reduce::Dot => dot(a, b),
            Reduce::AbsSum => abs_sum(a),
            Reduce::AbsMax => abs_max(a),
        })
    }
}

#[cfg(test)]
mod tests;
