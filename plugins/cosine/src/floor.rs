//! The rate that a schedule comes down to: an absolute one, or a fraction of the starting rate.

use attune_plugin_api::prelude::*;

/// The parameters of a floor. A shape without one describes neither, and both stay 0.
#[derive(Debug, Deserialize)]
pub struct FloorParams {
    #[serde(default = "zero")]
    min_lr: PerGroup,
    #[serde(default)]
    min_lr_ratio: f64,
}

/// A floor as it was configured.
#[derive(Debug)]
pub(crate) enum Floor<'a> {
    Rate(&'a PerGroup),
    Ratio(f64),
}

fn zero() -> PerGroup {
    PerGroup::All(0.0)
}

pub(crate) fn params(default_ratio: f64) -> [Param; 2] {
    [
        Param::per_group("min_lr", 0.0).at_least(0.0).doc(
            "The rate that the schedule comes down to (PyTorch: eta_min). Above 0 (for any group) \
             it goes before `min_lr_ratio`; 0 leaves it to that.",
        ),
        Param::float("min_lr_ratio", default_ratio)
            .at_least(0.0)
            .at_most(1.0)
            .search(0.0, 0.2_f64.max(2.0 * default_ratio))
            .doc(
                "The same as a fraction of the starting rate. Not used where `min_lr` is above 0.",
            ),
    ]
}

impl<'a> Floor<'a> {
    /// A rate goes before a ratio, so that a study can fix it while the ratio is searched, and so
    /// that it need not undo the default of the ratio.
    pub(crate) fn new(params: &'a FloorParams) -> Self {
        let rate_is_set = match &params.min_lr {
            PerGroup::All(rate) => *rate > 0.0,
            PerGroup::Each(rates) => rates.iter().any(|rate| *rate > 0.0),
        };
        if rate_is_set {
            Floor::Rate(&params.min_lr)
        } else {
            Floor::Ratio(params.min_lr_ratio)
        }
    }

    /// The floor of each group.
    ///
    /// # Errors
    /// A list that does not fit the number of groups.
    pub(crate) fn of_groups(&self, setup: &Setup) -> Result<Vec<f64>, Error> {
        match self {
            Floor::Rate(rates) => rates.expand("min_lr", setup.groups.len()),
            Floor::Ratio(ratio) => Ok(setup.rates().iter().map(|rate| rate * ratio).collect()),
        }
    }
}
