//! One of the trials that are compared.

use crate::chart::Unit;
use crate::dashboard::cx::Cx;
use crate::dashboard::data::rows::study_of;
use crate::dashboard::data::want::Loaded;
use crate::dashboard::screens::steps::forked_at;
use attune_protocol::{Curve, StudySummary, TrialDetail, TrialState, TrialSummary, ZoomQuery};

/// A trial, and what is known of it.
pub(super) struct One<'a> {
    pub(super) id: String,
    pub(super) study: Option<&'a StudySummary>,
    pub(super) detail: Loaded<'a, TrialDetail>,
    /// The rate in force at last.
    pub(super) last_rate: Option<f64>,
    /// The step that its axis begins at.
    pub(super) shift: u64,
}

impl<'a> One<'a> {
    pub(super) fn new(id: &str, cx: &Cx<'a>) -> Self {
        let mut one = One {
            id: id.to_owned(),
            study: cx.data.study(study_of(id)),
            detail: cx.data.trial(id),
            last_rate: None,
            shift: 0,
        };
        let query = one.last_rate_query();
        let zoom = query.and_then(|query| cx.data.zoom(id, &query).ready());
        one.last_rate = zoom.and_then(|zoom| Some(zoom.buckets.last()?.last.0));
        one
    }

    pub(super) fn trial(&self) -> Option<&'a TrialSummary> {
        self.detail.ready().map(|detail| &detail.trial)
    }

    pub(super) fn is_running(&self) -> bool {
        let state = self.trial().map(|trial| trial.state);
        state == Some(TrialState::Running)
    }

    /// Such as `s12.3 greedy`.
    pub(super) fn label(&self) -> String {
        let scheduler = self.trial().map_or("", |trial| &trial.scheduler);
        format!("{} {scheduler}", self.id)
    }

    pub(super) fn epoch_curve(&self, name: &str) -> Option<&'a Curve> {
        let detail = self.detail.ready()?;
        detail.epoch_curves.iter().find(|curve| curve.name == name)
    }

    /// The curve of its rate; of its first group's where it has several.
    pub(super) fn rate(&self) -> Option<&'a Curve> {
        let detail = self.detail.ready()?;
        detail.step_curves.iter().find(|curve| curve.name == "lr")
    }

    /// The question for its last rate; its curve may be thinned.
    pub(super) fn last_rate_query(&self) -> Option<ZoomQuery> {
        let trial = self.trial().filter(|trial| trial.steps > 0)?;
        Some(ZoomQuery {
            column: "lr".to_owned(),
            from: Some(trial.steps - 1),
            to: None,
            points: Some(1),
        })
    }

    pub(super) fn steps_per_epoch(&self) -> f64 {
        let trial = self.trial().filter(|trial| trial.epochs > 0);
        let steps = trial.map_or(1.0, |trial| trial.steps as f64 / f64::from(trial.epochs));
        steps.max(1.0)
    }

    /// What a step is along an axis.
    pub(super) fn per_step(&self, unit: Unit) -> f64 {
        match unit {
            Unit::Step => 1.0,
            Unit::Epoch => 1.0 / self.steps_per_epoch(),
            Unit::Seconds => {
                let Some(trial) = self.trial() else {
                    return 1.0;
                };
                // The steps before a fork took another trial's time.
                let own = trial.steps.saturating_sub(forked_at(self.study)).max(1);
                let per_step = trial.seconds.0 / own as f64;
                if per_step > 0.0 { per_step } else { 1.0 }
            }
        }
    }
}

/// Sets where each one's axis begins: for time a fork at its fork, and where steps are to be counted
/// from the forks on, what they come from there too.
pub(super) fn align(ones: &mut [One<'_>], unit: Unit, from_fork: bool) {
    let forks: Vec<(String, u64)> = ones
        .iter()
        .filter_map(|one| {
            let origin = one.study?.origin.as_ref()?;
            Some((origin.trial.clone(), origin.step))
        })
        .collect();
    for one in ones {
        let left_at = forks.iter().filter(|(origin, _)| *origin == one.id);
        let left_at = left_at.map(|(_, step)| *step).min().unwrap_or(0);
        one.shift = match (from_fork, unit) {
            (true, _) => match forked_at(one.study) {
                0 => left_at,
                step => step,
            },
            (false, Unit::Seconds) => forked_at(one.study),
            (false, _) => 0,
        };
    }
}
