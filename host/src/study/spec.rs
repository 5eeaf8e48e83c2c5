//! A study file, checked as far as it can be without its plugins and its data.

use super::choice::{self, SpaceEntry};
use super::reader::{Entry, Reading, Section, Source, SpecError};
use super::task::TaskSpec;
use attune_trainer::trial::{Cadence, Every, MetricSource, NanPolicy};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The most trials of a study.
const MAX_TRIALS: u32 = 1_000_000;

/// The trials of a study that limits neither them nor the time.
const USUAL_TRIALS: u32 = 32;

/// The most that a study file may weigh; one is a few hundred bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A checked study file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StudySpec {
    /// Where it was read from, for messages.
    pub(crate) path: PathBuf,
    /// Its text, as it is kept with the study.
    pub(crate) text: String,
    pub(crate) name: String,
    pub(crate) seed: u64,
    /// How many trials at most; a budget alone leaves it open.
    pub(crate) trials: Option<u32>,
    pub(crate) budget: Option<Duration>,
    pub(crate) parallel: Option<usize>,
    pub(crate) reproducible: bool,
    pub(crate) virtual_width: u32,
    pub(crate) task: TaskSpec,
    pub(crate) metric: Option<String>,
    pub(crate) search: SearchSpec,
    pub(crate) fidelity: FidelitySpec,
    pub(crate) steering: SteeringSpec,
    pub(crate) space: Vec<SpaceEntry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Sobol,
    Random,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SearchSpec {
    pub(crate) method: Method,
    /// Whether a scheduler's own parameters are searched over the ranges it describes.
    pub(crate) scheduler_params: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FidelitySpec {
    /// ASHA, or every trial to its end.
    pub(crate) asha: bool,
    pub(crate) min_epochs: u32,
    pub(crate) max_epochs: u32,
    pub(crate) eta: u32,
}

/// Which metric drives reactive schedulers, and how often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SteeringSpec {
    pub(crate) cadence: Cadence,
    pub(crate) nan_policy: NanPolicy,
    /// The highest rate that is ever used, whatever a scheduler says.
    pub(crate) max_lr: f64,
}

impl StudySpec {
    /// Whether two files search the same, wherever in them it is written.
    pub(crate) fn searches_the_same(&self, other: &StudySpec) -> bool {
        let meant = |spec: &StudySpec| -> BTreeMap<_, _> {
            let entries = spec.space.iter().cloned();
            entries
                .map(|entry| ((entry.scheduler, entry.key), entry.choice))
                .collect()
        };
        self.search == other.search && meant(self) == meant(other)
    }

    /// Reads and checks a study file. Paths in it are relative to its folder.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let unreadable = |why: String| {
            anyhow::anyhow!(
                "cannot read the study file {}: {why}; check the path",
                path.display()
            )
        };
        let size = std::fs::metadata(path)
            .map_err(|e| unreadable(e.to_string()))?
            .len();
        if size > MAX_FILE_BYTES {
            return Err(unreadable(format!("it is {size} bytes long")));
        }
        let text = std::fs::read_to_string(path).map_err(|e| unreadable(e.to_string()))?;
        Ok(Self::parse(path, &text)?)
    }

    /// Checks the text of a study file that stands, or would stand, at `path`.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, SpecError> {
        let (spec, problems) = Self::check(path, text);
        match problems.into_iter().next() {
            Some(problem) => Err(problem),
            None => spec.ok_or_else(|| {
                let source = Source { path, text };
                source.error(0..0, String::new(), "not valid TOML")
            }),
        }
    }

    /// As [`parse`](Self::parse), but tells everything that is wrong, and takes the rest as if what is
    /// wrong were not there. There is no study only where the text is no TOML; there is then a
    /// problem.
    pub(crate) fn check(path: &Path, text: &str) -> (Option<Self>, Vec<SpecError>) {
        let source = Source { path, text };
        let (document, problems) = source.parse_all();
        if !problems.is_empty() {
            return (None, problems);
        }
        let mut found = Reading::new(source);
        let mut top = Section::top(source, document.get_ref());

        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        let spec = StudySpec {
            path: path.to_owned(),
            text: text.to_owned(),
            name: found
                .read(top.entry("name"), name)
                .unwrap_or_else(|| stem.into()),
            seed: found
                .read(top.entry("seed"), |e| e.int(0..=i64::MAX))
                .unwrap_or(0) as u64,
            trials: found
                .read(top.entry("trials"), |e| e.int(1..=MAX_TRIALS.into()))
                .map(|n| n as u32),
            budget: found.read(top.entry("budget"), budget),
            parallel: found
                .read(top.entry("parallel"), |e| e.int(1..=1024))
                .map(|n| n as usize),
            reproducible: found
                .read(top.entry("reproducible"), Entry::bool)
                .unwrap_or(true),
            virtual_width: found
                .read(top.entry("virtual_width"), |e| e.int(1..=1024))
                .unwrap_or(8) as u32,
            task: TaskSpec::read(&mut found, &mut top, path),
            metric: objective(&mut found, &mut top),
            search: search(&mut found, &mut top),
            fidelity: fidelity(&mut found, &mut top),
            steering: steering(&mut found, &mut top),
            space: choice::read(&mut found, &mut top),
        };
        found.finish(&top);
        (Some(spec), found.problems())
    }

    /// A study file of only that which concerns what is trained on, whatever else is wrong with this
    /// one.
    pub(crate) fn of_task_alone(&self) -> String {
        let mut whole: toml::Table = self.text.parse().unwrap_or_default();
        let section = self.task.section();
        let mut alone = toml::Table::new();
        alone.extend(whole.remove(section).map(|of| (section.to_owned(), of)));
        // As it was read, so it fits.
        let seed = i64::try_from(self.seed).unwrap_or(i64::MAX);
        alone.insert("seed".to_owned(), seed.into());
        if let Some(metric) = &self.metric {
            let objective = toml::Table::from_iter([("metric".to_owned(), metric.as_str().into())]);
            alone.insert("objective".to_owned(), objective.into());
        }
        alone.to_string()
    }

    /// How many trials are planned; 0 where only time limits the study.
    pub(crate) fn planned_trials(&self) -> u32 {
        match (self.trials, self.budget) {
            (Some(trials), _) => trials,
            (None, Some(_)) => 0,
            (None, None) => USUAL_TRIALS,
        }
    }

    /// How many trials there may be at most.
    pub(crate) fn most_trials(&self) -> u32 {
        match self.planned_trials() {
            0 => MAX_TRIALS,
            planned => planned,
        }
    }

    /// An error about one key of `[space]`.
    pub(crate) fn error_at(&self, entry: &SpaceEntry, message: impl Into<String>) -> SpecError {
        Source {
            path: &self.path,
            text: &self.text,
        }
        .error(entry.at.clone(), entry.path(), message)
    }

    /// An error about a key that stands in the file or could, such as `data.target`.
    pub(crate) fn error_about(&self, key: &str, message: impl Into<String>) -> SpecError {
        Source {
            path: &self.path,
            text: &self.text,
        }
        .error_about(key, message)
    }

    /// What the file says of a setting; a later entry cannot exist, TOML refuses doubled keys.
    pub(crate) fn entry(&self, scheduler: Option<&str>, key: &str) -> Option<&SpaceEntry> {
        self.space
            .iter()
            .find(|entry| entry.scheduler.as_deref() == scheduler && entry.key == key)
    }
}

/// A study's name is also the model's file name.
fn name(entry: &Entry<'_>) -> Result<String, SpecError> {
    let name = entry.text()?;
    let plain = !name.is_empty()
        && name.len() <= 100
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control);
    if plain {
        Ok(name.to_owned())
    } else {
        Err(entry.error(format!(
            "`name` is {name:?}, but must be up to 100 characters without slashes"
        )))
    }
}

fn objective<'d>(found: &mut Reading<'d>, top: &mut Section<'d>) -> Option<String> {
    let mut section = found.section(top, "objective");
    let metric = found.read(section.entry("metric"), Entry::text);
    found.finish(&section);
    metric.map(str::to_owned)
}

fn search<'d>(found: &mut Reading<'d>, top: &mut Section<'d>) -> SearchSpec {
    let mut section = found.section(top, "search");
    let method = found.read(section.entry("method"), |e| {
        e.word(&[("sobol", Method::Sobol), ("random", Method::Random)])
    });
    let scheduler_params = found.read(section.entry("scheduler_params"), Entry::bool);
    found.finish(&section);
    SearchSpec {
        method: method.unwrap_or(Method::Sobol),
        scheduler_params: scheduler_params.unwrap_or(true),
    }
}

fn fidelity<'d>(found: &mut Reading<'d>, top: &mut Section<'d>) -> FidelitySpec {
    let mut section = found.section(top, "fidelity");
    let asha = found
        .read(section.entry("method"), |e| {
            e.word(&[("asha", true), ("none", false)])
        })
        .unwrap_or(true);
    let max_epochs = found
        .read(section.entry("max_epochs"), |e| e.int(1..=1_000_000))
        .unwrap_or(40) as u32;
    let first_rung = i64::from((max_epochs / 9).max(1));
    let min_epochs = found.read(section.entry("min_epochs"), |e| {
        e.int(1..=i64::from(max_epochs))
    });
    let eta = found
        .read(section.entry("eta"), |e| e.int(2..=100))
        .unwrap_or(3) as u32;
    found.finish(&section);
    FidelitySpec {
        asha,
        min_epochs: min_epochs.unwrap_or(first_rung) as u32,
        max_epochs,
        eta,
    }
}

fn steering<'d>(found: &mut Reading<'d>, top: &mut Section<'d>) -> SteeringSpec {
    let mut section = found.section(top, "steering");
    let source = found.read(section.entry("metric"), |e| {
        e.word(&[
            ("train_loss", MetricSource::TrainLoss),
            ("valid_loss", MetricSource::ValidLoss),
            ("objective", MetricSource::Objective),
        ])
    });
    let every = found.read(section.entry("every"), every);
    let nan = found.read(section.entry("nan"), |e| {
        e.word(&[
            ("drop", NanPolicy::Drop),
            ("substitute", NanPolicy::Substitute),
            ("pass", NanPolicy::Pass),
        ])
    });
    let max_lr = found.read(section.entry("max_lr"), |e| e.float(1e-12..=1e6));
    found.finish(&section);
    SteeringSpec {
        cadence: Cadence {
            source: source.unwrap_or_default(),
            every: every.unwrap_or_default(),
        },
        nan_policy: nan.unwrap_or_default(),
        max_lr: max_lr.unwrap_or(100.0),
    }
}

fn budget(entry: &Entry<'_>) -> Result<Duration, SpecError> {
    parse_duration(entry.text()?).map_err(|message| entry.error(message))
}

/// `90s`, `5m`, `1.5h`, or a bare number of seconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let split = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let seconds = match unit.trim() {
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => f64::NAN,
    };
    number
        .trim()
        .parse::<f64>()
        .ok()
        .map(|number| number * seconds)
        .filter(|total| *total > 0.0 && *total < 1e9)
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("`{text}` is not a duration; write 90s, 5m or 1.5h"))
}

fn every(entry: &Entry<'_>) -> Result<Every, SpecError> {
    let wrong = || entry.error("`every` must be \"auto\", \"N steps\" or \"N epochs\"");
    let text = entry.text()?;
    if text == "auto" {
        return Ok(Every::Auto);
    }
    let (number, unit) = text.split_once(' ').ok_or_else(wrong)?;
    let number: u32 = number.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?;
    match unit.trim() {
        "step" | "steps" => Ok(Every::Steps(number.into())),
        "epoch" | "epochs" => Ok(Every::Epochs(number)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests;
