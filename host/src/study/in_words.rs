//! A search space in words, setting by setting: for whoever looks at a study before it runs.

use super::settings::{self, name};
use super::space::StudySpace;
use attune_plugin_api::param::Value;
use attune_protocol::SpacePart;
use attune_search::Domain;

impl StudySpace {
    /// Every setting: the scheduler, those of the trial in the order of their table, and those of
    /// each scheduler.
    pub(crate) fn in_words(&self) -> Vec<SpacePart> {
        let searched = self
            .searched
            .parameters()
            .iter()
            .map(|parameter| (parameter.name.as_str(), domain(&parameter.domain), true));
        let fixed = self
            .fixed
            .iter()
            .map(|(name, value)| (name.as_str(), fixed(value), false));
        let mut parts: Vec<SpacePart> = searched
            .chain(fixed)
            .map(|(name, values, searched)| SpacePart {
                name: name.to_owned(),
                values,
                searched,
                scheduler: name.split_once('.').map(|(scheduler, _)| scheduler.into()),
            })
            .collect();
        let settings = settings::all();
        let place = |part: &SpacePart| {
            let own = settings.iter().position(|s| s.name == part.name);
            match (part.name == name::SCHEDULER, own) {
                (true, _) => 0,
                (false, Some(place)) => place + 1,
                (false, None) => settings.len() + 1,
            }
        };
        parts.sort_by(|a, b| (place(a), &a.name).cmp(&(place(b), &b.name)));
        parts
    }
}

fn domain(domain: &Domain) -> String {
    let range = |low: String, high: String, log: bool| {
        let scale = if log { " (log)" } else { "" };
        format!("{low} to {high}{scale}")
    };
    match domain {
        Domain::Float { low, high, log, .. } => range(number(*low), number(*high), *log),
        Domain::Int { low, high, log } => range(low.to_string(), high.to_string(), *log),
        Domain::Choice(values) => {
            let values: Vec<String> = values
                .iter()
                .map(|value| match value {
                    attune_search::Value::Float(value) => number(*value),
                    other => other.to_string(),
                })
                .collect();
            values.join(", ")
        }
    }
}

fn fixed(value: &Value) -> String {
    match value {
        Value::Float(value) => number(*value),
        Value::List(values) => {
            let values: Vec<String> = values.iter().copied().map(number).collect();
            format!("[{}]", values.join(", "))
        }
        other => other.to_string(),
    }
}

/// A number as a person writes it: `0.05`, `1e-5`.
fn number(value: f64) -> String {
    match value.abs() {
        size if size != 0.0 && !(1e-3..1e6).contains(&size) => format!("{value:e}"),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::spec::StudySpec;
    use attune_plugin_api::{Description, Param};
    use std::path::Path;

    #[test]
    fn a_space_reads_as_it_was_written() {
        let text = "[data]\npath = 'd.csv'\ntarget = 'y'\n[space]\n\
                    lr = { low = 1e-5, high = 0.2, log = true }\nwidth = [64, 128]\n\
                    layers = { low = 1, high = 3 }\nscheduler = ['cosine', 'greedy']\n\
                    weight_decay = 0.00001\n";
        let cosine = Description::new("cosine", "").param(Param::per_group("min_lr", 1e-3));
        let greedy = Description::new("greedy", "").param(Param::int("patience", 10).search(1, 20));
        let spec = StudySpec::parse(Path::new("s.toml"), text).unwrap();
        let space = StudySpace::resolve(&spec, &[&cosine, &greedy]).unwrap();
        let parts = space.in_words();
        let told: Vec<String> = parts
            .iter()
            .map(|part| {
                let mark = if part.searched { "?" } else { "=" };
                let of = part.scheduler.as_deref().unwrap_or("-");
                format!("{} {mark} {} {of}", part.name, part.values)
            })
            .collect();
        assert_eq!(
            told,
            [
                "scheduler ? cosine, greedy -",
                "lr ? 1e-5 to 0.2 (log) -",
                "optimizer = nesterov -",
                "momentum = 0.9 -",
                "weight_decay = 1e-5 -",
                "bias_decay = 0 -",
                "norm_decay = 0 -",
                "clip_norm = 0 -",
                "batch_size = 64 -",
                "accumulate = 1 -",
                "ema = 0 -",
                "device = cpu -",
                "model = mlp -",
                "layers ? 1 to 3 -",
                "width ? 64, 128 -",
                "taper = 1 -",
                "activation = relu -",
                "dropout = 0 -",
                "norm = none -",
                "residual = false -",
                "label_smoothing = 0 -",
                "class_weights = even -",
                "loss = squared -",
                "cosine.min_lr = 0.001 cosine",
                "greedy.patience ? 1 to 20 greedy",
            ]
        );
    }
}
