//! A scheduler made of a shape, a floor and a warm-up.

use crate::floor::{self, Floor, FloorParams};
use crate::warmup::{self, Warmup, WarmupParams};
use attune_plugin_api::prelude::*;
use serde::de::DeserializeOwned;

/// A closed form: how far above its floor the rate stands, as a function of the step.
pub trait Shape: Serialize + DeserializeOwned + Send + 'static {
    /// Its own parameters, named as in [`describe`](Shape::describe).
    type Params: DeserializeOwned;

    /// Whether it has a floor (`min_lr`, `min_lr_ratio`), and the default of the latter.
    const FLOOR: Option<f64> = None;

    /// Whether it begins with a climb of its own, so that a warm-up before it is not worth
    /// searching.
    const CLIMBS: bool = false;

    /// Its name, purpose and own parameters; the shared ones are added.
    fn describe() -> Description;

    /// Makes it for one run.
    ///
    /// # Errors
    /// Parameters that contradict each other, or a needed length that is not known.
    fn new(params: Self::Params, span: &Span<'_>) -> Result<Self, Error>;

    /// The factor at `t` steps after the warm-up, in [0, 1].
    fn factor(&self, t: u64) -> f64;

    /// The momentum at `t` steps after the warm-up, where the schedule drives it too.
    fn momentum(&self, t: u64) -> Option<f64> {
        let _ = t;
        None
    }

    /// What the user should know of this shape in this run.
    fn warnings(&self, span: &Span<'_>) -> Vec<String> {
        let _ = span;
        Vec::new()
    }
}

/// The steps that a shape stretches over.
#[derive(Debug)]
pub struct Span<'a> {
    setup: &'a Setup,
    total_steps: u64,
    warmup: u64,
}

impl Span<'_> {
    /// The steps of the warm-up, which come before the shape's first.
    pub fn warmup(&self) -> u64 {
        self.warmup
    }

    /// The steps from the end of the warm-up to the end of the schedule, at least one.
    ///
    /// # Errors
    /// When the length is not known, or the warm-up leaves nothing of it.
    pub fn steps(&self) -> Result<u64, Error> {
        let total = self.setup.horizon("total_steps", self.total_steps)?;
        match total.checked_sub(self.warmup) {
            None | Some(0) => Err(Error::new(format!(
                "a warm-up of {} steps leaves nothing of the {total} steps of the schedule; \
                 shorten it, or set `warmup_ratio` instead",
                self.warmup
            ))),
            Some(left) => Ok(left),
        }
    }
}

/// The shared parameters and a shape's own.
#[derive(Debug, Deserialize)]
pub struct ScheduleParams<P> {
    total_steps: u64,
    #[serde(flatten)]
    warmup: WarmupParams,
    #[serde(flatten)]
    floor: FloorParams,
    #[serde(flatten)]
    shape: P,
}

/// A [`Shape`] as a scheduler.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "S: Shape")]
pub struct Schedule<S> {
    shape: S,
    warmup: Warmup,
    floor: Vec<f64>,
    peak: Vec<f64>,
    total_steps: u64,
}

impl<S: Shape> Scheduler for Schedule<S> {
    type Params = ScheduleParams<S::Params>;

    fn describe() -> Description {
        S::describe()
            .params(S::FLOOR.map(floor::params).into_iter().flatten())
            .param(Param::int("total_steps", 0).doc(
                "The step at which the schedule ends, warm-up included; 0 is the planned length \
                 of the run. What has no end uses it for `warmup_ratio` only.",
            ))
            .params(warmup::params(!S::CLIMBS))
    }

    fn configure(params: Self::Params, setup: &Setup) -> Result<Self, Error> {
        let warmup = Warmup::new(&params.warmup, || {
            setup.horizon("total_steps", params.total_steps)
        })?;
        let span = Span {
            setup,
            total_steps: params.total_steps,
            warmup: warmup.steps(),
        };
        let floor = Floor::new(&params.floor).of_groups(setup)?;
        Ok(Schedule {
            shape: S::new(params.shape, &span)?,
            warmup,
            floor,
            peak: setup.rates(),
            total_steps: params.total_steps,
        })
    }

    fn warnings(&self, setup: &Setup) -> Vec<String> {
        let span = Span {
            setup,
            total_steps: self.total_steps,
            warmup: self.warmup.steps(),
        };
        let mut warnings = self.shape.warnings(&span);
        for (group, floor) in setup.groups.iter().zip(&self.floor) {
            if *floor > group.lr {
                warnings.push(format!(
                    "`min_lr` = {floor} lies above the starting rate {} of the group `{}`: the \
                     rate will rise towards it; set `min_lr` lower, or use `min_lr_ratio`",
                    group.lr, group.name
                ));
            }
        }
        if let Some(planned) = setup.total_steps {
            if self.total_steps > planned {
                warnings.push(format!(
                    "`total_steps` = {} is longer than the planned {planned} steps: the run will \
                     end in the middle of the schedule",
                    self.total_steps
                ));
            }
            if self.warmup.steps() >= planned {
                warnings.push(format!(
                    "the warm-up takes {} of the planned {planned} steps: the run will end \
                     before it does",
                    self.warmup.steps()
                ));
            }
        }
        warnings
    }

    fn step(&mut self, now: &Now<'_>, rates: &mut Rates<'_>) -> Result<(), Error> {
        let t = now.step().saturating_sub(self.warmup.steps());
        let factor = self.shape.factor(t);
        let warm = self.warmup.factor(now.step());
        rates.set_each(|group, _| {
            let (floor, peak) = (self.floor[group], self.peak[group]);
            warm * (floor + (peak - floor) * factor)
        });
        if let Some(momentum) = self.shape.momentum(t) {
            rates.set_momentum(momentum);
        }
        Ok(())
    }
}
