//! The endpoints: one table that the client, the daemon's router and the OpenAPI document share.
//!
//! Each entry is an [`Endpoint`], which knows the types of its request and its answer, so that a
//! client's method cannot send or expect another. What all have in common is a [`Route`], and
//! [`ALL`] lists those.

use crate::check::{Checked, DataLook, Draft, Drafted, LookAtData, Preview, Previewed};
use crate::event::{Event, EventsQuery};
use crate::insight::{Insight, InsightQuery};
use crate::problem::ProblemCode;
use crate::request::{
    Backup, Created, Fork, Forked, ImportedStudy, LogLine, LogQuery, LookForPlugins, NewStudy,
    PluginInfo, ResumeStudy, Resumed, Steer, StepRows, StepsQuery, StoreReport, Zoom, ZoomQuery,
};
use crate::status::DaemonStatus;
use crate::study::{Note, StudyDetail, StudySummary};
use crate::table::{CurvesQuery, StudyQuery, TrialCurve, TrialQuery, TrialTable, TrialsQuery};
use crate::trial::{TrialDetail, TrialSummary};
use crate::work::{Answer, Brief, Exchange, Hired, NewWorker};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::marker::PhantomData;
use std::time::Duration;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, ToSchema};

/// The media type of JSON.
pub const JSON: &str = "application/json";
/// The media type of bodies in postcard.
pub const POSTCARD: &str = "application/vnd.attune.postcard";
/// The media type of events.
pub const EVENT_STREAM: &str = "text/event-stream";
/// The media type of a model file.
pub const OCTETS: &str = "application/octet-stream";
/// The media type of metrics.
pub const TEXT: &str = "text/plain";
/// The longest that a stream of events is silent: where nothing happens, the daemon sends a comment.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// An endpoint that takes a `Request` and answers an `Answer`.
#[derive(Debug)]
pub struct Endpoint<Request, Answer> {
    /// All but the types.
    pub route: Route,
    types: PhantomData<fn(Request) -> Answer>,
}

/// An endpoint without its types.
#[derive(Debug)]
pub struct Route {
    /// Its name, such as `CREATE_STUDY`; in lower case it is the operation's id.
    pub name: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path, such as `/v1/studies/{study}`.
    pub path: &'static str,
    /// What it does: the first line is its summary.
    pub docs: &'static [&'static str],
    /// What it takes.
    pub request: Takes,
    /// What it answers.
    pub answer: Answers,
    /// How it may fail, apart from how all do.
    pub fails: &'static [ProblemCode],
    /// How long a client waits for its answer.
    pub patience: Duration,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET: it changes nothing.
    Get,
    /// POST.
    Post,
    /// DELETE.
    Delete,
}

/// What an endpoint takes.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// A query string with these parameters.
    Query(fn() -> Vec<Parameter>),
    /// JSON.
    Json(Shape),
    /// JSON or postcard.
    Work(Shape),
}

/// What an endpoint answers.
#[derive(Debug, Clone, Copy)]
pub enum Answers {
    /// JSON.
    Json(Shape),
    /// JSON or, where it is asked for by `Accept`, postcard.
    Work(Shape),
    /// Server-sent events.
    Events(Shape),
    /// A file.
    File,
    /// Plain text.
    Text,
}

/// The schema of a type, or of a list of it.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// The type's name.
    pub name: fn() -> Cow<'static, str>,
    /// Its schema.
    pub schema: fn() -> RefOr<Schema>,
    /// The schemas of all that it is made of.
    pub parts: fn(&mut Vec<(String, RefOr<Schema>)>),
    /// Whether there are any number of them.
    pub list: bool,
}

/// No request, or an answer that says only that it is done: `{}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Nothing {}

impl Method {
    /// As HTTP writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Delete => "DELETE",
        }
    }
}

impl Route {
    /// Everything that it may fail with, each once, in the order of [`ProblemCode`].
    pub fn problems(&self) -> Vec<ProblemCode> {
        use ProblemCode::*;
        let all = [
            Invalid,
            Unauthorized,
            NotFound,
            MethodNotAllowed,
            Timeout,
            Conflict,
            TooLarge,
            UnsupportedMedia,
            TooMany,
            Internal,
            Unavailable,
        ];
        let always = [Unauthorized, Timeout, TooMany, Internal, Unavailable];
        let has_body = matches!(self.request, Takes::Json(_) | Takes::Work(_));
        let has_ids = self.path.contains('{');
        let has_query = matches!(self.request, Takes::Query(_));
        let fails = |code: &ProblemCode| {
            always.contains(code)
                || self.fails.contains(code)
                || match code {
                    Invalid => has_body || has_ids || has_query,
                    NotFound => has_ids,
                    TooLarge | UnsupportedMedia => has_body,
                    _ => false,
                }
        };
        all.into_iter().filter(fails).collect()
    }

    /// The names in its path's braces, in order.
    pub fn path_parameters(&self) -> impl Iterator<Item = &'static str> {
        let segments = self.path.split('/');
        segments.filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
    }
}

impl Shape {
    const fn one<T: ToSchema>() -> Self {
        Shape {
            name: T::name,
            schema: T::schema,
            parts: T::schemas,
            list: false,
        }
    }

    const fn list<T: ToSchema>() -> Self {
        Shape {
            list: true,
            ..Self::one::<T>()
        }
    }
}

fn query_of<T: IntoParams>() -> Vec<Parameter> {
    T::into_params(|| Some(ParameterIn::Query))
}

/// Most answers come at once.
const SOON: Duration = Duration::from_secs(30);
/// To read a large data file, or everything that is kept, takes its time.
const LATE: Duration = Duration::from_secs(15 * 60);

/// One row an endpoint, so that none is missing from [`ALL`].
macro_rules! endpoints {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident: $method:ident $path:literal,
        $takes:ident $request:tt => $answers:ident $answer:tt,
        [$($code:ident),*] $patience:ident;
    )*) => {
        $(
            $(#[doc = $doc])+
            pub static $name: Endpoint<endpoints!(@type $request), endpoints!(@type $answer)> =
                Endpoint {
                    route: Route {
                        name: stringify!($name),
                        method: Method::$method,
                        path: $path,
                        docs: &[$($doc),+],
                        request: endpoints!(@takes $takes $request),
                        answer: endpoints!(@answers $answers $answer),
                        fails: &[$(ProblemCode::$code),*],
                        patience: $patience,
                    },
                    types: PhantomData,
                };
        )*

        /// Every endpoint.
        pub static ALL: &[&Route] = &[$(&$name.route),*];
    };
    (@type [$type:ty]) => { Vec<$type> };
    (@type ($type:ty)) => { $type };
    (@shape [$type:ty]) => { Shape::list::<$type>() };
    (@shape ($type:ty)) => { Shape::one::<$type>() };
    (@takes nothing $type:tt) => { Takes::Nothing };
    (@takes query ($type:ty)) => { Takes::Query(query_of::<$type>) };
    (@takes json $type:tt) => { Takes::Json(endpoints!(@shape $type)) };
    (@takes work $type:tt) => { Takes::Work(endpoints!(@shape $type)) };
    (@answers json $type:tt) => { Answers::Json(endpoints!(@shape $type)) };
    (@answers work $type:tt) => { Answers::Work(endpoints!(@shape $type)) };
    (@answers events $type:tt) => { Answers::Events(endpoints!(@shape $type)) };
    (@answers file $type:tt) => { Answers::File };
    (@answers text $type:tt) => { Answers::Text };
}

endpoints! {
    /// How the daemon does.
    /// Its workers, every study that is not over, and why nothing moves where nothing does.
    STATUS: Get "/v1/status", nothing (Nothing) => json (DaemonStatus), [] SOON;
    /// Stops the daemon.
    /// Running trials are checkpointed and wait for the next one.
    SHUTDOWN: Post "/v1/shutdown", nothing (Nothing) => json (Nothing), [Conflict] SOON;

    /// Every study, the oldest first.
    STUDIES: Get "/v1/studies", nothing (Nothing) => json [StudySummary], [] SOON;
    /// Submits a study.
    /// It is checked, stored and then runs; what it answers is durable.
    CREATE_STUDY: Post "/v1/studies", json (NewStudy) => json (Created), [Conflict] LATE;
    /// A study with its trials.
    STUDY: Get "/v1/studies/{study}", query (StudyQuery) => json (StudyDetail), [] SOON;
    /// Deletes a study with all its trials.
    /// One that runs must be stopped first.
    DELETE_STUDY: Delete "/v1/studies/{study}", nothing (Nothing) => json (Nothing), [Conflict] SOON;
    /// Pauses a study.
    /// Its running trials are checkpointed and wait.
    PAUSE_STUDY: Post "/v1/studies/{study}/pause",
        nothing (Nothing) => json (StudySummary), [Conflict] SOON;
    /// Lets a study go on, with more trials or time or another study file where given.
    RESUME_STUDY: Post "/v1/studies/{study}/resume",
        json (ResumeStudy) => json (Resumed), [Conflict] LATE;
    /// Ends a study; what it has is kept.
    STOP_STUDY: Post "/v1/studies/{study}/stop",
        nothing (Nothing) => json (StudySummary), [Conflict] SOON;
    /// The best trial's model, a safetensors file.
    MODEL: Get "/v1/studies/{study}/model", nothing (Nothing) => file (Vec<u8>), [Conflict] SOON;
    /// What happens in a study, as it happens.
    STUDY_EVENTS: Get "/v1/studies/{study}/events",
        query (EventsQuery) => events (Event), [] SOON;
    /// What happens in any study, as it happens.
    EVENTS: Get "/v1/events", query (EventsQuery) => events (Event), [] SOON;
    /// A study's trials by their numbers, in few bytes.
    TRIALS: Get "/v1/studies/{study}/trials", query (TrialsQuery) => work (TrialTable), [] SOON;
    /// Learning curves of a study's trials.
    CURVES: Get "/v1/studies/{study}/curves", query (CurvesQuery) => work [TrialCurve], [] SOON;
    /// Which settings decide how good a trial becomes.
    INSIGHT: Get "/v1/studies/{study}/insight", query (InsightQuery) => json (Insight), [] SOON;
    /// Writes something about a study, in place of what was written before.
    NOTE_STUDY: Post "/v1/studies/{study}/note", json (Note) => json (StudySummary), [] SOON;

    /// A trial with its curves.
    TRIAL: Get "/v1/trials/{trial}", query (TrialQuery) => json (TrialDetail), [] SOON;
    /// Writes something about a trial, in place of what was written before.
    NOTE_TRIAL: Post "/v1/trials/{trial}/note", json (Note) => json (TrialSummary), [] SOON;
    /// Trains a trial that has ended once more from its beginning, with the same configuration and
    /// seed, in a study of its own.
    RETRY_TRIAL: Post "/v1/trials/{trial}/retry",
        nothing (Nothing) => json (Forked), [Conflict] LATE;
    /// Pauses a trial.
    /// It is checkpointed and lets its worker go.
    PAUSE_TRIAL: Post "/v1/trials/{trial}/pause",
        nothing (Nothing) => json (TrialSummary), [Conflict] SOON;
    /// Lets a paused trial go on from its last checkpoint.
    RESUME_TRIAL: Post "/v1/trials/{trial}/resume",
        nothing (Nothing) => json (TrialSummary), [Conflict] SOON;
    /// Ends a trial; what it has is kept.
    STOP_TRIAL: Post "/v1/trials/{trial}/stop",
        nothing (Nothing) => json (TrialSummary), [Conflict] SOON;
    /// Takes the wheel of a running trial.
    STEER: Post "/v1/trials/{trial}/steer", json (Steer) => json (TrialSummary), [Conflict] SOON;
    /// Begins a new trial from a checkpoint of this one, in a study of its own.
    FORK: Post "/v1/trials/{trial}/fork", json (Fork) => json (Forked), [Conflict] LATE;
    /// A column of a trial's steps, at most so many stretches of it.
    ZOOM: Get "/v1/trials/{trial}/zoom", query (ZoomQuery) => json (Zoom), [] SOON;
    /// A trial's steps one by one.
    STEPS: Get "/v1/trials/{trial}/steps", query (StepsQuery) => json (StepRows), [] SOON;

    /// The scheduler plugins that the daemon knows.
    PLUGINS: Get "/v1/plugins", nothing (Nothing) => json [PluginInfo], [] SOON;
    /// The scheduler plugins that there are, with those in other places.
    LOOK_FOR_PLUGINS: Post "/v1/plugins", json (LookForPlugins) => json [PluginInfo], [] LATE;
    /// Lifts a plugin's quarantine.
    /// It is named by the hash of its content, or by the name of a scheduler in it.
    RELEASE_PLUGIN: Post "/v1/plugins/{plugin}/release",
        nothing (Nothing) => json [PluginInfo], [Conflict] SOON;

    /// Tries a scheduler on a made-up run, without training.
    PREVIEW: Post "/v1/preview", json (Preview) => json (Previewed), [Conflict] SOON;

    /// Says what a study file comes to and what is wrong with it, and runs nothing.
    CHECK: Post "/v1/check", json (NewStudy) => json (Checked), [] LATE;
    /// Writes a study file for a table of data.
    DRAFT: Post "/v1/draft", json (Draft) => json (Drafted), [] LATE;
    /// Looks at a folder or a table of data.
    LOOK_AT_DATA: Post "/v1/data", json (LookAtData) => json (DataLook), [] LATE;

    /// Takes in a study that ran elsewhere, or before.
    IMPORT: Post "/v1/import", json (ImportedStudy) => json (StudySummary), [] LATE;
    /// Reads everything that is kept and says what is damaged.
    VERIFY_STORE: Post "/v1/store/verify", nothing (Nothing) => json (StoreReport), [] LATE;
    /// Gives room back that nothing needs any more.
    COMPACT_STORE: Post "/v1/store/compact",
        nothing (Nothing) => json (StoreReport), [Conflict] LATE;
    /// Writes a copy of everything that is kept.
    BACKUP_STORE: Post "/v1/store/backup", json (Backup) => json (StoreReport), [Conflict] LATE;

    /// Takes on a worker.
    HIRE: Post "/v1/workers", json (NewWorker) => json (Hired), [Conflict] SOON;
    /// What a worker must know of a study to train its trials.
    BRIEF: Get "/v1/workers/brief/{study}", nothing (Nothing) => json (Brief), [] SOON;
    /// A worker's reports, and the daemon's orders and leases.
    /// It answers at the latest when the worker's patience ends.
    EXCHANGE: Post "/v1/workers/{worker}/exchange",
        work (Exchange) => work (Answer), [Conflict] SOON;

    /// The end of the daemon's log.
    LOG: Get "/v1/log", query (LogQuery) => json [LogLine], [] SOON;
    /// This description.
    OPENAPI: Get "/v1/openapi.json", nothing (Nothing) => json (serde_json::Value), [] SOON;
    /// Figures for Prometheus.
    METRICS: Get "/metrics", nothing (Nothing) => text (String), [] SOON;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_endpoint_is_there_once() {
        let paths: BTreeSet<_> = ALL.iter().map(|r| (r.method.as_str(), r.path)).collect();
        assert_eq!(paths.len(), ALL.len());
        assert_eq!(ALL.len(), 43);
        for route in ALL {
            assert!(route.path.starts_with("/v1/") || route.path == "/metrics");
            assert!(!route.docs.is_empty());
            let has_body = matches!(route.request, Takes::Json(_) | Takes::Work(_));
            assert!(!has_body || route.method == Method::Post, "{}", route.path);
        }
    }

    #[test]
    fn problems_follow_from_the_shape() {
        use ProblemCode::*;
        let always = [Unauthorized, Timeout, TooMany, Internal, Unavailable];
        assert_eq!(STATUS.route.problems(), always);
        assert_eq!(
            STUDY.route.problems(),
            [
                Invalid,
                Unauthorized,
                NotFound,
                Timeout,
                TooMany,
                Internal,
                Unavailable
            ]
        );
        let create = CREATE_STUDY.route.problems();
        assert!(create.contains(&TooLarge) && create.contains(&Conflict));
        assert!(ZOOM.route.problems().contains(&Invalid));
    }
}
