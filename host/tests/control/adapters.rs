//! Trained models that are adapted to other data.

use crate::asking::Asking;
use crate::ground::wait_for_training;
use crate::models::{check, settings, word};
use crate::support::{Home, says, signal, wait_until};
use rustix::process::Signal;
use std::fs;

const DIGITS: &str = include_str!("../../../examples/data/digits.csv");
const WINE: &str = include_str!("../../../examples/data/wine.csv");

/// A home with a model that has learned a little of all wines, and a table of few of them whose
/// columns stand in another order.
fn home_with_base() -> Home {
    let home = Home::new();
    home.file("wine.csv", WINE);
    let space = "model = \"mlp\"\nwidth = 16\nnorm = \"batch\"";
    let study = study(
        &home,
        "[data]\npath = \"wine.csv\"\ntarget = \"cultivar\"",
        2,
        space,
    );
    home.run(&["run", &study, "--out", "base.safetensors"]).ok();
    let lines: Vec<&str> = WINE.lines().collect();
    let few = lines[1..].iter().step_by(3);
    let turned = [&lines[0]].into_iter().chain(few).map(|line| {
        let cells: Vec<&str> = line.split(',').rev().collect();
        cells.join(",") + "\n"
    });
    home.file("few.csv", turned.collect::<String>());
    home
}

fn study(home: &Home, data: &str, epochs: u32, space: &str) -> String {
    let text = format!(
        "trials = 4\n{data}\n[fidelity]\nmethod = \"none\"\nmax_epochs = {epochs}\n[space]\n\
         scheduler = \"cosine\"\nbatch_size = 16\n{space}\n"
    );
    let path = home.file("study.toml", text);
    path.to_string_lossy().into_owned()
}

const FEW: &str = "[data]\npath = \"few.csv\"\ntarget = \"cultivar\"\nbase = \"base.safetensors\"";

#[test]
fn a_base_is_adapted_beside_other_models_and_saved_as_one_of_its_kind() {
    let home = home_with_base();
    let space = "model = [\"mlp\", \"adapter\"]\nrank = { low = 1, high = 8 }\nlayers = 1";
    home.run(&["run", &study(&home, FEW, 6, space)]).ok();
    let configs = settings(&home, "s2");
    let is_adapter = |config: &&_| word(config, "model") == "adapter";
    assert!((1..4).contains(&configs.iter().filter(is_adapter).count()));
    for config in &configs {
        let is_adapter = is_adapter(&config);
        assert_eq!(config.contains_key("rank"), is_adapter, "{config:?}");
        assert_eq!(config.contains_key("layers"), !is_adapter, "{config:?}");
    }

    // As `attune fit` has it: the same data, adapters alone.
    let args = [
        "fit",
        "few.csv",
        "--target",
        "cultivar",
        "--base",
        "base.safetensors",
        "--trials",
        "2",
    ];
    let finished = home.run(&args);
    says(&finished.err, &["whose output layer is kept"]);
    finished.ok();
    let predicted = home.run(&["predict", "few.safetensors", "few.csv"]).ok();
    assert_eq!(
        predicted.lines().count(),
        WINE.lines().skip(1).step_by(3).count() + 1
    );
}

/// A rate of nothing changes nothing: what is saved predicts as the base, to the last digit.
#[test]
fn an_adapter_that_learned_nothing_is_its_base() {
    let home = home_with_base();
    home.run(&["run", &study(&home, FEW, 2, "lr = 1e-60")]).ok();
    let predicted = |model: &str| home.run(&["predict", model, "few.csv"]).ok();
    let of_base = predicted("base.safetensors");
    assert!(of_base.lines().count() > 50);
    assert_eq!(predicted("study.safetensors"), of_base);
}

#[test]
fn a_base_that_does_not_fit_is_told_with_its_line() {
    let home = home_with_base();
    home.file("digits.csv", DIGITS);
    let of = |path: &str, target: &str, base: &str| {
        format!("[data]\npath = \"{path}\"\ntarget = \"{target}\"\nbase = \"{base}\"")
    };
    let base = "base.safetensors";
    let few = of("few.csv", "cultivar", base);
    let table = [
        (
            of("few.csv", "cultivar", "gone.safetensors"),
            "",
            (5, "data.base"),
            "gone.safetensors: No such file",
        ),
        (
            of("few.csv", "cultivar", "wine.csv"),
            "",
            (5, "data.base"),
            "wine.csv is not a model that Attune saved",
        ),
        (
            of("digits.csv", "digit", base),
            "",
            (5, "data.base"),
            "digits.csv does not fit the base: there is no column `alcohol`, which it reads; add",
        ),
        (
            of("few.csv", "alcohol", base),
            "",
            (5, "data.base"),
            "does not fit the base: it reads column `alcohol`, which is predicted",
        ),
        (
            few.clone(),
            "model = \"mlp\"",
            (5, "data.base"),
            "`base` is given, but no model of this study adapts it; add \"adapter\"",
        ),
        (
            few.clone(),
            "layers = 2",
            (12, "space.layers"),
            "`layers` is a setting of mlp, tabular-resnet, cnn, transformer, but the models of this",
        ),
        (
            "[data]\npath = \"few.csv\"\ntarget = \"cultivar\"".to_owned(),
            "model = \"adapter\"",
            (11, "space.model"),
            "`adapter` adapts a trained model, but there is none; name it in [data] as base",
        ),
        (few, "rank = 2000", (12, "space.rank"), "`rank` is 2000"),
    ];
    let asking = Asking::of(&home);
    for (data, space, (line, key), told) in table {
        let refused = home.run(&["run", &study(&home, &data, 2, space)]);
        says(&refused.failed(1), &[told]);
        let checked = check(&asking, &home);
        let [problem] = &checked.problems[..] else {
            panic!("{:#?}", checked.problems);
        };
        assert_eq!(
            (problem.line, problem.key.as_deref()),
            (Some(line), Some(key)),
            "{told}"
        );
        says(&problem.message, &[told]);
    }
}

/// As a data file that changes: the study is held with the reason, and goes on with the old one.
#[test]
fn a_base_that_changed_pauses_the_study_with_the_reason() {
    let home = home_with_base();
    let data = "[data]\npath = \"wine.csv\"\ntarget = \"cultivar\"";
    let another = study(&home, data, 1, "model = \"mlp\"\nwidth = 8");
    home.run(&["run", &another, "--out", "another.safetensors"])
        .ok();
    let base = home.path().join("base.safetensors");
    let whole = fs::read(&base).unwrap();
    let id = home.start_detached(&study(&home, FEW, 1_000_000, ""));
    wait_for_training(&home, &format!("{id}.0"));
    fs::copy(home.path().join("another.safetensors"), &base).unwrap();
    let workers = home.worker_pids();
    for pid in &workers {
        signal(*pid, Signal::KILL);
    }
    home.wait_for_state(&id, "paused");
    let study = home.study(&id);
    says(
        study["reason"].as_str().unwrap(),
        &["base.safetensors", "changed since"],
    );
    fs::write(&base, whole).unwrap();
    home.run(&["resume", &id]).ok();
    wait_until(
        || home.study(&id)["state"] == "running",
        "the study goes on",
    );
    wait_for_training(&home, &format!("{id}.0"));
    home.run(&["stop", &id]).ok();
}
