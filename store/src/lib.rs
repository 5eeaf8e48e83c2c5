//! Everything Attune keeps: studies, trials, step histories, knowledge.
//!
//! [`Store`] is the one door. Behind it stands an append-only journal, which every write reaches
//! first and which alone is enough to rebuild everything, and an index made of it, for reading.
//! Only `index.rs` names sled. `recovery.rs` brings the two together on opening, and `care.rs` looks
//! after a store that is in use.
//!
//! What must not be here: anything of the other rooms. The record types are the disk's own, and the
//! host converts. Checkpoints and models are files elsewhere.
//!
//! A store's directory:
//!
//! ```text
//! lock                                held while open: the holder's pid and description
//! journal/segment-FIRST.journal       writes in order, by the first one's number
//! journal/snapshot-FIRST-LAST.journal the live records among the writes of these numbers
//! journal/*.damaged                   damaged files, kept for whoever wants to look into them
//! index.N/                            sled: small records, and where the large ones lie in the
//!                                     journal; can be deleted, and comes back from it
//! ```

mod batch;
mod care;
mod commit;
mod deletion;
mod error;
mod id;
mod index;
mod journal;
mod key;
mod lock;
mod record;
mod recovery;
mod report;
mod shared;
mod steps;
mod store;

pub use batch::Batch;
pub use care::{Backup, DamagedRecord, Harm, Stats, Verification};
pub use error::Error;
pub use id::{Id, StudyId, TrialId};
pub use record::{
    Action, Best, Change, Checkpoint, Death, Direction, EpochMetrics, Intervention, KeptAs,
    Knowledge, ModelFile, Note, Notes, Origin, Outcome, OutcomeKind, PluginBuild, Quarantine,
    Scalar, StudyRecord, StudyState, TrialRecord, TrialState,
};
pub use report::{IndexState, Loss, OpenReport, TornTail};
pub use shared::MAX_BATCH_BYTES;
pub use steps::curve::{Curve, History, MAX_POINTS};
pub use steps::summary::Bucket;
pub use steps::{CHUNK_ROWS, Column, MAX_COLUMN_NAME, MAX_COLUMNS, Steps, Values};
pub use store::{Options, Store};
