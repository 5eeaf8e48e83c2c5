//! What signals look back to.

use super::reads;
use crate::model::Group;
use attune_plugin_api::{Signal, Slot};

/// Vectors of the trial's past, one a group, where a declared signal looks at them.
#[derive(Debug)]
pub(crate) struct Kept {
    /// The parameters where it began.
    start: Option<Vec<Vec<f32>>>,
    wants_gradients: bool,
    /// The last step's gradients, once there was one.
    gradients: Option<Vec<Vec<f32>>>,
    wants_raw: bool,
    is_clipped: bool,
    /// This step's gradients before they were clipped, where they were.
    raw: Vec<Vec<f32>>,
}

impl Kept {
    pub(super) fn of(declared: &[Signal], groups: &[Group]) -> Self {
        Kept {
            start: reads(declared, Slot::FromStart).then(|| values(groups)),
            wants_gradients: reads(declared, Slot::PrevGrad),
            gradients: None,
            wants_raw: reads(declared, Slot::RawGrad),
            is_clipped: false,
            raw: Vec::new(),
        }
    }

    /// How many vectors are kept from step to step for such signals, at most.
    pub(crate) fn copies(declared: &[Signal]) -> usize {
        let slots = [Slot::FromStart, Slot::PrevGrad, Slot::PrevUpdate];
        slots
            .into_iter()
            .filter(|&slot| reads(declared, slot))
            .count()
    }

    pub(super) fn start(&self, group: usize) -> Option<&Vec<f32>> {
        self.start.as_ref()?.get(group)
    }

    pub(super) fn gradient(&self, group: usize) -> Option<&Vec<f32>> {
        self.gradients.as_ref()?.get(group)
    }

    pub(super) fn is_clipped(&self) -> bool {
        self.is_clipped
    }

    /// Gradients as they were before clipping.
    pub(super) fn raw<'a>(&'a self, gradients: &'a [Vec<f32>]) -> &'a [Vec<f32>] {
        match self.is_clipped {
            true => &self.raw,
            false => gradients,
        }
    }

    /// Keeps gradients that are about to be clipped, where a slot or somebody else looks at them.
    pub(super) fn before_clipping(&mut self, gradients: &[Vec<f32>], is_wanted: bool) {
        if self.wants_raw || is_wanted {
            self.is_clipped = true;
            self.raw.resize_with(gradients.len(), Vec::new);
            for (raw, gradient) in self.raw.iter_mut().zip(gradients) {
                raw.clone_from(gradient);
            }
        }
    }

    pub(super) fn after_update(&mut self, gradients: &mut [Vec<f32>]) {
        self.is_clipped = false;
        if self.wants_gradients {
            let empty = || gradients.iter().map(|all| vec![0.0; all.len()]).collect();
            let kept = self.gradients.get_or_insert_with(empty);
            kept.swap_with_slice(gradients);
        }
    }

    pub(super) fn rest(&mut self) {
        self.raw = Vec::new();
    }

    /// All that a group has of it, by name.
    pub(crate) fn memory(&self, group: usize) -> impl Iterator<Item = (&'static str, &[f32])> {
        let all = [
            ("start.", self.start(group)),
            ("gradient.", self.gradient(group)),
        ];
        all.into_iter()
            .filter_map(|(name, values)| Some((name, values?.as_slice())))
    }

    /// Whether there is a last step's gradient.
    pub(crate) fn has_gradients(&self) -> bool {
        self.gradients.is_some()
    }

    /// Keeps what another kept before it.
    pub(super) fn inherit(&mut self, before: Kept) {
        if self.start.is_some() && before.start.is_some() {
            self.start = before.start;
        }
        if self.wants_gradients {
            self.gradients = before.gradients;
        }
    }

    /// Goes on from what [`memory`](Kept::memory) gave, of signals `before` it, which had gradients or
    /// not; `recall` has the numbers of a name and a group. What they did not keep begins with these
    /// parameters.
    pub(crate) fn resume<E>(
        &mut self,
        groups: &[Group],
        (before, has_gradients): (&[Signal], bool),
        recall: impl Fn(&'static str, usize) -> Result<Vec<f32>, E>,
    ) -> Result<(), E> {
        let all = |name| -> Result<Vec<_>, E> {
            (0..groups.len()).map(|group| recall(name, group)).collect()
        };
        if self.start.is_some() {
            self.start = Some(match reads(before, Slot::FromStart) {
                true => all("start.")?,
                false => values(groups),
            });
        }
        if self.wants_gradients && has_gradients {
            self.gradients = Some(all("gradient.")?);
        }
        Ok(())
    }
}

fn values(groups: &[Group]) -> Vec<Vec<f32>> {
    groups.iter().map(|group| group.values.clone()).collect()
}
