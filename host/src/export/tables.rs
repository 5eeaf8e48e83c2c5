//! CSV tables: what a spreadsheet or a data frame reads.
//!
//! `trials.csv` has a row a trial, its configuration as `config.NAME` and the metrics of its last
//! epoch as `metric.NAME`; `epochs.csv` a row an epoch; `steps.csv` a row a step. Numbers have all
//! their digits and `NaN`, `Infinity` and `-Infinity` are written so; a cell is empty where there
//! is no value. Lists are JSON.

use super::Trials;
use super::outputs::Outputs;
use anyhow::Context;
use attune_protocol::{ImportedTrial, Number, Scalar, StudyDetail};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Writes all tables into a folder.
pub(super) fn write(
    study: &StudyDetail,
    trials: &mut Trials<'_>,
    folder: &Path,
    outputs: &mut Outputs,
) -> anyhow::Result<()> {
    let places = ["trials.csv", "epochs.csv", "steps.csv"].map(|name| folder.join(name));
    for place in &places {
        outputs.check(place)?;
    }
    // Rows wait in files without a name: which columns there are is only known at the end.
    let mut tables = Tables {
        trials: trials_table(study, spool(folder, "trials")?),
        epochs: Table::new(&["trial", "epoch"], spool(folder, "epochs")?),
        steps: Table::new(&["trial", "step"], spool(folder, "steps")?),
    };
    for trial in trials {
        tables.add(&trial?)?;
    }
    let Tables {
        trials,
        epochs,
        steps,
    } = tables;
    for (place, table) in places.iter().zip([trials, epochs, steps]) {
        outputs.file(place, |file| table.finish(file))?;
    }
    Ok(())
}

/// Writes the table of trials to a stream.
pub(super) fn write_trials(
    study: &StudyDetail,
    trials: &mut Trials<'_>,
    to: &mut dyn Write,
) -> anyhow::Result<()> {
    let mut table = trials_table(study, Cursor::new(Vec::new()));
    for trial in trials {
        add_trial(&mut table, &trial?)?;
    }
    table.finish(to)
}

struct Tables {
    trials: Table<File>,
    epochs: Table<File>,
    steps: Table<File>,
}

impl Tables {
    fn add(&mut self, trial: &ImportedTrial) -> anyhow::Result<()> {
        let id = trial.trial.id.as_str();
        add_trial(&mut self.trials, trial)?;
        for (epoch, metrics) in &trial.epochs {
            self.epochs.set(Column::Own("trial"), id);
            self.epochs.set(Column::Own("epoch"), epoch);
            for (name, value) in metrics {
                self.epochs.set(Column::Plain(name), text_of(*value));
            }
            self.epochs.end_row()?;
        }
        let (trial_at, step_at) = (
            self.steps.place(Column::Own("trial")),
            self.steps.place(Column::Own("step")),
        );
        let columns: Vec<(usize, &[Number])> = trial
            .steps
            .columns
            .iter()
            .map(|(name, values)| (self.steps.place(Column::Plain(name)), values.as_slice()))
            .collect();
        for (at, step) in trial.steps.steps.iter().enumerate() {
            self.steps.set_at(trial_at, id);
            self.steps.set_at(step_at, step);
            for (place, values) in &columns {
                if let Some(value) = values.get(at) {
                    self.steps.set_at(*place, text_of(*value));
                }
            }
            self.steps.end_row()?;
        }
        Ok(())
    }
}

/// The table of trials, its columns in the order of their names.
fn trials_table<S: Read + Write + Seek>(study: &StudyDetail, spool: S) -> Table<S> {
    let own = [
        "trial",
        "state",
        "value",
        "best_epoch",
        "scheduler",
        "seed",
        "epochs",
        "max_epochs",
        "steps",
        "seconds",
        "plugin",
        "reason",
    ];
    let mut table = Table::new(&own, spool);
    let trials = &study.trials;
    let configs: BTreeSet<&String> = trials.iter().flat_map(|t| t.config.keys()).collect();
    let metrics: BTreeSet<&String> = trials.iter().flat_map(|t| t.metrics.keys()).collect();
    for name in configs {
        table.place(Column::Config(name));
    }
    for name in metrics {
        table.place(Column::Metric(name));
    }
    table
}

fn add_trial<S: Read + Write + Seek>(
    table: &mut Table<S>,
    trial: &ImportedTrial,
) -> anyhow::Result<()> {
    let trial = &trial.trial;
    table.set(Column::Own("trial"), &trial.id);
    table.set(Column::Own("state"), trial.state);
    if let Some(value) = trial.value {
        table.set(Column::Own("value"), text_of(value));
    }
    if let Some(epoch) = trial.best_epoch {
        table.set(Column::Own("best_epoch"), epoch);
    }
    table.set(Column::Own("scheduler"), &trial.scheduler);
    table.set(Column::Own("seed"), trial.seed);
    table.set(Column::Own("epochs"), trial.epochs);
    table.set(Column::Own("max_epochs"), trial.max_epochs);
    table.set(Column::Own("steps"), trial.steps);
    table.set(Column::Own("seconds"), text_of(trial.seconds));
    table.set(Column::Own("plugin"), &trial.plugin);
    if let Some(reason) = &trial.reason {
        table.set(Column::Own("reason"), reason);
    }
    for (name, value) in &trial.config {
        let cell = match value {
            Scalar::Float(value) => text_of(*value),
            Scalar::Bool(value) => value.to_string(),
            Scalar::Int(value) => value.to_string(),
            Scalar::Text(value) => value.clone(),
            Scalar::List(values) => serde_json::to_string(values)?,
        };
        table.set(Column::Config(name), cell);
    }
    for (name, value) in &trial.metrics {
        table.set(Column::Metric(name), text_of(*value));
    }
    table.end_row()
}

/// A number with all its digits, in scientific form where that is much shorter.
fn text_of(Number(value): Number) -> String {
    match value {
        value if value.is_finite() => format!("{value:?}"),
        value if value.is_nan() => "NaN".to_owned(),
        value if value > 0.0 => "Infinity".to_owned(),
        _ => "-Infinity".to_owned(),
    }
}

/// Which column: what Attune calls so, what a study does, and never one for the other.
#[derive(Debug, Clone, Copy)]
enum Column<'n> {
    Own(&'static str),
    Config(&'n str),
    Metric(&'n str),
    /// A metric or a step's quantity where there is nothing else.
    Plain(&'n str),
}

impl Column<'_> {
    fn title(self) -> String {
        match self {
            Column::Own(name) => name.to_owned(),
            Column::Config(name) => format!("config.{name}"),
            Column::Metric(name) => format!("metric.{name}"),
            Column::Plain(name) => name.to_owned(),
        }
    }
}

/// A table that may get more columns with each row: rows wait until all are known.
struct Table<S: Write> {
    titles: Vec<String>,
    own: HashMap<&'static str, usize>,
    others: HashMap<String, usize>,
    rows: csv::Writer<S>,
    cells: Vec<String>,
}

impl<S: Read + Write + Seek> Table<S> {
    fn new(own: &[&'static str], spool: S) -> Self {
        let rows = csv::WriterBuilder::new().flexible(true).from_writer(spool);
        let mut table = Table {
            titles: Vec::new(),
            own: HashMap::new(),
            others: HashMap::new(),
            rows,
            cells: Vec::new(),
        };
        for name in own {
            table.place(Column::Own(name));
        }
        table
    }

    /// Where a column is; a new one is the last.
    fn place(&mut self, column: Column<'_>) -> usize {
        let title = column.title();
        let last = self.titles.len();
        let place = match column {
            Column::Own(name) => *self.own.entry(name).or_insert(last),
            _ => *self.others.entry(title.clone()).or_insert(last),
        };
        if place == last {
            self.titles.push(title);
        }
        place
    }

    fn set(&mut self, column: Column<'_>, value: impl Display) {
        let place = self.place(column);
        self.set_at(place, value);
    }

    fn set_at(&mut self, place: usize, value: impl Display) {
        if self.cells.len() <= place {
            self.cells.resize(place + 1, String::new());
        }
        if let Some(cell) = self.cells.get_mut(place) {
            *cell = value.to_string();
        }
    }

    fn end_row(&mut self) -> anyhow::Result<()> {
        self.rows.write_record(&self.cells).with_context(failed)?;
        self.cells.iter_mut().for_each(String::clear);
        Ok(())
    }

    fn finish(self, to: &mut dyn Write) -> anyhow::Result<()> {
        let spool = self.rows.into_inner().map_err(|error| error.into_error());
        let mut spool = spool.with_context(failed)?;
        spool.seek(SeekFrom::Start(0)).with_context(failed)?;
        let mut table = csv::Writer::from_writer(to);
        table.write_record(&self.titles).with_context(failed)?;
        let mut rows = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(spool);
        let mut row = csv::StringRecord::new();
        while rows.read_record(&mut row).with_context(failed)? {
            let missing = self.titles.len().saturating_sub(row.len());
            let cells = row.iter().chain(std::iter::repeat_n("", missing));
            table.write_record(cells).with_context(failed)?;
        }
        table.flush().with_context(failed)
    }
}

fn failed() -> &'static str {
    "cannot write a table; is the disk full?"
}

/// A file without a name in a folder: gone with the process, whatever happens to that.
fn spool(folder: &Path, name: &str) -> anyhow::Result<File> {
    let path = folder.join(format!(".{name}.{}.rows", std::process::id()));
    let open = || -> io::Result<File> {
        fs::create_dir_all(folder)?;
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)?;
        fs::remove_file(&path)?;
        Ok(file)
    };
    open().with_context(|| {
        format!(
            "cannot create a file in {}; check that it can be written to",
            folder.display()
        )
    })
}
