//! A task with its parameters.

use super::Learner;
use crate::data::{Dataset, Part};
use crate::kernel::{add_all, scale};
use crate::metrics::Scores;
use crate::model::{Buffers, Group, Network, Share};
use crate::random::{Purpose, shuffle, stream};
use crate::task::{Batch, CheckedTask, values};
use crate::trial::error::TrialError;
use crate::trial::plan;
use crate::trial::settings::CheckedSettings;
use std::sync::Arc;

#[derive(Debug)]
pub(in crate::trial) struct TaskLearner {
    task: Arc<CheckedTask>,
    groups: Vec<Group>,
    /// It has none.
    buffers: Buffers,
    /// The gradients of one of several batches that make a step.
    parts: Vec<Vec<f32>>,
}

impl TaskLearner {
    /// A task with its parameters where they start.
    pub(in crate::trial) fn new(
        settings: &CheckedSettings,
        task: &Arc<CheckedTask>,
    ) -> Result<Self, TrialError> {
        plan::check_no_network(settings)?;
        let groups = task.draw(settings.seed);
        let groups = groups.map_err(|reason| TrialError::UnfitTask {
            task: task.name.clone(),
            reason,
        })?;
        Ok(TaskLearner {
            task: Arc::clone(task),
            parts: groups.iter().map(|_| Vec::new()).collect(),
            groups,
            buffers: Buffers::default(),
        })
    }
}

impl Learner for TaskLearner {
    fn groups(&self) -> &[Group] {
        &self.groups
    }

    fn groups_mut(&mut self) -> &mut [Group] {
        &mut self.groups
    }

    fn buffers(&self) -> &Buffers {
        &self.buffers
    }

    fn buffers_mut(&mut self) -> &mut Buffers {
        &mut self.buffers
    }

    fn order(&self, seed: u64, epoch: u32) -> Vec<u32> {
        let mut rows: Vec<u32> = (0..self.task.rows as u32).collect();
        shuffle(&mut rows, &mut stream(seed, Purpose::Shuffle, epoch.into()));
        rows
    }

    fn weight(&self, rows: &[u32]) -> f64 {
        rows.len() as f64
    }

    fn learn(
        &mut self,
        rows: &[u32],
        share: Share,
        gradients: &mut [Vec<f32>],
    ) -> Result<f32, String> {
        let batch = Batch {
            rows,
            number: share.batch,
            seed: share.seed,
        };
        if !share.adds {
            let loss = self.task.learn(&batch, &self.groups, gradients)?;
            if share.of_step != 1.0 {
                for gradient in gradients {
                    scale(gradient, share.of_step as f32);
                }
            }
            return Ok(loss);
        }
        for (part, gradient) in self.parts.iter_mut().zip(&*gradients) {
            part.resize(gradient.len(), 0.0);
        }
        let loss = self.task.learn(&batch, &self.groups, &mut self.parts)?;
        for (gradient, part) in gradients.iter_mut().zip(&mut self.parts) {
            scale(part, share.of_step as f32);
            add_all(gradient, part);
        }
        Ok(loss)
    }

    fn project(&mut self) -> Result<(), String> {
        self.task.project(&mut self.groups)
    }

    fn validate(&mut self) -> Result<Scores, String> {
        self.task.validate(&values(&self.groups))
    }

    fn evaluate(&self, weights: &[Vec<f32>], part: Part) -> Result<Scores, String> {
        match part {
            Part::Valid => {
                let weights = weights.iter().take(self.groups.len());
                let weights: Vec<&[f32]> = weights.map(Vec::as_slice).collect();
                self.task.validate(&weights)
            }
            // A task shows no more of its data.
            Part::Train | Part::Test => Ok(Scores::new()),
        }
    }

    fn network(&self, _: &[Vec<f32>]) -> Result<(Network, Arc<Dataset>), TrialError> {
        Err(TrialError::NoModel {
            task: self.task.name.clone(),
        })
    }

    fn rest(&mut self) {
        self.parts.fill(Vec::new());
    }

    fn failure(&self, step: u64, message: String) -> TrialError {
        TrialError::Task {
            task: self.task.name.clone(),
            step,
            message,
        }
    }
}
