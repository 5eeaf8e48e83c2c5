//! Many trials at once: a study's table page by page, and the learning curves of some of them.
//!
//! Whoever shows thousands of trials reads these and keeps them, so what is answered is small, and
//! of what is read only what is answered is kept in memory.

use super::App;
use super::answer::{Refusal, either, read};
use super::extract::{Asked, In, accepts_compact, within};
use super::thin::{FEWEST, thin};
use crate::convert;
use crate::daemon::invalid;
use attune_protocol::{CurvesQuery, Number, Single, TrialCurve, TrialRow, TrialTable, TrialsQuery};
use attune_store::{Error, KeptAs, Store, StudyId, TrialId, TrialRecord, TrialState};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// The most trials of one page, and how many where nobody says how many.
const MAX_ROWS: u32 = 20_000;
const USUAL_ROWS: u32 = 5_000;

/// The most curves of one answer, and how many where nobody says how many.
const MAX_CURVES: u32 = 1_000;
const USUAL_CURVES: u32 = 40;

/// The most points of a curve, and how many where nobody says how many.
const MAX_POINTS: u32 = 10_000;
const USUAL_POINTS: u32 = 200;

/// The longest reason in a row, in characters.
const REASON: usize = 200;

/// Answers with a [`TrialTable`].
pub(super) async fn trials(
    State(house): App,
    In(id): In<StudyId>,
    Asked(TrialsQuery { from, limit }): Asked<TrialsQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let limit = within("limit", limit.unwrap_or(USUAL_ROWS), 1..=MAX_ROWS)? as usize;
    let page = read(&house, move |store| {
        page(store, id.trial(from.unwrap_or(0)), limit)
    });
    either(&page.await?, accepts_compact(&headers))
}

/// Answers with a list of [`TrialCurve`]s by their trials' numbers.
pub(super) async fn curves(
    State(house): App,
    In(id): In<StudyId>,
    Asked(query): Asked<CurvesQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let count = within("count", query.count.unwrap_or(USUAL_CURVES), 1..=MAX_CURVES)? as usize;
    let points = query.points.unwrap_or(USUAL_POINTS);
    let points = within("points", points, FEWEST..=MAX_POINTS)? as usize;
    let named = query.trials.as_deref().map(numbers).transpose()?;
    let curves = read(&house, move |store| {
        let is_named = named.is_some();
        let chosen = match named {
            Some(named) => {
                store.study(id)?;
                named
            }
            None => worth_a_look(store, id, count)?,
        };
        let mut curves = Vec::with_capacity(chosen.len());
        for number in chosen {
            let curve = curve(store, id.trial(number), &query.metric, points)?;
            // Who names a trial is told that there is nothing yet.
            if is_named || !curve.epochs.is_empty() {
                curves.push(curve);
            }
        }
        Ok(curves)
    });
    either(&curves.await?, accepts_compact(&headers))
}

/// Trials from this one on.
fn page(store: &Store, first: TrialId, limit: usize) -> Result<TrialTable, Error> {
    let metric = store.study(first.study)?.metric;
    let mut notes = store.notes(first.study)?.trials;
    let (mut keys, mut metrics) = (Columns::default(), Columns::default());
    let (mut rows, mut next) = (Vec::new(), None);
    store.each_trial_from(first, |id, record| {
        if rows.len() == limit {
            next = Some(id.number);
            return ControlFlow::Break(());
        }
        let told = row(id, &record, &metric, &mut keys, &mut metrics);
        let note = notes.remove(&id.number);
        rows.push(TrialRow {
            tags: note.map_or_else(Vec::new, |note| note.tags),
            ..told
        });
        ControlFlow::Continue(())
    })?;
    for row in &mut rows {
        keys.put_in_order(&mut row.config);
        metrics.put_in_order(&mut row.metrics);
    }
    Ok(TrialTable {
        keys: keys.places.into_keys().collect(),
        metrics: metrics.places.into_keys().collect(),
        rows,
        next,
    })
}

/// A trial without the words that people gave it.
fn row<'c>(
    id: TrialId,
    record: &TrialRecord,
    metric: &str,
    keys: &'c mut Columns,
    metrics: &'c mut Columns,
) -> TrialRow {
    let told = convert::trial(id, record, metric);
    let row = TrialRow::of(id.number, &told);
    let singles = told.metrics.into_iter();
    let cut = |reason: String| match reason.char_indices().nth(REASON) {
        Some((end, _)) => reason[..end].to_owned(),
        None => reason,
    };
    TrialRow {
        config: keys.row(told.config),
        metrics: metrics.row(singles.map(|(name, value)| (name, Single(value.0 as f32)))),
        reason: row.reason.map(cut),
        ..row
    }
}

/// The columns of a table, by name: where each stands in the rows, in the order in which they were
/// first seen.
#[derive(Default)]
struct Columns {
    places: BTreeMap<String, usize>,
}

impl Columns {
    /// A row with these values.
    fn row<T: Clone>(&mut self, values: impl IntoIterator<Item = (String, T)>) -> Vec<Option<T>> {
        let mut row = vec![None; self.places.len()];
        for (name, value) in values {
            let next = self.places.len();
            let place = *self.places.entry(name).or_insert(next);
            if row.len() <= place {
                row.resize(place + 1, None);
            }
            if let Some(cell) = row.get_mut(place) {
                *cell = Some(value);
            }
        }
        row
    }

    /// Puts a row's values into the order of the columns' names, and makes it as long as they are.
    fn put_in_order<T>(&self, row: &mut Vec<Option<T>>) {
        let mut ordered = Vec::with_capacity(self.places.len());
        let cells = self.places.values();
        ordered.extend(cells.map(|place| row.get_mut(*place).and_then(Option::take)));
        *row = ordered;
    }
}

/// The trials' numbers in `3,14,15`, each once.
fn numbers(list: &str) -> Result<BTreeSet<u32>, Refusal> {
    let parts = list
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let numbers: Result<BTreeSet<u32>, Refusal> = parts
        .map(|part| {
            part.parse().map_err(|_| {
                Refusal(invalid(format!(
                    "`trials` has `{part}`, but must be trials' numbers such as `3,14`"
                )))
            })
        })
        .collect();
    let numbers = numbers?;
    match numbers.len() > MAX_CURVES as usize {
        true => Err(Refusal(invalid(format!(
            "`trials` names {} trials, but may name {MAX_CURVES} at most",
            numbers.len()
        )))),
        false => Ok(numbers),
    }
}

/// The trials that somebody who names none wants to see: the best ones, and those in training. Where
/// there are too many of both, half of them are the best.
fn worth_a_look(store: &Store, id: StudyId, count: usize) -> Result<BTreeSet<u32>, Error> {
    let study = store.study(id)?;
    let objective = convert::on_valid(&study.metric);
    let direction = convert::direction(study.direction);
    let (mut best, mut running) = (Vec::new(), Vec::new());
    store.each_trial(id, |id, trial| {
        if trial.epochs == 0 {
            return;
        }
        if trial.state == TrialState::Running {
            running.push(id.number);
        }
        let value = trial.best_metrics.get(&objective).map(|best| best.value);
        best.extend(
            value
                .filter(|value| !value.is_nan())
                .map(|value| (value, id.number)),
        );
    })?;
    best.sort_by(
        |(a, _), (b, _)| match (direction.better(*a, *b), direction.better(*b, *a)) {
            (true, _) => std::cmp::Ordering::Less,
            (_, true) => std::cmp::Ordering::Greater,
            _ => std::cmp::Ordering::Equal,
        },
    );
    let mut best = best.into_iter().map(|(_, number)| number);
    let mut chosen: BTreeSet<u32> = best.by_ref().take(count.div_ceil(2)).collect();
    for number in running.into_iter().chain(best) {
        if chosen.len() == count {
            break;
        }
        chosen.insert(number);
    }
    Ok(chosen)
}

fn curve(store: &Store, id: TrialId, metric: &str, points: usize) -> Result<TrialCurve, Error> {
    let trial = store.trial(id)?;
    let mut recorded = 0_u32;
    let mut curve = Vec::new();
    store.each_epoch(id, |epoch, metrics| {
        recorded += 1;
        curve.extend(metrics.get(metric).map(|value| (epoch, *value)));
    })?;
    // At a rung it is exact; elsewhere there are steps of an epoch that has not ended, if any.
    let rung = trial
        .checkpoints
        .iter()
        .find(|kept| kept.kept_as == KeptAs::Rung);
    let (steps, epochs) = rung.map_or((trial.steps, trial.epochs), |rung| (rung.step, rung.epoch));
    let (epochs_drawn, values) = thin(curve, points)
        .into_iter()
        .map(|(epoch, value)| (epoch, Number(value)))
        .unzip();
    Ok(TrialCurve {
        trial: id.number,
        epochs: epochs_drawn,
        values,
        steps_per_epoch: Number(steps as f64 / f64::from(epochs.max(1))),
        // A fork did not train the epochs before it.
        seconds_per_epoch: Number(trial.seconds / f64::from(recorded.max(1))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_put_in_the_order_of_the_columns_names() {
        let mut columns = Columns::default();
        let mut rows = [
            columns.row([("m".to_owned(), 1)]),
            columns.row([("a".to_owned(), 2), ("m".to_owned(), 3)]),
            columns.row([("b".to_owned(), 4)]),
        ];
        for row in &mut rows {
            columns.put_in_order(row);
        }
        let names: Vec<&String> = columns.places.keys().collect();
        assert_eq!(names, ["a", "b", "m"]);
        let expected = [
            [None, None, Some(1)],
            [Some(2), None, Some(3)],
            [None, Some(4), None],
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn trials_are_named_by_numbers() {
        let read = |list| numbers(list).map_err(|Refusal(problem)| problem.message);
        assert_eq!(read("3, 14,3,").ok(), Some([3, 14].into()));
        assert_eq!(read("").ok(), Some([].into()));
        assert!(read("3;4").is_err_and(|why| why.contains("`3;4`")));
        assert!(read("-1").is_err() && read("4294967296").is_err());
        let many: Vec<String> = (0..=MAX_CURVES).map(|number| number.to_string()).collect();
        assert!(read(&many.join(",")).is_err_and(|why| why.contains("1001")));
    }
}
