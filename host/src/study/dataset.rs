//! From a study's data file to what its trials train on.

use super::reader::nearest;
use super::spec::StudySpec;
use attune_trainer::data::{
    ColumnAction, DataError, DataOptions, Dataset, Shares, Source, TaskKind, TextLevel,
};
use attune_trainer::metrics::Metric;
use std::path::{Path, PathBuf};

/// The data of a study as they stand, with their hash.
pub(crate) fn read(spec: &StudySpec) -> Result<(Source, String), DataError> {
    match is_text(spec) {
        true => Source::read_text(&spec.data.path),
        false => Source::read(&spec.data.path),
    }
}

/// Every file that data at a path are read from.
pub(crate) fn files(path: &Path, is_text: bool) -> Result<Vec<PathBuf>, DataError> {
    match is_text {
        true => Ok(vec![path.to_owned()]),
        false => Source::files(path),
    }
}

/// Whether the data of a study are one long text.
pub(crate) fn is_text(spec: &StudySpec) -> bool {
    spec.data.task == Some(TaskKind::Text)
}

/// That hash alone.
pub(crate) fn hash(spec: &StudySpec) -> Result<String, DataError> {
    match is_text(spec) {
        true => Ok(Source::read_text(&spec.data.path)?.1),
        false => Source::hash(&spec.data.path),
    }
}

/// The rows of a table, pictures, or a text, as the study wants them split, encoded and scaled.
pub(crate) fn prepare(spec: &StudySpec, source: &Source) -> Result<Dataset, DataError> {
    source.prepare(&options(spec))
}

/// How the study wants its data prepared.
pub(crate) fn options(spec: &StudySpec) -> DataOptions {
    let data = &spec.data;
    DataOptions {
        task: data.task,
        shares: Shares {
            train: 1.0 - data.valid - data.test,
            valid: data.valid,
            test: data.test,
        },
        seed: spec.seed,
        ignore: data.ignore.clone(),
        fold: data.fold,
        group: data.group.clone(),
        time: data.time.clone(),
        image: data.image,
        size: data.size,
        level: data.level,
        context: data.context,
        ..DataOptions::of_target(&data.target)
    }
}

/// What the study optimises.
///
/// # Errors
/// A sentence that names neither the file nor the line.
pub(crate) fn objective(spec: &StudySpec, dataset: &Dataset) -> Result<Metric, String> {
    let kind = dataset.task().kind();
    let Some(name) = &spec.metric else {
        return Ok(Metric::default_objective(kind));
    };
    let known = Metric::of(kind);
    let names = || known.iter().map(|metric| metric.name());
    let found = known.iter().find(|metric| metric.name() == name);
    found.copied().ok_or_else(|| {
        let hint = nearest(name, names())
            .map(|right| format!("; did you mean `{right}`?"))
            .unwrap_or_default();
        let all: Vec<&str> = names().collect();
        format!(
            "the metric `{name}` does not fit {}; it can be {}{hint}",
            match kind {
                TaskKind::Text => "a text".to_owned(),
                _ => format!("the target `{}`", spec.data.target),
            },
            all.join(", ")
        )
    })
}

/// Where in a study file stands what this is about, such as `data.target`.
pub(crate) fn key_of(spec: &StudySpec, error: &DataError) -> &'static str {
    match error {
        DataError::NoSuchColumn { column, .. } | DataError::RepeatedColumn { column, .. } => {
            let is = |name: &Option<String>| name.as_ref() == Some(column);
            match column {
                column if *column == spec.data.target => "data.target",
                _ if is(&spec.data.group) => "data.group",
                _ if is(&spec.data.time) => "data.time",
                _ => "data.ignore",
            }
        }
        DataError::EmptyTarget { .. }
        | DataError::ConstantTarget { .. }
        | DataError::TooManyClasses { .. }
        | DataError::TargetNotNumeric { .. } => "data.target",
        DataError::BadContext { .. } | DataError::ShortText { .. } => "data.context",
        DataError::BadShares { .. } => "data.valid",
        DataError::BadFold { .. } => "data.fold",
        DataError::TooFewGroups { .. } => "data.group",
        DataError::TooFewTimes { .. } => "data.time",
        DataError::RulesClash { first, .. } if *first == "group" => "data.group",
        DataError::RulesClash { .. } => "data.time",
        DataError::NoPlace { .. } if spec.data.group.is_some() => "data.group",
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

/// A study file of only that which concerns the data, whatever else is wrong with the study.
pub(crate) fn of_data_alone(spec: &StudySpec) -> String {
    use toml::Value;
    let data = &spec.data;
    let mut about = toml::Table::from_iter([
        (
            "path".to_owned(),
            Value::from(&*data.path.to_string_lossy()),
        ),
        ("valid".to_owned(), data.valid.into()),
        ("test".to_owned(), data.test.into()),
    ]);
    let task = data.task.map(|task| match task {
        TaskKind::Classification => "classification",
        TaskKind::Regression => "regression",
        TaskKind::Text => "text",
    });
    about.extend(task.map(|task| ("task".to_owned(), task.into())));
    let whole = |numbers: &[usize]| {
        let numbers = numbers.iter().map(|&number| Value::from(number as i64));
        Value::Array(numbers.collect())
    };
    let fold = data
        .fold
        .map(|fold| ("fold", whole(&[fold.index, fold.of])));
    let size = data
        .size
        .map(|size| ("size", whole(&[size.height as usize, size.width as usize])));
    let image = data.image.map(|sides| ("image", whole(&sides)));
    let context = data
        .context
        .map(|tokens| ("context", (tokens as i64).into()));
    let level = (data.level != TextLevel::default()).then(|| ("level", "byte".into()));
    let group = data.group.as_deref().map(|name| ("group", name.into()));
    let time = data.time.as_deref().map(|name| ("time", name.into()));
    // What a text has none of is not even named there.
    let target = Some(&data.target).filter(|name| !name.is_empty());
    let target = target.map(|name| ("target", name.as_str().into()));
    let ignore = Some(&data.ignore).filter(|names| !names.is_empty());
    let ignore = ignore.map(|names| ("ignore", names.clone().into()));
    let others = [
        target, ignore, fold, size, image, context, level, group, time,
    ];
    let others = others.into_iter().flatten();
    about.extend(others.map(|(key, value)| (key.to_owned(), value)));
    let mut table = toml::Table::from_iter([("data".to_owned(), about.into())]);
    // As it was read, so it fits.
    let seed = i64::try_from(spec.seed).unwrap_or(i64::MAX);
    table.insert("seed".to_owned(), seed.into());
    if let Some(metric) = &spec.metric {
        let objective = toml::Table::from_iter([("metric".to_owned(), metric.as_str().into())]);
        table.insert("objective".to_owned(), objective.into());
    }
    table.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_the_data_is_kept_and_nothing_else() {
        let text = "seed = 7\ntrials = 9\n[data]\npath = '/a \"b\".csv'\ntarget = 'größe'\n\
                    task = 'regression'\nvalid = 0.25\nignore = ['a', 'b']\n\
                    fold = [2, 5]\ngroup = 'who'\nsize = [28, 24]\nimage = [4, 5, 3]\n\
                    [objective]\nmetric = 'mae'\n[space]\nlr = 0.1\n";
        let spec = StudySpec::parse(Path::new("/s.toml"), text).unwrap();
        let alone = StudySpec::parse(Path::new("/s.toml"), &of_data_alone(&spec)).unwrap();
        assert_eq!(alone.data, spec.data);
        assert_eq!((alone.seed, &alone.metric), (7, &spec.metric));
        assert!(alone.space.is_empty() && alone.trials.is_none());

        let text = "[data]\npath = '/a.txt'\ntask = 'text'\nlevel = 'byte'\ncontext = 9\n";
        let spec = StudySpec::parse(Path::new("/s.toml"), text).unwrap();
        let alone = StudySpec::parse(Path::new("/s.toml"), &of_data_alone(&spec)).unwrap();
        assert_eq!(alone.data, spec.data);
        assert_eq!(
            (spec.data.context, spec.data.level),
            (Some(9), TextLevel::Byte)
        );
    }
}
