//! What all trials of a study train on.

use crate::study::data::DataSpec;
use crate::study::dataset::{self, joint_hash};
use crate::study::matter::{Found, Matter};
use crate::study::space::FullConfig;
use crate::study::spec::StudySpec;
use crate::study::task::TaskSpec;
use crate::study::trial::Common;
use anyhow::ensure;
use attune_protocol::work::Brief;
use attune_trainer::data::Dataset;
use attune_trainer::trial::Subject;
use std::path::Path;
use std::sync::Arc;

/// How many digits of a hash tell two files apart for people.
const DIGITS: usize = 12;

/// A study's settings and data.
#[derive(Debug)]
pub(crate) struct Material {
    brief: Arc<Brief>,
    pub(crate) common: Common,
    matter: Matter,
    /// The objective of the best model that this worker wrote for the study. Worse ones are not
    /// wanted, though those who leased them could not know that yet.
    pub(crate) best_written: Option<f64>,
}

impl Material {
    /// Reads and prepares it. What goes wrong here would go wrong for every trial of the study.
    /// With a folder for datasets, workers share what is large.
    pub(crate) fn prepare(brief: &Arc<Brief>, datasets: Option<&Path>) -> anyhow::Result<Self> {
        let spec = StudySpec::parse(Path::new(&brief.file), &brief.spec)?;
        let matter = match &spec.task {
            TaskSpec::Data(data) => Matter::Shared(subject(&spec, data, brief, datasets)?),
            TaskSpec::Function(_) | TaskSpec::Factorisation(_) => {
                let found = Found::of(&spec)?;
                refuse_another(&spec, brief, &found.hash)?;
                found.matter
            }
        };
        let objective = matter.objective(&spec).map_err(anyhow::Error::msg)?;
        Ok(Material {
            brief: Arc::clone(brief),
            common: Common::of(&spec, objective),
            matter,
            best_written: None,
        })
    }

    /// What a trial of this configuration trains.
    pub(crate) fn subject(&self, config: &FullConfig) -> anyhow::Result<Subject> {
        let subject = self.matter.subject(config)?;
        Ok(subject.optimising(self.common.objective))
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

/// The rows of a study's data, from where workers share them if there is such a folder, and the base
/// that is adapted to them if there is one.
fn subject(
    spec: &StudySpec,
    data: &DataSpec,
    brief: &Brief,
    datasets: Option<&Path>,
) -> anyhow::Result<Subject> {
    let base = dataset::Base::of(data)?;
    let options = dataset::options(data, spec.seed, base.as_ref());
    let mut is_read = false;
    let mut made = || {
        let (source, hash) = dataset::read(data)?;
        refuse_another(spec, brief, &joint_hash(hash, base.as_ref()))?;
        is_read = true;
        anyhow::Ok(source.prepare(&options)?)
    };
    let dataset = match datasets {
        Some(folder) => {
            let name = dataset::cache_name(data, &brief.data_hash);
            Dataset::cached(folder, &name, &options, made)?
        }
        None => made()?,
    };
    if !is_read {
        let hash = dataset::hash(data)?;
        refuse_another(spec, brief, &joint_hash(hash, base.as_ref()))?;
    }
    Ok(dataset::subject(Arc::new(dataset), base)?)
}

fn refuse_another(spec: &StudySpec, brief: &Brief, hash: &str) -> anyhow::Result<()> {
    ensure!(
        hash == brief.data_hash,
        "{} changed since the study began (its hash was {} and is {}); put the old one back and \
         resume the study, or run the study file again as a new study",
        match (spec.task.path(), spec.task.base()) {
            (Some(path), None) => format!("the data file {}", path.display()),
            (Some(path), Some(base)) => format!(
                "the data file {} or the base {}",
                path.display(),
                base.display()
            ),
            // What is made up follows from the study file and this program.
            (None, _) => format!("what [{}] comes to", spec.task.section()),
        },
        digits(&brief.data_hash),
        digits(hash),
    );
    Ok(())
}

fn digits(hash: &str) -> &str {
    hash.get(..DIGITS).unwrap_or(hash)
}
