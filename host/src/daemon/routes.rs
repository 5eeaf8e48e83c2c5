//! The API: which path does what.
//!
//! Reading goes straight to the store, so that whoever looks never holds up whoever trains.
//! Everything that changes something is the engine's.

use super::engine::{Ask, Engine, TrialAsk};
use super::events;
use super::hub::Hub;
use super::reception::Reception;
use super::study::Halt;
use super::trial::file;
use super::{conflict, internal, invalid, not_found, unavailable};
use crate::convert::{Board, Census, ToldStudy};
use crate::places::Places;
use crate::{breakpoint, clock, convert};
use attune_protocol::endpoint::{JSON, POSTCARD};
use attune_protocol::work::{Answer, Brief, Exchange, Hired, NewWorker};
use attune_protocol::{
    Backup, Created, DaemonStatus, Event, Fork, Forked, ImportedStudy, LookForPlugins, NewStudy,
    Number, PluginInfo, Problem, ProblemCode, ResumeStudy, Resumed, Steer, StepRows, StepsQuery,
    StoreReport, StudyState, StudySummary, TrialDetail, TrialSummary, Zoom, ZoomQuery,
};
use attune_store::{Id, Store, StudyId, StudyRecord, TrialId};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

/// The most that a request may weigh: a report of several long histories.
const MAX_BODY: usize = 16 << 20;

/// The most that an import may weigh.
pub(super) const MAX_IMPORT: usize = 256 << 20;

/// The most rows of steps in one answer.
const MAX_ROWS: u32 = 100_000;

/// How many rows where nobody says how many.
const USUAL_ROWS: u32 = 10_000;

/// The most stretches of a curve in one answer, and how many where nobody says how many.
const MAX_POINTS: u32 = 10_000;
const USUAL_POINTS: u32 = 1_000;

/// What every handler may use.
pub(super) struct House {
    pub(super) reception: Reception,
    pub(super) engine: Engine,
    pub(super) store: Arc<Store>,
    pub(super) hub: Arc<Hub>,
    pub(super) places: Places,
    /// Streams end when the daemon does.
    pub(super) closing: watch::Receiver<bool>,
}

type App = State<Arc<House>>;
type Answered<T> = Result<Json<T>, Refusal>;

/// A [`Problem`] on its way out.
pub(super) struct Refusal(Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Refusal(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.status());
        (
            status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            Json(self.0),
        )
            .into_response()
    }
}

/// All paths.
pub(super) fn router(house: Arc<House>) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/shutdown", post(shutdown))
        .route("/v1/studies", get(studies).post(create_study))
        .route("/v1/studies/{study}", get(study).delete(remove_study))
        .route("/v1/studies/{study}/pause", post(pause_study))
        .route("/v1/studies/{study}/resume", post(resume_study))
        .route("/v1/studies/{study}/stop", post(stop_study))
        .route("/v1/studies/{study}/model", get(model))
        .route("/v1/studies/{study}/events", get(study_events))
        .route("/v1/events", get(all_events))
        .route("/v1/trials/{trial}", get(trial))
        .route("/v1/trials/{trial}/pause", post(pause_trial))
        .route("/v1/trials/{trial}/resume", post(resume_trial))
        .route("/v1/trials/{trial}/stop", post(stop_trial))
        .route("/v1/trials/{trial}/steer", post(steer))
        .route("/v1/trials/{trial}/fork", post(fork))
        .route("/v1/trials/{trial}/steps", get(steps))
        .route("/v1/trials/{trial}/zoom", get(zoom))
        .route("/v1/plugins", get(plugins).post(look_for_plugins))
        .route("/v1/plugins/{plugin}/release", post(release))
        .route(
            "/v1/import",
            post(import).layer(DefaultBodyLimit::max(MAX_IMPORT)),
        )
        .route("/v1/store/verify", post(verify_store))
        .route("/v1/store/compact", post(compact_store))
        .route("/v1/store/backup", post(backup_store))
        .route("/v1/openapi.json", get(openapi))
        .route("/v1/workers", post(hire))
        .route("/v1/workers/brief/{study}", get(brief))
        .route("/v1/workers/{worker}/exchange", post(exchange))
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

/// A JSON body; what is wrong with it is told as everything else is.
struct Body<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        form_of(request.headers(), &[JSON])?;
        let bytes = body(request, state).await?;
        let bytes = if bytes.is_empty() { &b"{}"[..] } else { &bytes };
        from_json(bytes).map(Body)
    }
}

/// Reads a body; each is an object, though serde would take the values alone, in order, as well.
fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal(invalid("the body is not a JSON object")));
    }
    serde_json::from_slice(bytes).map_err(not_taken)
}

fn not_taken(error: impl std::fmt::Display) -> Refusal {
    Refusal(invalid(format!(
        "the body is not what this path takes: {error}"
    )))
}

/// A body in JSON or postcard, and the form in which to answer.
struct Either<T>(T, bool);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Either<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let compact = form_of(request.headers(), &[JSON, POSTCARD])? == POSTCARD;
        let answer_compact = accepts_compact(request.headers());
        let bytes = body(request, state).await?;
        let parsed = match compact {
            true => postcard::from_bytes(&bytes).map_err(not_taken)?,
            false => from_json(&bytes)?,
        };
        Ok(Either(parsed, answer_compact))
    }
}

/// Which of the forms that can be read here a body says it has; the first one where it says nothing.
fn form_of(headers: &HeaderMap, read: &[&'static str]) -> Result<&'static str, Refusal> {
    let said = |name| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let form = said(header::CONTENT_TYPE).map_or(read.first().copied(), |said| {
        let essence = said.split(';').next().unwrap_or("").trim();
        let is_it = |form: &&&str| form.eq_ignore_ascii_case(essence);
        read.iter().find(is_it).copied()
    });
    let is_plain = said(header::CONTENT_ENCODING).is_none_or(|said| said == "identity");
    form.filter(|_| is_plain).ok_or_else(|| {
        let message = format!(
            "a body in that form is not read; send it as it is, with `content-type: {}`",
            read.join("` or `")
        );
        Refusal(Problem::new(ProblemCode::UnsupportedMedia, message))
    })
}

fn accepts_compact(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .is_some_and(|value| value.as_bytes() == POSTCARD.as_bytes())
}

async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Refusal> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection| {
            let code = match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => ProblemCode::TooLarge,
                _ => ProblemCode::Invalid,
            };
            Refusal(Problem::new(
                code,
                format!("the body cannot be read: {rejection}"),
            ))
        })
}

fn either<T: Serialize>(answer: &T, compact: bool) -> Result<Response, Refusal> {
    if !compact {
        return Ok(Json(answer).into_response());
    }
    let bytes = postcard::to_allocvec(answer).map_err(|error| internal(&error.into()))?;
    Ok(([(header::CONTENT_TYPE, POSTCARD)], bytes).into_response())
}

/// What a path's query says.
struct Asked<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        state: &S,
    ) -> Result<Self, Refusal> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let query = query.map_err(|error| Refusal(invalid(error.body_text())))?;
        Ok(Asked(query.0))
    }
}

/// A worker in a path.
struct WorkerIn(u64);

impl<S: Send + Sync> FromRequestParts<S> for WorkerIn {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        state: &S,
    ) -> Result<Self, Refusal> {
        let id = Path::<u64>::from_request_parts(parts, state).await;
        let id = id.map_err(|error| Refusal(invalid(error.body_text())))?;
        Ok(WorkerIn(id.0))
    }
}

/// A plugin in a path.
struct PluginIn(String);

/// A study or trial in a path.
struct StudyIn(StudyId);
struct TrialIn(TrialId);

async fn text_in<S: Send + Sync>(
    parts: &mut axum::http::request::Parts,
    state: &S,
) -> Result<String, Refusal> {
    let text = Path::<String>::from_request_parts(parts, state).await;
    let Path(text) = text.map_err(|error| Refusal(invalid(error.body_text())))?;
    Ok(text)
}

async fn id_in<S: Send + Sync>(
    parts: &mut axum::http::request::Parts,
    state: &S,
) -> Result<Id, Refusal> {
    let text = text_in(parts, state).await?;
    text.parse().map_err(|error| Refusal(invalid(error)))
}

impl<S: Send + Sync> FromRequestParts<S> for PluginIn {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        state: &S,
    ) -> Result<Self, Refusal> {
        text_in(parts, state).await.map(PluginIn)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for StudyIn {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        state: &S,
    ) -> Result<Self, Refusal> {
        match id_in(parts, state).await? {
            Id::Study(id) => Ok(StudyIn(id)),
            Id::Trial(id) => Err(Refusal(invalid(format!(
                "{id} is a trial; this path is about studies, such as {}",
                id.study
            )))),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for TrialIn {
    type Rejection = Refusal;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        state: &S,
    ) -> Result<Self, Refusal> {
        match id_in(parts, state).await? {
            Id::Trial(id) => Ok(TrialIn(id)),
            Id::Study(id) => Err(Refusal(invalid(format!(
                "{id} is a study; this path is about trials, such as {id}.0"
            )))),
        }
    }
}

/// Reads from the store on a thread that may wait for the disk.
async fn read<T: Send + 'static>(
    house: &Arc<House>,
    work: impl FnOnce(&Store) -> Result<T, attune_store::Error> + Send + 'static,
) -> Result<T, Refusal> {
    let store = Arc::clone(&house.store);
    match tokio::task::spawn_blocking(move || work(&store)).await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(error)) => Err(Refusal(not_read(error))),
        Err(error) => Err(Refusal(internal(&error.into()))),
    }
}

fn not_read(error: attune_store::Error) -> Problem {
    use attune_store::Error;
    match error {
        Error::NoSuchStudy { .. } | Error::NoSuchTrial { .. } => not_found(error),
        Error::NotAnId { .. } => invalid(error),
        Error::NotEmpty { .. } => conflict(error),
        Error::NotWritten { .. } => unavailable(error),
        error => internal(&error.into()),
    }
}

async fn status(State(house): App) -> Answered<DaemonStatus> {
    let mut status = house.engine.ask(Ask::Status).await?;
    let folder = house.places.store();
    let bytes = tokio::task::spawn_blocking(move || super::checkpoints::bytes(&folder)).await;
    status.store_bytes = bytes.unwrap_or(0);
    if let (true, Some(idle)) = (status.studies.is_empty(), &mut status.idle) {
        let paused = read(&house, |store| {
            let mut studies = store.list_studies()?;
            studies.retain(|(_, study)| study.state == attune_store::StudyState::Paused);
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

async fn studies(State(house): App) -> Answered<Vec<StudySummary>> {
    let studies = read(&house, |store| {
        store
            .list_studies()?
            .into_iter()
            .map(|(id, record)| Ok(census(store, id, &record)?.summary()))
            .collect()
    });
    Ok(Json(studies.await?))
}

async fn create_study(State(house): App, Body(new): Body<NewStudy>) -> Answered<Created> {
    Ok(Json(house.reception.create(new).await?))
}

/// Answers with a [`StudyDetail`](attune_protocol::StudyDetail).
async fn study(State(house): App, StudyIn(id): StudyIn) -> Answered<ToldStudy> {
    let told = read(&house, move |store| {
        let record = store.study(id)?;
        let (mut census, mut board) = (Census::of(id, &record), Board::of(&record));
        store.each_trial(id, |id, trial| {
            census.count(id, &trial);
            board.add(id, &trial);
        })?;
        let summary = census.summary();
        Ok(board.detail(summary, record))
    });
    let told = told.await?.map_err(|error| internal(&error.into()))?;
    Ok(Json(told))
}

async fn summary(house: &Arc<House>, id: StudyId) -> Result<StudySummary, Refusal> {
    read(house, move |store| {
        let record = store.study(id)?;
        Ok(census(store, id, &record)?.summary())
    })
    .await
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

async fn remove_study(State(house): App, StudyIn(id): StudyIn) -> Answered<serde_json::Value> {
    house.engine.ask(|reply| Ask::Remove(id, reply)).await?;
    Ok(Json(serde_json::json!({})))
}

async fn pause_study(State(house): App, StudyIn(id): StudyIn) -> Answered<StudySummary> {
    halt(&house, id, Halt::paused_by_hand()).await
}

async fn stop_study(State(house): App, StudyIn(id): StudyIn) -> Answered<StudySummary> {
    halt(&house, id, Halt::stopped_by_hand()).await
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
    let within = std::time::Duration::from_secs(20);
    match tokio::time::timeout(within, rest).await {
        Ok(Some(study)) => Ok(Json(study)),
        _ => Ok(Json(summary(house, id).await?)),
    }
}

async fn resume_study(
    State(house): App,
    StudyIn(id): StudyIn,
    Body(more): Body<ResumeStudy>,
) -> Answered<Resumed> {
    Ok(Json(house.reception.resume(id, more).await?))
}

async fn model(State(house): App, StudyIn(id): StudyIn) -> Result<Response, Refusal> {
    let best = read(&house, move |store| {
        let record = store.study(id)?;
        let mut kept = Census::of(id, &record);
        store.each_trial(id, |id, trial| {
            if trial.model.is_some() {
                kept.count(id, &trial);
            }
        })?;
        Ok(kept.best().map(|(id, _)| id))
    });
    let best = best.await?;
    let best = best.ok_or_else(|| {
        conflict(format!(
            "study {id} has no model: none of its trials has come to a rung or to its end"
        ))
    })?;
    let folder = house.places.checkpoints().join(id.to_string());
    let path = file::model(&folder, best.number);
    let read = tokio::task::spawn_blocking(move || super::checkpoints::model(&path)).await;
    let bytes = read
        .map_err(|error| internal(&error.into()))?
        .map_err(|error| conflict(format!("trial {best}: {error}")))?;
    let form = [(header::CONTENT_TYPE, "application/octet-stream")];
    Ok((form, bytes).into_response())
}

async fn trial(State(house): App, TrialIn(id): TrialIn) -> Answered<TrialDetail> {
    let detail = read(&house, move |store| {
        let study = store.study(id.study)?;
        let summary = convert::trial(id, &store.trial(id)?, &study.metric);
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

async fn pause_trial(state: App, id: TrialIn) -> Answered<TrialSummary> {
    change_trial(state, id, TrialAsk::Pause).await
}

async fn resume_trial(state: App, id: TrialIn) -> Answered<TrialSummary> {
    change_trial(state, id, TrialAsk::Resume).await
}

async fn stop_trial(state: App, id: TrialIn) -> Answered<TrialSummary> {
    change_trial(state, id, TrialAsk::Stop).await
}

async fn change_trial(
    State(house): App,
    TrialIn(id): TrialIn,
    what: TrialAsk,
) -> Answered<TrialSummary> {
    Ok(Json(
        house
            .engine
            .ask(|reply| Ask::Trial(id, what, reply))
            .await?,
    ))
}

async fn steer(
    State(house): App,
    TrialIn(id): TrialIn,
    Body(wish): Body<Steer>,
) -> Answered<TrialSummary> {
    house.reception.steer(id, wish).await?;
    let summary = read(&house, move |store| {
        let study = store.study(id.study)?;
        Ok(convert::trial(id, &store.trial(id)?, &study.metric))
    });
    Ok(Json(summary.await?))
}

async fn fork(State(house): App, TrialIn(id): TrialIn, Body(fork): Body<Fork>) -> Answered<Forked> {
    Ok(Json(house.reception.fork(id, fork).await?))
}

async fn steps(
    State(house): App,
    TrialIn(id): TrialIn,
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

async fn zoom(
    State(house): App,
    TrialIn(id): TrialIn,
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

/// A number of things to be answered, if it is one that may be asked for.
fn within(name: &str, asked: u32, most: u32) -> Result<u32, Refusal> {
    match (1..=most).contains(&asked) {
        true => Ok(asked),
        false => Err(Refusal(invalid(format!(
            "`{name}` is {asked}, but must be a whole number from 1 to {most}"
        )))),
    }
}

async fn verify_store(State(house): App) -> Answered<StoreReport> {
    let folder = house.places.checkpoints();
    let found = read(&house, move |store| {
        let files = super::checkpoints::verify(store, &folder)?;
        Ok((store.verify()?, store.stats()?, files))
    });
    let (verified, stats, files) = found.await?;
    let damage = verified.damaged.iter().map(ToString::to_string);
    Ok(Json(StoreReport {
        lines: vec![
            format!(
                "read {} records of {} bytes in {} files",
                verified.records, verified.bytes, verified.files
            ),
            format!(
                "{} studies, {} trials, {} epochs, {} steps",
                stats.studies, stats.trials, stats.epochs, stats.step_rows
            ),
            format!(
                "read {} checkpoints and models of {} bytes",
                files.read, files.bytes
            ),
        ],
        damage: damage.chain(files.damage).collect(),
    }))
}

async fn compact_store(State(house): App) -> Answered<StoreReport> {
    let stats = read(&house, |store| {
        let before = store.stats()?;
        store.compact()?;
        Ok((before, store.stats()?))
    });
    let (before, after) = stats.await?;
    Ok(Json(StoreReport {
        lines: vec![format!(
            "the journal takes {} bytes, {} before",
            after.journal_bytes, before.journal_bytes
        )],
        damage: Vec::new(),
    }))
}

async fn backup_store(State(house): App, Body(to): Body<Backup>) -> Answered<StoreReport> {
    let path = std::path::PathBuf::from(&to.path);
    if !path.is_absolute() {
        return Err(Refusal(invalid(format!(
            "the path {} is not absolute, and the daemon runs in another folder",
            to.path
        ))));
    }
    let copied = read(&house, move |store| {
        Ok(store
            .backup(&path)
            .map_err(|error| not_copied(error, &path)))
    });
    let copied = copied.await??;
    Ok(Json(StoreReport {
        lines: vec![format!(
            "copied {} files of {} bytes to {}",
            copied.files, copied.bytes, to.path
        )],
        damage: Vec::new(),
    }))
}

/// What is wrong with the place that somebody named is theirs to mend.
fn not_copied(error: attune_store::Error, to: &std::path::Path) -> Problem {
    use attune_store::Error;
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    match error {
        Error::Io {
            ref path, ref why, ..
        } if path.starts_with(to) => match why.kind() {
            StorageFull | QuotaExceeded => unavailable(format!(
                "the disk of {} is full, so nothing was copied; name a folder on another one",
                to.display()
            )),
            _ => conflict(error),
        },
        error => not_read(error),
    }
}

async fn openapi() -> Json<serde_json::Value> {
    Json(attune_protocol::openapi())
}

async fn plugins(State(house): App) -> Answered<Vec<PluginInfo>> {
    Ok(Json(house.reception.plugins(&[]).await?))
}

async fn look_for_plugins(
    State(house): App,
    Body(look): Body<LookForPlugins>,
) -> Answered<Vec<PluginInfo>> {
    Ok(Json(house.reception.plugins(&look.places).await?))
}

async fn release(State(house): App, PluginIn(which): PluginIn) -> Answered<Vec<PluginInfo>> {
    Ok(Json(house.reception.release(&which).await?))
}

async fn import(State(house): App, Body(import): Body<ImportedStudy>) -> Answered<StudySummary> {
    let store = Arc::clone(&house.store);
    let imported = tokio::task::spawn_blocking(move || super::import::import(&store, import)).await;
    let imported = imported.map_err(|error| internal(&error.into()))?;
    Ok(Json(imported?))
}

async fn hire(
    State(house): App,
    Either(new, compact): Either<NewWorker>,
) -> Result<Response, Refusal> {
    let hired: Hired = house.engine.ask(|reply| Ask::Hire(new, reply)).await?;
    either(&hired, compact)
}

async fn brief(
    State(house): App,
    StudyIn(id): StudyIn,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let brief: Brief = house.engine.ask(|reply| Ask::Brief(id, reply)).await?;
    either(&brief, accepts_compact(&headers))
}

async fn exchange(
    State(house): App,
    WorkerIn(worker): WorkerIn,
    Either(exchange, compact): Either<Exchange>,
) -> Result<Response, Refusal> {
    let ask = |reply| Ask::Exchange(worker, Box::new(exchange), reply);
    let answer: Answer = house.engine.ask(ask).await?;
    either(&answer, compact)
}

async fn study_events(
    State(house): App,
    StudyIn(id): StudyIn,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    breakpoint::pass("daemon-before-events");
    let begin = read(&house, move |store| store.study(id).map(drop));
    begin.await?;
    Ok(events::stream(house, Some(id), after(&headers)))
}

async fn all_events(State(house): App, headers: HeaderMap) -> Response {
    events::stream(house, None, after(&headers))
}

fn after(headers: &HeaderMap) -> Option<u64> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}

/// What Prometheus reads.
async fn metrics(State(house): App) -> Result<Response, Refusal> {
    let Json(status) = status(State(Arc::clone(&house))).await?;
    let Json(studies) = studies(State(house)).await?;
    let text = super::metrics::text(&status, &studies, clock::unix_ms());
    let form = [(header::CONTENT_TYPE, super::metrics::FORM)];
    Ok((form, text).into_response())
}
