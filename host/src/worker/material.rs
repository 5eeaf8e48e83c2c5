//! What all trials of a study train on.

use crate::study::dataset;
use crate::study::spec::StudySpec;
use crate::study::trial::Common;
use anyhow::ensure;
use attune_protocol::work::Brief;
use attune_trainer::data::Dataset;
use std::path::Path;
use std::sync::Arc;

/// How many digits of a hash tell two files apart for people.
const DIGITS: usize = 12;

/// A study's settings and data.
#[derive(Debug)]
pub(crate) struct Material {
    brief: Arc<Brief>,
    pub(crate) common: Common,
    pub(crate) dataset: Arc<Dataset>,
    /// The objective of the best model that this worker wrote for the study. Worse ones are not
    /// wanted, though those who leased them could not know that yet.
    pub(crate) best_written: Option<f64>,
}

impl Material {
    /// Reads and prepares it. What goes wrong here would go wrong for every trial of the study.
    /// With a folder for datasets, workers share what is large.
    pub(crate) fn prepare(brief: &Arc<Brief>, datasets: Option<&Path>) -> anyhow::Result<Self> {
        let spec = StudySpec::parse(Path::new(&brief.file), &brief.spec)?;
        let refuse_another = |hash: &str| {
            ensure!(
                hash == brief.data_hash,
                "the data file {} changed since the study began (its hash was {} and is {}); put \
                 the old file back and resume the study, or run the study file again as a new study",
                spec.data.path.display(),
                digits(&brief.data_hash),
                digits(hash),
            );
            Ok(())
        };
        let mut is_read = false;
        let mut made = || {
            let (source, hash) = dataset::read(&spec)?;
            refuse_another(&hash)?;
            is_read = true;
            anyhow::Ok(dataset::prepare(&spec, &source)?)
        };
        let data = match datasets {
            Some(folder) => {
                let options = dataset::options(&spec);
                Dataset::cached(folder, &brief.data_hash, &options, made)?
            }
            None => made()?,
        };
        if !is_read {
            refuse_another(&dataset::hash(&spec)?)?;
        }
        let objective = dataset::objective(&spec, &data).map_err(anyhow::Error::msg)?;
        Ok(Material {
            brief: Arc::clone(brief),
            common: Common::of(&spec, objective),
            dataset: Arc::new(data),
            best_written: None,
        })
    }

    /// Whether it is what this brief asks for. A study that was changed while it ran has another
    /// text than before.
    pub(crate) fn fits(&self, brief: &Arc<Brief>) -> bool {
        let essential = |brief: &Brief| {
            (
                brief.spec.clone(),
                brief.file.clone(),
                brief.data_hash.clone(),
            )
        };
        Arc::ptr_eq(&self.brief, brief) || essential(&self.brief) == essential(brief)
    }

    /// Whether a model of this objective is wanted where `beat` is to be beaten.
    pub(crate) fn wants_model(&self, objective: f64, beat: Option<f64>) -> bool {
        let metric = self.common.objective;
        let not_worse =
            |than: Option<f64>| than.is_none_or(|than| !metric.is_better(than, objective));
        objective.is_finite() && not_worse(beat) && not_worse(self.best_written)
    }
}

fn digits(hash: &str) -> &str {
    hash.get(..DIGITS).unwrap_or(hash)
}
