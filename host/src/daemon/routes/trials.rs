//! What is asked about single trials, and of them.

use super::App;
use super::answer::{Answered, Refusal, read};
use super::extract::{Asked, Body, In};
use crate::convert;
use crate::daemon::engine::{Ask, TrialAsk};
use crate::daemon::invalid;
use attune_protocol::{
    Fork, Forked, Note, Number, Steer, StepRows, StepsQuery, TrialDetail, TrialSummary, Zoom,
    ZoomQuery,
};
use attune_store::{Id, Store, TrialId};
use axum::Json;
use axum::extract::State;

/// The most rows of steps in one answer.
const MAX_ROWS: u32 = 100_000;

/// How many rows where nobody says how many.
const USUAL_ROWS: u32 = 10_000;

/// The most stretches of a curve in one answer, and how many where nobody says how many.
const MAX_POINTS: u32 = 10_000;

const USUAL_POINTS: u32 = 1_000;

pub(super) async fn trial(State(house): App, In(id): In<TrialId>) -> Answered<TrialDetail> {
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
            let curve = store.curve(id, &name, .., convert::MAX_POINTS)?;
            curves.push((name, curve));
        }
        Ok(convert::trial_detail(summary, &store.epochs(id)?, &curves))
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
    let limit = u64::from(within("limit", limit.unwrap_or(USUAL_ROWS), MAX_ROWS)?);
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
    let points = within("points", points, MAX_POINTS)? as usize;
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

/// A number of things to be answered, if it is one that may be asked for.
fn within(name: &str, asked: u32, most: u32) -> Result<u32, Refusal> {
    match (1..=most).contains(&asked) {
        true => Ok(asked),
        false => Err(Refusal(invalid(format!(
            "`{name}` is {asked}, but must be a whole number from 1 to {most}"
        )))),
    }
}
