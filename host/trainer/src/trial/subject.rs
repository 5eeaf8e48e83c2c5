//! What a trial trains.

use super::error::TrialError;
use super::learner::{Learner, NetworkLearner, TaskLearner};
use super::plan;
use super::settings::{CheckedSettings, TrialSettings};
use crate::artifact::Model;
use crate::data::{Dataset, Part};
use crate::metrics::Metric;
use crate::task::{CheckedTask, Task};
use std::sync::Arc;

/// What a trial trains: a network on data, as its settings say, which may be an adapted base, or a
/// [`Task`]. Cloning one is cheap.
#[derive(Debug, Clone)]
pub struct Subject(Either);

#[derive(Debug, Clone)]
enum Either {
    Data(Arc<Dataset>, Option<Arc<Model>>),
    Task(Arc<CheckedTask>),
}

/// What a scheduler is told of what it steers.
pub(super) struct Planned {
    pub(super) groups: Vec<PlannedGroup>,
    /// Whether a layer normalises by the batch's own statistics.
    pub(super) batch_norm: bool,
    /// What no batch's loss is below.
    pub(super) loss_lower_bound: Option<f64>,
}

/// A group of parameters to be.
pub(super) struct PlannedGroup {
    pub(super) name: String,
    pub(super) tag: &'static str,
    pub(super) size: u64,
    pub(super) decay: f64,
}

impl From<Arc<Dataset>> for Subject {
    fn from(dataset: Arc<Dataset>) -> Self {
        Subject(Either::Data(dataset, None))
    }
}

impl From<&Arc<Dataset>> for Subject {
    fn from(dataset: &Arc<Dataset>) -> Self {
        Subject::from(Arc::clone(dataset))
    }
}

impl From<&Subject> for Subject {
    fn from(subject: &Subject) -> Self {
        subject.clone()
    }
}

impl Subject {
    /// A task, which is asked here what it is.
    ///
    /// # Errors
    /// [`TrialError::UnfitTask`]: what it says of itself does not fit together, or it panicked.
    pub fn task(task: impl Task + 'static) -> Result<Subject, TrialError> {
        let checked = CheckedTask::of(Arc::new(task))
            .map_err(|(task, reason)| TrialError::UnfitTask { task, reason })?;
        Ok(Subject(Either::Task(Arc::new(checked))))
    }

    /// A task that is optimised by another of its own metrics than the first. What settings can name
    /// is named there.
    #[must_use]
    pub fn optimising(self, own: Metric) -> Subject {
        match self.0 {
            Either::Task(mut task) if task.metrics.contains(&own) => {
                Arc::make_mut(&mut task).optimise(own);
                Subject(Either::Task(task))
            }
            other => Subject(other),
        }
    }

    /// The name of a task, and what it says it is made of.
    pub(super) fn named_task(&self) -> Option<(&str, &str)> {
        match &self.0 {
            Either::Data(..) => None,
            Either::Task(task) => Some((&task.name, &task.fingerprint)),
        }
    }

    /// Data that were prepared [like](crate::data::DataOptions::like) those of a base, and the base, for
    /// trials that adapt it.
    ///
    /// # Errors
    /// [`TrialError::UnlikeBase`]: the data were prepared otherwise.
    pub fn adapting(dataset: Arc<Dataset>, base: Arc<Model>) -> Result<Subject, TrialError> {
        match base.reads(&dataset) {
            true => Ok(Subject(Either::Data(dataset, Some(base)))),
            false => Err(TrialError::UnlikeBase),
        }
    }

    /// The base that there is for trials to adapt.
    pub fn base(&self) -> Option<&Arc<Model>> {
        match &self.0 {
            Either::Data(_, base) => base.as_ref(),
            Either::Task(_) => None,
        }
    }

    /// The data of a network.
    pub fn dataset(&self) -> Option<&Arc<Dataset>> {
        match &self.0 {
            Either::Data(dataset, _) => Some(dataset),
            Either::Task(_) => None,
        }
    }

    /// How many rows there are to train on.
    pub(super) fn rows(&self) -> usize {
        match &self.0 {
            Either::Data(dataset, _) => dataset.part(Part::Train).rows(),
            Either::Task(task) => task.rows,
        }
    }

    /// What a trial with these settings trains.
    pub(super) fn planned(&self, settings: &TrialSettings) -> Planned {
        match &self.0 {
            Either::Data(dataset, base) => {
                let plan = plan::blueprint(settings, dataset, base.as_deref()).plan();
                let groups = plan.groups().map(|(kind, size)| PlannedGroup {
                    name: kind.group().into(),
                    tag: kind.tag(),
                    size: size as u64,
                    decay: settings.decay_of(kind.group(), kind.decays()),
                });
                Planned {
                    groups: groups.collect(),
                    // Nothing else is remembered and not learned; what adapts a base has none.
                    batch_norm: !plan.buffers().values.is_empty(),
                    loss_lower_bound: Some(0.0),
                }
            }
            Either::Task(task) => {
                let groups = task.parameters.iter().map(|group| PlannedGroup {
                    name: group.name.clone(),
                    tag: group.kind.tag(),
                    size: group.size().unwrap_or(0) as u64,
                    decay: settings.decay_of(group.kind.group(), group.decays),
                });
                Planned {
                    groups: groups.collect(),
                    batch_norm: false,
                    loss_lower_bound: task.loss_lower_bound,
                }
            }
        }
    }

    /// What can be measured on its validation rows.
    pub fn metrics(&self) -> Vec<Metric> {
        match &self.0 {
            Either::Data(dataset, _) => dataset.metrics(),
            Either::Task(task) => task.metrics.clone(),
        }
    }

    /// What is optimised where the settings do not say.
    pub fn usual_objective(&self) -> Metric {
        match &self.0 {
            Either::Data(dataset, _) => Metric::default_objective(dataset.task().kind()),
            Either::Task(task) => task.metrics[0],
        }
    }

    /// What learns it, before the first step.
    pub(super) fn learner(
        &self,
        settings: &CheckedSettings,
        objective: Metric,
    ) -> Result<Box<dyn Learner>, TrialError> {
        Ok(match &self.0 {
            Either::Data(dataset, base) => {
                let base = base.as_deref();
                Box::new(NetworkLearner::new(settings, dataset, base, objective)?)
            }
            Either::Task(task) => Box::new(TaskLearner::new(settings, task)?),
        })
    }
}
