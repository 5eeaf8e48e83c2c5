//! The API: which path does what.
//!
//! Reading goes straight to the store, so that whoever looks never holds up whoever trains.
//! Everything that changes something is the engine's.
//!
//! Here are all paths, and those that concern the daemon as a whole; the others' answers are in
//! `studies`, `table`, `insight`, `trials`, `check`, `plugins`, `keeping`, `log` and `workers`. How
//! requests are read is in `extract`, how they are answered in `answer`.

mod answer;
mod check;
mod digest;
mod events;
mod extract;
mod insight;
mod keeping;
mod log;
mod plugins;
mod studies;
mod table;
mod thin;
mod trials;
mod workers;

use super::engine::{Ask, Engine};
use super::hub::Hub;
use super::machine::Lookout;
use super::reception::Reception;
use super::{checkpoints, metrics, not_found};
use crate::clock;
use crate::places::Places;
use answer::{Answered, Refusal, read};
use attune_protocol::{DaemonStatus, EventsQuery, Problem, ProblemCode};
use attune_store::{Store, StudyState};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use extract::Asked;
use std::sync::Arc;
use tokio::sync::watch;

/// The most that a request may weigh: a report of several long histories.
const MAX_BODY: usize = 16 << 20;

/// The most that an import may weigh.
pub(super) const MAX_IMPORT: usize = 256 << 20;

/// What every handler may use.
pub(super) struct House {
    pub(super) reception: Reception,
    pub(super) engine: Engine,
    pub(super) store: Arc<Store>,
    pub(super) hub: Arc<Hub>,
    pub(super) places: Places,
    pub(super) lookout: Lookout,
    /// Streams end when the daemon does.
    pub(super) closing: watch::Receiver<bool>,
}

type App = State<Arc<House>>;

/// All paths.
pub(super) fn router(house: Arc<House>) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/shutdown", post(shutdown))
        .route(
            "/v1/studies",
            get(studies::studies).post(studies::create_study),
        )
        .route(
            "/v1/studies/{study}",
            get(studies::study).delete(studies::remove_study),
        )
        .route("/v1/studies/{study}/pause", post(studies::pause_study))
        .route("/v1/studies/{study}/resume", post(studies::resume_study))
        .route("/v1/studies/{study}/stop", post(studies::stop_study))
        .route("/v1/studies/{study}/note", post(studies::note_study))
        .route("/v1/studies/{study}/model", get(studies::model))
        .route("/v1/studies/{study}/events", get(studies::study_events))
        .route("/v1/studies/{study}/trials", get(table::trials))
        .route("/v1/studies/{study}/curves", get(table::curves))
        .route("/v1/studies/{study}/insight", get(insight::insight))
        .route("/v1/events", get(all_events))
        .route("/v1/trials/{trial}", get(trials::trial))
        .route("/v1/trials/{trial}/note", post(trials::note_trial))
        .route("/v1/trials/{trial}/pause", post(trials::pause_trial))
        .route("/v1/trials/{trial}/resume", post(trials::resume_trial))
        .route("/v1/trials/{trial}/stop", post(trials::stop_trial))
        .route("/v1/trials/{trial}/steer", post(trials::steer))
        .route("/v1/trials/{trial}/fork", post(trials::fork))
        .route("/v1/trials/{trial}/retry", post(trials::retry))
        .route("/v1/trials/{trial}/steps", get(trials::steps))
        .route("/v1/trials/{trial}/zoom", get(trials::zoom))
        .route(
            "/v1/plugins",
            get(plugins::plugins).post(plugins::look_for_plugins),
        )
        .route("/v1/plugins/{plugin}/release", post(plugins::release))
        .route(
            "/v1/import",
            post(studies::import).layer(DefaultBodyLimit::max(MAX_IMPORT)),
        )
        .route("/v1/store/verify", post(keeping::verify_store))
        .route("/v1/store/compact", post(keeping::compact_store))
        .route("/v1/store/backup", post(keeping::backup_store))
        .route("/v1/preview", post(plugins::preview))
        .route("/v1/check", post(check::check))
        .route("/v1/draft", post(check::draft))
        .route("/v1/data", post(check::look_at_data))
        .route("/v1/log", get(log::log))
        .route("/v1/openapi.json", get(openapi))
        .route("/v1/workers", post(workers::hire))
        .route("/v1/workers/brief/{study}", get(workers::brief))
        .route("/v1/workers/{worker}/exchange", post(workers::exchange))
        .route("/metrics", get(metrics))
        .fallback(no_path)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(house)
}

async fn no_path() -> Refusal {
    Refusal(not_found(
        "there is no such path; /v1/openapi.json lists all of them",
    ))
}

async fn no_method() -> Refusal {
    let message = "this path knows other methods; /v1/openapi.json lists them";
    Refusal(Problem::new(ProblemCode::MethodNotAllowed, message))
}

async fn status(State(house): App) -> Answered<DaemonStatus> {
    let mut status = house.engine.ask(Ask::Status).await?;
    let folder = house.places.store();
    let bytes = tokio::task::spawn_blocking(move || checkpoints::bytes(&folder)).await;
    status.store_bytes = bytes.unwrap_or(0);
    status.machine = house.lookout.look().await;
    if let (true, Some(idle)) = (status.studies.is_empty(), &mut status.idle) {
        let paused = read(&house, |store| {
            let mut studies = store.list_studies()?;
            studies.retain(|(_, study)| study.state == StudyState::Paused);
            Ok(studies)
        });
        for (id, study) in paused.await? {
            let why = study
                .reason
                .as_deref()
                .unwrap_or("for no reason that is known");
            idle.push_str(&format!(
                "; {id} is paused ({why}): `attune resume {id}` lets it go on"
            ));
        }
    }
    Ok(Json(status))
}

async fn shutdown(State(house): App) -> Answered<serde_json::Value> {
    house.engine.tell(Ask::Stop)?;
    Ok(Json(serde_json::json!({})))
}

async fn openapi() -> Json<serde_json::Value> {
    Json(attune_protocol::openapi())
}

async fn all_events(
    State(house): App,
    Asked(how): Asked<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    events::stream(&house, None, how, after(&headers))
}

fn after(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

/// What Prometheus reads.
async fn metrics(State(house): App) -> Result<Response, Refusal> {
    let Json(status) = status(State(Arc::clone(&house))).await?;
    let Json(studies) = studies::studies(State(house)).await?;
    let text = metrics::text(&status, &studies, clock::unix_ms());
    let form = [(header::CONTENT_TYPE, metrics::FORM)];
    Ok((form, text).into_response())
}
