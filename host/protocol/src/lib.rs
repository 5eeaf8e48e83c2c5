//! Wire types: what the engine tells and every front end reads.
//!
//! These are the JSON forms of studies, trials and events. They are a set of their own, apart from
//! what is stored on disk and from what crosses the plugin boundary, so that each can change
//! without the others; the host converts. The client that speaks to a daemon will live here too.
//!
//! What must not live here: any decision, any file, any terminal. This crate knows no other room.
//!
//! Floats may be NaN or infinite and JSON has no such numbers: every float field is a [`Number`],
//! written as a plain number where it is finite and as `"NaN"`, `"Infinity"` or `"-Infinity"`
//! where it is not.

mod event;
mod number;
mod problem;
mod request;
mod scalar;
mod status;
mod study;
mod trial;
pub mod work;

pub use event::{Event, Progress};
pub use number::{Number, Single};
pub use problem::{Problem, ProblemCode};
pub use request::{
    Bucket, Created, Fork, Forked, ImportedStudy, ImportedTrial, NewStudy, PluginInfo, Quarantine,
    ResumeStudy, Resumed, Steer, StepRows, StoreReport, Zoom,
};
pub use scalar::Scalar;
pub use status::{DaemonStatus, StudyStatus, WorkerStatus};
pub use study::{Direction, Origin, StudyDetail, StudyState, StudySummary, TrialCounts};
pub use trial::{Curve, KeptAs, Metrics, TrialDetail, TrialState, TrialSummary};
