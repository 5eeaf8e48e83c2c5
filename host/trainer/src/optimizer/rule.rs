//! The update rules themselves: loops over a group's numbers.

use crate::kernel::wide;
use crate::threads;
use attune_plugin_api::OptimizerKind;

/// Adam's second decay rate, as in Kingma and Ba 2015.
pub(super) const ADAM_SECOND: f64 = 0.999;
/// The rate at which RMSprop forgets, as PyTorch's `alpha`.
pub(super) const RMS_PROP_SECOND: f64 = 0.99;
/// The rate at which Lion's momentum forgets, as in Chen et al. 2023.
pub(super) const LION_SECOND: f64 = 0.99;
/// What keeps divisions finite.
const EPSILON: f32 = 1e-8;
/// The same for Adagrad, as in PyTorch.
const ADAGRAD_EPSILON: f32 = 1e-10;

/// A group of fewer numbers than this is moved by one thread: it stays in the nearer caches, where
/// one is fast enough.
const WORTH_SHARING: usize = 1 << 16;

/// What a group is moved with at a step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) rate: f64,
    pub(super) momentum: f64,
    pub(super) decay: f64,
    /// Its number, from 1.
    pub(super) number: u64,
}

/// The numbers of a group with what they remember, or a run of them.
#[derive(Debug)]
pub(super) struct Numbers<'a> {
    pub(super) values: &'a mut [f32],
    pub(super) gradients: &'a [f32],
    /// Empty where the rule has no such moment, as the second.
    pub(super) first: &'a mut [f32],
    pub(super) second: &'a mut [f32],
    pub(super) directions: Option<&'a mut [f32]>,
}

/// The same of numbers that stay where they are, to see which way they would go.
#[derive(Debug)]
pub(super) struct Still<'a> {
    pub(super) values: &'a [f32],
    pub(super) gradients: &'a [f32],
    pub(super) first: &'a [f32],
    pub(super) second: &'a [f32],
    pub(super) directions: &'a mut [f32],
}

impl Numbers<'_> {
    /// This share of them, and the others.
    fn cut(self, share: usize, of: usize) -> (Self, Self) {
        let middle = self.values.len() * share / of;
        let (values, other_values) = self.values.split_at_mut(middle);
        let (gradients, other_gradients) = self.gradients.split_at(middle);
        let (first, other_first) = self.first.split_at_mut(middle.min(self.first.len()));
        let (second, other_second) = self.second.split_at_mut(middle.min(self.second.len()));
        let (directions, other_directions) = self
            .directions
            .map(|directions| directions.split_at_mut(middle))
            .unzip();
        let numbers = Numbers {
            values,
            gradients,
            first,
            second,
            directions,
        };
        let others = Numbers {
            values: other_values,
            gradients: other_gradients,
            first: other_first,
            second: other_second,
            directions: other_directions,
        };
        (numbers, others)
    }
}

/// Moves a group's numbers; many are shared out.
pub(super) fn update(kind: OptimizerKind, step: Step, numbers: Numbers<'_>) {
    let parts = match numbers.values.len() >= WORTH_SHARING {
        true => threads::count(),
        false => 1,
    };
    threads::share(numbers, parts, &Numbers::cut, &|numbers| {
        advance(kind, step, numbers)
    });
}

/// Writes the directions in which numbers would be moved.
pub(super) fn propose(kind: OptimizerKind, step: Step, numbers: Still<'_>) {
    advance(kind, step, numbers);
}

/// What can be gone through number by number, each with what it remembers. `advance` is given both to
/// change, and gives the direction. It must own what it knows, because a loop is not vectorised around
/// what is borrowed.
trait Each {
    /// Where each number remembers one.
    fn with_one(self, advance: impl Copy + Fn(&mut f32, f32, &mut f32) -> f32);

    /// Where it remembers two.
    fn with_two(self, advance: impl Copy + Fn(&mut f32, f32, &mut f32, &mut f32) -> f32);
}

/// Moves numbers on one thread, or shows which way.
fn advance(kind: OptimizerKind, step: Step, numbers: impl Each) {
    let (rate, momentum, decay) = (step.rate as f32, step.momentum as f32, step.decay as f32);
    match kind {
        OptimizerKind::Adam => adam(step, decay, 1.0, numbers),
        OptimizerKind::AdamW => {
            let shrink = (1.0 - step.rate * step.decay) as f32;
            adam(step, 0.0, shrink, numbers);
        }
        // Tieleman and Hinton 2012 in PyTorch's form: the momentum is of the scaled gradients.
        OptimizerKind::RmsProp => {
            let (keep, rest) = shares(RMS_PROP_SECOND);
            numbers.with_two(
                #[inline(always)]
                move |value, gradient, velocity, square| {
                    let gradient = gradient + decay * *value;
                    *square = keep * *square + rest * gradient * gradient;
                    *velocity = momentum * *velocity + gradient / (square.sqrt() + EPSILON);
                    *value -= rate * *velocity;
                    *velocity
                },
            );
        }
        // Duchi et al. 2011, diagonal.
        OptimizerKind::Adagrad => numbers.with_one(
            #[inline(always)]
            move |value, gradient, sum| {
                let gradient = gradient + decay * *value;
                *sum += gradient * gradient;
                let direction = gradient / (sum.sqrt() + ADAGRAD_EPSILON);
                *value -= rate * direction;
                direction
            },
        ),
        // Chen et al. 2023, algorithm 2.
        OptimizerKind::Lion => {
            let shrink = (1.0 - step.rate * step.decay) as f32;
            let rest1 = 1.0 - momentum;
            let (keep, rest) = shares(LION_SECOND);
            numbers.with_one(
                #[inline(always)]
                move |value, gradient, velocity| {
                    let between = momentum * *velocity + rest1 * gradient;
                    let direction = sign(between);
                    *velocity = keep * *velocity + rest * gradient;
                    *value = *value * shrink - rate * direction;
                    direction
                },
            );
        }
        OptimizerKind::Nesterov => numbers.with_one(
            #[inline(always)]
            move |value, gradient, velocity| {
                let gradient = gradient + decay * *value;
                *velocity = momentum * *velocity + gradient;
                let direction = gradient + momentum * *velocity;
                *value -= rate * direction;
                direction
            },
        ),
        // Whatever the interface may add later descends along the gradient.
        _ => numbers.with_one(
            #[inline(always)]
            move |value, gradient, velocity| {
                let gradient = gradient + decay * *value;
                *velocity = momentum * *velocity + gradient;
                *value -= rate * *velocity;
                *velocity
            },
        ),
    }
}

/// Adam (Kingma and Ba 2015, algorithm 1) or AdamW (Loshchilov and Hutter 2019, algorithm 2), bias
/// corrections as in PyTorch: from the current first decay rate, should that change during a run.
/// The coupled decay is added to the gradient; each value is multiplied by `shrink` beforehand.
fn adam(step: Step, coupled: f32, shrink: f32, numbers: impl Each) {
    let number = i32::try_from(step.number).unwrap_or(i32::MAX);
    let correction = 1.0 - step.momentum.powi(number);
    let root = (1.0 - ADAM_SECOND.powi(number)).sqrt() as f32;
    let step_size = (step.rate / correction) as f32;
    let correction = correction as f32;
    let (keep, rest) = shares(ADAM_SECOND);
    let (keep1, rest1) = (step.momentum as f32, 1.0 - step.momentum as f32);
    numbers.with_two(
        #[inline(always)]
        move |value, gradient, first, second| {
            let gradient = gradient + coupled * *value;
            *first = keep1 * *first + rest1 * gradient;
            *second = keep * *second + rest * gradient * gradient;
            let direction = *first / (second.sqrt() / root + EPSILON);
            *value = *value * shrink - step_size * direction;
            direction / correction
        },
    );
}

/// What a mean that forgets keeps of itself, and takes of what is new.
fn shares(decay: f64) -> (f32, f32) {
    (decay as f32, (1.0 - decay) as f32)
}

/// The sign; 0 of 0, and NaN of NaN.
#[inline(always)]
fn sign(x: f32) -> f32 {
    if x == 0.0 || x.is_nan() {
        x
    } else {
        1.0_f32.copysign(x)
    }
}

impl Each for Numbers<'_> {
    #[inline(always)]
    fn with_one(self, advance: impl Copy + Fn(&mut f32, f32, &mut f32) -> f32) {
        // One of the two is empty.
        let memory = match self.first.is_empty() {
            true => self.second,
            false => self.first,
        };
        let each = self.values.iter_mut().zip(self.gradients).zip(memory);
        match self.directions {
            None => wide(
                #[inline(always)]
                move || {
                    for ((value, &gradient), memory) in each {
                        advance(value, gradient, memory);
                    }
                },
            ),
            Some(directions) => wide(
                #[inline(always)]
                move || {
                    for (((value, &gradient), memory), direction) in each.zip(directions) {
                        *direction = advance(value, gradient, memory);
                    }
                },
            ),
        }
    }

    #[inline(always)]
    fn with_two(self, advance: impl Copy + Fn(&mut f32, f32, &mut f32, &mut f32) -> f32) {
        let memory = self.first.iter_mut().zip(self.second);
        let each = self.values.iter_mut().zip(self.gradients).zip(memory);
        match self.directions {
            None => wide(
                #[inline(always)]
                move || {
                    for ((value, &gradient), (first, second)) in each {
                        advance(value, gradient, first, second);
                    }
                },
            ),
            Some(directions) => wide(
                #[inline(always)]
                move || {
                    for (((value, &gradient), (first, second)), direction) in each.zip(directions) {
                        *direction = advance(value, gradient, first, second);
                    }
                },
            ),
        }
    }
}

/// What would be changed are copies.
impl Each for Still<'_> {
    #[inline(always)]
    fn with_one(self, advance: impl Copy + Fn(&mut f32, f32, &mut f32) -> f32) {
        let memory = match self.first.is_empty() {
            true => self.second,
            false => self.first,
        };
        let each = self.values.iter().zip(self.gradients).zip(memory);
        let each = each.zip(self.directions);
        wide(
            #[inline(always)]
            move || {
                for (((&value, &gradient), &memory), direction) in each {
                    let (mut value, mut memory) = (value, memory);
                    *direction = advance(&mut value, gradient, &mut memory);
                }
            },
        );
    }

    #[inline(always)]
    fn with_two(self, advance: impl Copy + Fn(&mut f32, f32, &mut f32, &mut f32) -> f32) {
        let memory = self.first.iter().zip(self.second);
        let each = self.values.iter().zip(self.gradients).zip(memory);
        let each = each.zip(self.directions);
        wide(
            #[inline(always)]
            move || {
                for (((&value, &gradient), (&first, &second)), direction) in each {
                    let (mut value, mut first, mut second) = (value, first, second);
                    *direction = advance(&mut value, gradient, &mut first, &mut second);
                }
            },
        );
    }
}
