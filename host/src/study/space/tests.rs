use super::*;
use crate::study::settings;
use attune_plugin_api::Param;
use attune_search::TrialNumber;
use attune_search::searcher::{Random, Searcher};
use std::path::Path;

fn greedy() -> Description {
    Description::new("greedy", "")
        .param(Param::int("patience", 10).search(1, 20))
        .param(Param::float("factor", 0.95).above(0.0).below(1.0))
        .param(Param::per_group("min_lr", 1e-3))
}

fn cosine() -> Description {
    Description::new("cosine", "").param(Param::float("warmup", 0.0).search(0.0, 0.2))
}

fn resolve(space: &str) -> Result<StudySpace, SpecError> {
    let text = format!("[data]\npath = 'd.csv'\ntarget = 'y'\n[space]\n{space}");
    let spec = StudySpec::parse(Path::new("s.toml"), &text)?;
    StudySpace::resolve(&spec, &[&greedy(), &cosine()])
}

#[test]
fn a_scheduler_brings_its_parameters_and_only_its_own() {
    let space = resolve("scheduler = ['greedy', 'cosine']\nlr = 'search'").unwrap();
    let mut random = Random::new(space.searched.clone(), 3);
    let mut seen = std::collections::BTreeSet::new();
    for trial in 0..20 {
        let config = space.complete(&random.suggest(TrialNumber(trial)).unwrap());
        let Value::Text(scheduler) = &config["scheduler"] else {
            panic!("{config:?}");
        };
        let own: Vec<&String> = config.keys().filter(|k| k.contains('.')).collect();
        let expected: Vec<String> = match scheduler.as_str() {
            "greedy" => ["factor", "min_lr", "patience"]
                .map(|p| format!("greedy.{p}"))
                .into(),
            _ => vec!["cosine.warmup".into()],
        };
        assert_eq!(own, expected.iter().collect::<Vec<_>>());
        assert!(matches!(config["lr"], Value::Float(lr) if (0.01..=0.3).contains(&lr)));
        assert_eq!(config["optimizer"], Value::Text("nesterov".into()));
        seen.insert(scheduler.clone());
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn a_kind_of_model_brings_its_settings_and_only_its_own() {
    let kinds = "['linear', 'mlp', 'cnn', 'tabular-resnet']";
    let text = format!(
        "scheduler = 'cosine'\nmodel = {kinds}\nlayers = [1, 2]\nkernel = [3, 5]\ndropout = 0.1"
    );
    let space = resolve(&text).unwrap();
    let mut random = Random::new(space.searched.clone(), 3);
    let mut seen = std::collections::BTreeSet::new();
    for trial in 0..40 {
        let config = space.complete(&random.suggest(TrialNumber(trial)).unwrap());
        let own: Vec<&str> = config
            .keys()
            .map(String::as_str)
            .filter(|name| settings::OF_NETWORK.contains(name) || *name == name::DROPOUT)
            .collect();
        let kind = ModelKind::of_config(&config);
        let (own_settings, width): (&[&str], _) = match kind {
            ModelKind::Linear => (&["model"], None),
            ModelKind::Mlp => (
                &[
                    "activation",
                    "dropout",
                    "layers",
                    "model",
                    "norm",
                    "residual",
                    "taper",
                    "width",
                ],
                Some(Value::Int(128)),
            ),
            ModelKind::Cnn => (
                &[
                    "activation",
                    "dropout",
                    "global_average",
                    "kernel",
                    "layers",
                    "model",
                    "norm",
                    "pooling",
                    "residual",
                    "width",
                ],
                Some(Value::Int(16)),
            ),
            ModelKind::TabularResnet => (
                &[
                    "activation",
                    "dropout",
                    "expansion",
                    "layers",
                    "model",
                    "width",
                ],
                Some(Value::Int(128)),
            ),
            kind => panic!("{kind} was not chosen"),
        };
        assert_eq!(own, own_settings, "{kind}");
        assert_eq!(config.get("width"), width.as_ref(), "{kind}");
        super::super::trial::model(&config).unwrap();
        seen.insert(kind.name());
    }
    assert_eq!(seen.len(), 4);
}

#[test]
fn the_file_overrides_what_a_scheduler_proposes() {
    let space = resolve("scheduler = 'greedy'\ngreedy.patience = 4\ngreedy.min_lr = [0.1, 0.2]");
    let space = space.unwrap();
    assert_eq!(space.searched.dimensions(), 0);
    let config = space.complete(&Config::default());
    assert_eq!(config["greedy.patience"], Value::Int(4));
    assert_eq!(config["greedy.min_lr"], Value::List(vec![0.1, 0.2]));
    assert_eq!(config["greedy.factor"], Value::Float(0.95));
    assert_eq!(space.schedulers(), ["greedy"]);
}

#[test]
fn every_mistake_is_told_at_once_and_the_rest_is_a_space() {
    let text = "[data]\npath = 'd.csv'\ntarget = 'y'\n[space]\nscheduler = ['greedy', 'cosin']\n\
                lr = -1\nwidht = 3\ngreedy.patience = 'x'\nlayers = [1, 2]\n";
    let spec = StudySpec::parse(Path::new("s.toml"), text).unwrap();
    let (space, problems) = StudySpace::check(&spec, &[&greedy(), &cosine()]);
    let mut told: Vec<(usize, &str)> = problems.iter().map(|p| (p.line, p.key.as_str())).collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            (5, "space.scheduler"),
            (6, "space.lr"),
            (7, "space.widht"),
            (8, "space.greedy.patience"),
        ]
    );
    let space = space.unwrap();
    assert_eq!(space.schedulers(), ["greedy"]);
    let searched = space.searched.parameters().iter();
    assert!(searched.map(|p| p.name.as_str()).eq(["layers"]));
}

#[test]
fn mistakes_are_placed_and_have_a_remedy() {
    let table = [
        (
            "scheduler = 'gredy'",
            "no plugin holds a scheduler `gredy`; did you mean `greedy`?",
        ),
        (
            "scheduler = ['cosine', 'cosine']",
            "`cosine` is listed twice",
        ),
        (
            "lrr = 0.1",
            "a trial has no setting `lrr`; did you mean `lr`?",
        ),
        (
            "lr = -0.1",
            "`lr` is -0.1, but must be a number in (0, 1000]",
        ),
        (
            "lr = { low = 0.1, high = 1e9 }",
            "`lr` is 1000000000.0, but must be a number",
        ),
        (
            "width = { low = 1.5, high = 3 }",
            "`width` is 1.5, but must be a whole number",
        ),
        (
            "optimizer = ['sgd', 'adamm']",
            "`optimizer` is adamm, but must be a word, one of sgd",
        ),
        (
            "greedy.patiense = 3",
            "has no parameter `patiense`; did you mean `patience`?",
        ),
        (
            "scheduler = 'cosine'\ngreedy.patience = 3",
            "`greedy` is not a scheduler of this study",
        ),
        (
            "greedy.factor = 'search'",
            "`factor` proposes no range to search",
        ),
        (
            "model = 'mpl'",
            "there is no kind of model `mpl`; did you mean `mlp`?",
        ),
        ("model = ['cnn', 'cnn']", "`cnn` is listed twice"),
        (
            "model = 'search'",
            "`model` must be a kind of model or a list",
        ),
        (
            "model = ['mlp', 'linear']\nkernel = 3",
            "`kernel` is a setting of cnn, but the models of this study are mlp, linear",
        ),
        (
            "model = ['mlp', 'cnn']\nlayers = 0",
            "`layers` is 0, but must be a whole number in [1, 16]",
        ),
        (
            "model = ['mlp', 'cnn']\nnorm = ['layer', 'none']",
            "`norm` is layer, but must be a word, one of none, batch",
        ),
        (
            "model = ['mlp', 'cnn']\nwidth = 'search'",
            "`width` proposes no range to search",
        ),
        ("model = 'cnn'\nkernel = [3, 4]", "`kernel` must be odd"),
        (
            "model = 'cnn'\nkernel = { low = 1, high = 5 }",
            "`kernel` must be odd",
        ),
    ];
    for (text, expected) in table {
        let error = resolve(text).unwrap_err();
        assert!(
            error.to_string().contains(expected),
            "{text}\n gave {error}"
        );
        assert!(error.line >= 5, "{error}");
    }
}

#[test]
fn weights_that_are_given_are_taken_and_those_that_are_taken_must_be_given() {
    let resolve = |data: &str, space: &str| {
        let text = format!(
            "[data]\npath = 'd.csv'\ntarget = 'y'\n{data}\n[space]\nscheduler = 'cosine'\n{space}"
        );
        let spec = StudySpec::parse(Path::new("s.toml"), &text)?;
        StudySpace::resolve(&spec, &[&cosine()])
    };
    let gives = "class_weights = { rare = 5, usual = 1.5 }";
    let given = |space: &StudySpace| space.fixed(name::CLASS_WEIGHTS).cloned();
    let word = |word: &str| Some(Value::Text(word.into()));
    for (data, space, expected) in [
        ("", "", word("even")),
        (gives, "", word("given")),
        (gives, "class_weights = 'balanced'", word("balanced")),
        (gives, "class_weights = ['even', 'given']", None),
    ] {
        let space = resolve(data, space).unwrap();
        assert_eq!(given(&space), expected, "{data}");
    }
    for taken in ["'given'", "['even', 'given']"] {
        let error = resolve("", &format!("class_weights = {taken}")).unwrap_err();
        let told = "add class_weights = { CLASS = 5.0 } to [data]";
        assert!(error.line == 7 && error.message.ends_with(told), "{error}");
    }
}
