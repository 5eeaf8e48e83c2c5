//! Schedulers and their parameters, read from what their libraries say of themselves.

use super::param::{Kind, Param, Range, Search};
use attune_protocol::{Number, PluginInfo, Scalar};

/// A line of the list: a scheduler, or a library that none could be read from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// The scheduler's name, or the library's file.
    pub(crate) name: String,
    pub(crate) library: String,
    pub(crate) version: String,
    /// The place of the library among all of them.
    pub(crate) plugin: usize,
    /// Nothing for a library that could not be read.
    pub(crate) scheduler: Option<Scheduler>,
}

/// A scheduler.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scheduler {
    pub(crate) name: String,
    pub(crate) summary: String,
    pub(crate) reference: String,
    pub(crate) params: Vec<Param>,
    /// What it is shown at every step.
    pub(crate) reads: Vec<String>,
}

/// All schedulers by name, then the libraries that could not be read.
pub(crate) fn entries(plugins: &[PluginInfo]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (plugin, info) in plugins.iter().enumerate() {
        let schedulers = read(info, plugin);
        if schedulers.is_empty() {
            let file = info.path.rsplit(['/', '\\']).next();
            entries.push(Entry {
                name: file.unwrap_or(&info.path).to_owned(),
                library: String::new(),
                version: String::new(),
                plugin,
                scheduler: None,
            });
        }
        entries.extend(schedulers);
    }
    entries.sort_by(|a, b| {
        let key = |entry: &Entry| entry.scheduler.is_none();
        key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
    });
    entries
}

/// The schedulers that a study can use, by name.
pub(crate) fn schedulers(plugins: &[PluginInfo]) -> Vec<Scheduler> {
    let is_usable = |entry: &Entry| plugins[entry.plugin].quarantine.is_none();
    let usable = entries(plugins).into_iter().filter(is_usable);
    let mut schedulers: Vec<Scheduler> = usable.filter_map(|entry| entry.scheduler).collect();
    schedulers.dedup_by(|a, b| a.name == b.name);
    schedulers
}

/// Whether a study searches a scheduler's own parameter, such as `greedy.patience`, by its
/// logarithm where it says nothing else.
pub(crate) fn is_searched_log(plugins: &[PluginInfo], setting: &str) -> bool {
    let Some((scheduler, name)) = setting.split_once('.') else {
        return false;
    };
    let found = plugins
        .iter()
        .enumerate()
        .flat_map(|(at, info)| read(info, at));
    let params = found
        .filter(|entry| entry.name == scheduler)
        .filter_map(|entry| entry.scheduler)
        .flat_map(|scheduler| scheduler.params);
    let mut params = params.filter(|param| param.name == name);
    params.any(|param| matches!(param.search, Some(Search::Log(..))))
}

/// The schedulers of a library, as `attune_plugin_api::describe::Library` writes them.
fn read(info: &PluginInfo, plugin: usize) -> Vec<Entry> {
    let Some(library) = &info.library else {
        return Vec::new();
    };
    let schedulers = library["schedulers"].as_array();
    let mut entries = Vec::new();
    for told in schedulers.into_iter().flatten() {
        let Some(name) = told["name"].as_str() else {
            continue;
        };
        let mut reads: Vec<String> = told["signals"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|signal| signal.as_str())
            .map(signal)
            .collect();
        if told["metric"].as_bool() == Some(true) {
            reads.push("the study's metric".to_owned());
        }
        let mut params = Vec::new();
        for told in told["params"].as_array().into_iter().flatten() {
            let kind = &told["kind"];
            let range = || Range {
                low: kind["min"].as_f64(),
                high: kind["max"].as_f64(),
                above: kind["above_min"].as_bool().unwrap_or(false),
                below: kind["below_max"].as_bool().unwrap_or(false),
            };
            let kind = match kind["type"].as_str().unwrap_or_default() {
                "float" => Kind::Float(range()),
                "int" => Kind::Int(
                    kind["min"].as_i64().unwrap_or(i64::MIN),
                    kind["max"].as_i64().unwrap_or(i64::MAX),
                ),
                "bool" => Kind::Bool,
                "choice" => {
                    let words = kind["choices"].as_array().into_iter().flatten();
                    Kind::Choice(
                        words
                            .filter_map(|w| w.as_str())
                            .map(str::to_owned)
                            .collect(),
                    )
                }
                "per_group" => Kind::PerGroup(range()),
                "steps" => Kind::Steps,
                other => Kind::Other(other.to_owned()),
            };
            let ends = |name: &str| {
                let ends = &told["search"][name];
                Some((ends[0].as_f64()?, ends[1].as_f64()?))
            };
            let search = match told["search"].as_str() {
                Some(_) => Some(Search::All),
                None => ends("log")
                    .map(|(low, high)| Search::Log(low, high))
                    .or_else(|| ends("linear").map(|(low, high)| Search::Linear(low, high))),
            };
            let default = &told["default"];
            let default = if let Some(value) = default.as_bool() {
                Scalar::Bool(value)
            } else if let Some(value) = default.as_i64() {
                Scalar::Int(value)
            } else if let Some(value) = default.as_f64() {
                Scalar::Float(Number(value))
            } else if let Some(values) = default.as_array() {
                let numbers = values.iter().filter_map(|value| value.as_f64());
                Scalar::List(numbers.map(Number).collect())
            } else {
                Scalar::Text(text(default.as_str()))
            };
            params.push(Param {
                name: text(told["name"].as_str()),
                kind,
                default,
                search,
                doc: text(told["doc"].as_str()),
            });
        }
        entries.push(Entry {
            name: name.to_owned(),
            library: text(library["name"].as_str()),
            version: text(library["version"].as_str()),
            plugin,
            scheduler: Some(Scheduler {
                name: name.to_owned(),
                summary: text(told["summary"].as_str()),
                reference: text(told["reference"].as_str()),
                params,
                reads,
            }),
        });
    }
    entries
}

fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

/// A signal in words.
fn signal(name: &str) -> String {
    match name {
        "loss" => "the batch's loss",
        "grad_norm_sq" => "the gradient's squared norm",
        "grad_abs_max" => "the gradient's greatest part",
        "param_norm_sq" => "the weights' squared norm",
        "prev_update_norm_sq" => "the last update's squared norm",
        "grad_dot_prev_update" => "the gradient along the last update",
        other => other,
    }
    .to_owned()
}
