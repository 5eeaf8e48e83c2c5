//! `attune trace`: a scheduler alone, over a stream of metrics or over N steps.

use crate::cli::{NanArg, OptimizerArg, TraceArgs};
use crate::solo::Solo;
use anyhow::{Context, bail};
use attune_loader::Plugins;
use attune_plugin_api::param::Value;
use attune_plugin_api::signal::Layout;
use attune_plugin_api::{Description, OptimizerKind, Setup, Signal};
use attune_trainer::trial::NanPolicy;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read, Write};
use std::process::ExitCode;

/// No line of metrics is longer; a longer one is not what we are meant to read.
const MAX_LINE_BYTES: u64 = 1 << 20;

pub(crate) fn run(args: TraceArgs, plugins: &Plugins) -> anyhow::Result<ExitCode> {
    if let Some(bad) = args.lr.iter().find(|lr| !lr.is_finite() || **lr < 0.0) {
        bail!("--lr is {bad}, but a rate must be finite and not negative");
    }
    let description = super::find_scheduler(plugins, &args.scheduler)?.description;
    let closed_form = description.is_closed_form();
    if closed_form && args.steps.is_none() {
        bail!(
            "`{}` depends on nothing but the step; say how many with --steps",
            args.scheduler
        );
    }
    let setup = Setup {
        total_steps: args.total_steps.or(args.steps),
        steps_per_epoch: args.steps_per_epoch,
        metric_minimized: !args.maximize,
        optimizer: args.optimizer.into(),
        ..Setup::of_rates(&args.lr)
    };
    let controller = plugins.create(&args.scheduler, &parse_params(&args.params)?, &setup)?;
    for warning in controller.warnings() {
        say!("warning: {warning}");
    }
    let mut solo = Solo::new(controller, &setup, args.nan.into());
    let mut out = BufWriter::new(io::stdout().lock());
    let advance = |solo: &mut Solo, seen: &Observation, out: &mut BufWriter<_>| {
        let signals = seen.flat(solo.layout());
        solo.step(&signals, seen.metric, |solo| print(solo, args.json, out))
    };
    let limit = args.steps.unwrap_or(u64::MAX);
    if closed_form {
        for _ in 0..limit {
            advance(&mut solo, &Observation::default(), &mut out)?;
        }
    } else {
        let (name, input) = open(&args)?;
        let mut lines = Lines { input, number: 0 };
        while solo.steps() < limit {
            let Some(line) = lines.next(&name)? else {
                break;
            };
            let place = format!("{name}:{}", lines.number);
            let observation = Observation::parse(&line)
                .and_then(|seen| seen.fit(description, solo.layout(), solo.rates().len()))
                .map_err(|e| anyhow::anyhow!("{place}: {e}"))?;
            advance(&mut solo, &observation, &mut out).context(place)?;
            if lines.must_wait() {
                // Whoever feeds us line by line wants to see the rates as they come.
                out.flush()?;
            }
        }
    }
    out.flush()?;
    if solo.not_finite() > 0 {
        say!("{} metrics were not finite", solo.not_finite());
    }
    Ok(ExitCode::SUCCESS)
}

/// What a step came to.
fn print(solo: &Solo, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    if json {
        let line = serde_json::json!({
            "step": solo.steps(),
            "lr": solo.rates(),
            "momentum": solo.momenta(),
        });
        writeln!(out, "{line}")?;
    } else {
        // The shortest form that reads back to the same float.
        let columns: Vec<String> = solo.rates().iter().map(|r| format!("{r:?}")).collect();
        writeln!(out, "{}", columns.join("\t"))?;
    }
    Ok(())
}

/// What one line of the stream tells.
#[derive(Debug, Default)]
struct Observation {
    metric: Option<f64>,
    signals: Vec<(Signal, Vec<f64>)>,
}

impl Observation {
    /// A number, or a JSON object with `metric` and signals by name.
    fn parse(line: &str) -> anyhow::Result<Self> {
        let line = line.trim();
        if !line.starts_with('{') {
            return Ok(Observation {
                metric: Some(parse_number(line)?),
                signals: Vec::new(),
            });
        }
        let object: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(line).context("not a JSON object")?;
        let mut seen = Observation::default();
        for (name, value) in object {
            if name == "metric" {
                seen.metric = Some(number(&name, &value)?);
                continue;
            }
            let signal: Signal = name
                .parse()
                .map_err(|error| anyhow::anyhow!("{error}; and there is `metric`"))?;
            let values = match &value {
                serde_json::Value::Array(items) => {
                    items.iter().map(|item| number(&name, item)).collect()
                }
                single => number(&name, single).map(|value| vec![value]),
            };
            seen.signals.push((signal, values?));
        }
        Ok(seen)
    }

    /// The metric must be there for a scheduler that is driven by it, and every signal that it
    /// declared, with one number a group.
    fn fit(
        self,
        description: &Description,
        layout: &Layout,
        groups: usize,
    ) -> anyhow::Result<Self> {
        if description.metric && self.metric.is_none() {
            bail!("the scheduler is driven by `metric`, which is not in this line");
        }
        for signal in layout.signals() {
            let width = signal.width(groups);
            match self.signals.iter().find(|(given, _)| *given == signal) {
                None => bail!("the scheduler needs the signal `{signal}`"),
                Some((_, values)) if values.len() != width => bail!(
                    "`{signal}` has {} numbers, but the run has {groups} groups",
                    values.len()
                ),
                Some(_) => {}
            }
        }
        Ok(self)
    }

    fn flat(&self, layout: &Layout) -> Vec<f64> {
        let mut flat = vec![f64::NAN; layout.len()];
        for (signal, values) in &self.signals {
            if let Some(range) = layout.range(*signal) {
                flat[range].copy_from_slice(values);
            }
        }
        flat
    }
}

fn number(name: &str, value: &serde_json::Value) -> anyhow::Result<f64> {
    match value {
        serde_json::Value::Null => Ok(f64::NAN),
        serde_json::Value::String(text) => parse_number(text),
        other => other
            .as_f64()
            .with_context(|| format!("`{name}` is {other}, but must be a number")),
    }
}

fn parse_number(text: &str) -> anyhow::Result<f64> {
    text.parse()
        .map_err(|_| anyhow::anyhow!("`{text}` is not a number"))
}

/// Lines with a bounded length, empty ones left out.
struct Lines {
    input: BufReader<Box<dyn Read>>,
    number: u64,
}

impl Lines {
    /// Whether the next line is yet to be read from the system.
    fn must_wait(&self) -> bool {
        self.input.buffer().is_empty()
    }

    fn next(&mut self, name: &str) -> anyhow::Result<Option<String>> {
        loop {
            let mut line = String::new();
            let mut bounded = Read::take(&mut self.input, MAX_LINE_BYTES);
            let read = bounded
                .read_line(&mut line)
                .with_context(|| format!("cannot read {name}"))?;
            self.number += 1;
            if read as u64 == MAX_LINE_BYTES {
                bail!("{name}:{}: the line is too long", self.number);
            }
            if read == 0 {
                return Ok(None);
            }
            if !line.trim().is_empty() {
                return Ok(Some(line));
            }
        }
    }
}

fn open(args: &TraceArgs) -> anyhow::Result<(String, BufReader<Box<dyn Read>>)> {
    if let Some(path) = &args.file {
        let file = File::open(path)
            .with_context(|| format!("cannot read the metrics {}", path.display()))?;
        return Ok((path.display().to_string(), BufReader::new(Box::new(file))));
    }
    if io::stdin().is_terminal() {
        say!("reading metrics from the terminal, one a line; end with Ctrl-D");
    }
    Ok(("stdin".into(), BufReader::new(Box::new(io::stdin()))))
}

/// `NAME=VALUE`; the value is read as JSON where it is JSON, else as a word.
fn parse_params(given: &[String]) -> anyhow::Result<BTreeMap<String, Value>> {
    let mut params = BTreeMap::new();
    for item in given {
        let (name, value) = item
            .split_once('=')
            .with_context(|| format!("--param {item}: write it as NAME=VALUE"))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::Text(value.into()));
        if params.insert(name.to_owned(), value).is_some() {
            bail!("--param {name} is given twice");
        }
    }
    Ok(params)
}

impl From<OptimizerArg> for OptimizerKind {
    fn from(arg: OptimizerArg) -> Self {
        match arg {
            OptimizerArg::Sgd => OptimizerKind::Sgd,
            OptimizerArg::Nesterov => OptimizerKind::Nesterov,
            OptimizerArg::Adam => OptimizerKind::Adam,
            OptimizerArg::AdamW => OptimizerKind::AdamW,
            OptimizerArg::RmsProp => OptimizerKind::RmsProp,
            OptimizerArg::Adagrad => OptimizerKind::Adagrad,
            OptimizerArg::Lion => OptimizerKind::Lion,
        }
    }
}

impl From<NanArg> for NanPolicy {
    fn from(arg: NanArg) -> Self {
        match arg {
            NanArg::Drop => NanPolicy::Drop,
            NanArg::Substitute => NanPolicy::Substitute,
            NanArg::Pass => NanPolicy::Pass,
        }
    }
}
