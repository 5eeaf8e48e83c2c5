//! What the trials of a study train on, read or made up.

use super::dataset;
use super::reader::nearest;
use super::settings::name;
use super::space::FullConfig;
use super::spec::StudySpec;
use super::task::{MatrixSpec, TaskSpec};
use super::trial::size;
use attune_trainer::artifact::ModelError;
use attune_trainer::data::{DataError, Part, Shape, Source};
use attune_trainer::metrics::Metric;
use attune_trainer::task::{Factorisation, Task};
use attune_trainer::trial::{SettingsError, Subject, TrialError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What the trials of a study train on.
#[derive(Debug)]
pub(crate) enum Matter {
    /// The same for all of them.
    Shared(Subject),
    /// A matrix, which each factors at a rank of its own.
    OfRank(Factorisation),
}

/// What is told of it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) matter: Matter,
    /// The hash of all that it is made from.
    pub(crate) hash: String,
    pub(crate) rows: usize,
    /// Rows that are trained on.
    pub(crate) train_rows: usize,
    pub(crate) inputs: Inputs,
    pub(crate) columns: Vec<String>,
    /// What was done to it, a sentence each.
    pub(crate) notes: Vec<String>,
}

/// What has to fit the models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Inputs {
    /// What networks see of one row.
    Rows(Shape),
    /// A matrix of so many numbers.
    Matrix { rows: usize, columns: usize },
    /// There is nothing to see.
    Nothing,
}

/// Why there is nothing to train on.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Unfit {
    pub(crate) reason: String,
    /// Where in the study file that stands, such as `data.target`.
    pub(crate) key: String,
    /// The columns of the data, where those could be read.
    pub(crate) columns: Vec<String>,
}

impl Matter {
    /// What a trial of this configuration trains.
    pub(crate) fn subject(&self, config: &FullConfig) -> anyhow::Result<Subject> {
        match self {
            Matter::Shared(subject) => Ok(subject.clone()),
            Matter::OfRank(matrix) => {
                let factors = matrix.of_rank(size(config, name::RANK)?)?;
                Ok(Subject::task(factors)?)
            }
        }
    }

    /// What the study optimises.
    ///
    /// # Errors
    /// A sentence that names neither the file nor the line.
    pub(crate) fn objective(&self, spec: &StudySpec) -> Result<Metric, String> {
        let any = match self {
            Matter::Shared(subject) => Ok(subject.clone()),
            Matter::OfRank(matrix) => Subject::task(matrix.clone()),
        };
        let any = any.map_err(|error| error.to_string())?;
        let Some(name) = &spec.metric else {
            return Ok(any.usual_objective());
        };
        let known = any.metrics();
        let names = || known.iter().map(|metric| metric.name());
        let found = known.iter().find(|metric| metric.name() == name).copied();
        let lacks = found.and_then(|metric| any.dataset()?.unmeasurable(metric));
        if let Some(why) = lacks {
            return Err(format!(
                "the metric `{name}` has no value on the validation rows, since {why}; choose another \
                 metric, or other rows by `valid`, `seed`, or how [data] splits"
            ));
        }
        found.ok_or_else(|| {
            let kind = any.dataset().map(|dataset| dataset.task().kind());
            let mut disparities = kind.into_iter().flat_map(Metric::disparities);
            if disparities.any(|metric| metric.name() == name) {
                return format!(
                    "the metric `{name}` compares groups, and nothing says which; name the column \
                     that does as `protected` in [data]"
                );
            }
            let hint = nearest(name, names())
                .map(|right| format!("; did you mean `{right}`?"))
                .unwrap_or_default();
            let all: Vec<&str> = names().collect();
            format!(
                "the metric `{name}` does not fit {}; it can be {}{hint}",
                match &spec.task {
                    TaskSpec::Data(data) if data.is_text() => "a text".to_owned(),
                    TaskSpec::Data(data) => format!("the target `{}`", data.target),
                    other => format!("a {}", other.section()),
                },
                all.join(", ")
            )
        })
    }
}

impl Found {
    /// Reads what a study is about, or makes it up.
    pub(crate) fn of(spec: &StudySpec) -> Result<Self, Unfit> {
        match &spec.task {
            TaskSpec::Data(data) => {
                let unfit = |error, columns: &[String]| of_data(spec, &error, columns);
                let base = dataset::Base::of(data).map_err(|error| of_base(&error))?;
                let (source, hash) = dataset::read(data).map_err(|error| unfit(error, &[]))?;
                let columns = source.headers();
                let options = dataset::options(data, spec.seed, base.as_ref());
                let dataset = source.prepare(&options);
                let dataset = dataset.map_err(|error| unfit(error, columns))?;
                if let Some(reason) = dataset::unfit_weights(data, dataset.task()) {
                    return Err(Unfit {
                        reason,
                        key: "data.class_weights".into(),
                        columns: columns.to_vec(),
                    });
                }
                Ok(Found {
                    hash: dataset::joint_hash(hash, base.as_ref()),
                    rows: source.rows(),
                    train_rows: dataset.part(Part::Train).rows(),
                    inputs: Inputs::Rows(dataset.shape()),
                    columns: columns.to_vec(),
                    notes: dataset::notes(&dataset),
                    matter: Matter::Shared(
                        dataset::subject(Arc::new(dataset), base)
                            .map_err(|error| of_task(spec, &error))?,
                    ),
                })
            }
            TaskSpec::Function(settings) => {
                let function = settings.clone().check();
                let function = function.map_err(|error| of_setting(spec, &error))?;
                let notes = vec![format!(
                    "the function {} in {} dimensions, {} rows an epoch with noise of deviation {}",
                    function.name(),
                    settings.dimensions,
                    settings.rows,
                    settings.noise
                )];
                let hash = hash_of(&function);
                let subject = Subject::task(function);
                Ok(Found {
                    hash,
                    rows: settings.rows,
                    train_rows: settings.rows,
                    inputs: Inputs::Nothing,
                    columns: Vec::new(),
                    notes,
                    matter: Matter::Shared(subject.map_err(|error| of_task(spec, &error))?),
                })
            }
            TaskSpec::Factorisation(MatrixSpec::MadeUp(settings)) => {
                let matrix = settings.clone().check();
                let matrix = matrix.map_err(|error| of_setting(spec, &error))?;
                let made = format!(
                    "a matrix of {} by {} numbers, made up from factors of rank {} with noise of \
                     deviation {}",
                    settings.rows, settings.columns, settings.planted, settings.noise
                );
                let hash = hash_of(&matrix);
                Ok(Found::of_matrix(matrix, hash, Vec::new(), made))
            }
            TaskSpec::Factorisation(MatrixSpec::File { path, ignore }) => {
                let mut columns = Vec::new();
                let read = Source::read(path).and_then(|(source, hash)| {
                    let table = source.into_table()?;
                    columns = table.headers().to_vec();
                    Ok((Factorisation::of_table(&table, ignore)?, hash))
                });
                match read {
                    Ok((matrix, hash)) => {
                        let read = format!(
                            "a matrix of {} by {} numbers",
                            matrix.sides().0,
                            matrix.sides().1
                        );
                        Ok(Found::of_matrix(matrix, hash, columns, read))
                    }
                    Err(error) => Err(of_data(spec, &error, &columns)),
                }
            }
        }
    }

    fn of_matrix(matrix: Factorisation, hash: String, columns: Vec<String>, note: String) -> Self {
        let sides = matrix.sides();
        Found {
            hash,
            rows: sides.0,
            train_rows: sides.0,
            inputs: Inputs::Matrix {
                rows: sides.0,
                columns: sides.1,
            },
            columns,
            notes: vec![note],
            matter: Matter::OfRank(matrix),
        }
    }
}

/// What a task is made of stands in its fingerprint.
fn hash_of(task: &impl Task) -> String {
    blake3::hash(task.fingerprint().as_bytes())
        .to_hex()
        .to_string()
}

fn of_data(spec: &StudySpec, error: &DataError, columns: &[String]) -> Unfit {
    Unfit {
        reason: error.to_string(),
        key: spec.task.key_of(error).into(),
        columns: columns.to_vec(),
    }
}

fn of_base(error: &ModelError) -> Unfit {
    Unfit {
        reason: error.to_string(),
        key: "data.base".into(),
        columns: Vec::new(),
    }
}

fn of_setting(spec: &StudySpec, error: &SettingsError) -> Unfit {
    Unfit {
        reason: error.to_string(),
        key: format!("{}.{}", spec.task.section(), error.setting),
        columns: Vec::new(),
    }
}

fn of_task(spec: &StudySpec, error: &TrialError) -> Unfit {
    Unfit {
        reason: error.to_string(),
        key: spec.task.section().into(),
        columns: Vec::new(),
    }
}
