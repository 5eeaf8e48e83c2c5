//! Update rules over parameter groups, as PyTorch makes them, with the rate and the momentum of
//! each group given anew at every step.

use crate::model::Group;
use attune_plugin_api::OptimizerKind;

/// Adam's second decay rate, as in Kingma and Ba 2015.
const BETA2: f64 = 0.999;
/// What keeps Adam's division finite.
const EPSILON: f64 = 1e-8;

/// An update rule and its state.
#[derive(Debug)]
pub(crate) struct Optimizer {
    kind: OptimizerKind,
    weight_decay: f64,
    steps: u64,
    /// Whether the remembered directions are those of an update that was made.
    directed: bool,
    states: Vec<State>,
}

/// What a group's numbers remember.
#[derive(Debug)]
struct State {
    /// SGD's velocity or Adam's first moment.
    first: Vec<f32>,
    /// Adam's second moment.
    second: Vec<f32>,
    /// The direction u of the last update, x ← x − lr·u, where somebody wants to know it.
    direction: Option<Vec<f32>>,
}

impl Optimizer {
    /// A rule for groups of these sizes. With `remembers_direction` the direction of each update
    /// is kept for signals.
    pub(crate) fn new(
        kind: OptimizerKind,
        weight_decay: f64,
        sizes: impl Iterator<Item = usize>,
        remembers_direction: bool,
    ) -> Self {
        let is_adam = matches!(kind, OptimizerKind::Adam | OptimizerKind::AdamW);
        let states = sizes
            .map(|size| State {
                first: vec![0.0; size],
                second: vec![0.0; if is_adam { size } else { 0 }],
                direction: remembers_direction.then(|| vec![0.0; size]),
            })
            .collect();
        Optimizer {
            kind,
            weight_decay,
            steps: 0,
            directed: false,
            states,
        }
    }

    /// The direction of a group's last update, once there was one and where it is remembered.
    pub(crate) fn direction(&self, group: usize) -> Option<&[f32]> {
        let direction = self.states.get(group)?.direction.as_deref();
        direction.filter(|_| self.directed)
    }

    /// Remembers directions from the next update on, or no more. Those that it remembers already
    /// stay.
    pub(crate) fn remember_directions(&mut self, wanted: bool) {
        self.directed &= wanted;
        for state in &mut self.states {
            if !wanted {
                state.direction = None;
            } else if state.direction.is_none() {
                state.direction = Some(vec![0.0; state.first.len()]);
            }
        }
    }

    /// How many updates were made.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// What a group remembers: all of its state apart from [`steps`](Optimizer::steps), by name.
    pub(crate) fn memory(&self, group: usize) -> Vec<(&'static str, &[f32])> {
        let Some(state) = self.states.get(group) else {
            return Vec::new();
        };
        let second = Some(state.second.as_slice()).filter(|second| !second.is_empty());
        let memory = [
            ("first.", Some(state.first.as_slice())),
            ("second.", second),
            ("direction.", self.direction(group)),
        ];
        memory
            .into_iter()
            .filter_map(|(name, values)| Some((name, values?)))
            .collect()
    }

    /// Goes on from what [`memory`](Optimizer::memory) gave after so many steps; `recall` has the
    /// numbers of a name and a group. The direction is asked for only where it is wanted and
    /// `directed` says that there is one.
    pub(crate) fn resume<E>(
        &mut self,
        steps: u64,
        directed: bool,
        mut recall: impl FnMut(&'static str, usize) -> Result<Vec<f32>, E>,
    ) -> Result<(), E> {
        for (group, state) in self.states.iter_mut().enumerate() {
            state.first = recall("first.", group)?;
            if !state.second.is_empty() {
                state.second = recall("second.", group)?;
            }
            if let Some(direction) = state.direction.as_mut().filter(|_| directed) {
                *direction = recall("direction.", group)?;
            }
        }
        self.steps = steps;
        self.directed = directed && self.states.iter().any(|state| state.direction.is_some());
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
        self.directed = self.states.iter().all(|state| state.direction.is_some());
        for (index, (group, state)) in groups.iter_mut().zip(&mut self.states).enumerate() {
            let decay = if group.decays { self.weight_decay } else { 0.0 };
            let (rate, momentum) = (rates[index], momenta[index]);
            let values = &mut group.values;
            let gradients = &gradients[index];
            match self.kind {
                OptimizerKind::Adam | OptimizerKind::AdamW => {
                    let coupled = self.kind == OptimizerKind::Adam;
                    let rule = Adam::new(rate, momentum, decay, coupled, self.steps);
                    rule.update(values, gradients, state);
                }
                // Whatever the interface may add later descends along the gradient.
                _ => {
                    let rule = Sgd {
                        rate: rate as f32,
                        momentum: momentum as f32,
                        decay: decay as f32,
                        nesterov: self.kind == OptimizerKind::Nesterov,
                    };
                    rule.update(values, gradients, state);
                }
            }
        }
    }
}

/// One step of gradient descent; the velocity is v ← μ·v + g, starting from 0.
struct Sgd {
    rate: f32,
    momentum: f32,
    decay: f32,
    nesterov: bool,
}

impl Sgd {
    fn update(&self, values: &mut [f32], gradients: &[f32], state: &mut State) {
        let advance = |value: &mut f32, gradient: f32, velocity: &mut f32| -> f32 {
            let gradient = gradient + self.decay * *value;
            *velocity = self.momentum * *velocity + gradient;
            let direction = if self.nesterov {
                gradient + self.momentum * *velocity
            } else {
                *velocity
            };
            *value -= self.rate * direction;
            direction
        };
        let each = values.iter_mut().zip(gradients).zip(&mut state.first);
        match &mut state.direction {
            None => each.for_each(|((value, &gradient), velocity)| {
                advance(value, gradient, velocity);
            }),
            Some(directions) => {
                for (((value, &gradient), velocity), direction) in each.zip(directions) {
                    *direction = advance(value, gradient, velocity);
                }
            }
        }
    }
}

/// One step of Adam (Kingma and Ba 2015, algorithm 1) or AdamW (Loshchilov and Hutter 2019,
/// algorithm 2), bias corrections as in PyTorch: from the current first decay rate, should that
/// change during a run.
struct Adam {
    beta1: f32,
    step_size: f32,
    correction1: f32,
    root_correction2: f32,
    /// Added to the gradient, decay times value.
    coupled_decay: f32,
    /// The value is multiplied by it beforehand.
    shrink: f32,
}

impl Adam {
    fn new(rate: f64, beta1: f64, decay: f64, coupled: bool, step: u64) -> Self {
        let step = i32::try_from(step).unwrap_or(i32::MAX);
        let correction1 = 1.0 - beta1.powi(step);
        let correction2 = 1.0 - BETA2.powi(step);
        Adam {
            beta1: beta1 as f32,
            step_size: (rate / correction1) as f32,
            correction1: correction1 as f32,
            root_correction2: correction2.sqrt() as f32,
            coupled_decay: if coupled { decay as f32 } else { 0.0 },
            shrink: if coupled {
                1.0
            } else {
                (1.0 - rate * decay) as f32
            },
        }
    }

    fn update(&self, values: &mut [f32], gradients: &[f32], state: &mut State) {
        const B2: f32 = BETA2 as f32;
        const REST2: f32 = (1.0 - BETA2) as f32;
        const EPS: f32 = EPSILON as f32;
        let rest1 = 1.0 - self.beta1;
        // Returns the direction before the first moment's bias correction.
        let advance = |value: &mut f32, gradient: f32, first: &mut f32, second: &mut f32| -> f32 {
            let gradient = gradient + self.coupled_decay * *value;
            *first = self.beta1 * *first + rest1 * gradient;
            *second = B2 * *second + REST2 * gradient * gradient;
            let direction = *first / (second.sqrt() / self.root_correction2 + EPS);
            *value = *value * self.shrink - self.step_size * direction;
            direction
        };
        let moments = state.first.iter_mut().zip(&mut state.second);
        let each = values.iter_mut().zip(gradients).zip(moments);
        match &mut state.direction {
            None => each.for_each(|((value, &gradient), (first, second))| {
                advance(value, gradient, first, second);
            }),
            Some(directions) => {
                for (((value, &gradient), (first, second)), direction) in each.zip(directions) {
                    *direction = advance(value, gradient, first, second) / self.correction1;
                }
            }
        }
    }
}

/// Scales all gradients so that their common norm is at most `longest`, as PyTorch's
/// `clip_grad_norm_` does.
pub(crate) fn clip(gradients: &mut [Vec<f32>], longest: f64) {
    let norm = gradients
        .iter()
        .map(|group| crate::kernel::norm_sq(group))
        .sum::<f64>()
        .sqrt();
    let factor = longest / (norm + 1e-6);
    if factor < 1.0 {
        let factor = factor as f32;
        for gradient in gradients.iter_mut().flatten() {
            *gradient *= factor;
        }
    }
}

#[cfg(test)]
mod tests;
