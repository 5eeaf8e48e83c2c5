//! What the trials of a study train: one of the sections `[data]`, `[function]` and
//! `[factorisation]` of its file.

use super::data::DataSpec;
use super::dataset;
use super::kinds::ModelKind;
use super::reader::{Entry, Reading, Section};
use attune_trainer::data::DataError;
use attune_trainer::task::{FactorisationSettings, FunctionSettings, Shape};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What is trained.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TaskSpec {
    /// A network on data.
    Data(Box<DataSpec>),
    /// A point, to where a test function is least.
    Function(FunctionSettings),
    /// Two nonnegative factors of a matrix.
    Factorisation(MatrixSpec),
}

/// The matrix that is to be factored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum MatrixSpec {
    /// The numbers of a table, but for some of its columns.
    File { path: PathBuf, ignore: Vec<String> },
    /// One that is made up. Its rank is each trial's own.
    MadeUp(FactorisationSettings),
}

/// The sections, of which a study file has one.
const SECTIONS: [&str; 3] = [FUNCTION, FACTORISATION, DATA];
const DATA: &str = "data";
const FUNCTION: &str = "function";
const FACTORISATION: &str = "factorisation";

impl TaskSpec {
    pub(super) fn read<'d>(found: &mut Reading<'d>, top: &mut Section<'d>, study: &Path) -> Self {
        let given = SECTIONS.map(|name| Some((name, top.entry(name)?)));
        let given: Vec<(&str, Entry<'d>)> = given.into_iter().flatten().collect();
        let read = match given.first() {
            Some((FUNCTION, _)) => TaskSpec::Function(function(found, top)),
            Some((FACTORISATION, _)) => TaskSpec::Factorisation(matrix(found, top, study)),
            _ => TaskSpec::Data(Box::new(DataSpec::read(found, top, folder(study)))),
        };
        for (other, entry) in given.iter().skip(1) {
            let message = format!(
                "[{}] and [{other}] both say what is trained; leave one of them out",
                read.section()
            );
            found.refuse_entry(entry, message);
        }
        read
    }

    /// The data of a test that has some.
    #[cfg(test)]
    pub(super) fn data(&self) -> &DataSpec {
        match self {
            TaskSpec::Data(data) => data,
            other => panic!("[{}] is not [data]", other.section()),
        }
    }

    /// The name of its section.
    pub(crate) fn section(&self) -> &'static str {
        match self {
            TaskSpec::Data(_) => DATA,
            TaskSpec::Function(_) => FUNCTION,
            TaskSpec::Factorisation(_) => FACTORISATION,
        }
    }

    /// The file or folder that it is read from, if it is.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            TaskSpec::Data(data) => Some(&data.path),
            TaskSpec::Factorisation(MatrixSpec::File { path, .. }) => Some(path),
            TaskSpec::Factorisation(MatrixSpec::MadeUp(_)) | TaskSpec::Function(_) => None,
        }
    }

    /// Whether that file is one long text.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self, TaskSpec::Data(data) if data.is_text())
    }

    /// The model that is adapted, if one is.
    pub(crate) fn base(&self) -> Option<&Path> {
        match self {
            TaskSpec::Data(data) => data.base.as_deref(),
            TaskSpec::Function(_) | TaskSpec::Factorisation(_) => None,
        }
    }

    /// How much classes count that the file gives weights; empty where it gives none.
    pub(crate) fn class_weights(&self) -> &BTreeMap<String, f64> {
        static NONE: BTreeMap<String, f64> = BTreeMap::new();
        match self {
            TaskSpec::Data(data) => &data.class_weights,
            TaskSpec::Function(_) | TaskSpec::Factorisation(_) => &NONE,
        }
    }

    /// Columns that it names, in its order.
    pub(crate) fn named_columns(&self) -> impl Iterator<Item = &String> {
        let (target, ignore) = match self {
            TaskSpec::Data(data) => (Some(&data.target), data.ignore.as_slice()),
            TaskSpec::Factorisation(MatrixSpec::File { ignore, .. }) => (None, ignore.as_slice()),
            TaskSpec::Factorisation(MatrixSpec::MadeUp(_)) | TaskSpec::Function(_) => {
                (None, [].as_slice())
            }
        };
        target
            .filter(|name| !name.is_empty())
            .into_iter()
            .chain(ignore)
    }

    /// Where in the study file stands what this is about, such as `data.target`.
    pub(crate) fn key_of(&self, error: &DataError) -> &'static str {
        match (self, error) {
            (TaskSpec::Data(data), _) => dataset::key_of(data, error),
            (TaskSpec::Factorisation(_), DataError::NoSuchColumn { .. }) => "factorisation.ignore",
            (TaskSpec::Factorisation(_), _) => "factorisation.path",
            (TaskSpec::Function(_), _) => FUNCTION,
        }
    }

    /// The kind of model that is trained where the file names none.
    pub(super) fn usual_kind(&self) -> ModelKind {
        match self {
            TaskSpec::Data(data) if data.base.is_some() => ModelKind::Adapter,
            TaskSpec::Data(data) if data.is_text() => ModelKind::Transformer,
            TaskSpec::Data(_) => ModelKind::default(),
            TaskSpec::Function(_) => ModelKind::Function,
            TaskSpec::Factorisation(_) => ModelKind::Factorisation,
        }
    }

    /// The kinds of models that can be trained so.
    pub(super) fn kinds(&self) -> Vec<ModelKind> {
        let fits = |kind: &ModelKind| match self {
            TaskSpec::Data(_) => kind.is_network(),
            TaskSpec::Function(_) | TaskSpec::Factorisation(_) => *kind == self.usual_kind(),
        };
        ModelKind::ALL.into_iter().filter(fits).collect()
    }
}

fn folder(study: &Path) -> &Path {
    study.parent().unwrap_or(Path::new(""))
}

/// Which of these values make a function is the trainer's to say.
fn function<'d>(found: &mut Reading<'d>, top: &mut Section<'d>) -> FunctionSettings {
    let mut section = found.section(top, FUNCTION);
    let usual = FunctionSettings::default();
    let shape = found.read(section.entry("shape"), |e| {
        e.word(&[
            ("quadratic", usual.shape),
            ("rosenbrock", Shape::Rosenbrock),
        ])
    });
    let shape = shape.unwrap_or(usual.shape);
    let condition = found.read(section.entry("condition"), |e| match shape {
        Shape::Quadratic { .. } => e.float(1.0..=f64::MAX),
        Shape::Rosenbrock => Err(
            e.error("`condition` is given, but only shape = \"quadratic\" has one; leave it out")
        ),
    });
    let read = FunctionSettings {
        shape: match (shape, condition) {
            (Shape::Quadratic { .. }, Some(condition)) => Shape::Quadratic { condition },
            (shape, _) => shape,
        },
        dimensions: count(found, &mut section, "dimensions", usual.dimensions),
        noise: noise(found, &mut section, usual.noise),
        rows: count(found, &mut section, "rows", usual.rows),
    };
    found.finish(&section);
    read
}

fn matrix<'d>(found: &mut Reading<'d>, top: &mut Section<'d>, study: &Path) -> MatrixSpec {
    let mut section = found.section(top, FACTORISATION);
    let read = match found.read(section.entry("path"), Entry::text) {
        Some(file) => MatrixSpec::File {
            path: folder(study).join(file),
            ignore: found
                .read(section.entry("ignore"), Entry::values)
                .unwrap_or_default()
                .iter()
                .map(ToString::to_string)
                .collect(),
        },
        None => {
            let usual = FactorisationSettings::default();
            MatrixSpec::MadeUp(FactorisationSettings {
                rows: count(found, &mut section, "rows", usual.rows),
                columns: count(found, &mut section, "columns", usual.columns),
                planted: count(found, &mut section, "planted", usual.planted),
                noise: noise(found, &mut section, usual.noise),
                seed: found
                    .read(section.entry("seed"), |e| e.int(0..=i64::MAX))
                    .map_or(usual.seed, |seed| seed as u64),
                rank: 1,
            })
        }
    };
    found.finish(&section);
    read
}

fn count<'d>(
    found: &mut Reading<'d>,
    section: &mut Section<'d>,
    key: &'static str,
    usual: usize,
) -> usize {
    let count = found.read(section.entry(key), |e| e.int(1..=u32::MAX.into()));
    count.map_or(usual, |count| count as usize)
}

fn noise<'d>(found: &mut Reading<'d>, section: &mut Section<'d>, usual: f64) -> f64 {
    let noise = found.read(section.entry("noise"), |e| e.float(0.0..=f64::MAX));
    noise.unwrap_or(usual)
}
