//! A study file, checked as far as it can be without its plugins and its data.

use super::reader::{Entry, Reading, Section, Source, SpecError};
use super::task::TaskSpec;
use attune_plugin_api::param::Value;
use attune_trainer::trial::{Cadence, Every, MetricSource, NanPolicy};
use std::collections::BTreeMap;
use std::ops::Range;
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

/// One key of `[space]`, or of one scheduler's table inside it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SpaceEntry {
    /// The scheduler, for a key inside its table.
    pub(crate) scheduler: Option<String>,
    pub(crate) key: String,
    pub(crate) choice: Choice,
    at: Range<usize>,
}

/// What the file says of a setting.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Choice {
    /// This value in every trial.
    Fixed(Value),
    /// One of these.
    Among(Vec<Value>),
    /// Something between two ends.
    Between { low: f64, high: f64, log: bool },
    /// The range that the setting's own description proposes: `"search"`.
    Proposed,
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
            space: space(&mut found, &mut top),
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

impl SpaceEntry {
    /// The whole key, such as `space.greedy.patience`.
    fn path(&self) -> String {
        match &self.scheduler {
            Some(scheduler) => format!("space.{scheduler}.{}", self.key),
            None => format!("space.{}", self.key),
        }
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

fn space<'d>(found: &mut Reading<'d>, top: &mut Section<'d>) -> Vec<SpaceEntry> {
    let section = found.section(top, "space");
    let settings = super::settings::all();
    let mut entries = Vec::new();
    for entry in section.entries() {
        // The table of a setting is a range, any other the table of one scheduler.
        let is_setting = settings.iter().any(|setting| setting.name == entry.key());
        if entry.is_table() && !is_setting {
            let scheduler = Some(entry.key().to_owned());
            for param in found.take(entry.entries()).unwrap_or_default() {
                entries.extend(found.take(space_entry(scheduler.clone(), &param)));
            }
        } else {
            entries.extend(found.take(space_entry(None, &entry)));
        }
    }
    entries
}

fn space_entry(scheduler: Option<String>, entry: &Entry<'_>) -> Result<SpaceEntry, SpecError> {
    let choice = if entry.is_table() {
        between(entry)?
    } else if entry.is_list() {
        let values = entry.values()?;
        if values.is_empty() {
            return Err(entry.error(format!(
                "`{}` lists nothing; give at least one value",
                entry.key()
            )));
        }
        Choice::Among(values)
    } else {
        match entry.value()? {
            Value::Text(text) if text == "search" => Choice::Proposed,
            value => Choice::Fixed(value),
        }
    };
    Ok(SpaceEntry {
        scheduler,
        key: entry.key().to_owned(),
        choice,
        at: entry.place(),
    })
}

fn between(entry: &Entry<'_>) -> Result<Choice, SpecError> {
    let (mut low, mut high, mut log) = (None, None, false);
    let finite = f64::MIN..=f64::MAX;
    for end in entry.entries()? {
        match end.key() {
            "low" => low = Some(end.float(finite.clone())?),
            "high" => high = Some(end.float(finite.clone())?),
            "log" => log = end.bool()?,
            _ => return Err(end.unknown_key(entry.key(), ["low", "high", "log"])),
        }
    }
    match (low, high) {
        (Some(low), Some(high)) if low < high && (!log || low > 0.0) => {
            Ok(Choice::Between { low, high, log })
        }
        (Some(low), Some(high)) => Err(entry.error(format!(
            "the range of `{}` runs from {low} to {high}; `low` must be below `high`{}",
            entry.key(),
            if log {
                ", and above 0 with log = true"
            } else {
                ""
            }
        ))),
        _ => Err(entry.error(format!(
            "the range of `{}` needs both `low` and `high`",
            entry.key()
        ))),
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
mod tests {
    use super::*;

    const DATA: &str = "[data]\npath = 'd.csv'\ntarget = 'y'\n";

    fn parse(text: &str) -> Result<StudySpec, SpecError> {
        StudySpec::parse(Path::new("studies/demo.toml"), text)
    }

    #[test]
    fn what_is_left_out_has_a_sensible_value() {
        let spec = parse(DATA).unwrap();
        assert_eq!(spec.name, "demo");
        assert_eq!((spec.planned_trials(), spec.most_trials()), (32, 32));
        assert!(spec.reproducible && spec.fidelity.asha);
        assert_eq!(spec.task.data().path, Path::new("studies/d.csv"));
        assert_eq!(
            (spec.fidelity.min_epochs, spec.fidelity.max_epochs),
            (4, 40)
        );
        assert_eq!(spec.steering.cadence, Cadence::default());
    }

    #[test]
    fn the_space_takes_values_lists_ranges_and_schedulers() {
        let text = format!(
            "{DATA}[space]\nscheduler = ['greedy', 'cosine']\nlr = {{ low = 1e-3, high = 1, log = true }}\n\
             width = 64\ndropout = 'search'\ngreedy.patience = 3\n"
        );
        let spec = parse(&text).unwrap();
        let choice = |scheduler, key| &spec.entry(scheduler, key).unwrap().choice;
        assert!(matches!(choice(None, "scheduler"), Choice::Among(names) if names.len() == 2));
        assert_eq!(
            choice(None, "lr"),
            &Choice::Between {
                low: 1e-3,
                high: 1.0,
                log: true
            }
        );
        assert_eq!(choice(None, "width"), &Choice::Fixed(Value::Int(64)));
        assert_eq!(choice(None, "dropout"), &Choice::Proposed);
        assert_eq!(
            choice(Some("greedy"), "patience"),
            &Choice::Fixed(Value::Int(3))
        );
    }

    #[test]
    fn every_mistake_is_placed_and_has_a_remedy() {
        let table: &[(&str, &str)] = &[
            (
                "trails = 3",
                "demo.toml:1: unknown key `trails` at the top of the file; did you mean `trials`?",
            ),
            (
                "trials = 0",
                "demo.toml:1: `trials` is 0, but must be a whole number from 1 to 1000000",
            ),
            (
                "seed = 'x'",
                "demo.toml:1: `seed` is the text \"x\", but must be a whole number",
            ),
            ("name = 'x", "demo.toml:1: not valid TOML"),
            (
                "budget = '3 days'",
                "`3 days` is not a duration; write 90s, 5m or 1.5h",
            ),
            (
                "\n[fidelity]\nmax_epoch = 3",
                "demo.toml:3: unknown key `max_epoch` in [fidelity]; did you mean `max_epochs`?",
            ),
            (
                "[search]\nmethod = 'sobl'",
                "`method` is `sobl`, but must be one of sobol, random; did you mean `sobol`?",
            ),
            ("[steering]\nevery = '3 weeks'", "`every` must be"),
            ("[space]\nlr = { low = 1 }", "needs both `low` and `high`"),
            (
                "[space]\nlr = { low = 0, high = 1, log = true }",
                "above 0 with log = true",
            ),
            (
                "[space]\nlr = { low = 0.1, high = 1, logg = true }",
                "did you mean `log`?",
            ),
            ("[space]\nlr = []", "lists nothing"),
            (
                "[space]\nlr = { lo = 0.1 }",
                "unknown key `lo` in [lr]; did you mean `low`?",
            ),
            ("name = 'a/b'", "without slashes"),
            (
                "[data]\npath = 'd.csv'\ntarget = 'y'\nfold = [6, 5]",
                "demo.toml:4: `fold` is [6, 5], but must be [I, K]",
            ),
            (
                "[data]\npath = 'd.csv'\ntarget = 'y'\nfold = 3",
                "`fold` is 3, but must be two whole numbers from 1 to 1000",
            ),
            (
                "[data]\npath = 'd.csv'\ntarget = 'y'\nsize = [28, 0]",
                "`size` is a list, but must be two whole numbers from 1 to 4096",
            ),
            (
                "[data]\npath = 'd.csv'\ntarget = 'y'\ngroup = 'g'\ntime = 't'",
                "demo.toml:5: `time` and `group` are both given",
            ),
            ("[data]\npath = 'a.csv'", "`target` is missing from [data]"),
            (
                "[data]\npath = 'a.txt'\ntask = 'text'\ntarget = 'y'",
                "demo.toml:4: `target` is given, but a text has none; leave it out",
            ),
            (
                "[data]\npath = 'a.txt'\ntask = 'text'\nprotected = 'who'",
                "demo.toml:4: `protected` is given, but a text has none; leave it out",
            ),
            (
                "[data]\npath = 'a.csv'\ntarget = 'y'\ncontext = 8",
                "`context` is given, but only a text has that; add task = \"text\"",
            ),
            (
                "[data]\npath = 'a.csv'\ntarget = 'y'\nimage = [8, 8]",
                "`image` is a list, but must be 3 whole numbers",
            ),
            ("data = 3", "`data` is 3, but must be a table"),
            (
                "[function]\nshape = 'rosenbrok'",
                "demo.toml:2: `shape` is `rosenbrok`, but must be one of quadratic, rosenbrock; did",
            ),
            (
                "[function]\nshape = 'rosenbrock'\ncondition = 9",
                "demo.toml:3: `condition` is given, but only shape = \"quadratic\" has one",
            ),
            (
                "[function]\nnoise = -1",
                "demo.toml:2: `noise` is -1, but must be a number from 0",
            ),
            (
                "[factorisation]\npath = 'm.csv'\nrows = 3",
                "demo.toml:3: unknown key `rows` in [factorisation]; known here: ignore, path",
            ),
            (
                "[factorisation]\n[data]\npath = 'm.csv'\ntarget = 'y'",
                "demo.toml:2: [factorisation] and [data] both say what is trained; leave one of",
            ),
        ];
        for (text, expected) in table {
            let has_task = ["data", "function", "factorisation"];
            let text = if has_task.iter().any(|task| text.contains(task)) {
                text.to_string()
            } else {
                format!("{text}\n{DATA}")
            };
            let error = parse(&text).unwrap_err().to_string();
            assert!(
                error.contains(expected),
                "{text}\n gave {error}\n not {expected}"
            );
        }
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_and_the_rest_is_taken() {
        let text = "trials = 0\nseed = 3\n[data]\npath = 'd.csv'\n[fidelity]\nmax_epochs = 5\n\
                    eta = 1\n[space]\nlr = []\nwidth = 64\ngreedy.x = {low = 1}\n[serch]\n";
        let (spec, problems) = StudySpec::check(Path::new("studies/demo.toml"), text);
        let told: Vec<(usize, &str)> = problems.iter().map(|p| (p.line, p.key.as_str())).collect();
        assert_eq!(
            told,
            [
                (1, "trials"),
                (3, "data.target"),
                (7, "fidelity.eta"),
                (9, "space.lr"),
                (11, "space.greedy.x"),
                (12, "serch"),
            ],
            "{problems:#?}"
        );
        let spec = spec.unwrap();
        assert_eq!((spec.seed, spec.fidelity.max_epochs), (3, 5));
        assert_eq!(spec.space.len(), 1);
        let (spec, problems) = StudySpec::check(Path::new("demo.toml"), "name = 'x\n");
        assert!(spec.is_none() && problems[0].line == 1);
    }

    #[test]
    fn a_budget_alone_leaves_the_number_of_trials_open() {
        let spec = parse(&format!("budget = '5m'\n{DATA}")).unwrap();
        assert_eq!((spec.planned_trials(), spec.most_trials()), (0, MAX_TRIALS));
        let spec = parse(&format!("budget = '5m'\ntrials = 7\n{DATA}")).unwrap();
        assert_eq!((spec.planned_trials(), spec.most_trials()), (7, 7));
    }

    #[test]
    fn a_split_that_leaves_nothing_to_train_on_is_refused() {
        let error = parse(&format!("{DATA}valid = 0.6\ntest = 0.4\n")).unwrap_err();
        assert!(error.to_string().contains("leave at least 0.05"), "{error}");
    }

    #[test]
    fn what_concerns_the_task_is_kept_and_nothing_else() {
        let tables = [
            "[data]\npath = '/a \"b\".csv'\ntarget = 'größe'\ntask = 'regression'\nvalid = 0.25\n\
             ignore = ['a', 'b']\nfold = [2, 5]\ngroup = 'who'\nprotected = 'sex'\nimage = [4, 5, 3]\n",
            "[data]\npath = '/a.txt'\ntask = 'text'\nlevel = 'byte'\ncontext = 9\n",
            "[function]\nshape = 'rosenbrock'\ndimensions = 5\nnoise = 0.5\n",
            "[factorisation]\npath = '/m.npy'\nignore = ['who']\n",
            "[factorisation]\nrows = 5\nseed = 3\n",
        ];
        for table in tables {
            let text = format!(
                "seed = 7\ntrials = 9\n{table}[objective]\nmetric = 'mae'\n[space]\nlr = 'x'\n"
            );
            let spec = parse(&text).unwrap();
            let alone = parse(&spec.of_task_alone()).unwrap();
            assert_eq!(alone.task, spec.task);
            assert_eq!((alone.seed, &alone.metric), (7, &spec.metric));
            assert!(alone.space.is_empty() && alone.trials.is_none());
        }
    }

    /// As a file does that a program wrote anew, with its keys in another order.
    #[test]
    fn where_a_space_is_written_is_no_part_of_it() {
        let parse = |text: &str| {
            let data = "[data]\npath = \"d.csv\"\ntarget = \"y\"\n";
            StudySpec::parse(Path::new("study.toml"), &format!("{text}{data}")).unwrap()
        };
        let spec = parse("[space]\nlr = \"search\"\nwidth = 8\n");
        let moved = parse("trials = 70\n\n[space]\nwidth = 8\nlr = \"search\"\n");
        let other = parse("[space]\nlr = \"search\"\nwidth = 9\n");
        let method = parse("[search]\nmethod = \"random\"\n[space]\nlr = \"search\"\nwidth = 8\n");
        assert!(spec.searches_the_same(&moved));
        assert!(!spec.searches_the_same(&other));
        assert!(!spec.searches_the_same(&method));
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("1.5h"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("5 m"), Ok(Duration::from_secs(300)));
        assert!(parse_duration("-3s").is_err());
        assert!(parse_duration("NaN").is_err());
    }
}
