//! The section `[data]` of a study file.

use super::reader::{Entry, Reading, Section, SpecError};
use attune_trainer::data::{Fold, Size, TaskKind, TextLevel};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// What a class may count; the loss has no digits for much more.
const WEIGHTS: RangeInclusive<f64> = 1e-6..=1e6;

/// What networks are trained on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DataSpec {
    pub(crate) path: PathBuf,
    /// Empty for a text, which has none.
    pub(crate) target: String,
    /// Found out from the target column where not given.
    pub(crate) task: Option<TaskKind>,
    pub(crate) valid: f64,
    pub(crate) test: f64,
    /// Columns that are left out.
    pub(crate) ignore: Vec<String>,
    /// One of several folds, instead of the share that validates.
    pub(crate) fold: Option<Fold>,
    /// The column whose equal cells keep their rows together.
    pub(crate) group: Option<String>,
    /// The column in whose order rows train, validate and test.
    pub(crate) time: Option<String>,
    /// How much each class counts in the training loss, where the setting says that it is given; a
    /// class that is not named counts 1.
    pub(crate) class_weights: BTreeMap<String, f64>,
    /// The column whose values are the groups that metrics compare.
    pub(crate) protected: Option<String>,
    /// What pictures are brought to.
    pub(crate) size: Option<Size>,
    /// Height, width and channels of the pictures that a table's columns are.
    pub(crate) image: Option<[usize; 3]>,
    /// How many tokens of a text are seen at once, and what one is.
    pub(crate) context: Option<usize>,
    pub(crate) level: TextLevel,
    /// A trained model that is adapted.
    pub(crate) base: Option<PathBuf>,
}

impl DataSpec {
    /// Whether it is one long text.
    pub(crate) fn is_text(&self) -> bool {
        self.task == Some(TaskKind::Text)
    }

    pub(super) fn read<'d>(
        found: &mut Reading<'d>,
        top: &mut Section<'d>,
        folder: &Path,
    ) -> DataSpec {
        let mut section = found.section(top, "data");
        fn required<'d>(
            found: &mut Reading<'d>,
            section: &mut Section<'d>,
            key: &'static str,
            example: &str,
        ) -> &'d str {
            let entry = section.entry(key);
            if entry.is_none() {
                let message = format!("`{key}` is missing from [data]; add {example}");
                found.refuse(&format!("data.{key}"), message);
            }
            found.read(entry, Entry::text).unwrap_or_default()
        }
        let file = required(found, &mut section, "path", "path = \"FILE.csv\"");
        let task = found.read(section.entry("task"), |e| {
            e.word(&[
                ("auto", None),
                ("classification", Some(TaskKind::Classification)),
                ("regression", Some(TaskKind::Regression)),
                ("text", Some(TaskKind::Text)),
            ])
        });
        let is_text = task == Some(Some(TaskKind::Text));
        let target = match is_text {
            true => "",
            false => required(
                found,
                &mut section,
                "target",
                "target = \"COLUMN\", the column to predict",
            ),
        };
        let no_text = [
            "target",
            "ignore",
            "fold",
            "group",
            "time",
            "class_weights",
            "protected",
            "size",
            "image",
        ];
        let no_table = ["context", "level"];
        let foreign = match is_text {
            true => no_text.as_slice(),
            false => no_table.as_slice(),
        };
        for key in foreign {
            if let Some(entry) = section.entry(key) {
                let only = match is_text {
                    true => "a text has none; leave it out",
                    false => "only a text has that; add task = \"text\", or leave it out",
                };
                let message = format!("`{key}` is given, but {only}");
                found.refuse_entry(&entry, message);
            }
        }
        let valid = found
            .read(section.entry("valid"), |e| e.float(0.01..=0.9))
            .unwrap_or(0.15);
        let test = found
            .read(section.entry("test"), |e| {
                let test = e.float(0.0..=0.9)?;
                match valid + test > 0.95 {
                true => Err(e.error(format!(
                    "`valid` and `test` take {valid} and {test} of the rows; leave at least 0.05 \
                     for training"
                ))),
                false => Ok(test),
            }
            })
            .unwrap_or(0.15);
        let ignore = found.read(section.entry("ignore"), Entry::values);
        let ignore = ignore.unwrap_or_default();
        let ignore = ignore.iter().map(ToString::to_string).collect();
        let fold = found.read(section.entry("fold"), |e| {
        let [index, of] = e.ints(1..=1000)?;
        match index <= of && of >= 2 {
            true => Ok(Fold { index, of }),
            false => Err(e.error(format!(
                "`fold` is [{index}, {of}], but must be [I, K]: fold I, from 1 to K, of K, from 2 to 1000"
            ))),
        }
    });
        let group = found.read(section.entry("group"), Entry::text);
        let time = found.read(section.entry("time"), |e| match (group, fold) {
            (None, None) => e.text(),
            (Some(_), _) => {
                Err(e.error("`time` and `group` are both given; leave one of them out"))
            }
            (_, Some(_)) => Err(e.error(
                "`time` and `fold` are both given, but later folds would train for earlier ones; \
             leave one of them out",
            )),
        });
        let class_weights = found.read(section.entry("class_weights"), class_weights);
        let protected = found.read(section.entry("protected"), Entry::text);
        let size = found.read(section.entry("size"), |e| {
            let [height, width] = match e.is_list() {
                true => e.ints(1..=4096)?,
                false => [e.int(1..=4096)? as usize; 2],
            };
            Ok(Size {
                height: height as u32,
                width: width as u32,
            })
        });
        let image = found.read(section.entry("image"), |e| e.ints(1..=4096));
        let context = found.read(section.entry("context"), |e| e.int(1..=1024));
        let level = found.read(section.entry("level"), |e| {
            e.word(&[("char", TextLevel::Char), ("byte", TextLevel::Byte)])
        });
        let base = found.read(section.entry("base"), Entry::text);
        found.finish(&section);
        DataSpec {
            base: base.map(|file| folder.join(file)),
            fold,
            group: group.map(str::to_owned),
            time: time.map(str::to_owned),
            class_weights: class_weights.unwrap_or_default(),
            protected: protected.map(str::to_owned),
            size,
            image,
            context: context.map(|tokens| tokens as usize),
            level: level.unwrap_or_default(),
            path: folder.join(file),
            target: target.into(),
            task: task.flatten(),
            valid,
            test,
            ignore,
        }
    }
}

fn class_weights(entry: &Entry<'_>) -> Result<BTreeMap<String, f64>, SpecError> {
    let entries = entry.entries()?.into_iter();
    let weights = entries.map(|class| Ok((class.key().to_owned(), class.float(WEIGHTS)?)));
    let weights: BTreeMap<String, f64> = weights.collect::<Result<_, SpecError>>()?;
    match weights.is_empty() {
        true => {
            Err(entry
                .error("`class_weights` names no class; write { CLASS = 5.0 }, or leave it out"))
        }
        false => Ok(weights),
    }
}
