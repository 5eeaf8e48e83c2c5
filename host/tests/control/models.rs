//! Kinds of models and of data, named in study files and by `attune fit`.

use crate::asking::Asking;
use crate::support::{Home, says};
use attune_protocol::{Checked, Scalar};
use image::GrayImage;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const DIGITS: &str = include_str!("../../../examples/data/digits.csv");
const WINE: &str = include_str!("../../../examples/data/wine.csv");

fn study(home: &Home, data: &str, more: &str) -> String {
    let text = format!(
        "seed = 3\n{data}\n[fidelity]\nmethod = \"none\"\nmax_epochs = 4\n[space]\n\
         scheduler = \"cosine\"\nlr = 0.05\nbatch_size = 32\n{more}\n"
    );
    let path = home.file("study.toml", text);
    path.to_string_lossy().into_owned()
}

/// What the daemon says of the study file that was written last.
pub(crate) fn check(asking: &Asking, home: &Home) -> Checked {
    let text = fs::read_to_string(home.path().join("study.toml")).unwrap();
    asking.check(home, &text)
}

/// Each trial's settings by name, as `attune show` tells them, once none of them has failed.
pub(crate) fn settings(home: &Home, study: &str) -> Vec<BTreeMap<String, Scalar>> {
    let detail = home.json(&["show", study, "--json"]);
    let trials = detail["trials"].as_array().unwrap().iter();
    let settings = trials.map(|trial| {
        assert_ne!(trial["state"], "failed", "{trial:#}");
        serde_json::from_value(trial["config"].clone()).unwrap()
    });
    settings.collect()
}

pub(crate) fn word(config: &BTreeMap<String, Scalar>, name: &str) -> String {
    match &config[name] {
        Scalar::Text(word) => word.clone(),
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn every_kind_that_can_see_pictures_is_trained_on_the_columns_of_a_table() {
    let home = Home::new();
    home.file("digits.csv", DIGITS);
    let data = "trials = 12\n[data]\npath = \"digits.csv\"\ntarget = \"digit\"\nimage = [8, 8, 1]";
    let kinds = ["linear", "mlp", "tabular-resnet", "cnn"];
    let more = format!("model = {kinds:?}\nlayers = [1, 2]\nkernel = 3");
    home.run(&["run", &study(&home, data, &more)]).ok();
    let mut seen = BTreeSet::new();
    for config in settings(&home, "s1") {
        let kind = word(&config, "model");
        assert_eq!(config.contains_key("kernel"), kind == "cnn", "{config:?}");
        assert_eq!(
            config.contains_key("layers"),
            kind != "linear",
            "{config:?}"
        );
        seen.insert(kind);
    }
    assert_eq!(seen, kinds.map(str::to_owned).into());

    let best = home.study("s1")["best_value"].as_f64().unwrap_or(0.0);
    assert!(best > 0.9, "{:#}", home.study("s1"));
    let predicted = home
        .run(&["predict", "study.safetensors", "digits.csv"])
        .ok();
    assert_eq!(predicted.lines().count(), DIGITS.lines().count());
}

#[test]
fn what_a_model_cannot_see_is_told_before_anything_is_trained() {
    let home = Home::new();
    home.file("wine.csv", WINE);
    let data = "[data]\npath = \"wine.csv\"\ntarget = \"cultivar\"";
    let file = study(&home, data, "model = [\"mlp\", \"cnn\"]");
    let line = "study.toml:12: `model` is cnn";
    let refused = home.run(&["run", &file]).failed(1);
    says(&refused, &[line, "`image = [height, width, channels]`"]);
    assert_eq!(home.json(&["ls", "--json"]), serde_json::json!([]));
    let asking = Asking::of(&home);
    let checked = check(&asking, &home);
    let [problem] = &checked.problems[..] else {
        panic!("{:#?}", checked.problems);
    };
    assert_eq!(
        (problem.line, problem.key.as_deref()),
        (Some(12), Some("space.model"))
    );
}

#[test]
fn a_text_is_learned_and_its_perplexity_told() {
    let home = Home::new();
    home.file("story.txt", "the cat sat on the mat; ".repeat(400));
    let finished = home.run(&["fit", "story.txt", "--task", "text", "--trials", "2"]);
    says(&finished.err, &["perplexity"]);
    finished.ok();
    for config in settings(&home, "s1") {
        assert_eq!(word(&config, "model"), "transformer");
    }
    let refused = home.run(&["fit", "story.txt", "--task", "text", "--models", "mlp"]);
    says(
        &refused.failed(1),
        &["`model` is mlp", "transformer, which reads text"],
    );
}

/// Stripes that lie or stand, in pictures of several sizes.
fn pictures(folder: &Path, class: &str, count: u32) {
    fs::create_dir_all(folder.join(class)).unwrap();
    for number in 0..count {
        let side = 12 + number % 3;
        let picture = GrayImage::from_fn(side, side, |x, y| {
            let at = if class == "lying" { y } else { x };
            image::Luma([u8::from((at + number) % 4 < 2) * 200 + (number % 50) as u8])
        });
        picture
            .save(folder.join(class).join(format!("{number}.png")))
            .unwrap();
    }
}

#[test]
fn a_folder_of_pictures_is_fitted_and_looked_at_again_where_it_changed() {
    let home = Home::new();
    let folder = home.path().join("stripes");
    pictures(&folder, "lying", 60);
    pictures(&folder, "standing", 60);
    let args = [
        "fit",
        "stripes",
        "--trials",
        "4",
        "--save-study",
        "study.toml",
    ];
    home.run(&args).ok();
    for config in settings(&home, "s1") {
        assert_eq!(word(&config, "model"), "cnn");
    }
    let best = &home.study("s1")["best_value"];
    assert_eq!(best, 1.0, "{:#}", home.study("s1"));

    // The model brings them to the size that it knows.
    let predicted = home
        .run(&["predict", "stripes.safetensors", "stripes"])
        .ok();
    let right = predicted.lines().skip(1).enumerate().filter(|(at, line)| {
        let class = if *at < 60 { "lying" } else { "standing" };
        line.starts_with(class)
    });
    assert!(right.count() >= 118, "{predicted}");

    let asking = Asking::of(&home);
    let classes = |checked: &Checked| {
        let mut notes = checked.notes.iter();
        notes.find(|note| note.contains("classes")).cloned()
    };
    let before = check(&asking, &home);
    assert!(
        classes(&before).unwrap().contains("2 classes"),
        "{before:?}"
    );
    pictures(&folder, "none", 60);
    let after = check(&asking, &home);
    assert!(classes(&after).unwrap().contains("3 classes"), "{after:?}");
}
