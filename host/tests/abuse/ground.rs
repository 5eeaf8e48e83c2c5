//! A study with the plugin that misbehaves beside those that do not.

use crate::support::{Finished, Home, outcome, test_library, without_test_rows};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const WINE: &str = include_str!("../../../examples/data/wine.csv");

/// With this seed one of the four trials is the misbehaving one's: the first.
pub const ONE_OF_FOUR: u64 = 2;
/// With this seed two of the four are.
pub const TWO_OF_FOUR: u64 = 5;

/// What a study is to be.
pub struct Wish<'w> {
    pub seed: u64,
    pub trials: u32,
    pub epochs: u32,
    pub schedulers: &'w str,
    pub action: &'w str,
    pub call: &'w str,
    pub at_step: u64,
}

impl Default for Wish<'_> {
    fn default() -> Self {
        Wish {
            seed: ONE_OF_FOUR,
            trials: 4,
            epochs: 4,
            schedulers: "\"misbehave\", \"cosine\", \"greedy\"",
            action: "none",
            call: "step",
            at_step: 0,
        }
    }
}

/// The schedulers of a study that does not want the plugin that misbehaves.
pub const WELL_BEHAVED: &str = "\"cosine\", \"greedy\"";

/// Nobody is kept from working who does not want the plugin that misbehaves.
#[track_caller]
pub fn others_work(home: &Home) {
    let file = study(
        home,
        &Wish {
            schedulers: WELL_BEHAVED,
            ..Wish::default()
        },
    );
    home.run(&["run", &file]).ok();
}

/// Writes the study into the home.
pub fn study(home: &Home, wish: &Wish<'_>) -> String {
    home.file("wine.csv", WINE);
    let Wish {
        seed,
        trials,
        epochs,
        schedulers,
        action,
        call,
        at_step,
    } = wish;
    let mut text = format!(
        "seed = {seed}\ntrials = {trials}\n[data]\npath = \"wine.csv\"\ntarget = \"cultivar\"\n\
         [fidelity]\nmethod = \"none\"\nmax_epochs = {epochs}\n\
         [space]\nscheduler = [{schedulers}]\nlr = \"search\"\nwidth = 8\nbatch_size = 16\n"
    );
    if schedulers.contains("misbehave") {
        text.push_str(&format!(
            "misbehave.action = \"{action}\"\nmisbehave.call = \"{call}\"\n\
             misbehave.at_step = {at_step}\n"
        ));
    }
    home.file("study.toml", text).to_string_lossy().into_owned()
}

/// A home whose daemon knows the misbehaving plugin, without anybody naming it again.
pub fn home_with(configuration: &str, library: &Path) -> Home {
    let home = Home::new();
    home.configure(&format!(
        "plugins = [\"{}\"]\n{configuration}",
        library.display()
    ));
    home
}

/// Starts a daemon in whose processes the plugin acts only while the file `now` is there: as `wish`
/// says (`ACTION@CALL`), or its parameters.
pub fn start(home: &Home, wish: Option<&str>) {
    let mut command = home.attune();
    command
        .args(["daemon", "start"])
        .env("ATTUNE_MISBEHAVE_IF", home.path().join("now"));
    if let Some(wish) = wish {
        command.env("ATTUNE_MISBEHAVE", wish);
    }
    let started = command.output().expect("the program starts");
    Finished::from(started).ok();
}

pub fn library() -> PathBuf {
    test_library("attune-misbehave")
}

/// The trials of a study in the order of their numbers.
#[track_caller]
pub fn trials(home: &Home, study: &str) -> Vec<Value> {
    let detail = home.json(&["show", study, "--json"]);
    in_order(detail["trials"].as_array().expect("trials").clone())
}

/// The trials that the misbehaving plugin steers.
#[track_caller]
pub fn misbehaving(home: &Home, study: &str) -> Vec<Value> {
    let mut all = trials(home, study);
    all.retain(|trial| trial["scheduler"] == "misbehave");
    all
}

/// All that the other trials came to, curves included.
#[track_caller]
pub fn others(home: &Home, study: &str) -> Vec<Value> {
    // Which trial is the best, and is told its test rows, may depend on who failed.
    let whole = without_test_rows(outcome(home, study));
    let mut all = whole.as_array().expect("trials").clone();
    all.retain(|trial| trial["scheduler"] != "misbehave");
    in_order(all)
}

fn in_order(mut trials: Vec<Value>) -> Vec<Value> {
    let number = |trial: &Value| {
        let id = trial["id"].as_str().expect("an id");
        let number = id.rsplit('.').next().expect("a number");
        number.parse::<u32>().expect("a number")
    };
    trials.sort_by_key(number);
    trials
}

/// What the other trials of the usual study come to beside a plugin that behaves.
pub fn undisturbed() -> &'static Vec<Value> {
    static OUTCOME: OnceLock<Vec<Value>> = OnceLock::new();
    OUTCOME.get_or_init(|| {
        let home = home_with("", &library());
        home.run(&["run", &study(&home, &Wish::default())]).ok();
        let others = others(&home, "s1");
        assert_eq!(others.len(), 3, "{others:#?}");
        others
    })
}

/// A trial's reason.
#[track_caller]
pub fn reason(trial: &Value) -> &str {
    trial["reason"]
        .as_str()
        .unwrap_or_else(|| panic!("no reason in {trial:#}"))
}
