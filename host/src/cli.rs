//! What can be asked on the command line. Help texts, completions and the manual page come from
//! here.

use crate::study::spec::parse_duration;
use attune_tui::Theme;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Tunes machine-learning models; every trial's learning rate is steered live by a scheduler
/// plugin.
///
/// Data goes to stdout, talk to stderr. Exit codes: 0 all went well; 1 an error; 2 the command
/// line was wrong; 3 a study finished, but some of its trials failed; 4 `daemon run` found another
/// daemon running; 130 interrupted, with everything so far stored. Trials that diverge are results, not failures, unless all of them do.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// A plugin library, or a folder of them, to load before all others. May be repeated.
    #[arg(long = "plugin", value_name = "PATH", global = true)]
    pub(crate) plugins: Vec<PathBuf>,

    /// Speak with the daemon at this address, such as https://HOST:7878, instead of this machine's.
    /// ATTUNE_CERTIFICATE and ATTUNE_TOKEN_FILE name its certificate and the token.
    #[arg(long, value_name = "ADDRESS", global = true)]
    pub(crate) connect: Option<String>,

    /// Without one, the dashboard opens.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Open the dashboard: launch, watch, compare and steer. So does `attune` alone.
    Dash(DashArgs),
    /// Tell how a study goes, a line an event, until it ends; Ctrl-C leaves it running.
    Watch(WatchArgs),
    /// Find and train a good model for a table, pictures or a text.
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
    /// List the kinds of models; with a kind, the settings that it has.
    Settings(SettingsArgs),
    /// Look at the scheduler plugins.
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Run a scheduler over a stream of metrics, or over N steps, and print its rates.
    Trace(TraceArgs),
    /// Say how the daemon does, and why nothing moves where nothing does.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Hold studies or trials: checkpointed, to go on later.
    Pause(TargetArgs),
    /// Let a study or trial go on, with more of what it had.
    Resume(ResumeArgs),
    /// End studies or trials; what they have is kept.
    Stop(TargetArgs),
    /// Delete studies with their histories, checkpoints and models.
    Rm(TargetArgs),
    /// Take the wheel of a running trial: set its rate, or put another scheduler there.
    Steer(SteerArgs),
    /// Begin a new trial from another one's checkpoint, with another scheduler or other settings.
    Fork(ForkArgs),
    /// Train a trial that has ended once more from its beginning, with the same configuration and
    /// seed, in a study of its own.
    Retry(RetryArgs),
    /// Write a study as JSON lines, CSV, TensorBoard event files, or a journal that Optuna opens.
    Export(ExportArgs),
    /// Take in a study from JSON lines of `attune export`, or studies from an Optuna journal.
    Import(ImportArgs),
    /// Verify, compact or back up what is kept.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Look at everything that may be wrong, and say what to do.
    Doctor,
    /// Start, stop or look at the daemon.
    #[command(subcommand)]
    Daemon(DaemonCommand),
    /// Train trials for the daemon that started this process.
    #[command(hide = true)]
    Worker(WorkerArgs),
    /// Answer one question about a plugin or a data file.
    #[command(hide = true)]
    Probe(ProbeArgs),
}

#[derive(Debug, Default, Args)]
pub(crate) struct DashArgs {
    /// A study such as s12, or a trial such as s12.3, to begin with.
    pub(crate) id: Option<String>,
    /// The colours: dark, light or bright. ATTUNE_THEME says it for good, NO_COLOR takes all away.
    #[arg(long, value_name = "THEME", value_parser = theme)]
    pub(crate) theme: Option<Theme>,
    /// Draw with seven-bit characters only.
    #[arg(long)]
    pub(crate) ascii: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// A study such as s12.
    pub(crate) study: String,
    /// Print each event as a JSON line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// The daemon's socket.
    #[arg(long)]
    pub(crate) socket: PathBuf,
    /// The number that the daemon started it under.
    #[arg(long)]
    pub(crate) id: u64,
    /// Where to write down what it is doing.
    #[arg(long = "box", value_name = "FILE")]
    pub(crate) flight: PathBuf,
    /// The folder of datasets that workers share; without one each has its own.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) datasets: Option<PathBuf>,
    /// The most memory it may write to, in bytes.
    #[arg(long)]
    pub(crate) memory: Option<u64>,
    /// How long a call into a plugin may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = seconds)]
    pub(crate) step_seconds: f64,
    /// How long a plugin may take to be loaded, and to make a scheduler.
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0, value_parser = seconds)]
    pub(crate) load_seconds: f64,
}

#[derive(Debug, Args)]
pub(crate) struct ProbeArgs {
    /// The most memory it may write to, in bytes.
    #[arg(long)]
    pub(crate) memory: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct FitArgs {
    /// The data: a table with a header row (CSV, TSV, Parquet, NPY or NPZ), pictures (IDX, or a folder
    /// of PNG or JPEG files for each class), or with `--task text` a text.
    pub(crate) data: PathBuf,
    /// The column to predict; pictures and texts need none.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) target: Option<String>,
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
    /// Also measure how differently a model treats the groups that this column names, such as
    /// demographic_parity_difference. The column is learned from as any other.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) protected: Option<String>,
    /// The metric to optimise: accuracy, balanced_accuracy, f1, auc, calibration_error, error or
    /// loss; for regression rmse, mae, r2 or loss; of a text loss, perplexity, accuracy or error; with
    /// --protected a disparity too. accuracy, rmse or a text's loss where not given.
    #[arg(long)]
    pub(crate) metric: Option<String>,
    /// The schedulers to try, separated by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = trimmed)]
    pub(crate) schedulers: Vec<String>,
    /// The kinds of models to try, separated by commas: linear, mlp, tabular-resnet, cnn,
    /// transformer, and with --base adapter. One that suits the data where none is given.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', value_parser = trimmed)]
    pub(crate) models: Vec<String>,
    /// Adapt this model, which Attune has saved, instead of beginning with nothing.
    #[arg(long, value_name = "MODEL")]
    pub(crate) base: Option<PathBuf>,
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
    /// Where the best model is saved, STUDY.safetensors in this folder where not given; its
    /// configuration goes beside it, as STUDY.json.
    #[arg(long, value_name = "MODEL")]
    pub(crate) out: Option<PathBuf>,
    /// Train this many trials at the same time; the machine's cores where not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) parallel: Option<u16>,
    /// Print the result as JSON, and each event as a JSON line on stderr.
    #[arg(long)]
    pub(crate) json: bool,
    /// Hand the study to the daemon and return at once; prints its id.
    #[arg(long, conflicts_with_all = ["out", "embedded"])]
    pub(crate) detach: bool,
    /// Run the daemon inside this command, and end it with the study: for scripts, containers and
    /// CI.
    #[arg(long)]
    pub(crate) embedded: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// Studies such as s12, or trials such as s12.3.
    #[arg(required = true)]
    pub(crate) ids: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// A study such as s12, or a paused trial such as s12.3.
    pub(crate) id: String,
    /// So many trials in all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) trials: Option<u32>,
    /// This much more time, such as 10m.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) budget: Option<String>,
    /// A study file whose space is searched from now on.
    #[arg(long, value_name = "STUDY.toml")]
    pub(crate) study: Option<PathBuf>,
    /// Train this many trials at the same time.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) parallel: Option<u16>,
    /// Watch it to its end.
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SteerArgs {
    /// A trial in training, such as s12.3.
    pub(crate) trial: String,
    /// The learning rate from now on; a scheduler that goes on is scaled by it.
    #[arg(
        long,
        value_name = "RATE",
        required_unless_present = "scheduler",
        conflicts_with = "scheduler"
    )]
    pub(crate) lr: Option<f64>,
    /// Another scheduler, from the rate in force.
    #[arg(long, value_name = "NAME")]
    pub(crate) scheduler: Option<String>,
    /// One of that scheduler's parameters. May be repeated.
    #[arg(long, value_name = "NAME=VALUE", requires = "scheduler")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ForkArgs {
    /// The trial to fork, such as s12.3.
    pub(crate) trial: String,
    /// From the last checkpoint at or before this step; the last one of all where not given.
    #[arg(long, value_name = "STEP")]
    pub(crate) at: Option<u64>,
    /// Another scheduler.
    #[arg(long, value_name = "NAME")]
    pub(crate) scheduler: Option<String>,
    /// Another setting, such as lr=0.01 or SCHEDULER.PARAMETER=VALUE. May be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// Watch it to its end.
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    /// The trial, such as s12.3.
    pub(crate) trial: String,
    /// Watch it to its end.
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// A study such as s12.
    pub(crate) study: String,
    /// The form.
    #[arg(long, value_enum, default_value_t = FormatArg::Jsonl)]
    pub(crate) format: FormatArg,
    /// The file, or the folder for forms that are several files; stdout where not given.
    #[arg(long, value_name = "PATH")]
    pub(crate) to: Option<PathBuf>,
    /// Replace what is there already.
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum FormatArg {
    /// JSON lines that hold everything, exactly; `attune import` reads them back.
    Jsonl,
    /// Tables of trials, epochs and steps.
    Csv,
    /// Event files, a run a trial.
    Tensorboard,
    /// A journal file of Optuna 5.
    Optuna,
    /// The best trial's model.
    Model,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// JSON lines of `attune export`, or an Optuna journal.
    pub(crate) file: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Read everything, and name what is damaged.
    Verify,
    /// Give room back that nothing needs any more.
    Compact,
    /// Copy everything, while it is in use.
    Backup {
        /// A folder that is not there yet.
        folder: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DaemonCommand {
    /// Start it in the background, to stay until it is stopped.
    Start,
    /// Let it lay down its work and end.
    Stop,
    /// Say how it does.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the end of its log.
    Logs {
        /// So many lines.
        #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
        lines: usize,
        /// Go on printing what is added.
        #[arg(short, long)]
        follow: bool,
    },
    /// Make a certificate, its key and a token, so that other machines can reach the daemon.
    Credentials {
        /// The folder for them.
        folder: PathBuf,
        /// Names and addresses of this machine, as clients call it.
        #[arg(required = true)]
        hosts: Vec<String>,
    },
    /// Be the daemon, in the foreground: for systemd and containers.
    Run {
        /// End after having had nothing to do for a while.
        #[arg(long, hide = true)]
        on_demand: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PredictArgs {
    /// A model that `fit` or `run` saved.
    pub(crate) model: PathBuf,
    /// The rows to predict: a table, whose target column may be missing, or pictures.
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

#[derive(Debug, Args)]
pub(crate) struct SettingsArgs {
    /// A kind of model, such as mlp; all kinds where not given.
    pub(crate) kind: Option<String>,
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
    /// Let a plugin run again that was put into quarantine.
    Release {
        /// The plugin, as the message names it.
        plugin: String,
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
    /// Predict what follows in a text.
    Text,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum OptimizerArg {
    Sgd,
    Nesterov,
    Adam,
    #[value(name = "adamw")]
    AdamW,
    #[value(name = "rmsprop")]
    RmsProp,
    Adagrad,
    Lion,
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

fn theme(text: &str) -> Result<Theme, String> {
    Theme::named(text).ok_or_else(|| format!("`{text}` is none of dark, light and bright"))
}

/// A word of a list, without the space after its comma.
fn trimmed(text: &str) -> Result<String, String> {
    Ok(text.trim().to_owned())
}

/// A duration as a study file would have it, checked.
fn duration(text: &str) -> Result<String, String> {
    parse_duration(text).map(|_| text.to_owned())
}

/// A number of seconds that a clock can count.
fn seconds(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok();
    number
        .filter(|seconds| *seconds > 0.0 && *seconds <= 1e6)
        .ok_or_else(|| {
            format!("`{text}` is not a number of seconds above 0, and at most a million")
        })
}
