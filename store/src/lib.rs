//! Everything Attune keeps: studies, trials, step histories, knowledge.
//!
//! [`Store`] is the one door. Behind it stands an append-only journal, which every write reaches
//! first and which alone is enough to rebuild everything, and an index made of it, for reading.
//! Only `index.rs` names sled. `recovery.rs` brings the two together on opening.
//!
//! What must not be here: anything of the other rooms. The record types are the disk's own, and the
//! host converts. Checkpoints and models are files elsewhere.
//!
//! A store's directory:
//!
//! ```text
//! lock                              held while open: the holder's pid and description
//! journal/segment-FIRST.journal     writes in order, by the first one's number
//! journal/snapshot-LAST.journal     the live records of all segments before, up to this number
//! journal/*.damaged                 damaged files, kept for whoever wants to look into them
//! index.N/                          sled; can be deleted, and comes back from the journal
//! ```

mod batch;
mod commit;
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
pub use error::Error;
pub use id::{Id, StudyId, TrialId};
pub use record::{
    Best, Direction, EpochMetrics, Knowledge, PluginBuild, Scalar, StudyRecord, StudyState,
    TrialRecord, TrialState,
};
pub use report::{IndexState, Loss, OpenReport, TornTail};
pub use shared::MAX_BATCH_BYTES;
pub use steps::{CHUNK_ROWS, Column, MAX_COLUMN_NAME, MAX_COLUMNS, Steps, Values};
pub use store::{Options, Orphans, Store};
