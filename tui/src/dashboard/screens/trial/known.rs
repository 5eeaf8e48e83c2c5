//! What is known of the trial that is looked at, from the study's table, the trial's own record and
//! what was told since.

use crate::chart::Unit;
use crate::dashboard::cx::Cx;
use crate::dashboard::data::rows::{Row, Rows, number_of, study_of};
use crate::dashboard::data::want::{Fresh, Loaded};
use crate::dashboard::screens::steps::{SHARED, forked_at, fresh};
use crate::summary::is_rate_column;
use attune_protocol::{StudySummary, TrialDetail, TrialState, TrialSummary};

/// What is known of a trial.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) id: &'a str,
    pub(super) number: u32,
    pub(super) study: Option<&'a StudySummary>,
    pub(super) rows: Option<&'a Rows>,
    pub(super) row: Option<&'a Row>,
    pub(super) detail: Loaded<'a, TrialDetail>,
}

impl<'a> Known<'a> {
    pub(super) fn new(id: &'a str, cx: &Cx<'a>) -> Self {
        let number = number_of(id).unwrap_or_default();
        let rows = cx.data.rows(study_of(id));
        Known {
            id,
            number,
            study: cx.data.study(study_of(id)),
            rows,
            row: rows.and_then(|rows| rows.get(number)),
            detail: cx.data.trial(id),
        }
    }

    pub(super) fn trial(&self) -> Option<&'a TrialSummary> {
        self.detail.ready().map(|detail| &detail.trial)
    }

    pub(super) fn study_id(&self) -> &'a str {
        study_of(self.id)
    }

    /// What is told of all trials is the newest; the record may be some seconds old.
    pub(super) fn state(&self) -> Option<TrialState> {
        let row = self.row.map(|row| row.state);
        row.or_else(|| self.trial().map(|trial| trial.state))
    }

    pub(super) fn scheduler(&self) -> &'a str {
        let told = self.trial().map(|trial| trial.scheduler.as_str());
        let row = || Some(self.rows?.scheduler(self.row?));
        told.or_else(row).unwrap_or_default()
    }

    pub(super) fn is_running(&self) -> bool {
        self.state() == Some(TrialState::Running)
    }

    /// Updates made, as far as that was told.
    pub(super) fn steps(&self) -> u64 {
        let row = self.row.map_or(0, |row| row.steps);
        row.max(self.trial().map_or(0, |trial| trial.steps))
    }

    pub(super) fn epochs(&self) -> u32 {
        let row = self.row.map_or(0, |row| row.epochs);
        row.max(self.trial().map_or(0, |trial| trial.epochs))
    }

    pub(super) fn max_epochs(&self) -> u32 {
        let row = self.row.map(|row| row.max_epochs);
        row.or_else(|| Some(self.trial()?.max_epochs)).unwrap_or(0)
    }

    /// The objective at its best epoch, and that epoch.
    pub(super) fn best(&self) -> Option<(f64, Option<u32>)> {
        let row = self.row.filter(|row| !row.value.is_nan());
        let row = row.map(|row| (row.value, row.best_epoch));
        row.or_else(|| {
            let trial = self.trial()?;
            Some((trial.value?.0, trial.best_epoch))
        })
    }

    pub(super) fn seconds(&self) -> f64 {
        let row = self.row.map_or(0.0, |row| row.seconds);
        row.max(self.trial().map_or(0.0, |trial| trial.seconds.0))
    }

    /// Why it ended, in full where that is known.
    pub(super) fn reason(&self) -> Option<&'a str> {
        let told = self.trial().and_then(|trial| trial.reason.as_deref());
        told.or_else(|| self.row?.reason.as_deref())
    }

    /// The rate in force at last, as far as it was told as it went.
    pub(super) fn rate(&self) -> Option<f64> {
        self.row.map(|row| row.rate).filter(|rate| rate.is_finite())
    }

    /// Updates in an epoch; 0 where no epoch was trained yet.
    pub(super) fn steps_per_epoch(&self) -> f64 {
        let trial = self.trial().map(|trial| (trial.steps, trial.epochs));
        let row = self.row.map(|row| (row.steps, row.epochs));
        let known = [trial, row].into_iter().flatten();
        let mut known = known.filter(|(_, epochs)| *epochs > 0);
        known
            .next()
            .map_or(0.0, |(steps, epochs)| steps as f64 / f64::from(epochs))
    }

    /// What an epoch is along an axis.
    pub(super) fn per_epoch(&self, unit: Unit) -> f64 {
        let trial = self.trial().map(|trial| (trial.seconds.0, trial.steps));
        let row = self.row.map(|row| (row.seconds, row.steps));
        let per_step = || {
            // The steps before a fork took another trial's time.
            let before = forked_at(self.study);
            let known = [trial, row].into_iter().flatten();
            let own = known.map(|(seconds, steps)| (seconds, steps.saturating_sub(before)));
            let mut own = own.filter(|(seconds, steps)| *steps > 0 && *seconds > 0.0);
            own.next().map(|(seconds, steps)| seconds / steps as f64)
        };
        let steps = self.steps_per_epoch().max(1.0);
        match unit {
            Unit::Epoch => 1.0,
            Unit::Step => steps,
            Unit::Seconds => per_step().map_or(1.0, |seconds| seconds * steps),
        }
    }

    /// What a step is along an axis.
    pub(super) fn per_step(&self, unit: Unit) -> f64 {
        match unit {
            Unit::Step => 1.0,
            unit => self.per_epoch(unit) / self.steps_per_epoch().max(1.0),
        }
    }

    /// How old the trial's own record may be.
    pub(super) fn fresh(&self) -> Fresh {
        fresh(self.detail, self.state(), SHARED)
    }

    /// The names of what was recorded at each step.
    pub(super) fn columns(&self) -> Vec<&'a str> {
        match self.detail.ready() {
            Some(detail) if !detail.step_curves.is_empty() => {
                let curves = detail.step_curves.iter();
                curves.map(|curve| curve.name.as_str()).collect()
            }
            _ => vec!["loss", "lr"],
        }
    }

    /// The columns of its rates: one, or one a group of parameters.
    pub(super) fn rates(&self) -> Vec<&'a str> {
        let mut rates = self.columns();
        rates.retain(|name| is_rate_column(name));
        rates.truncate(MOST_RATES);
        rates
    }
}

/// More rates than these are not drawn.
const MOST_RATES: usize = 6;
