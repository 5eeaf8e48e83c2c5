//! One line of a golden file.

use anyhow::{Context, bail, ensure};
use serde_json::{Map, Value};

/// A trace of a reference implementation.
#[derive(Debug)]
pub(crate) struct Trace {
    /// What messages call it.
    pub(crate) name: String,
    /// Which implementation ran: `torch.X` or `hf.x`.
    pub(crate) reference: String,
    /// Its constructor arguments.
    pub(crate) arguments: Map<String, Value>,
    /// The starting rates, one a group.
    pub(crate) start: Vec<f64>,
    /// What each step was given, where it reads a metric.
    pub(crate) metrics: Option<Vec<f64>>,
    /// The expected rates, one list a step.
    pub(crate) rates: Vec<Vec<f64>>,
    /// The expected momenta, where they were recorded.
    pub(crate) momenta: Option<Vec<Vec<f64>>>,
    /// Whether the first of the rates is the one before the first step.
    pub(crate) begins_before_first_step: bool,
    /// How far a value may be off, relatively.
    pub(crate) tolerance: f64,
}

/// Reads a line; `number` names a trace that has no name.
pub(crate) fn parse(line: &str, number: usize) -> anyhow::Result<Trace> {
    let mut fields: Map<String, Value> =
        serde_json::from_str(&quote_non_finite(line)).context("not a JSON object")?;
    let name = fields.get("name").and_then(Value::as_str);
    let name = name.map_or_else(|| format!("trace {number}"), str::to_owned);
    let schedule = match fields.get("schedule") {
        None => None,
        Some(Value::String(schedule)) => Some(schedule.clone()),
        Some(other) => bail!("`schedule` is {other}, not a name"),
    };
    let mut take = |field: &str| fields.remove(field).filter(|value| !value.is_null());
    let arguments = match take("params") {
        Some(Value::Object(arguments)) => arguments,
        _ => bail!("`params` is not an object"),
    };
    let rates = per_step(take("lr").context("`lr` is missing")?, "lr")?;
    let groups = rates.first().context("`lr` is empty")?.len();
    let start = match take("init_lr").context("`init_lr` is missing")? {
        Value::Array(list) => numbers(&list, "init_lr")?,
        one => vec![number_of(&one, "init_lr")?; groups],
    };
    ensure!(
        start.len() == groups && groups > 0,
        "`init_lr` has {} groups, but `lr` has {groups}",
        start.len()
    );
    ensure!(
        rates.iter().all(|rates| rates.len() == groups),
        "`lr` does not have {groups} groups in every step"
    );
    let metrics = match take("metrics") {
        Some(Value::Array(list)) => Some(numbers(&list, "metrics")?),
        Some(other) => bail!("`metrics` is {other}, not a list"),
        None => None,
    };
    let momenta = take("momentum")
        .map(|list| per_step(list, "momentum"))
        .transpose()?;
    if let Some(momenta) = &momenta {
        let fits = momenta.len() == rates.len() && momenta.iter().all(|m| m.len() == groups);
        ensure!(fits, "`momentum` does not have the form of `lr`");
    }
    let begins_before_first_step = schedule.is_some();
    let steps = rates.len() - usize::from(begins_before_first_step);
    if let Some(stated) = take("steps") {
        ensure!(
            stated.as_u64() == Some(steps as u64),
            "`steps` is {stated}, but `lr` holds {} values",
            rates.len()
        );
    }
    if let Some(metrics) = &metrics {
        ensure!(
            metrics.len() == steps,
            "there are {} metrics for {steps} steps",
            metrics.len()
        );
    }
    Ok(Trace {
        name: match &schedule {
            Some(schedule) => format!("{schedule} ({name})"),
            None => name,
        },
        tolerance: if schedule.is_some() { 1e-6 } else { 1e-9 },
        reference: schedule.unwrap_or_else(|| "hf.greedy".into()),
        arguments,
        start,
        metrics,
        rates,
        momenta,
        begins_before_first_step,
    })
}

/// A number, `null` for NaN, or a non-finite one that [`quote_non_finite`] made readable.
pub(crate) fn number_of(value: &Value, field: &str) -> anyhow::Result<f64> {
    match value {
        Value::Null => Ok(f64::NAN),
        Value::Number(number) => number.as_f64().context("a number out of range"),
        Value::String(word) => match word.as_str() {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            other => bail!("`{field}` holds \"{other}\" where a number should be"),
        },
        other => bail!("`{field}` holds {other} where a number should be"),
    }
}

/// A list of numbers.
pub(crate) fn numbers(list: &[Value], field: &str) -> anyhow::Result<Vec<f64>> {
    list.iter().map(|value| number_of(value, field)).collect()
}

fn per_step(value: Value, field: &str) -> anyhow::Result<Vec<Vec<f64>>> {
    let Value::Array(steps) = value else {
        bail!("`{field}` is not a list");
    };
    steps
        .iter()
        .map(|step| match step {
            Value::Array(groups) => numbers(groups, field),
            one => Ok(vec![number_of(one, field)?]),
        })
        .collect()
}

/// Python writes NaN and the infinities bare, which JSON does not know: puts them in quotes.
fn quote_non_finite(line: &str) -> String {
    let mut quoted = String::with_capacity(line.len());
    let mut rest = line;
    let mut in_string = false;
    while let Some(first) = rest.chars().next() {
        let word = ["NaN", "-Infinity", "Infinity"]
            .into_iter()
            .find(|word| !in_string && rest.starts_with(word));
        let taken = match word {
            Some(word) => {
                quoted.push('"');
                quoted.push_str(word);
                quoted.push('"');
                word.len()
            }
            None => {
                in_string ^= first == '"';
                // Whatever a backslash stands before is part of the string, a quote too.
                let escaped = if in_string && first == '\\' {
                    rest[1..].chars().next().map_or(0, char::len_utf8)
                } else {
                    0
                };
                let taken = first.len_utf8() + escaped;
                quoted.push_str(&rest[..taken]);
                taken
            }
        };
        rest = &rest[taken..];
    }
    quoted
}
