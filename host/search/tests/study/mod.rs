//! Studies made up from a seed, whose trials do as their configuration and number say and take as
//! long as a timing says.

use std::num::{NonZeroU16, NonZeroU64};

use attune_search::fidelity::{AshaSettings, Full};
use attune_search::searcher::Random;
use attune_search::simulator::Job;
use attune_search::stream::{Purpose, stream, unit};
use attune_search::{
    Conductor, Config, Direction, Domain, Exhausted, FidelityPolicy, Order, Outcome, Parameter,
    Searcher, Segment, Settings, Space, TrialNumber, UncheckedSpace, Value,
};
use proptest::prelude::*;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Study {
    pub(crate) seed: u64,
    pub(crate) trials: u64,
    pub(crate) width: u16,
    pub(crate) max_epochs: u64,
    /// ASHA's factor; below 2, no early stopping.
    pub(crate) eta: u64,
    pub(crate) order: Order,
    /// Whether suggestions depend on all observations, and on their order.
    pub(crate) learns: bool,
}

pub(crate) fn studies() -> impl Strategy<Value = Study> {
    (any::<u64>(), 1_u64..40, 1_u16..=10, 2_u64..30, 1_u64..=4).prop_map(
        |(seed, trials, width, max_epochs, eta)| Study {
            seed,
            trials,
            width,
            max_epochs,
            eta,
            order: Order::Virtual,
            learns: true,
        },
    )
}

impl Study {
    pub(crate) const EXAMPLE: Study = Study {
        seed: 1,
        trials: 30,
        width: 3,
        max_epochs: 9,
        eta: 3,
        order: Order::Virtual,
        learns: true,
    };

    pub(crate) fn conductor(self) -> Conductor {
        self.conductor_over(small_space())
    }

    /// The space matters to searchers that do not learn only.
    pub(crate) fn conductor_over(self, space: Space) -> Conductor {
        let searcher: Box<dyn Searcher> = if self.learns {
            Box::new(Learner::default())
        } else {
            Box::new(Random::new(space, self.seed))
        };
        Conductor::new(self.settings(), searcher, self.policy())
    }

    pub(crate) fn settings(self) -> Settings {
        Settings {
            trials: NonZeroU64::new(self.trials).unwrap(),
            max_epochs: NonZeroU64::new(self.max_epochs).unwrap(),
            width: NonZeroU16::new(self.width).unwrap(),
            order: self.order,
        }
    }

    pub(crate) fn policy(self) -> Box<dyn FidelityPolicy> {
        if self.eta < 2 {
            return Box::new(Full);
        }
        let settings = AshaSettings {
            min_epochs: 1,
            max_epochs: self.max_epochs,
            eta: self.eta,
            direction: Direction::Minimize,
        };
        Box::new(settings.check().unwrap())
    }

    pub(crate) fn job(self, segment: &Segment, timing: u64) -> Job {
        Job {
            ticks: ticks(timing, segment),
            outcome: outcome(self.seed, segment),
        }
    }
}

/// A function of the configuration, the trial and the segment's end; one segment in eight ends
/// otherwise than by reaching its last epoch.
pub(crate) fn outcome(seed: u64, segment: &Segment) -> Outcome {
    let until = segment.until_epoch;
    let mut rng = stream(seed, Purpose(*b"outcome "), segment.trial.0 << 32 | until);
    let Some(Value::Float(x)) = segment.config.get("x") else {
        return Outcome::Reached {
            epoch: until,
            value: unit(&mut rng),
        };
    };
    let value = (x - 0.3).abs() + unit(&mut rng) / until as f64;
    let kind = unit(&mut rng);
    let span = (until - segment.from_epoch) as f64;
    let epoch = segment.from_epoch + (unit(&mut rng) * (span + 1.0)) as u64;
    match kind {
        k if k < 0.03 => Outcome::Failed,
        k if k < 0.06 => Outcome::Diverged { epoch },
        k if k < 0.10 => Outcome::Ended { epoch, value },
        k if k < 0.125 => Outcome::Reached {
            epoch: until,
            value: f64::NAN,
        },
        _ => Outcome::Reached {
            epoch: until,
            value,
        },
    }
}

/// From 1 to 10,000, evenly on a logarithmic scale, so that any order of arrival occurs.
pub(crate) fn ticks(timing: u64, segment: &Segment) -> u64 {
    let index = segment.trial.0 << 32 | segment.until_epoch;
    let mut rng = stream(timing, Purpose(*b"duration"), index);
    1e4_f64.powf(unit(&mut rng)) as u64
}

pub(crate) fn small_space() -> Space {
    let parameter = |name: &str, high| Parameter {
        name: name.to_owned(),
        domain: Domain::Int {
            low: 1,
            high,
            log: false,
        },
        when: None,
    };
    let parameters = vec![parameter("a", 2), parameter("b", 3)];
    UncheckedSpace { parameters }.check().unwrap()
}

/// Suggests a number that depends on every call made to it before and on their order, so that no
/// change of order goes unseen.
#[derive(Debug, Default)]
pub(crate) struct Learner {
    state: u64,
}

impl Searcher for Learner {
    fn suggest(&mut self, trial: TrialNumber) -> Result<Config, Exhausted> {
        self.absorb(trial.0);
        let x = unit(&mut stream(self.state, Purpose::SUGGEST, trial.0));
        Ok([("x", x)].into_iter().collect())
    }

    fn observe(&mut self, trial: TrialNumber, config: &Config, epoch: u64, value: f64) {
        self.absorb(trial.0);
        self.absorb(epoch);
        self.absorb(value.to_bits());
        assert!(config.get("x").is_some());
    }
}

impl Learner {
    fn absorb(&mut self, word: u64) {
        self.state = (self.state ^ word)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(23);
    }
}
