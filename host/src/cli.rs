//! What can be asked on the command line. Help texts, completions and the manual page come from
//! here.

use crate::study::spec::parse_duration;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Tunes machine-learning models; every trial's learning rate is steered live by a scheduler
/// plugin.
///
/// Data goes to stdout, talk to stderr. Exit codes: 0 all went well; 1 an error; 2 the command
/// line was wrong; 3 a study finished, but some of its trials failed; 130 interrupted, with
/// everything so far stored. Trials that diverge are results, not failures, unless all of them do.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// A plugin library, or a folder of them, to load before all others. May be repeated.
    #[arg(long = "plugin", value_name = "PATH", global = true)]
    pub(crate) plugins: Vec<PathBuf>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find and train a good model for a CSV file.
    Fit(FitArgs),
    /// Predict with a model that `fit` or `run` saved; prints CSV.
    Predict(PredictArgs),
    /// Run a study file.
    Run(RunArgs),
    /// List studies, or the trials of one.
    Ls(LsArgs),
    /// Show a study or a trial: results, settings, curves.
    Show(ShowArgs),
    /// Compare trials or studies: what differs, results and curves.
    Compare(CompareArgs),
    /// Look at the scheduler plugins.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Run a scheduler over a stream of metrics, or over N steps, and print its rates.
    Trace(TraceArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FitArgs {
    /// The data: CSV with a header row.
    pub(crate) data: PathBuf,
    /// The column to predict.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) target: String,
    /// Train this many trials (32 where neither this nor --budget is given).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) trials: Option<u32>,
    /// Stop after this time, such as 60s, 5m or 1.5h. Where the clock cuts depends on the machine:
    /// use --trials for a study that can be reproduced.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) budget: Option<String>,
    /// What kind of task it is; found out from the target column where not given.
    #[arg(long, value_enum)]
    pub(crate) task: Option<TaskArg>,
    /// The metric to optimise: accuracy, balanced_accuracy, error or loss; for regression rmse, mae,
    /// r2 or loss. accuracy or rmse where not given.
    #[arg(long)]
    pub(crate) metric: Option<String>,
    /// The schedulers to try, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = trimmed)]
    pub(crate) schedulers: Vec<String>,
    /// The seed of everything random.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub(crate) seed: u64,
    /// Also write the study as a file that `attune run` takes.
    #[arg(long, value_name = "STUDY.toml")]
    pub(crate) save_study: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) running: RunningArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The study file.
    pub(crate) study: PathBuf,
    #[command(flatten)]
    pub(crate) running: RunningArgs,
}

/// How a study is run. None of it changes the outcome of a reproducible study without a budget.
#[derive(Debug, Args)]
pub(crate) struct RunningArgs {
    /// Where the best model is saved; STUDY.safetensors in this folder where not given.
    #[arg(long, value_name = "MODEL")]
    pub(crate) out: Option<PathBuf>,
    /// Train this many trials at the same time; the machine's cores where not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) parallel: Option<u16>,
    /// Print the result as JSON, and each event as a JSON line on stderr.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PredictArgs {
    /// A model that `fit` or `run` saved.
    pub(crate) model: PathBuf,
    /// The rows to predict: CSV with a header row; the target column may be missing.
    pub(crate) data: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// A study, such as s12; all studies where not given.
    pub(crate) study: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// A study such as s12, or a trial such as s12.3.
    pub(crate) id: String,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Trials such as s12.3; a study such as s12 stands for its best trial.
    #[arg(required = true, num_args = 2..)]
    pub(crate) ids: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// List the schedulers that the plugins hold; with a name, its parameters too.
    Ls {
        /// A scheduler.
        scheduler: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// The scheduler; `attune plugin ls` lists them.
    #[arg(long, value_name = "NAME")]
    pub(crate) scheduler: String,
    /// One of its parameters. May be repeated.
    #[arg(long = "param", value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
    /// The starting rate; several, separated by commas, for several parameter groups.
    #[arg(long, value_name = "RATES", value_delimiter = ',', required = true)]
    pub(crate) lr: Vec<f64>,
    /// For a schedule that depends on the step alone: how many steps.
    #[arg(long, value_name = "N")]
    pub(crate) steps: Option<u64>,
    /// The planned length of the run, where it differs from the number of steps.
    #[arg(long, value_name = "N")]
    pub(crate) total_steps: Option<u64>,
    /// Steps in one epoch.
    #[arg(long, value_name = "N")]
    pub(crate) steps_per_epoch: Option<u64>,
    /// The optimizer that the scheduler believes it steers.
    #[arg(long, value_enum, default_value_t = OptimizerArg::Sgd)]
    pub(crate) optimizer: OptimizerArg,
    /// The metric is better when higher.
    #[arg(long)]
    pub(crate) maximize: bool,
    /// What happens to a metric that is NaN or infinite.
    #[arg(long, value_enum, default_value_t = NanArg::Drop)]
    pub(crate) nan: NanArg,
    /// Print JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
    /// The stream of metrics; stdin where not given. One number a line, or JSON objects with
    /// `metric` and any signal, such as {"metric": 0.3, "grad_norm_sq": [1.5]}.
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum TaskArg {
    Classification,
    Regression,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum OptimizerArg {
    Sgd,
    Nesterov,
    Adam,
    #[value(name = "adamw")]
    AdamW,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum NanArg {
    /// The scheduler is not told of it.
    Drop,
    /// It is told the last finite one again.
    Substitute,
    /// It is told as it is.
    Pass,
}

/// A word of a list, without the space after its comma.
fn trimmed(text: &str) -> Result<String, String> {
    Ok(text.trim().to_owned())
}

/// A duration as a study file would have it, checked.
fn duration(text: &str) -> Result<String, String> {
    parse_duration(text).map(|_| text.to_owned())
}
