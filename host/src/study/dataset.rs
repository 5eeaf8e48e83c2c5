//! From a study's data file to what its trials train on.

use super::data::DataSpec;
use super::reader::nearest;
use attune_trainer::artifact::{Model, ModelError};
use attune_trainer::data::{ColumnAction, DataError, DataOptions, Dataset, Shares, Source, Task};
use attune_trainer::trial::{Subject, TrialError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The data of a study as they stand, with their hash.
pub(crate) fn read(data: &DataSpec) -> Result<(Source, String), DataError> {
    match data.is_text() {
        true => Source::read_text(&data.path),
        false => Source::read(&data.path),
    }
}

/// Every file that data at a path are read from.
pub(crate) fn files(path: &Path, is_text: bool) -> Result<Vec<PathBuf>, DataError> {
    match is_text {
        true => Ok(vec![path.to_owned()]),
        false => Source::files(path),
    }
}

/// That hash alone.
pub(crate) fn hash(data: &DataSpec) -> Result<String, DataError> {
    match data.is_text() {
        true => Ok(Source::read_text(&data.path)?.1),
        false => Source::hash(&data.path),
    }
}

/// A trained model that a study adapts, with the hash of its file.
#[derive(Debug)]
pub(crate) struct Base {
    model: Arc<Model>,
    hash: String,
}

impl Base {
    /// That of a study, if it has one.
    pub(crate) fn of(data: &DataSpec) -> Result<Option<Self>, ModelError> {
        let read = |path: &PathBuf| {
            let (model, hash) = Model::load_hashed(path)?;
            let model = Arc::new(model);
            Ok(Base { model, hash })
        };
        data.base.as_ref().map(read).transpose()
    }
}

/// The hash of data and of the base that is adapted to them, of which neither may change.
pub(crate) fn joint_hash(of_data: String, base: Option<&Base>) -> String {
    match base {
        None => of_data,
        Some(base) => {
            let both = format!("{of_data} {}", base.hash);
            blake3::hash(both.as_bytes()).to_hex().to_string()
        }
    }
}

/// What a prepared dataset is kept under: the hash of its data, and the ending of their name, which may
/// say how the cells of a table are parted.
pub(crate) fn cache_name(data: &DataSpec, data_hash: &str) -> String {
    match Source::ending(&data.path) {
        Some(ending) => format!("{data_hash}.{ending}"),
        None => data_hash.to_owned(),
    }
}

/// What trials train on: a dataset, and the base that it was prepared for.
pub(crate) fn subject(dataset: Arc<Dataset>, base: Option<Base>) -> Result<Subject, TrialError> {
    match base {
        None => Ok(dataset.into()),
        Some(base) => Subject::adapting(dataset, base.model),
    }
}

/// How a study of this seed wants its data split, encoded and scaled.
pub(crate) fn options(data: &DataSpec, seed: u64, base: Option<&Base>) -> DataOptions {
    DataOptions {
        like: base.map(|base| base.model.fitted()),
        task: data.task,
        shares: Shares {
            train: 1.0 - data.valid - data.test,
            valid: data.valid,
            test: data.test,
        },
        seed,
        ignore: data.ignore.clone(),
        fold: data.fold,
        group: data.group.clone(),
        time: data.time.clone(),
        protected: data.protected.clone(),
        image: data.image,
        size: data.size,
        level: data.level,
        context: data.context,
        ..DataOptions::of_target(&data.target)
    }
}

/// Where in a study file stands what this is about, such as `data.target`.
pub(crate) fn key_of(data: &DataSpec, error: &DataError) -> &'static str {
    match error {
        DataError::NoSuchColumn { column, .. } | DataError::RepeatedColumn { column, .. } => {
            let is = |name: &Option<String>| name.as_ref() == Some(column);
            match column {
                column if *column == data.target => "data.target",
                _ if is(&data.group) => "data.group",
                _ if is(&data.time) => "data.time",
                _ if is(&data.protected) => "data.protected",
                _ => "data.ignore",
            }
        }
        DataError::EmptyTarget { .. }
        | DataError::ConstantTarget { .. }
        | DataError::TooManyClasses { .. }
        | DataError::TargetNotNumeric { .. } => "data.target",
        DataError::UnlikeBase { .. } => "data.base",
        DataError::BadContext { .. } | DataError::ShortText { .. } => "data.context",
        DataError::BadShares { .. } => "data.valid",
        DataError::BadFold { .. } => "data.fold",
        DataError::TooFewGroups { .. } => "data.group",
        DataError::TooFewTimes { .. } => "data.time",
        DataError::NoGroup { .. }
        | DataError::UncomparableGroups { .. }
        | DataError::AbsentGroup { .. } => "data.protected",
        DataError::RulesClash { first, .. } if *first == "group" => "data.group",
        DataError::RulesClash { first, .. } if *first == "protected" => "data.protected",
        DataError::RulesClash { .. } => "data.time",
        DataError::NoPlace { .. } if data.group.is_some() => "data.group",
        DataError::NoPlace { .. } => "data.time",
        _ => "data.path",
    }
}

/// Why a table with these columns cannot be used, where it lacks one that is named.
pub(crate) fn lacking_column<'c>(
    file: &Path,
    named: impl IntoIterator<Item = &'c String>,
    columns: impl Iterator<Item = &'c str> + Clone,
) -> Option<DataError> {
    let is_there = |name: &str| columns.clone().any(|column| column == name);
    let lacking = named.into_iter().find(|name| !is_there(name))?;
    let suggestion = match nearest(lacking, columns.clone()) {
        Some(right) => format!("; did you mean `{right}`?"),
        None => {
            let some = columns.clone().take(10).map(|name| format!("`{name}`"));
            let some: Vec<String> = some.collect();
            let more = if columns.count() > 10 { ", …" } else { "" };
            format!("; its columns are {}{more}", some.join(", "))
        }
    };
    Some(DataError::NoSuchColumn {
        file: file.display().to_string(),
        column: lacking.clone(),
        suggestion,
    })
}

/// Why the class weights that a study gives are of no use to a task, if they are not.
pub(crate) fn unfit_weights(data: &DataSpec, task: &Task) -> Option<String> {
    let target = &data.target;
    let Task::Classification { classes } = task else {
        let gives_some = !data.class_weights.is_empty();
        return gives_some.then(|| {
            format!(
                "`class_weights` is given, but the target `{target}` is a number; leave it out, or \
                 add task = \"classification\""
            )
        });
    };
    let unknown = data
        .class_weights
        .keys()
        .find(|label| !classes.contains(label))?;
    let remedy = match nearest(unknown, classes.iter().map(String::as_str)) {
        Some(right) => format!("did you mean `{right}`?"),
        None => {
            let some: Vec<&str> = classes.iter().take(10).map(String::as_str).collect();
            let more = if classes.len() > 10 { ", …" } else { "" };
            format!("its classes are {}{more}", some.join(", "))
        }
    };
    Some(format!(
        "`class_weights` names `{unknown}`, but the target `{target}` has no such class; {remedy}"
    ))
}

/// What was done to the data, a sentence each. Columns that were treated alike share one.
pub(crate) fn notes(dataset: &Dataset) -> Vec<String> {
    let mut treated: Vec<(String, Vec<&str>)> = Vec::new();
    for report in dataset.report() {
        let how = match report.action {
            ColumnAction::Encoded => format!("used, {}", report.detail),
            ColumnAction::Dropped => format!("left out, {}", report.detail),
            ColumnAction::Predicted => format!("the target, {}", report.detail),
        };
        match treated.iter_mut().find(|(known, _)| *known == how) {
            Some((_, columns)) => columns.push(&report.column),
            None => treated.push((how, vec![&report.column])),
        }
    }
    let columns = treated
        .iter()
        .map(|(how, columns)| match columns.as_slice() {
            [first, second, third, _, ..] => {
                let others = columns.len() - 3;
                format!("{first}, {second}, {third} and {others} more: {how}")
            }
            few => format!("{}: {how}", few.join(", ")),
        });
    dataset.notes().iter().cloned().chain(columns).collect()
}

#[cfg(test)]
mod tests {
    use super::cache_name;
    use crate::study::spec::StudySpec;
    use crate::study::task::TaskSpec;
    use std::path::Path;

    /// The same bytes are two tables, where one's name says that tabs part its cells.
    #[test]
    fn what_a_name_decides_is_part_of_what_a_dataset_is_kept_under() {
        let name = |path: &str| {
            let text = format!("[data]\npath = '{path}'\ntarget = 'y'\n");
            let spec = StudySpec::parse(Path::new("s.toml"), &text).unwrap();
            match &spec.task {
                TaskSpec::Data(data) => cache_name(data, "12ab"),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(name("/a/t.csv"), "12ab.csv");
        assert_eq!(name("/b/u.TSV"), "12ab.tsv");
        assert_eq!(name("/b/u.tsv.gz"), "12ab.tsv");
        assert_eq!(name("/b/folder"), "12ab");
    }
}
