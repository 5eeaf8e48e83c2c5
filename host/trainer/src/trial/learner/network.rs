//! A network on a dataset.

use super::Learner;
use crate::artifact::Model;
use crate::data::{Dataset, Part};
use crate::metrics::{Metric, Scores, Wanted, score};
use crate::model::{Aim, Batch, Buffers, Group, Network, Share};
use crate::trial::error::TrialError;
use crate::trial::settings::{CheckedSettings, Engine, SettingsError};
use crate::trial::{broken, guarded, plan};
use std::sync::Arc;

#[derive(Debug)]
pub(in crate::trial) struct NetworkLearner {
    settings: CheckedSettings,
    dataset: Arc<Dataset>,
    objective: Metric,
    aim: Aim,
    network: Network,
}

impl NetworkLearner {
    /// A network with freshly drawn weights, or a base with freshly drawn factors.
    pub(in crate::trial) fn new(
        settings: &CheckedSettings,
        dataset: &Arc<Dataset>,
        base: Option<&Model>,
        objective: Metric,
    ) -> Result<Self, TrialError> {
        let aim = plan::checked_aim(settings, dataset)?;
        let blueprint = plan::checked_blueprint(settings, dataset, base)?;
        let mut network = guarded(0, || blueprint.network(settings.dropout, settings.seed))?;
        match settings.engine {
            Engine::Own => {}
            Engine::Dfdx => network.use_dfdx(),
            Engine::Cuda => network.use_cuda().map_err(|why| SettingsError {
                setting: "engine",
                found: "cuda".into(),
                expected: format!("another one here: {why}"),
            })?,
        }
        Ok(NetworkLearner {
            settings: settings.clone(),
            dataset: Arc::clone(dataset),
            objective,
            aim,
            network,
        })
    }

    fn score(&self, outputs: &[f32], part: Part, wanted: Wanted<'_>) -> Scores {
        let samples = self.dataset.part(part);
        let (task, loss) = (self.dataset.task(), self.settings.loss);
        score(outputs, samples, task, loss, wanted)
    }
}

impl Learner for NetworkLearner {
    fn groups(&self) -> &[Group] {
        self.network.groups()
    }

    fn groups_mut(&mut self) -> &mut [Group] {
        self.network.groups_mut()
    }

    fn buffers(&self) -> &Buffers {
        self.network.buffers()
    }

    fn buffers_mut(&mut self) -> &mut Buffers {
        self.network.buffers_mut()
    }

    fn order(&self, seed: u64, epoch: u32) -> Vec<u32> {
        self.dataset.part(Part::Train).features.order(seed, epoch)
    }

    fn weight(&self, rows: &[u32]) -> f64 {
        let targets = &self.dataset.part(Part::Train).targets;
        self.aim.weight(rows, targets)
    }

    fn learn(
        &mut self,
        rows: &[u32],
        share: Share,
        gradients: &mut [Vec<f32>],
    ) -> Result<f32, String> {
        let train = self.dataset.part(Part::Train);
        let batch = Batch {
            rows,
            features: &train.features,
            targets: &train.targets,
        };
        self.network.learn(batch, &self.aim, share, gradients)
    }

    fn project(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn validate(&mut self) -> Result<Scores, String> {
        let valid = self.dataset.part(Part::Valid);
        let outputs = self.network.predict(&valid.features)?;
        let wanted = Wanted::Cheap {
            objective: self.objective,
            others: &self.settings.measure,
        };
        Ok(self.score(&outputs, Part::Valid, wanted))
    }

    fn evaluate(&self, weights: &[Vec<f32>], part: Part) -> Result<Scores, String> {
        let features = &self.dataset.part(part).features;
        let outputs = self.network.with(weights).predict(features)?;
        Ok(self.score(&outputs, part, Wanted::All))
    }

    fn network(&self, weights: &[Vec<f32>]) -> Result<(Network, Arc<Dataset>), TrialError> {
        Ok((self.network.with(weights), Arc::clone(&self.dataset)))
    }

    fn rest(&mut self) {
        self.network.rest();
    }

    fn failure(&self, step: u64, message: String) -> TrialError {
        broken(step, message)
    }
}
