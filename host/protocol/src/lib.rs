//! What the daemon and everybody who talks to it say to each other.
//!
//! Three things live here. The **wire types** are the JSON forms of studies, trials and events, and
//! what workers and the daemon exchange ([`work`]). They are a set of their own, apart from what is
//! stored on disk and from what crosses the plugin boundary, so that each can change without the
//! others; the host converts. The **table of endpoints** ([`endpoint`]) says which request goes
//! where and what it answers; the daemon's router and the OpenAPI document ([`openapi`], checked in
//! as `openapi.json`) are made from it. The **client** ([`client`]) has a method for each of them.
//!
//! What must not live here: any decision, any state, any terminal, and of files only the
//! certificate that a client trusts. This crate knows no other room.
//!
//! Floats may be NaN or infinite and JSON has no such numbers: every float field is a [`Number`],
//! written as a plain number where it is finite and as `"NaN"`, `"Infinity"` or `"-Infinity"`
//! where it is not.

mod check;
pub mod client;
pub mod endpoint;
mod event;
mod insight;
mod number;
mod openapi;
mod problem;
mod request;
mod scalar;
mod status;
mod study;
mod table;
mod trial;
pub mod work;

pub use check::{
    Checked, DataColumn, DataEntry, DataLook, DataTable, Draft, Drafted, Estimate, LookAtData,
    Preview, Previewed, SpacePart, SpecProblem,
};
pub use client::{Address, Client, ClientError};
pub use event::{Event, EventsQuery, Progress};
pub use insight::{Importance, Insight, InsightQuery};
pub use number::{Number, Single};
pub use openapi::openapi;
pub use problem::{Problem, ProblemCode};
pub use request::{
    Backup, Bucket, Created, Fork, Forked, ImportedStudy, ImportedTrial, LogLine, LogQuery,
    LookForPlugins, NewStudy, PluginInfo, Quarantine, ResumeStudy, Resumed, Steer, StepRows,
    StepsQuery, StoreReport, Zoom, ZoomQuery,
};
pub use scalar::Scalar;
pub use status::{DaemonStatus, Gpu, Machine, StudyStatus, WorkerStatus};
pub use study::{Direction, Note, Origin, StudyDetail, StudyState, StudySummary, TrialCounts};
pub use table::{
    CurvesQuery, StudyQuery, TrialCurve, TrialQuery, TrialRow, TrialTable, TrialsQuery,
};
pub use trial::{Curve, KeptAs, Metrics, TrialDetail, TrialState, TrialSummary};
