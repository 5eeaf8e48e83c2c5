//! The settings that each kind of model has: shown by the real program, and taken from study files.
#![allow(clippy::expect_used)]

mod support;

use serde_json::Value;
use support::{Home, study_of};

#[test]
fn each_kind_of_model_shows_its_settings_and_no_daemon_is_started() {
    let home = Home::new();
    let list = home.run(&["settings"]);
    assert!(list.err.contains("`attune settings mlp`"), "{}", list.err);
    let list = list.ok();
    for kind in ["mlp", "adapter", "factorisation"] {
        let is_told = list.lines().any(|line| line.starts_with(kind));
        assert!(is_told, "{kind} is not in\n{list}");
    }
    let page = home.run(&["settings", "transformer"]).ok();
    for lines in [
        "transformer: attention over text\n",
        "\n  heads = 4\n      whole number in [1, 64]; \"search\" looks from 1 to 8, evenly in the logarithm\n",
        "\n  activation = gelu\n",
    ] {
        assert!(page.contains(lines), "{lines} is not in\n{page}");
    }
    assert_eq!(home.daemon_pid(), None);
}

#[test]
fn settings_are_told_to_programs_as_parameters_of_schedulers_are() {
    let home = Home::new();
    let mlp = home.json(&["settings", "mlp", "--json"]);
    let all = home.json(&["settings", "--json"]);
    assert!(all.as_array().expect("all kinds").contains(&mlp));
    let greedy = home.json(&["plugin", "ls", "greedy", "--json"]);
    let keys = |param: &Value| -> Vec<String> {
        let param = param.as_object().expect("a parameter");
        param.keys().cloned().collect()
    };
    let of_greedy = keys(&greedy["scheduler"]["params"][0]);
    for param in mlp["params"].as_array().expect("settings") {
        assert_eq!(keys(param), of_greedy);
    }
}

#[test]
fn a_kind_that_there_is_not_is_one_error_with_the_nearest_name() {
    let home = Home::new();
    let error = home.run(&["settings", "mpl"]).failed(1);
    let expected = "error: there is no kind of model `mpl`; did you mean `mlp`?\n";
    assert_eq!(error, expected);
    let error = home.run(&["settings", "forest"]).failed(1);
    assert!(error.contains("there are linear, mlp,"), "{error}");
}

/// A study of two epochs with one trial, whose `[data]` ends in this line.
fn study_giving(home: &Home, name: &str, weights: &str) -> String {
    let space = "scheduler = \"cosine\"\nwidth = 8\nlayers = 1";
    let study = study_of(home, "trials = 1", "max_epochs = 2", space);
    let text = std::fs::read_to_string(study).expect("the study");
    let target = "target = \"cultivar\"\n";
    let text = text.replace(target, &format!("{target}{weights}\n"));
    home.file(name, text).to_string_lossy().into_owned()
}

#[test]
fn class_weights_that_a_study_gives_are_those_that_it_trains_with() {
    let home = Home::new();
    let given = ["", "class_weights = { class_2 = 25.0 }"];
    let curves = ["s1", "s2"].into_iter().zip(given).map(|(id, weights)| {
        let study = study_giving(&home, "weights.toml", weights);
        home.run(&["run", &study]).ok();
        let mut trial = home.json(&["show", &format!("{id}.0"), "--json"]);
        let taken = if weights.is_empty() { "even" } else { "given" };
        assert_eq!(
            trial["trial"]["config"]["class_weights"]["text"], taken,
            "{trial}"
        );
        trial["epoch_curves"].take()
    });
    let curves: Vec<Value> = curves.collect();
    assert!(curves.iter().all(Value::is_array), "{curves:?}");
    assert_ne!(curves[0], curves[1]);
}

#[test]
fn class_weights_of_no_class_are_refused_before_anything_is_trained() {
    let home = Home::new();
    let study = study_giving(&home, "rose.toml", "class_weights = { rose = 2.0 }");
    let error = home.run(&["run", &study]).failed(1);
    let expected = "rose.toml:6: `class_weights` names `rose`, but the target `cultivar` has no such \
                    class; its classes are ";
    assert!(error.contains(expected), "{error}");
    assert_eq!(home.json(&["ls", "--json"]), Value::Array(Vec::new()));
}
