//! What a stored study searches, or searched.

use super::{Reception, searched};
use crate::daemon::study::resolve;
use crate::study::space::StudySpace;
use crate::study::spec::StudySpec;
use attune_store::StudyRecord;
use std::path::Path;

impl Reception {
    /// The space of a study by its last study file, with the builds of its own schedulers.
    ///
    /// # Errors
    /// It ran elsewhere, its file makes no sense to this version, or its schedulers are gone.
    pub(in crate::daemon) async fn space(&self, study: &StudyRecord) -> anyhow::Result<StudySpace> {
        let spec = last_spec(study)?;
        let mut catalogue = self.catalogue.lock().await;
        let schedulers = catalogue.builds(study).await?;
        drop(catalogue);
        resolve(&spec, &searched(&schedulers, study))
    }
}

/// The study file by which a study runs, or ran to its end.
pub(in crate::daemon) fn last_spec(study: &StudyRecord) -> anyhow::Result<StudySpec> {
    let last = study
        .changes
        .last()
        .map_or(&study.spec, |change| &change.spec);
    Ok(StudySpec::parse(Path::new(&study.file), last)?)
}
