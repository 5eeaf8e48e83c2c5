//! What is asked about whole studies, and of them.

use super::answer::{Answered, Refusal, read};
use super::events;
use super::extract::{Asked, Body, In};
use super::{App, House, after};
use crate::breakpoint;
use crate::convert::{self, Board, Census, ToldStudy};
use crate::daemon::engine::Ask;
use crate::daemon::study::Halt;
use crate::daemon::trial::file;
use crate::daemon::{checkpoints, conflict, import, internal};
use attune_protocol::{
    Created, Event, EventsQuery, ImportedStudy, NewStudy, Note, ResumeStudy, Resumed, StudyQuery,
    StudyState, StudySummary,
};
use attune_store::{Id, Store, StudyId, StudyRecord};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

pub(super) async fn studies(State(house): App) -> Answered<Vec<StudySummary>> {
    let studies = read(&house, |store| {
        store
            .list_studies()?
            .into_iter()
            .map(|(id, record)| noted(store, id, census(store, id, &record)?.summary()))
            .collect()
    });
    Ok(Json(studies.await?))
}

pub(super) async fn create_study(
    State(house): App,
    Body(new): Body<NewStudy>,
) -> Answered<Created> {
    Ok(Json(house.reception.create(new).await?))
}

/// Answers with a [`StudyDetail`](attune_protocol::StudyDetail).
pub(super) async fn study(
    State(house): App,
    In(id): In<StudyId>,
    Asked(StudyQuery { brief }): Asked<StudyQuery>,
) -> Answered<ToldStudy> {
    let told = read(&house, move |store| {
        let record = store.study(id)?;
        let (mut census, mut board) = (Census::of(id, &record), Board::of(&record));
        let notes = store.notes(id)?;
        store.each_trial(id, |id, trial| {
            census.count(id, &trial);
            if !brief {
                board.add(id, &trial, notes.trials.get(&id.number));
            }
        })?;
        let summary = StudySummary {
            note: convert::note(notes.study.as_ref()),
            ..census.summary()
        };
        Ok(board.detail(summary, record))
    });
    let told = told.await?.map_err(|error| internal(&error.into()))?;
    Ok(Json(told))
}

pub(super) async fn remove_study(
    State(house): App,
    In(id): In<StudyId>,
) -> Answered<serde_json::Value> {
    house.engine.ask(|reply| Ask::Remove(id, reply)).await?;
    Ok(Json(serde_json::json!({})))
}

pub(super) async fn pause_study(State(house): App, In(id): In<StudyId>) -> Answered<StudySummary> {
    halt(&house, id, Halt::paused_by_hand()).await
}

pub(super) async fn stop_study(State(house): App, In(id): In<StudyId>) -> Answered<StudySummary> {
    halt(&house, id, Halt::stopped_by_hand()).await
}

pub(super) async fn resume_study(
    State(house): App,
    In(id): In<StudyId>,
    Body(more): Body<ResumeStudy>,
) -> Answered<Resumed> {
    Ok(Json(house.reception.resume(id, more).await?))
}

pub(super) async fn note_study(
    State(house): App,
    In(id): In<StudyId>,
    Body(note): Body<Note>,
) -> Answered<StudySummary> {
    let at_rest = summary(&house, id).await?;
    let noted = house.reception.note_study(id, note, at_rest).await?;
    Ok(Json(noted))
}

pub(super) async fn model(State(house): App, In(id): In<StudyId>) -> Result<Response, Refusal> {
    let best = read(&house, move |store| {
        let record = store.study(id)?;
        Ok(census(store, id, &record)?.best_with_model())
    });
    let best = best.await?;
    let best = best.ok_or_else(|| {
        conflict(format!(
            "study {id} has no model yet: a trial leaves one when it comes to a rung or to its end, \
             or is laid down after an epoch"
        ))
    })?;
    let folder = house.places.checkpoints().join(id.to_string());
    let path = file::model(&folder, best.number);
    let read = tokio::task::spawn_blocking(move || checkpoints::model(&path)).await;
    let bytes = read
        .map_err(|error| internal(&error.into()))?
        .map_err(|error| conflict(format!("trial {best}: {error}")))?;
    let form = [(header::CONTENT_TYPE, "application/octet-stream")];
    Ok((form, bytes).into_response())
}

pub(super) async fn import(
    State(house): App,
    Body(import): Body<ImportedStudy>,
) -> Answered<StudySummary> {
    let store = Arc::clone(&house.store);
    let imported = tokio::task::spawn_blocking(move || import::import(&store, import)).await;
    let imported = imported.map_err(|error| internal(&error.into()))?;
    Ok(Json(imported?))
}

pub(super) async fn study_events(
    State(house): App,
    In(id): In<StudyId>,
    Asked(how): Asked<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    breakpoint::pass("daemon-before-events");
    let begin = read(&house, move |store| store.study(id).map(drop));
    begin.await?;
    events::stream(&house, Some(id), how, after(&headers))
}

/// Asks for a halt, and answers when the study has come to rest.
async fn halt(house: &Arc<House>, id: StudyId, halt: Halt) -> Answered<StudySummary> {
    let mut listener = house.hub.listen(None);
    house.engine.ask(|reply| Ask::Halt(id, halt, reply)).await?;
    let rest = async {
        loop {
            match listener.events.recv().await {
                Ok(event) if event.study == Some(id) => match event.event() {
                    // It may change in other ways before it comes to rest.
                    Event::StudyChanged { study } | Event::StudyEnded { study }
                        if study.state != StudyState::Running =>
                    {
                        return Some(study.clone());
                    }
                    _ => {}
                },
                Ok(_) => {}
                // What was missed may have been the very event that is waited for.
                Err(RecvError::Lagged(_)) => {
                    let study = summary(house, id).await.ok()?;
                    if study.state != StudyState::Running {
                        return Some(study);
                    }
                }
                Err(RecvError::Closed) => return None,
            }
        }
    };
    let within = Duration::from_secs(20);
    match timeout(within, rest).await {
        Ok(Some(study)) => Ok(Json(study)),
        _ => Ok(Json(summary(house, id).await?)),
    }
}

async fn summary(house: &Arc<House>, id: StudyId) -> Result<StudySummary, Refusal> {
    read(house, move |store| {
        let record = store.study(id)?;
        noted(store, id, census(store, id, &record)?.summary())
    })
    .await
}

/// A study with what people wrote about it.
fn noted(
    store: &Store,
    id: StudyId,
    summary: StudySummary,
) -> Result<StudySummary, attune_store::Error> {
    Ok(StudySummary {
        note: convert::note(store.note(Id::Study(id))?.as_ref()),
        ..summary
    })
}

/// A study and its trials, counted.
fn census<'s>(
    store: &Store,
    id: StudyId,
    record: &'s StudyRecord,
) -> Result<Census<'s>, attune_store::Error> {
    let mut census = Census::of(id, record);
    store.each_trial(id, |id, trial| census.count(id, &trial))?;
    Ok(census)
}
