//! A moving average of the parameters, which often predicts better than they do themselves
//! (Polyak and Juditsky 1992; Tarvainen and Valpola 2017).

use crate::kernel::approach;
use crate::model::Group;

/// The averages, one slice a group.
#[derive(Debug)]
pub(crate) struct Averages {
    decay: f64,
    values: Vec<Vec<f32>>,
}

impl Averages {
    /// Averages that start from the parameters as they are.
    pub(crate) fn of(decay: f64, groups: &[Group]) -> Self {
        Averages {
            decay,
            values: groups.iter().map(|group| group.values.clone()).collect(),
        }
    }

    /// A group's averages.
    pub(crate) fn values(&self) -> &[Vec<f32>] {
        &self.values
    }

    /// Goes on from earlier ones.
    pub(crate) fn resume(&mut self, values: Vec<Vec<f32>>) {
        self.values = values;
    }

    /// Takes in the parameters after this many updates. At the t-th they keep at most (1+t)/(10+t)
    /// of themselves, so that where training started is soon forgotten.
    pub(crate) fn take(&mut self, groups: &[Group], steps: u64) {
        let steps = steps as f64;
        let keeps = self.decay.min((1.0 + steps) / (10.0 + steps));
        for (means, group) in self.values.iter_mut().zip(groups) {
            approach(means, &group.values, (1.0 - keeps) as f32);
        }
    }

    /// Exchanges the averages and the parameters. Twice is nothing.
    pub(crate) fn exchange(&mut self, groups: &mut [Group]) {
        for (means, group) in self.values.iter_mut().zip(groups) {
            std::mem::swap(means, &mut group.values);
        }
    }
}
