//! How the daemon is set up: defaults, then the configuration file, then the environment, then
//! flags; the later wins.
//!
//! Every setting is one row of [`KEYS`]. From it follow its key in the file, its environment
//! variable, how its value is checked, and how `attune doctor` shows it with where it came from.

#[cfg(test)]
mod tests;

use crate::daemon::machine::cores;
use crate::study::reader::{Entry, Section, Source, SpecError, nearest};
use crate::study::spec::parse_duration;
use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing::level_filters::LevelFilter;

/// The most that a configuration file may weigh; one is a few hundred bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// The daemon's settings, checked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// The most worker processes; as many as the studies ask for where not given.
    pub(crate) workers: Option<u16>,
    /// The most threads that a trial may share its work out to.
    pub(crate) threads: u16,
    /// The most memory of one worker, in bytes.
    pub(crate) worker_memory: u64,
    /// How often a trial in training is checkpointed.
    pub(crate) checkpoint_every: Duration,
    /// The most that checkpoints and models may take, in bytes.
    pub(crate) checkpoint_budget: u64,
    /// How long one step of a trial may take before its worker is ended.
    pub(crate) step_timeout: Duration,
    /// How long a plugin may take to load and be described.
    pub(crate) load_timeout: Duration,
    /// How long a worker may be silent before its trial is given to another.
    pub(crate) lease_timeout: Duration,
    /// When a daemon that a client started by itself ends, with nothing to do; never where none.
    pub(crate) idle_exit: Option<Duration>,
    pub(crate) log_level: LevelFilter,
    /// Of how many of the last ended trials every exact step is kept; of all where none.
    pub(crate) retention: Option<u32>,
    /// Plugin libraries, or folders of them, to load before all others.
    pub(crate) plugins: Vec<PathBuf>,
    /// Where to listen apart from the socket; nowhere where none.
    pub(crate) listen: Option<Listen>,
}

/// A door to the network, as asked for. Whether it may be opened so, whoever opens it checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listen {
    pub(crate) address: SocketAddr,
    /// A certificate chain in PEM.
    pub(crate) certificate: Option<PathBuf>,
    /// Its private key in PEM.
    pub(crate) key: Option<PathBuf>,
    /// A file whose one line is the token that every request must carry.
    pub(crate) token_file: Option<PathBuf>,
}

/// Where a setting's value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layer {
    Default,
    File { path: PathBuf, line: usize },
    Environment { variable: String },
    Flag,
}

/// One setting as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Such as `worker_memory` or `listen.address`.
    pub(crate) key: &'static str,
    /// Its environment variable.
    pub(crate) variable: String,
    /// Its value, in the form in which it can be given.
    pub(crate) value: String,
    pub(crate) layer: Layer,
    /// What it means, its range and its default.
    pub(crate) doc: &'static str,
}

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A mistake in the file.
    #[error(transparent)]
    File(#[from] SpecError),
    #[error(
        "cannot read the configuration {}: {why}; mend it or move it away", path.display()
    )]
    Unreadable { path: PathBuf, why: String },
    /// A mistake in a variable or flag.
    #[error("{place}: {message}")]
    Value { place: String, message: String },
}

/// One setting: its key, its doc, and how it is set and shown.
struct Key {
    /// With its section, as in `listen.address`.
    name: &'static str,
    doc: &'static str,
    set: fn(&mut Config, &Given<'_>) -> Result<(), String>,
    show: fn(&Config) -> String,
}

/// A setting's value before it is checked: one word, or the words of a list.
struct Given<'g> {
    words: Vec<String>,
    /// What relative paths are relative to.
    folder: &'g Path,
}

const KEYS: &[Key] = &[
    Key {
        name: "workers",
        doc: "The most worker processes, from 1 to 1024, or \"auto\": as many as the studies ask \
              for. Default: auto.",
        set: |config, given| {
            config.workers = given.unless("auto", |text| whole(text, 1..=1024))?;
            Ok(())
        },
        show: |config| shown_or(config.workers, "auto"),
    },
    Key {
        name: "threads",
        doc: "The most threads that one trial computes on, from 1 to 1024, or \"auto\": as many as \
              there are cores, and never more than 16. Trials that train at the same time share the \
              cores out. Default: auto.",
        set: |config, given| {
            let threads = given.unless("auto", |text| whole(text, 1..=1024))?;
            config.threads = threads.unwrap_or_else(cores);
            Ok(())
        },
        show: |config| config.threads.to_string(),
    },
    Key {
        name: "worker_memory",
        doc: "The most memory of one worker, such as \"4GiB\"; at least 64MiB. Default: \"auto\", \
              three quarters of the machine's memory divided by its cores, at least 1GiB.",
        set: |config, given| {
            let size = given.unless("auto", |text| size(text, 64 * MIB))?;
            config.worker_memory = size.unwrap_or_else(usual_worker_memory);
            Ok(())
        },
        show: |config| show_size(config.worker_memory),
    },
    Key {
        name: "checkpoint_every",
        doc: "How often a trial in training is checkpointed, from 1s to 1h. Default: 10s.",
        set: |config, given| {
            config.checkpoint_every = time(given.one()?, SECOND, HOUR)?;
            Ok(())
        },
        show: |config| show_time(config.checkpoint_every),
    },
    Key {
        name: "checkpoint_budget",
        doc: "The most that checkpoints and models may take, such as \"10GiB\"; at least 1MiB. \
              Default: 10GiB.",
        set: |config, given| {
            config.checkpoint_budget = size(given.one()?, MIB)?;
            Ok(())
        },
        show: |config| show_size(config.checkpoint_budget),
    },
    Key {
        name: "step_timeout",
        doc: "How long one step of a trial may take before its worker is ended, from 1s to 24h. \
              Default: 60s.",
        set: |config, given| {
            config.step_timeout = time(given.one()?, SECOND, 24 * HOUR)?;
            Ok(())
        },
        show: |config| show_time(config.step_timeout),
    },
    Key {
        name: "load_timeout",
        doc: "How long a plugin may take to load and be described, from 1s to 1h. Default: 30s.",
        set: |config, given| {
            config.load_timeout = time(given.one()?, SECOND, HOUR)?;
            Ok(())
        },
        show: |config| show_time(config.load_timeout),
    },
    Key {
        name: "lease_timeout",
        doc: "How long a worker may be silent before its trial is given to another, from 2s to \
              1h. Default: 15s.",
        set: |config, given| {
            config.lease_timeout = time(given.one()?, 2 * SECOND, HOUR)?;
            Ok(())
        },
        show: |config| show_time(config.lease_timeout),
    },
    Key {
        name: "idle_exit",
        doc: "When a daemon that a command started by itself ends, with nothing to do: from 1s to \
              720h, or \"never\". Default: 10m.",
        set: |config, given| {
            config.idle_exit = given.unless("never", |text| time(text, SECOND, 720 * HOUR))?;
            Ok(())
        },
        show: |config| config.idle_exit.map_or("never".into(), show_time),
    },
    Key {
        name: "log_level",
        doc: "What the log tells: off, error, warn, info, debug or trace. Default: info.",
        set: |config, given| {
            config.log_level = level(given.one()?)?;
            Ok(())
        },
        show: |config| config.log_level.to_string(),
    },
    Key {
        name: "retention",
        doc: "Of how many of the last ended trials every exact step is kept, from 0 to 1000000000; \
              of older ones only the curves. Default: \"all\".",
        set: |config, given| {
            config.retention = given.unless("all", |text| whole(text, 0..=1_000_000_000))?;
            Ok(())
        },
        show: |config| shown_or(config.retention, "all"),
    },
    Key {
        name: "plugins",
        doc: "Plugin libraries, or folders of them, to load before all others; in the environment \
              separated by colons. Default: none.",
        set: |config, given| {
            let paths = given.words.iter().map(|word| given.path(word));
            config.plugins = paths.collect::<Result<_, _>>()?;
            Ok(())
        },
        show: |config| {
            let paths = config.plugins.iter().map(|path| path.to_string_lossy());
            paths.collect::<Vec<_>>().join(":")
        },
    },
    Key {
        name: "listen.address",
        doc: "The address and port to listen on, apart from the socket. Default: 127.0.0.1:7878 \
              where any key of [listen] is given, else none.",
        set: |config, given| {
            config.door().address = address(given.one()?)?;
            Ok(())
        },
        show: |config| shown_door(config, |door| Some(door.address.to_string())),
    },
    Key {
        name: "listen.certificate",
        doc: "A certificate in PEM. An address other than the machine's own needs one.",
        set: |config, given| {
            config.door().certificate = Some(given.path(given.one()?)?);
            Ok(())
        },
        show: |config| shown_door(config, |door| shown_path(door.certificate.as_deref())),
    },
    Key {
        name: "listen.key",
        doc: "The certificate's private key in PEM.",
        set: |config, given| {
            config.door().key = Some(given.path(given.one()?)?);
            Ok(())
        },
        show: |config| shown_door(config, |door| shown_path(door.key.as_deref())),
    },
    Key {
        name: "listen.token_file",
        doc: "A file whose one line is the token that every request over the network must carry.",
        set: |config, given| {
            config.door().token_file = Some(given.path(given.one()?)?);
            Ok(())
        },
        show: |config| shown_door(config, |door| shown_path(door.token_file.as_deref())),
    },
];

impl Default for Config {
    fn default() -> Self {
        Config {
            workers: None,
            threads: cores(),
            worker_memory: usual_worker_memory(),
            checkpoint_every: 10 * SECOND,
            checkpoint_budget: 10 * GIB,
            step_timeout: 60 * SECOND,
            load_timeout: 30 * SECOND,
            lease_timeout: 15 * SECOND,
            idle_exit: Some(600 * SECOND),
            log_level: LevelFilter::INFO,
            retention: None,
            plugins: Vec::new(),
            listen: None,
        }
    }
}

impl Config {
    /// Reads the file at `path`, which need not exist, then `variable`s, then `flags`, which are
    /// keys such as `listen.address` with their values. Tells of every setting where it came from.
    ///
    /// # Errors
    /// An unknown key or a value out of range, with its line, variable or flag.
    pub(crate) fn load(
        path: &Path,
        variable: impl Fn(&str) -> Option<OsString>,
        flags: &[(&str, Vec<String>)],
    ) -> Result<(Self, Vec<Origin>), ConfigError> {
        let mut config = Config::default();
        let mut layers = vec![Layer::Default; KEYS.len()];
        if let Some(text) = read_file(path)? {
            config.take_file(path, &text, &mut layers)?;
        }
        config.take_variables(variable, &mut layers)?;
        config.take_flags(flags, &mut layers)?;
        let origins = KEYS.iter().zip(layers).map(|(key, layer)| Origin {
            key: key.name,
            variable: variable_name(key.name),
            value: (key.show)(&config),
            layer,
            doc: key.doc,
        });
        let origins = origins.collect();
        Ok((config, origins))
    }

    fn take_file(
        &mut self,
        path: &Path,
        text: &str,
        layers: &mut [Layer],
    ) -> Result<(), ConfigError> {
        let source = Source { path, text };
        let document = source.parse()?;
        let mut top = Section::top(source, document.get_ref());
        let folder = path.parent().unwrap_or(Path::new(""));
        let asked_to_listen = top.entry("listen").is_some();
        let mut listen = top.section("listen")?;
        for (key, layer) in KEYS.iter().zip(layers) {
            let entry = match key.name.strip_prefix("listen.") {
                Some(name) => listen.entry(name),
                None => top.entry(key.name),
            };
            let Some(entry) = entry else { continue };
            let words = words(&entry)?;
            (key.set)(self, &Given { words, folder })
                .map_err(|message| entry.error(format!("`{}` {message}", key.name)))?;
            *layer = Layer::File {
                path: path.to_owned(),
                line: entry.line(),
            };
        }
        listen.finish()?;
        top.finish()?;
        if asked_to_listen {
            self.door();
        }
        Ok(())
    }

    fn take_variables(
        &mut self,
        variable: impl Fn(&str) -> Option<OsString>,
        layers: &mut [Layer],
    ) -> Result<(), ConfigError> {
        // Whoever leaves this folder later, as a daemon does, still means the same files.
        let here = std::env::current_dir().unwrap_or_default();
        for (key, layer) in KEYS.iter().zip(layers) {
            let name = variable_name(key.name);
            let wrong = |message: String| ConfigError::Value {
                place: format!("the environment variable {name}"),
                message: format!("`{}` {message}", key.name),
            };
            let Some(value) = variable(&name).filter(|value| !value.is_empty()) else {
                continue;
            };
            let text = value
                .into_string()
                .map_err(|_| wrong("must be UTF-8".into()))?;
            let words = if key.name == "plugins" {
                text.split(':').map(str::to_owned).collect()
            } else {
                vec![text]
            };
            let folder = here.as_path();
            (key.set)(self, &Given { words, folder }).map_err(wrong)?;
            *layer = Layer::Environment { variable: name };
        }
        Ok(())
    }

    fn take_flags(
        &mut self,
        flags: &[(&str, Vec<String>)],
        layers: &mut [Layer],
    ) -> Result<(), ConfigError> {
        for (name, words) in flags {
            let wrong = |message: String| ConfigError::Value {
                place: "the command line".into(),
                message,
            };
            let found = KEYS.iter().zip(&mut *layers).find(|(k, _)| k.name == *name);
            let Some((key, layer)) = found else {
                let names = || KEYS.iter().map(|key| key.name);
                let remedy = match nearest(name, names()) {
                    Some(right) => format!("did you mean `{right}`?"),
                    None => format!("known: {}", names().collect::<Vec<_>>().join(", ")),
                };
                return Err(wrong(format!("unknown setting `{name}`; {remedy}")));
            };
            let words = words.clone();
            let folder = Path::new("");
            (key.set)(self, &Given { words, folder })
                .map_err(|message| wrong(format!("`{name}` {message}")))?;
            *layer = Layer::Flag;
        }
        Ok(())
    }

    /// The door to the network, asked for by whoever sets something of it.
    fn door(&mut self) -> &mut Listen {
        self.listen.get_or_insert_with(|| Listen {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 7878)),
            certificate: None,
            key: None,
            token_file: None,
        })
    }
}

impl Given<'_> {
    fn one(&self) -> Result<&str, String> {
        match self.words.as_slice() {
            [word] => Ok(word.trim()),
            words => Err(format!("takes one value, not a list of {}", words.len())),
        }
    }

    /// One value, or none for the word that stands for it.
    fn unless<T>(
        &self,
        none: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        match self.one()? {
            word if word == none => Ok(None),
            text => parse(text)
                .map(Some)
                .map_err(|message| format!("{message}, or {none:?}")),
        }
    }

    fn path(&self, word: &str) -> Result<PathBuf, String> {
        if word.is_empty() {
            return Err("holds an empty path; leave it out or name a file".into());
        }
        Ok(self.folder.join(word))
    }
}

fn read_file(path: &Path) -> Result<Option<String>, ConfigError> {
    let unreadable = |why: String| ConfigError::Unreadable {
        path: path.to_owned(),
        why,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    let mut text = String::new();
    let read = file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text);
    match read {
        Ok(length) if length as u64 > MAX_FILE_BYTES => Err(unreadable(format!(
            "it is longer than {MAX_FILE_BYTES} bytes"
        ))),
        Ok(_) => Ok(Some(text)),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

fn words(entry: &Entry<'_>) -> Result<Vec<String>, SpecError> {
    let values = entry.values()?;
    Ok(values.iter().map(ToString::to_string).collect())
}

/// Such as `ATTUNE_LISTEN_ADDRESS`.
fn variable_name(key: &str) -> String {
    format!("ATTUNE_{}", key.replace('.', "_").to_uppercase())
}

fn whole<T>(text: &str, bounds: std::ops::RangeInclusive<T>) -> Result<T, String>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    text.parse()
        .ok()
        .filter(|number| bounds.contains(number))
        .ok_or_else(|| {
            let (low, high) = (bounds.start(), bounds.end());
            format!("is `{text}`, but must be a whole number from {low} to {high}")
        })
}

fn time(text: &str, low: Duration, high: Duration) -> Result<Duration, String> {
    let range = format!("must be from {} to {}", show_time(low), show_time(high));
    match parse_duration(text) {
        Ok(time) if (low..=high).contains(&time) => Ok(time),
        Ok(_) => Err(format!("is `{text}`, but {range}")),
        Err(message) => Err(format!("{range}: {message}")),
    }
}

fn size(text: &str, low: u64) -> Result<u64, String> {
    match parse_size(text)? {
        size if size >= low => Ok(size),
        _ => Err(format!(
            "is `{text}`, but must be at least {}",
            show_size(low)
        )),
    }
}

/// `4GiB`, `500MB`, `1.5TiB`, or a bare number of bytes.
fn parse_size(text: &str) -> Result<u64, String> {
    let split = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => MIB as f64,
        "gib" => GIB as f64,
        "tib" => 1024.0 * GIB as f64,
        _ => f64::NAN,
    };
    number
        .trim()
        .parse::<f64>()
        .ok()
        .map(|number| number * unit)
        // Beyond 2^53 not every number of bytes can be told, and no machine has as many.
        .filter(|bytes| *bytes >= 0.0 && *bytes <= 9e15)
        .map(|bytes| bytes as u64)
        .ok_or_else(|| format!("is `{text}`, which is not a size; write 500MB, 4GiB or 1.5TiB"))
}

fn level(text: &str) -> Result<LevelFilter, String> {
    let levels = [
        ("off", LevelFilter::OFF),
        ("error", LevelFilter::ERROR),
        ("warn", LevelFilter::WARN),
        ("info", LevelFilter::INFO),
        ("debug", LevelFilter::DEBUG),
        ("trace", LevelFilter::TRACE),
    ];
    let found = levels.iter().find(|(name, _)| *name == text);
    found.map(|(_, level)| *level).ok_or_else(|| {
        let names = levels.map(|(name, _)| name);
        let hint = nearest(text, names)
            .map(|right| format!("; did you mean `{right}`?"))
            .unwrap_or_default();
        format!("is `{text}`, but must be one of {}{hint}", names.join(", "))
    })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let local = text.strip_prefix("localhost:");
    let plain = local.map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    plain.parse().map_err(|_| {
        format!(
            "is `{text}`, but must be an address and a port, such as 127.0.0.1:7878 or [::]:7878"
        )
    })
}

/// What is left for one worker where every core has one.
fn usual_worker_memory() -> u64 {
    let share = machine_memory() / 4 * 3 / u64::from(cores());
    // In whole mebibytes, so that it can be shown and given in the same words.
    (share / MIB * MIB).max(GIB)
}

/// The machine's memory, or what a container leaves of it, in bytes.
fn machine_memory() -> u64 {
    let system = rustix::system::sysinfo();
    let physical = (system.totalram as u64).saturating_mul(system.mem_unit.into());
    let limit = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let limit = limit.and_then(|text| text.trim().parse().ok());
    limit.map_or(physical, |limit: u64| limit.min(physical))
}

fn show_size(bytes: u64) -> String {
    let units = [(GIB, "GiB"), (MIB, "MiB"), (1024, "KiB")];
    let whole = units
        .iter()
        .find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit));
    match whole {
        Some((unit, name)) => format!("{}{name}", bytes / unit),
        None => format!("{bytes}B"),
    }
}

fn show_time(time: Duration) -> String {
    let seconds = time.as_secs();
    if time.subsec_nanos() > 0 {
        format!("{}s", time.as_secs_f64())
    } else if seconds >= 3600 && seconds.is_multiple_of(3600) {
        format!("{}h", seconds / 3600)
    } else if seconds >= 120 && seconds.is_multiple_of(60) {
        format!("{}m", seconds / 60)
    } else {
        format!("{seconds}s")
    }
}

fn shown_or(value: Option<impl ToString>, none: &str) -> String {
    value.map_or(none.to_owned(), |value| value.to_string())
}

fn shown_path(path: Option<&Path>) -> Option<String> {
    path.map(|path| path.display().to_string())
}

fn shown_door(config: &Config, show: impl FnOnce(&Listen) -> Option<String>) -> String {
    config.listen.as_ref().and_then(show).unwrap_or_default()
}
