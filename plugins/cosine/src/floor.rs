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
            "The rate that the schedule comes down to (PyTorch: eta_min). Set at most one of \
             this and `min_lr_ratio`.",
        ),
        Param::float("min_lr_ratio", default_ratio)
            .at_least(0.0)
            .at_most(1.0)
            .search(0.0, 0.2_f64.max(2.0 * default_ratio))
            .doc("The same as a fraction of the starting rate."),
    ]
}

impl<'a> Floor<'a> {
    /// # Errors
    /// Both set.
    pub(crate) fn new(params: &'a FloorParams) -> Result<Self, Error> {
        let rate_is_set = match &params.min_lr {
            PerGroup::All(rate) => *rate > 0.0,
            PerGroup::Each(rates) => rates.iter().any(|rate| *rate > 0.0),
        };
        match (rate_is_set, params.min_lr_ratio) {
            (true, ratio) if ratio > 0.0 => Err(Error::new(format!(
                "`min_lr` and `min_lr_ratio` = {ratio} are both above 0; set one of them to 0"
            ))),
            (true, _) => Ok(Floor::Rate(&params.min_lr)),
            (false, ratio) => Ok(Floor::Ratio(ratio)),
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
