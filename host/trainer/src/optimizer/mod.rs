//! Update rules over parameter groups, as PyTorch makes them, with the rate and the momentum of
//! each group given anew at every step.

mod average;
mod rule;

pub(crate) use average::Averages;

use crate::kernel::{norm_sq, scale};
use crate::model::Group;
use attune_plugin_api::OptimizerKind;
use rule::{Numbers, Step, Still};
use std::ops::Range;

/// An update rule and its state.
#[derive(Debug)]
pub(crate) struct Optimizer {
    kind: OptimizerKind,
    /// Each group's weight decay.
    decays: Vec<f64>,
    steps: u64,
    /// Whether somebody wants to know the directions of updates.
    remembers: bool,
    /// Whether the remembered directions are those of an update that was made.
    directed: bool,
    states: Vec<State>,
}

/// What a group's numbers remember.
#[derive(Debug)]
struct State {
    /// The velocity or first moment; Adagrad has none.
    first: Vec<f32>,
    /// The second moment, of those that have one.
    second: Vec<f32>,
    /// The direction u of the last update, x ← x − lr·u, where somebody wants to know it and it is
    /// not the velocity itself.
    direction: Option<Vec<f32>>,
}

impl Optimizer {
    /// A rule for groups of these sizes and weight decays. With `remembers_direction` the direction
    /// of each update is kept for signals.
    pub(crate) fn new(
        kind: OptimizerKind,
        groups: impl IntoIterator<Item = (usize, f64)>,
        remembers_direction: bool,
    ) -> Self {
        let memory = Memory::of(kind);
        let zeros = |wanted: bool, size: usize| vec![0.0; if wanted { size } else { 0 }];
        let (mut states, mut decays) = (Vec::new(), Vec::new());
        for (size, decay) in groups {
            decays.push(decay);
            states.push(State {
                first: zeros(memory.has_first(), size),
                second: zeros(memory.has_second(), size),
                direction: None,
            });
        }
        let mut optimizer = Optimizer {
            kind,
            decays,
            steps: 0,
            remembers: false,
            directed: false,
            states,
        };
        optimizer.remember_directions(remembers_direction);
        optimizer
    }

    /// How many numbers such a rule remembers of each of its own.
    pub(crate) fn remembers(kind: OptimizerKind) -> usize {
        let memory = Memory::of(kind);
        usize::from(memory.has_first()) + usize::from(memory.has_second())
    }

    /// The direction of a group's last update, once there was one and where it is remembered.
    pub(crate) fn direction(&self, group: usize) -> Option<&Vec<f32>> {
        let state = self.states.get(group)?;
        let direction = if moves_by_velocity(self.kind) {
            Some(&state.first)
        } else {
            state.direction.as_ref()
        };
        direction.filter(|_| self.directed)
    }

    /// A group's velocity or first moment.
    pub(crate) fn first(&self, group: usize) -> Option<&Vec<f32>> {
        let state = self.states.get(group)?;
        Some(&state.first).filter(|first| !first.is_empty())
    }

    /// A group's second moment.
    pub(crate) fn second(&self, group: usize) -> Option<&Vec<f32>> {
        let state = self.states.get(group)?;
        Some(&state.second).filter(|second| !second.is_empty())
    }

    /// The direction u in which [`update`](Optimizer::update) would move a run of a group's numbers at
    /// this momentum, of which values and gradients are given.
    pub(crate) fn propose(
        &self,
        directions: &mut Vec<f32>,
        (group, run): (usize, Range<usize>),
        values: &[f32],
        gradients: &[f32],
        momentum: f64,
    ) {
        directions.resize(values.len(), 0.0);
        let step = Step {
            // It goes in no direction.
            rate: 0.0,
            momentum,
            decay: self.decays[group],
            number: self.steps + 1,
        };
        let numbers = Still {
            values,
            gradients,
            first: self.first(group).map_or(&[], |first| &first[run.clone()]),
            second: self.second(group).map_or(&[], |second| &second[run]),
            directions,
        };
        rule::propose(self.kind, step, numbers);
    }

    /// Remembers directions from the next update on, or no more. Those that it remembers already
    /// stay.
    pub(crate) fn remember_directions(&mut self, wanted: bool) {
        self.remembers = wanted;
        self.directed &= wanted;
        for state in &mut self.states {
            if !wanted || moves_by_velocity(self.kind) {
                state.direction = None;
            } else if state.direction.is_none() {
                state.direction = Some(vec![0.0; state.first.len().max(state.second.len())]);
            }
        }
    }

    /// How many updates were made.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// What a group remembers: all of its state apart from [`steps`](Optimizer::steps), by name.
    pub(crate) fn memory(&self, group: usize) -> Vec<(&'static str, &[f32])> {
        let memory = [
            ("first.", self.first(group)),
            ("second.", self.second(group)),
            ("direction.", self.direction(group)),
        ];
        memory
            .into_iter()
            .filter_map(|(name, values)| Some((name, values?.as_slice())))
            .collect()
    }

    /// Goes on from what [`memory`](Optimizer::memory) gave after so many steps, apart from the
    /// direction; `recall` has the numbers of a name and a group.
    pub(crate) fn resume<E>(
        &mut self,
        steps: u64,
        mut recall: impl FnMut(&'static str, usize) -> Result<Vec<f32>, E>,
    ) -> Result<(), E> {
        for (group, state) in self.states.iter_mut().enumerate() {
            if !state.first.is_empty() {
                state.first = recall("first.", group)?;
            }
            if !state.second.is_empty() {
                state.second = recall("second.", group)?;
            }
        }
        self.steps = steps;
        Ok(())
    }

    /// The same for the directions of the last update, where they are wanted.
    pub(crate) fn resume_directions<E>(
        &mut self,
        mut recall: impl FnMut(&'static str, usize) -> Result<Vec<f32>, E>,
    ) -> Result<(), E> {
        for (group, state) in self.states.iter_mut().enumerate() {
            if let Some(direction) = &mut state.direction {
                *direction = recall("direction.", group)?;
            }
        }
        self.directed = self.remembers;
        Ok(())
    }

    /// Moves the parameters. All slices have one place a group.
    pub(crate) fn update(
        &mut self,
        groups: &mut [Group],
        gradients: &[Vec<f32>],
        rates: &[f64],
        momenta: &[f64],
    ) {
        self.steps += 1;
        self.directed = self.remembers;
        for (index, (group, state)) in groups.iter_mut().zip(&mut self.states).enumerate() {
            let step = Step {
                rate: rates[index],
                momentum: momenta[index],
                decay: self.decays[index],
                number: self.steps,
            };
            let numbers = Numbers {
                values: &mut group.values,
                gradients: &gradients[index],
                first: &mut state.first,
                second: &mut state.second,
                directions: state.direction.as_deref_mut(),
            };
            rule::update(self.kind, step, numbers);
        }
    }
}

/// What a rule's numbers remember: rules that remember the same can take over from each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Memory {
    /// A velocity of gradients.
    Velocity,
    /// Means of gradients and of their squares.
    Moments,
    /// A mean of squares, and a velocity of scaled gradients.
    Scaled,
    /// A sum of squares.
    Squares,
    /// A mean of gradients.
    Mean,
}

impl Memory {
    pub(crate) fn of(kind: OptimizerKind) -> Self {
        match kind {
            OptimizerKind::Adam | OptimizerKind::AdamW => Memory::Moments,
            OptimizerKind::RmsProp => Memory::Scaled,
            OptimizerKind::Adagrad => Memory::Squares,
            OptimizerKind::Lion => Memory::Mean,
            _ => Memory::Velocity,
        }
    }

    fn has_first(self) -> bool {
        self != Memory::Squares
    }

    fn has_second(self) -> bool {
        matches!(self, Memory::Moments | Memory::Scaled | Memory::Squares)
    }
}

/// Whether each update's direction is the velocity as it is afterwards, and needs no other place.
pub(crate) fn moves_by_velocity(kind: OptimizerKind) -> bool {
    kind == OptimizerKind::Sgd
}

/// The momentum that such a rule starts with, where the settings say this: Adagrad has none.
pub(crate) fn momentum(kind: OptimizerKind, set: f64) -> f64 {
    match kind {
        OptimizerKind::Adagrad => 0.0,
        _ => set,
    }
}

/// The second decay rate of such a rule, where it has one.
pub(crate) fn beta2(kind: OptimizerKind) -> Option<f64> {
    match kind {
        OptimizerKind::Adam | OptimizerKind::AdamW => Some(rule::ADAM_SECOND),
        OptimizerKind::RmsProp => Some(rule::RMS_PROP_SECOND),
        OptimizerKind::Lion => Some(rule::LION_SECOND),
        _ => None,
    }
}

/// The factor that makes the gradients' common norm at most `longest`, as PyTorch's
/// `clip_grad_norm_` does; none where it is no longer already.
pub(crate) fn clips(gradients: &[Vec<f32>], longest: f64) -> Option<f32> {
    let norm = gradients
        .iter()
        .map(|group| norm_sq(group))
        .sum::<f64>()
        .sqrt();
    let factor = longest / (norm + 1e-6);
    (factor < 1.0).then_some(factor as f32)
}

/// Multiplies all of them by it.
pub(crate) fn clip(gradients: &mut [Vec<f32>], factor: f32) {
    for group in gradients {
        scale(group, factor);
    }
}

#[cfg(test)]
mod tests;
