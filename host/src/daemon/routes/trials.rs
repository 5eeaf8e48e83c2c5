//! What is asked about single trials, and of them.

use super::App;
use super::answer::{Answered, read};
use super::extract::{Asked, Body, In, within};
use super::thin::{FEWEST, thin};
use crate::convert::{self, EpochCurves};
use crate::daemon::engine::{Ask, TrialAsk};
use attune_protocol::{
    Fork, Forked, Note, Number, Steer, StepRows, StepsQuery, TrialDetail, TrialQuery, TrialSummary,
    Zoom, ZoomQuery,
};
use attune_store::{Id, Store, TrialId};
use axum::Json;
use axum::extract::State;
use std::collections::BTreeMap;

/// The most rows of steps in one answer.
const MAX_ROWS: u32 = 100_000;

/// How many rows where nobody says how many.
const USUAL_ROWS: u32 = 10_000;

/// The most stretches of a curve in one answer, and how many where nobody says how many.
const MAX_POINTS: u32 = 10_000;

const USUAL_POINTS: u32 = 1_000;

pub(super) async fn trial(
    State(house): App,
    In(id): In<TrialId>,
    Asked(TrialQuery { points }): Asked<TrialQuery>,
) -> Answered<TrialDetail> {
    let points = points.map(|points| within("points", points, FEWEST..=MAX_POINTS));
    let points = points.transpose()?.map(|points| points as usize);
    let detail = read(&house, move |store| {
        let study = store.study(id.study)?;
        let summary = noted(
            store,
            id,
            convert::trial(id, &store.trial(id)?, &study.metric),
        )?;
        let columns = store.columns(id)?;
        let mut curves = Vec::new();
        for name in columns {
            let most = points.unwrap_or(convert::MAX_POINTS);
            let curve = store.curve(id, &name, .., most)?;
            curves.push((name, curve));
        }
        let mut epochs: EpochCurves = BTreeMap::new();
        store.each_epoch(id, |epoch, metrics| {
            for (name, value) in metrics {
                epochs.entry(name).or_default().push((epoch, value));
            }
        })?;
        if let Some(most) = points {
            for curve in epochs.values_mut() {
                *curve = thin(std::mem::take(curve), most);
            }
        }
        Ok(convert::trial_detail(summary, epochs, &curves))
    });
    Ok(Json(detail.await?))
}

pub(super) async fn pause_trial(state: App, id: In<TrialId>) -> Answered<TrialSummary> {
    change_trial(state, id, TrialAsk::Pause).await
}

pub(super) async fn resume_trial(state: App, id: In<TrialId>) -> Answered<TrialSummary> {
    change_trial(state, id, TrialAsk::Resume).await
}

pub(super) async fn stop_trial(state: App, id: In<TrialId>) -> Answered<TrialSummary> {
    change_trial(state, id, TrialAsk::Stop).await
}

pub(super) async fn steer(
    State(house): App,
    In(id): In<TrialId>,
    Body(wish): Body<Steer>,
) -> Answered<TrialSummary> {
    house.reception.steer(id, wish).await?;
    let summary = read(&house, move |store| {
        let study = store.study(id.study)?;
        noted(
            store,
            id,
            convert::trial(id, &store.trial(id)?, &study.metric),
        )
    });
    Ok(Json(summary.await?))
}

pub(super) async fn retry(State(house): App, In(id): In<TrialId>) -> Answered<Forked> {
    Ok(Json(house.reception.retry(id).await?))
}

pub(super) async fn note_trial(
    State(house): App,
    In(id): In<TrialId>,
    Body(note): Body<Note>,
) -> Answered<TrialSummary> {
    Ok(Json(house.reception.note_trial(id, note).await?))
}

pub(super) async fn fork(
    State(house): App,
    In(id): In<TrialId>,
    Body(fork): Body<Fork>,
) -> Answered<Forked> {
    Ok(Json(house.reception.fork(id, fork).await?))
}

pub(super) async fn steps(
    State(house): App,
    In(id): In<TrialId>,
    Asked(StepsQuery { from, limit }): Asked<StepsQuery>,
) -> Answered<StepRows> {
    let limit = u64::from(within("limit", limit.unwrap_or(USUAL_ROWS), 1..=MAX_ROWS)?);
    let from = from.unwrap_or(0);
    let rows = read(&house, move |store| {
        let last = store.trial(id)?.steps;
        let until = from.saturating_add(limit);
        let read = store.read_steps(id, from..until)?;
        Ok(StepRows {
            columns: read
                .columns
                .iter()
                .map(|column| {
                    let values = (0..read.steps.len())
                        .map(|row| Number(column.values.get(row).unwrap_or(f64::NAN)));
                    (column.name.clone(), values.collect())
                })
                .collect(),
            steps: read.steps,
            next: (until < last).then_some(until),
        })
    });
    Ok(Json(rows.await?))
}

pub(super) async fn zoom(
    State(house): App,
    In(id): In<TrialId>,
    Asked(query): Asked<ZoomQuery>,
) -> Answered<Zoom> {
    let points = query.points.unwrap_or(USUAL_POINTS);
    let points = within("points", points, 1..=MAX_POINTS)? as usize;
    let (from, to) = (query.from.unwrap_or(0), query.to.unwrap_or(u64::MAX));
    let column = query.column.clone();
    let curve = read(&house, move |store| {
        store.trial(id)?;
        store.curve(id, &column, from..=to, points)
    });
    let buckets = curve.await?.buckets;
    Ok(Json(Zoom {
        name: query.column,
        buckets: buckets.iter().map(convert::bucket).collect(),
    }))
}

/// A trial with what people wrote about it.
fn noted(
    store: &Store,
    id: TrialId,
    summary: TrialSummary,
) -> Result<TrialSummary, attune_store::Error> {
    Ok(TrialSummary {
        note: convert::note(store.note(Id::Trial(id))?.as_ref()),
        ..summary
    })
}

async fn change_trial(
    State(house): App,
    In(id): In<TrialId>,
    what: TrialAsk,
) -> Answered<TrialSummary> {
    Ok(Json(
        house
            .engine
            .ask(|reply| Ask::Trial(id, what, reply))
            .await?,
    ))
}
