//! What a study searches with, made from its file: the space, the searcher, the rules by which
//! trials are stopped early, and the conductor of them all.

use super::Schedulers;
use crate::study::space::StudySpace;
use crate::study::spec::{FidelitySpec, Method, StudySpec};
use anyhow::Context;
use attune_plugin_api::Description;
use attune_search::conductor::{Conductor, Order, Settings};
use attune_search::fidelity::{AshaSettings, FidelityPolicy, Full};
use attune_search::searcher::{Random, Searcher, Sobol};
use attune_search::stream::{Purpose, stream};
use attune_search::{Direction, TrialNumber};
use attune_store as disk;
use rand::Rng;
use std::num::{NonZeroU16, NonZeroU64};

pub(in crate::daemon) fn resolve(
    spec: &StudySpec,
    schedulers: &Schedulers,
) -> anyhow::Result<StudySpace> {
    let available: Vec<&Description> = schedulers
        .values()
        .map(|(described, _)| described)
        .collect();
    Ok(StudySpace::resolve(spec, &available)?)
}

pub(super) fn conductor(
    spec: &StudySpec,
    space: &StudySpace,
    direction: Direction,
    parallel: u32,
) -> anyhow::Result<Conductor> {
    let width = width(spec, parallel);
    let settings = Settings {
        trials: NonZeroU64::new(spec.most_trials().into()).context("a study needs a trial")?,
        max_epochs: NonZeroU64::new(spec.fidelity.max_epochs.into())
            .context("a trial needs an epoch")?,
        width: u16::try_from(width)
            .ok()
            .and_then(NonZeroU16::new)
            .unwrap_or(NonZeroU16::MAX),
        order: if spec.reproducible {
            Order::Virtual
        } else {
            Order::Arrival
        },
    };
    Ok(Conductor::new(
        settings,
        searcher(spec.search.method, space, spec.seed),
        policy(&spec.fidelity, direction)?,
    ))
}

/// How many trials may be under way where nothing depends on the order in which they end.
const FREE_WIDTH: u32 = 128;

/// How many virtual workers there are. Where every trial runs to its end and the searcher does not
/// learn from others, their number changes nothing but how many trials are ready to be leased: for
/// trials of milliseconds workers need many at once.
pub(super) fn width(spec: &StudySpec, parallel: u32) -> u32 {
    let learns = match spec.search.method {
        Method::Sobol | Method::Random => false,
    };
    match (spec.reproducible, learns || is_judged(&spec.fidelity)) {
        (true, true) => spec.virtual_width,
        (true, false) => spec.virtual_width.max(FREE_WIDTH),
        (false, _) => parallel,
    }
}

pub(super) fn searcher(method: Method, space: &StudySpace, seed: u64) -> Box<dyn Searcher> {
    let space = space.searched.clone();
    match method {
        Method::Sobol => Box::new(Sobol::new(space, seed)),
        Method::Random => Box::new(Random::new(space, seed)),
    }
}

pub(in crate::daemon) fn searched_direction(direction: disk::Direction) -> Direction {
    match direction {
        disk::Direction::Minimize => Direction::Minimize,
        disk::Direction::Maximize => Direction::Maximize,
    }
}

/// Each trial has a seed of its own, a function of the study's and the trial's number.
pub(super) fn trial_seed(study: u64, trial: TrialNumber) -> u64 {
    stream(study, Purpose(*b"trial   "), trial.0).next_u64()
}

fn policy(
    fidelity: &FidelitySpec,
    direction: Direction,
) -> anyhow::Result<Box<dyn FidelityPolicy>> {
    if !is_judged(fidelity) {
        return Ok(Box::new(Full));
    }
    let asha = AshaSettings {
        min_epochs: fidelity.min_epochs.into(),
        max_epochs: fidelity.max_epochs.into(),
        eta: fidelity.eta.into(),
        direction,
    };
    Ok(Box::new(asha.check().context("[fidelity]")?))
}

/// Whether trials are stopped on their way. With its first rung at its end a trial is never judged,
/// which ASHA refuses to call ASHA.
fn is_judged(fidelity: &FidelitySpec) -> bool {
    fidelity.asha && fidelity.min_epochs < fidelity.max_epochs
}
