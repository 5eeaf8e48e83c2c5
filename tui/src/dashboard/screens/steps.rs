//! Columns of a trial's steps, such as its loss and its rate, as sharp as a picture shows them: of
//! a million steps only the stretch in sight is asked for, in as many pieces as there are dots.

use super::Wants;
use crate::dashboard::data::Data;
use crate::dashboard::data::rows::has_ended;
use crate::dashboard::data::want::{Fresh, Loaded, Want};
use attune_protocol::{Bucket, StudySummary, TrialDetail, TrialState, ZoomQuery};

/// What is looked at of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sight {
    /// The steps in sight; nothing for all.
    range: Option<(u64, u64)>,
    /// In so many stretches.
    points: u32,
}

/// Stretches where nothing was drawn yet, and at most.
const USUAL: u32 = 200;
const MOST: u32 = 600;

/// What a stretch takes on the wire, about.
pub(crate) const BYTES: u64 = 110;

/// How many bytes a second an answer may take among several of its kind on a screen; and all answers
/// of a screen together that has only one kind of them.
pub(crate) const SHARED: u64 = 2_000;
pub(crate) const ALONE: u64 = 8_000;

/// Nothing that changes is asked for oftener, in milliseconds.
const LEAST: u64 = 2_000;

/// How old an answer of so many bytes may be that changes all the time, at so many bytes a second:
/// so old that a slow line is not filled by it.
pub(crate) fn pace(bytes: u64, speed: u64) -> Fresh {
    Fresh::Within((bytes * 1_000 / speed).max(LEAST))
}

/// The step at which a study's trials were forked from another trial; 0 where they were not.
pub(crate) fn forked_at(study: Option<&StudySummary>) -> u64 {
    let origin = study.and_then(|study| study.origin.as_ref());
    origin.map_or(0, |origin| origin.step)
}

/// A point of a curve takes so many bytes on the wire, about.
const POINT: u64 = 30;

/// How old a trial's own record may be, at so many bytes a second; `state` is the newest that was
/// told of.
pub(crate) fn fresh(
    detail: Loaded<'_, TrialDetail>,
    state: Option<TrialState>,
    speed: u64,
) -> Fresh {
    let Some(detail) = detail.ready() else {
        return Fresh::Within(LEAST);
    };
    if has_ended(detail.trial.state) {
        return Fresh::Once;
    }
    if state.unwrap_or(detail.trial.state) == TrialState::Paused {
        return Fresh::Within(30_000);
    }
    let curves = detail.epoch_curves.iter().chain(&detail.step_curves);
    let points: usize = curves.map(|curve| curve.points.len()).sum();
    pace(points as u64 * POINT, speed)
}

impl Sight {
    /// These steps on so many columns of the screen, of a trial of `steps` steps.
    pub(crate) fn new(range: Option<(f64, f64)>, columns: Option<u16>, steps: u64) -> Self {
        // Two dots a column; in hundreds, so that a window that is resized asks for nothing new.
        let dots = columns.map_or(USUAL, |columns| u32::from(columns) * 2);
        let points = dots.div_ceil(100).max(1) * 100;
        let points = points.min(MOST);
        // All of a short trial is exact as it is.
        let range = range.filter(|_| steps > u64::from(points));
        match range {
            None => Sight {
                range: None,
                points,
            },
            Some(range) => Sight {
                range: Some(snapped(range)),
                points: points * 3 / 2,
            },
        }
    }

    /// All steps, as they are asked for beside it.
    fn whole(self) -> Sight {
        match self.range {
            None => self,
            Some(_) => Sight {
                range: None,
                points: self.points * 2 / 3,
            },
        }
    }

    fn query(self, column: &str) -> ZoomQuery {
        ZoomQuery {
            column: column.to_owned(),
            from: self.range.map(|(from, _)| from),
            to: self.range.map(|(_, to)| to),
            points: Some(self.points),
        }
    }

    /// Says that a column is wanted: all of it, and the stretch in sight. `steps` is how many there
    /// are by now, and `runs` whether there will be more.
    pub(crate) fn want(
        self,
        wants: &mut Wants,
        data: &Data,
        trial: &str,
        column: &str,
        (steps, runs): (u64, bool),
    ) {
        if self.range.is_some() {
            let query = self.whole().query(column);
            wants.answer(Want::Zoom(trial.to_owned(), query), Fresh::Once);
        }
        self.want_seen(wants, data, trial, column, (steps, runs));
    }

    /// The same for only the stretch in sight.
    pub(crate) fn want_seen(
        self,
        wants: &mut Wants,
        data: &Data,
        trial: &str,
        column: &str,
        (steps, runs): (u64, bool),
    ) {
        let query = self.query(column);
        let known = data.zoom(trial, &query).ready();
        let buckets = known.map_or(&[][..], |zoom| &zoom.buckets);
        let end = self.range.map_or(u64::MAX, |(_, to)| to);
        let told = buckets
            .last()
            .map_or(0, |bucket| bucket.to.saturating_add(1));
        // Whether the first step has the number 0 or 1 does not matter so.
        let is_whole = told > end || told + 1 >= steps;
        let fresh = match (runs, is_whole) {
            _ if told > end => Fresh::Once,
            (true, _) => pace(buckets.len() as u64 * BYTES, SHARED),
            (false, true) => Fresh::Once,
            // It ended since, or its steps were not all kept.
            (false, false) => Fresh::Within(10_000),
        };
        wants.answer(Want::Zoom(trial.to_owned(), query), fresh);
    }

    /// The stretches of a column: those in sight, or while they are on their way those of all.
    pub(crate) fn buckets<'a>(self, data: &'a Data, trial: &str, column: &str) -> &'a [Bucket] {
        let of = |sight: Sight| data.zoom(trial, &sight.query(column)).ready();
        let found = of(self).or_else(|| of(self.whole()));
        found.map_or(&[], |zoom| &zoom.buckets)
    }

    /// The stretches of all of a column.
    pub(crate) fn all<'a>(self, data: &'a Data, trial: &str, column: &str) -> &'a [Bucket] {
        self.whole().buckets(data, trial, column)
    }
}

/// A range widened to a grid, so that a picture that is moved a little asks for nothing new.
fn snapped((low, high): (f64, f64)) -> (u64, u64) {
    let low = low.max(0.0);
    let breadth = (high - low).max(1.0);
    let grid = (breadth / 4.0).log2().floor().exp2().max(1.0);
    // Casts of floats to integers stop at their ends.
    let from = (low / grid).floor() * grid;
    let to = (high.max(low) / grid).ceil() * grid;
    (from as u64, to as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_that_moves_a_little_stays_on_its_grid() {
        assert_eq!(snapped((1000.0, 2000.0)), (896, 2048));
        assert_eq!(snapped((1001.0, 2001.0)), (896, 2048));
        assert_eq!(snapped((-5.0, 3.2)), (0, 4));
        assert_eq!(snapped((7.0, 7.0)), (7, 7));
        for (low, high) in [(0.0, 1e6), (123_456.0, 123_999.0), (1e9, 1e9 + 17.0)] {
            let (from, to) = snapped((low, high));
            assert!(from as f64 <= low && to as f64 >= high);
            assert!((to - from) as f64 <= 1.5 * (high - low), "{from} {to}");
        }
    }

    #[test]
    fn all_of_a_short_trial_is_exact_and_a_long_one_is_asked_for_where_it_is_seen() {
        let short = Sight::new(Some((10.0, 20.0)), Some(80), 150);
        assert_eq!(short.query("lr").from, None);
        let long = Sight::new(Some((1000.0, 2000.0)), Some(80), 1_000_000);
        let query = long.query("lr");
        assert_eq!((query.from, query.to), (Some(896), Some(2048)));
        assert_eq!((query.points, long.whole().points), (Some(300), 200));
    }

    #[test]
    fn what_is_large_is_asked_for_rarely() {
        assert_eq!(pace(100, SHARED), Fresh::Within(2_000));
        assert_eq!(pace(40_000, ALONE), Fresh::Within(5_000));
    }
}
