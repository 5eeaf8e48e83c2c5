//! The client: a method for each endpoint, and nothing that it decides by itself.
//!
//! Connections are kept and used again. One that was closed while idle is replaced by a new one
//! where that is safe: where nothing of the request was sent, or where it only reads.

mod address;
mod call;
mod connection;
mod error;
mod events;
mod model;
mod path;
mod sse;

pub use address::{Address, AddressError, Token};
pub use error::ClientError;
pub use events::{EventStream, Notice, Scope};
pub use model::ModelStream;

use crate::check::{Checked, DataLook, Draft, Drafted, LookAtData, Preview, Previewed};
use crate::endpoint::{self, Endpoint, Nothing, Route};
use crate::event::EventsQuery;
use crate::insight::{Insight, InsightQuery};
use crate::request::{
    Backup, Created, Fork, Forked, ImportedStudy, LogLine, LogQuery, LookForPlugins, NewStudy,
    PluginInfo, ResumeStudy, Resumed, Steer, StepRows, StepsQuery, StoreReport, Zoom, ZoomQuery,
};
use crate::status::DaemonStatus;
use crate::study::{Note, StudyDetail, StudySummary};
use crate::table::{CurvesQuery, StudyQuery, TrialCurve, TrialQuery, TrialTable, TrialsQuery};
use crate::trial::{TrialDetail, TrialSummary};
use crate::work::{Answer, Brief, Exchange, Hired, NewWorker};
use bytes::Bytes;
use call::{Door, decoded};
use error::Asked;
use hyper::header::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

type Result<T> = std::result::Result<T, ClientError>;

/// A client of one daemon. Clones share its connections. Its methods run on a Tokio runtime with
/// time and I/O.
///
/// Every method may fail with any [`ClientError`]; what a daemon refuses is
/// [`ClientError::Problem`]. Every call has a deadline, the endpoint's own
/// ([`Route::patience`]) unless [`Client::within`] sets another.
#[derive(Debug, Clone)]
pub struct Client {
    door: Arc<Door>,
    within: Option<Duration>,
}

impl Client {
    /// A client. Nothing is connected before something is asked.
    pub fn new(address: Address) -> Self {
        Client {
            door: Arc::new(Door::new(address)),
            within: None,
        }
    }

    /// The same client with this deadline on each answer.
    #[must_use]
    pub fn within(&self, deadline: Duration) -> Self {
        Client {
            door: Arc::clone(&self.door),
            within: Some(deadline),
        }
    }

    /// Where its daemon is.
    pub fn address(&self) -> &Address {
        &self.door.address
    }

    /// How the daemon does.
    pub async fn status(&self) -> Result<DaemonStatus> {
        self.get(&endpoint::STATUS, &[]).await
    }

    /// Stops the daemon.
    pub async fn shutdown(&self) -> Result<()> {
        self.done(&endpoint::SHUTDOWN, &[]).await
    }

    /// Every study, the oldest first.
    pub async fn studies(&self) -> Result<Vec<StudySummary>> {
        self.get(&endpoint::STUDIES, &[]).await
    }

    /// Submits a study.
    pub async fn create_study(&self, study: &NewStudy) -> Result<Created> {
        self.call(&endpoint::CREATE_STUDY, &[], study).await
    }

    /// A study with its trials.
    pub async fn study(&self, study: &str) -> Result<StudyDetail> {
        self.call(&endpoint::STUDY, &[study], &StudyQuery::default())
            .await
    }

    /// A study without its trials.
    pub async fn study_alone(&self, study: &str) -> Result<StudyDetail> {
        let alone = StudyQuery { brief: true };
        self.call(&endpoint::STUDY, &[study], &alone).await
    }

    /// Deletes a study with all its trials.
    pub async fn delete_study(&self, study: &str) -> Result<()> {
        self.done(&endpoint::DELETE_STUDY, &[study]).await
    }

    /// Pauses a study.
    pub async fn pause_study(&self, study: &str) -> Result<StudySummary> {
        self.get(&endpoint::PAUSE_STUDY, &[study]).await
    }

    /// Lets a study go on.
    pub async fn resume_study(&self, study: &str, more: &ResumeStudy) -> Result<Resumed> {
        self.call(&endpoint::RESUME_STUDY, &[study], more).await
    }

    /// Ends a study.
    pub async fn stop_study(&self, study: &str) -> Result<StudySummary> {
        self.get(&endpoint::STOP_STUDY, &[study]).await
    }

    /// The best trial's model, piece by piece; the deadline is that of each piece.
    pub async fn model(&self, study: &str) -> Result<ModelStream> {
        let letter = self
            .door
            .letter(&endpoint::MODEL, &[study], &Nothing {}, HeaderMap::new())?;
        let patience = self.patience(&endpoint::MODEL.route);
        let answer = timeout(patience, self.door.ask(&letter)).await;
        let (response, connection) =
            answer.unwrap_or_else(|_| Err(letter.asked.timeout(patience)))?;
        ModelStream::new(response.into_body(), connection, patience, letter.asked)
    }

    /// What happens from now on. When this has answered, nothing that happens is missed.
    pub async fn events(&self, scope: Scope) -> Result<EventStream> {
        EventStream::open(self, scope, EventsQuery::default(), None).await
    }

    /// What happens from now on, told in this way.
    pub async fn events_told(&self, scope: Scope, how: EventsQuery) -> Result<EventStream> {
        EventStream::open(self, scope, how, None).await
    }

    /// What happened after this event, and what happens from now on.
    pub async fn events_after(&self, scope: Scope, event: u64) -> Result<EventStream> {
        EventStream::open(self, scope, EventsQuery::default(), Some(event)).await
    }

    /// A study's trials by their numbers.
    pub async fn trials(&self, study: &str, which: &TrialsQuery) -> Result<TrialTable> {
        self.call(&endpoint::TRIALS, &[study], which).await
    }

    /// Learning curves of a study's trials.
    pub async fn curves(&self, study: &str, which: &CurvesQuery) -> Result<Vec<TrialCurve>> {
        self.call(&endpoint::CURVES, &[study], which).await
    }

    /// Which settings decide how good a trial becomes.
    pub async fn insight(&self, study: &str, how: &InsightQuery) -> Result<Insight> {
        self.call(&endpoint::INSIGHT, &[study], how).await
    }

    /// Writes something about a study.
    pub async fn note_study(&self, study: &str, note: &Note) -> Result<StudySummary> {
        self.call(&endpoint::NOTE_STUDY, &[study], note).await
    }

    /// A trial with its curves.
    pub async fn trial(&self, trial: &str) -> Result<TrialDetail> {
        self.call(&endpoint::TRIAL, &[trial], &TrialQuery::default())
            .await
    }

    /// A trial with its curves, each of at most so many points.
    pub async fn trial_thinned(&self, trial: &str, points: u32) -> Result<TrialDetail> {
        let thinned = TrialQuery {
            points: Some(points),
        };
        self.call(&endpoint::TRIAL, &[trial], &thinned).await
    }

    /// Writes something about a trial.
    pub async fn note_trial(&self, trial: &str, note: &Note) -> Result<TrialSummary> {
        self.call(&endpoint::NOTE_TRIAL, &[trial], note).await
    }

    /// Trains an ended trial once more, in a study of its own.
    pub async fn retry_trial(&self, trial: &str) -> Result<Forked> {
        self.get(&endpoint::RETRY_TRIAL, &[trial]).await
    }

    /// Pauses a trial.
    pub async fn pause_trial(&self, trial: &str) -> Result<TrialSummary> {
        self.get(&endpoint::PAUSE_TRIAL, &[trial]).await
    }

    /// Lets a paused trial go on.
    pub async fn resume_trial(&self, trial: &str) -> Result<TrialSummary> {
        self.get(&endpoint::RESUME_TRIAL, &[trial]).await
    }

    /// Ends a trial.
    pub async fn stop_trial(&self, trial: &str) -> Result<TrialSummary> {
        self.get(&endpoint::STOP_TRIAL, &[trial]).await
    }

    /// Takes the wheel of a running trial.
    pub async fn steer(&self, trial: &str, steer: &Steer) -> Result<TrialSummary> {
        self.call(&endpoint::STEER, &[trial], steer).await
    }

    /// Begins a new trial from a checkpoint of this one.
    pub async fn fork(&self, trial: &str, fork: &Fork) -> Result<Forked> {
        self.call(&endpoint::FORK, &[trial], fork).await
    }

    /// A column of a trial's steps.
    pub async fn zoom(&self, trial: &str, zoom: &ZoomQuery) -> Result<Zoom> {
        self.call(&endpoint::ZOOM, &[trial], zoom).await
    }

    /// A trial's steps one by one.
    pub async fn steps(&self, trial: &str, steps: &StepsQuery) -> Result<StepRows> {
        self.call(&endpoint::STEPS, &[trial], steps).await
    }

    /// The scheduler plugins that the daemon knows.
    pub async fn plugins(&self) -> Result<Vec<PluginInfo>> {
        self.get(&endpoint::PLUGINS, &[]).await
    }

    /// The scheduler plugins that there are, with those in other places.
    pub async fn look_for_plugins(&self, look: &LookForPlugins) -> Result<Vec<PluginInfo>> {
        self.call(&endpoint::LOOK_FOR_PLUGINS, &[], look).await
    }

    /// Lifts the quarantine of a plugin, named by its hash or by a scheduler in it.
    pub async fn release_plugin(&self, plugin: &str) -> Result<Vec<PluginInfo>> {
        self.get(&endpoint::RELEASE_PLUGIN, &[plugin]).await
    }

    /// Tries a scheduler on a made-up run.
    pub async fn preview(&self, preview: &Preview) -> Result<Previewed> {
        self.call(&endpoint::PREVIEW, &[], preview).await
    }

    /// What a study file comes to, and what is wrong with it.
    pub async fn check(&self, study: &NewStudy) -> Result<Checked> {
        self.call(&endpoint::CHECK, &[], study).await
    }

    /// A study file for a table of data.
    pub async fn draft(&self, draft: &Draft) -> Result<Drafted> {
        self.call(&endpoint::DRAFT, &[], draft).await
    }

    /// A folder or a table of data.
    pub async fn look_at_data(&self, look: &LookAtData) -> Result<DataLook> {
        self.call(&endpoint::LOOK_AT_DATA, &[], look).await
    }

    /// The end of the daemon's log.
    pub async fn log(&self, which: &LogQuery) -> Result<Vec<LogLine>> {
        self.call(&endpoint::LOG, &[], which).await
    }

    /// Takes in a study that ran elsewhere.
    pub async fn import(&self, study: &ImportedStudy) -> Result<StudySummary> {
        self.call(&endpoint::IMPORT, &[], study).await
    }

    /// Reads everything that is kept and says what is damaged.
    pub async fn verify_store(&self) -> Result<StoreReport> {
        self.get(&endpoint::VERIFY_STORE, &[]).await
    }

    /// Gives room back that nothing needs any more.
    pub async fn compact_store(&self) -> Result<StoreReport> {
        self.get(&endpoint::COMPACT_STORE, &[]).await
    }

    /// Writes a copy of everything that is kept.
    pub async fn backup_store(&self, backup: &Backup) -> Result<StoreReport> {
        self.call(&endpoint::BACKUP_STORE, &[], backup).await
    }

    /// Begins as a worker.
    pub async fn hire(&self, worker: &NewWorker) -> Result<Hired> {
        self.call(&endpoint::HIRE, &[], worker).await
    }

    /// What a worker must know of a study.
    pub async fn brief(&self, study: &str) -> Result<Brief> {
        self.get(&endpoint::BRIEF, &[study]).await
    }

    /// A worker's reports, and the daemon's orders and leases. The exchange's patience is waited
    /// for on top of the deadline.
    pub async fn exchange(&self, worker: u64, exchange: &Exchange) -> Result<Answer> {
        let patience = self.patience(&endpoint::EXCHANGE.route);
        let patience = patience.saturating_add(Duration::from_millis(exchange.patience_ms));
        let client = self.within(patience);
        let worker = worker.to_string();
        client.call(&endpoint::EXCHANGE, &[&worker], exchange).await
    }

    /// The daemon's own description of all this.
    pub async fn openapi(&self) -> Result<serde_json::Value> {
        self.get(&endpoint::OPENAPI, &[]).await
    }

    /// Figures for Prometheus, as text.
    pub async fn metrics(&self) -> Result<String> {
        let (_, body, asked) = self.ask(&endpoint::METRICS, &[], &Nothing {}).await?;
        String::from_utf8(body.into()).map_err(|e| asked.bad(e.to_string()))
    }

    async fn get<A: DeserializeOwned>(
        &self,
        endpoint: &Endpoint<Nothing, A>,
        ids: &[&str],
    ) -> Result<A> {
        self.call(endpoint, ids, &Nothing {}).await
    }

    async fn done(&self, endpoint: &Endpoint<Nothing, Nothing>, ids: &[&str]) -> Result<()> {
        self.get(endpoint, ids).await.map(|Nothing {}| ())
    }

    async fn call<Q: Serialize, A: DeserializeOwned>(
        &self,
        endpoint: &Endpoint<Q, A>,
        ids: &[&str],
        request: &Q,
    ) -> Result<A> {
        let (headers, body, asked) = self.ask(endpoint, ids, request).await?;
        decoded(&headers, &body, &asked)
    }

    async fn ask<Q: Serialize, A>(
        &self,
        endpoint: &Endpoint<Q, A>,
        ids: &[&str],
        request: &Q,
    ) -> Result<(HeaderMap, Bytes, Asked)> {
        let letter = self.door.letter(endpoint, ids, request, HeaderMap::new())?;
        let patience = self.patience(&endpoint.route);
        let answer = timeout(patience, async {
            let (response, connection) = self.door.ask(&letter).await?;
            let headers = response.headers().clone();
            let (body, connection) = self.door.body(response, connection, &letter.asked).await?;
            self.door.keep(connection);
            Ok((headers, body))
        });
        let answer = answer
            .await
            .unwrap_or_else(|_| Err(letter.asked.timeout(patience)));
        answer.map(|(headers, body)| (headers, body, letter.asked))
    }

    fn patience(&self, route: &Route) -> Duration {
        self.within.unwrap_or(route.patience)
    }
}
