//! From a file to rows of numbers, ready to train on.
//!
//! [`Source`] reads whatever kind of file it is. A [`Table`] interprets nothing; the target decides the
//! task; rows are split by seed; and [`Preprocessor`] is fitted on the training rows only. What was
//! done to each column is told in [`ColumnReport`]s. Pictures are brought to one shape, and of a
//! [`Text`] windows are cut.

mod alike;
mod cache;
mod cell;
mod column;
mod date;
mod error;
mod features;
mod fitted;
mod group;
mod images;
mod look;
mod matrix;
mod npy;
mod parquet;
mod place;
mod points;
mod preprocess;
mod protected;
mod shape;
mod source;
mod split;
mod table;
mod target;
mod text;

pub use column::{ColumnAction, ColumnKind, ColumnReport};
pub use error::DataError;
pub use features::Features;
pub use fitted::Fitted;
pub use images::{Pictures, Size};
pub use look::ColumnLook;
pub(crate) use matrix::nonnegative;
pub use preprocess::Preprocessor;
pub use protected::Protected;
pub use shape::Shape;
pub use source::Source;
pub use split::{Fold, Shares};
pub use table::Table;
pub use target::{Task, TaskKind};
pub(crate) use text::MAX_CONTEXT;
pub use text::{Text, TextLevel, TextOptions, Vocabulary};

use crate::metrics::Metric;
use column::mean_and_scale;
use place::Places;
use preprocess::{Unread, deviations};
use protected::Groups;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use target::{Target, Values};

/// How a table becomes a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataOptions {
    /// The column to predict.
    pub target: String,
    /// Classification or regression; recognised where nothing is said.
    #[serde(default)]
    pub task: Option<TaskKind>,
    /// How rows are shared between training, validation and test.
    #[serde(default)]
    pub shares: Shares,
    /// The seed of the split.
    #[serde(default)]
    pub seed: u64,
    /// Columns to leave out.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// Height, width and channels of the pictures that the other columns are, line by line and
    /// point by point: all numbers, and scaled together.
    #[serde(default)]
    pub image: Option<[usize; 3]>,
    /// One of several folds instead of the share for validation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<Fold>,
    /// The column whose equal cells keep their rows in one part. It is not learned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Height and width to which pictures are brought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// What a token of a text is.
    #[serde(default)]
    pub level: TextLevel,
    /// How many tokens of a text are seen at once; 64 where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<usize>,
    /// The column of numbers or dates by which the earliest rows train and the latest test. It is not
    /// learned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// What the data of a base were fitted to, where these are to become the same features.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub like: Option<Fitted>,
    /// The column whose values are the groups that [metrics](Metric::disparities) compare. It is
    /// learned from as any other, unless it is to be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected: Option<String>,
}

impl DataOptions {
    /// The usual shares, seed 0, every column, the task recognised.
    pub fn of_target(target: &str) -> Self {
        DataOptions {
            target: target.into(),
            task: None,
            shares: Shares::default(),
            seed: 0,
            ignore: Vec::new(),
            image: None,
            fold: None,
            group: None,
            time: None,
            protected: None,
            size: None,
            level: TextLevel::default(),
            context: None,
            like: None,
        }
    }

    /// Those of a text, which has no target.
    pub fn of_text() -> Self {
        DataOptions {
            task: Some(TaskKind::Text),
            ..DataOptions::of_target("")
        }
    }
}

/// One of the three parts of a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Rows that the model learns from.
    Train,
    /// Rows that steer the search and choose the best epoch.
    Valid,
    /// Rows that are looked at once, at the end.
    Test,
}

/// Rows of numbers with what is to be predicted from them.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    target: String,
    task: Task,
    preprocessor: Preprocessor,
    report: Vec<ColumnReport>,
    notes: Vec<String>,
    protected: Option<Protected>,
    fingerprint: u32,
    train: Samples,
    valid: Samples,
    test: Samples,
}

/// One part's rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples {
    pub(crate) features: Features,
    pub(crate) targets: Targets,
    /// Places in the groups of the protected column, where one is named.
    pub(crate) groups: Option<Vec<u32>>,
}

/// What a part's rows should be predicted as.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Targets {
    /// Places in the task's classes.
    Classes(Vec<u32>),
    /// Numbers, standardised.
    Numbers(Vec<f32>),
    /// Of each token of a row the one that follows it in the text.
    Following,
}

impl Samples {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.features.rows()
    }

    /// The rows as a model sees them.
    pub fn features(&self) -> &Features {
        &self.features
    }
}

impl Dataset {
    /// Reads the target, splits the rows, and encodes every other column as its training rows
    /// suggest.
    ///
    /// # Errors
    /// A target that is absent, there twice, empty, constant or no target at all; no column left to learn from;
    /// too few rows for the split; columns that are not those of the base whose like is wanted; a
    /// protected column whose groups cannot be compared.
    pub fn prepare(table: &Table, options: &DataOptions) -> Result<Dataset, DataError> {
        let target_column = table.column(&options.target)?;
        let mut left_out = vec![target_column];
        for name in &options.ignore {
            left_out.push(table.column(name)?);
        }
        let like = options.like.as_ref();
        let kind = like.and_then(|like| like.kind_of(&options.target));
        let target = Target::read(table, target_column, options.task.or(kind))?;
        let places = Places::read(table, options, &target.rows)?;
        left_out.extend(places.column());
        let split = split::split(
            &target.strata(),
            options.shares,
            options.fold,
            places.rule(table),
            options.seed,
            table.name(),
        )?;
        let groups = (options.protected.as_deref())
            .map(|column| Groups::read(table, column, &options.target, &target.rows))
            .transpose()?;
        if let Some(groups) = &groups {
            groups.check(&split, table.name())?;
        }
        let rows_of = |places: &[usize]| -> Vec<usize> {
            places.iter().map(|&place| target.rows[place]).collect()
        };

        let columns: Vec<usize> = (0..table.headers().len())
            .filter(|column| !left_out.contains(column))
            .collect();
        let train = rows_of(&split.train);
        let (preprocessor, mut report) = match (like, options.image) {
            (Some(like), _) => {
                let report = like.columns(table, &columns, &train)?;
                (like.preprocessor.clone(), report)
            }
            (None, Some(sides)) => Preprocessor::fit_picture(table, &columns, &train, sides)?,
            (None, None) => Preprocessor::fit(table, &columns, &train),
        };
        if preprocessor.width() == 0 {
            return Err(DataError::NoFeatures {
                file: table.name().into(),
                dropped: columns.len(),
            });
        }
        report.extend(places.report(table, &rows_of(&split.train)));
        report.push(target.report.clone());

        let known = like.and_then(|like| like.task_of(&options.target, &target.values));
        let task = known.map_or_else(|| task_of(&target, &split.train), Task::clone);
        // One sentence a column: the parts are no business of whoever mends the file.
        let mut unread: BTreeMap<String, usize> = BTreeMap::new();
        let mut samples = |places: &[usize]| -> Result<Samples, DataError> {
            let (features, of_part) = preprocessor.apply(table, &rows_of(places))?;
            for Unread { column, cells } in of_part {
                *unread.entry(column).or_default() += cells;
            }
            Ok(Samples {
                features,
                targets: targets_of(&target, &task, places),
                groups: groups.as_ref().map(|groups| groups.of_part(places)),
            })
        };
        let (train, valid, test) = (
            samples(&split.train)?,
            samples(&split.valid)?,
            samples(&split.test)?,
        );
        let unread = unread
            .into_iter()
            .map(|(column, cells)| Unread { column, cells }.to_string());
        let like = like.map(|like| like.told(&options.target, known.is_some()));
        let compared = groups.as_ref().map(Groups::note);
        let notes = table.notes().iter().cloned().chain(unread);
        let notes = notes.chain(like).chain(compared).collect();
        Ok(Dataset {
            target: options.target.clone(),
            task,
            report,
            notes,
            protected: groups.map(|groups| groups.protected),
            fingerprint: fingerprint(preprocessor.shape(), [&train, &valid, &test]),
            preprocessor,
            train,
            valid,
            test,
        })
    }

    /// Cuts a text into parts by position, the training part first, and its parts into windows.
    ///
    /// # Errors
    /// A context or shares that cannot be used, or a part that is shorter than a window.
    pub fn prepare_text(text: &Text, options: &TextOptions) -> Result<Dataset, DataError> {
        let text::Read { vocabulary, parts } = text::read(text, options)?;
        let [train, valid, test] = parts.map(|features| Samples {
            features,
            targets: Targets::Following,
            groups: None,
        });
        let (preprocessor, context) = (Preprocessor::default(), options.context);
        let task = Task::Text {
            vocabulary,
            context,
        };
        let shape = task.shape(preprocessor.shape());
        Ok(Dataset {
            target: "next token".into(),
            task,
            preprocessor,
            report: Vec::new(),
            notes: Vec::new(),
            protected: None,
            fingerprint: fingerprint(shape, [&train, &valid, &test]),
            train,
            valid,
            test,
        })
    }

    /// The column that is predicted, or `next token`.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What is predicted.
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// How columns became features.
    pub fn preprocessor(&self) -> &Preprocessor {
        &self.preprocessor
    }

    /// What was done to each column, the target last.
    pub fn report(&self) -> &[ColumnReport] {
        &self.report
    }

    /// What else the user should know, a sentence each: the table's own notes first, then a sentence
    /// for each column with cells that could not be read, then one on the base that it is prepared
    /// like, then one on the groups of the protected one.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The groups that metrics compare, where a protected column was named.
    pub fn protected(&self) -> Option<&Protected> {
        self.protected.as_ref()
    }

    /// What can be measured on its rows.
    pub fn metrics(&self) -> Vec<Metric> {
        let kind = self.task.kind();
        let disparities = self
            .protected
            .iter()
            .flat_map(|_| Metric::disparities(kind));
        Metric::of(kind)
            .iter()
            .chain(disparities)
            .copied()
            .collect()
    }

    /// The CRC-32 of every number that a trial trains on, validates with or is tested by, so that
    /// a checkpoint can tell whether it belongs to this data.
    pub fn fingerprint(&self) -> u32 {
        self.fingerprint
    }

    /// What the numbers of its rows are.
    pub fn shape(&self) -> Shape {
        self.task.shape(self.preprocessor.shape())
    }

    /// One part's rows.
    pub fn part(&self, part: Part) -> &Samples {
        match part {
            Part::Train => &self.train,
            Part::Valid => &self.valid,
            Part::Test => &self.test,
        }
    }

    /// Why a metric has no value on the validation rows, whatever is predicted there.
    pub fn unmeasurable(&self, metric: Metric) -> Option<&'static str> {
        fn are_one<T: PartialEq>(targets: &[T]) -> bool {
            targets.windows(2).all(|two| two[0] == two[1])
        }
        match (metric, &self.valid.targets) {
            (Metric::Auc, Targets::Classes(labels)) if are_one(labels) => {
                Some("they are all of one class")
            }
            (Metric::R2, Targets::Numbers(numbers)) if are_one(numbers) => {
                Some("their targets are all the same")
            }
            _ => None,
        }
    }
}

fn fingerprint(shape: Shape, parts: [&Samples; 3]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    if let Shape::Image { height, width, .. } = shape {
        for side in [height, width] {
            hasher.update(&(side as u64).to_le_bytes());
        }
    }
    for part in parts {
        // The checksum is fastest over long stretches.
        for reals in part.features.data().chunks(1024) {
            let bytes: Vec<u8> = reals.iter().flat_map(|real| real.to_le_bytes()).collect();
            hasher.update(&bytes);
        }
        match &part.targets {
            Targets::Classes(labels) => labels
                .iter()
                .for_each(|label| hasher.update(&label.to_le_bytes())),
            Targets::Numbers(numbers) => numbers
                .iter()
                .for_each(|number| hasher.update(&number.to_le_bytes())),
            // They are among the features.
            Targets::Following => {}
        }
        for group in part.groups.iter().flatten() {
            hasher.update(&group.to_le_bytes());
        }
    }
    hasher.finalize()
}

fn task_of(target: &Target, train: &[usize]) -> Task {
    match &target.values {
        Values::Classes { labels, .. } => Task::Classification {
            classes: labels.clone(),
        },
        Values::Numbers(numbers) => {
            let train: Vec<f64> = train.iter().map(|&place| numbers[place]).collect();
            let (mean, scale) = mean_and_scale(&train);
            Task::Regression { mean, scale }
        }
    }
}

fn targets_of(target: &Target, task: &Task, places: &[usize]) -> Targets {
    match (&target.values, task) {
        (Values::Numbers(numbers), Task::Regression { mean, scale }) => Targets::Numbers(
            places
                .iter()
                .map(|&place| deviations(numbers[place], *mean, *scale) as f32)
                .collect(),
        ),
        (Values::Classes { ids, .. }, _) => {
            Targets::Classes(places.iter().map(|&place| ids[place]).collect())
        }
        (Values::Numbers(_), _) => Targets::Numbers(Vec::new()),
    }
}
