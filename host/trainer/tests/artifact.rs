//! Saved models: the same predictions, and clear errors for files that are none.

#![allow(
    clippy::unwrap_used,
    reason = "clippy does not know that helpers belong to tests"
)]

mod support;

use attune_trainer::artifact::{Answers, Artifact, Model, ModelError};
use attune_trainer::data::Table;
use attune_trainer::metrics::Metric;
use attune_trainer::trial::TrialSettings;
use attune_trainer::{CnnSettings, ModelSettings};
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use support::{Constant, dataset, flowers, hills, stripes, stripes_table, trial};

fn model(table: &Table, target: &str) -> Model {
    let settings = TrialSettings {
        model: ModelSettings::mlp([8]),
        max_epochs: 3,
        ..TrialSettings::default()
    };
    let mut trial = trial::<Constant>(settings, &dataset(table, target));
    trial
        .run_until(3, &mut (), &AtomicBool::new(false))
        .unwrap();
    trial
        .model(serde_json::json!({ "scheduler": "constant" }))
        .unwrap()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_loaded_model_predicts_the_same_bit_for_bit() {
    for (table, target) in [(flowers(200), "kind"), (hills(200), "height")] {
        let folder = folder();
        let path = folder.path().join("best.safetensors");
        let mut saved = model(&table, target);
        saved.save(&path).unwrap();
        let mut loaded = Model::load(&path).unwrap();
        assert_eq!(loaded.card(), saved.card());
        assert_eq!(loaded.card().training["scheduler"], "constant");
        assert_eq!(
            loaded.predict(&table).unwrap(),
            saved.predict(&table).unwrap()
        );
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            1,
            "nothing is left aside"
        );
    }
}

#[test]
fn a_card_lies_beside_its_model_as_plain_json() {
    let beside = |model: &str| Artifact::card_path(Path::new(model)).into_os_string();
    assert_eq!(beside("in/best.safetensors"), "in/best.json");
    assert_eq!(beside("best.json"), "best.json.json");
    assert_eq!(beside("v1.2"), "v1.2.json");

    let folder = folder();
    let file = folder.path().join("best.safetensors");
    let path = Artifact::card_path(&file);
    model(&flowers(200), "kind").save(&file).unwrap();
    for foreign in ["", "[1]", "{\"format\": 1, \"settings\": {}}"] {
        std::fs::write(&path, foreign).unwrap();
        assert!(!Artifact::is_card(&path), "{foreign}");
    }
    Artifact::save_card(&file, &path).unwrap();
    assert!(Artifact::is_card(&path));
    let text = std::fs::read_to_string(&path).unwrap();
    let card: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(card["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(card["task"]["classes"][1], "versicolor");
    assert!(card["test"]["accuracy"].is_number() && card["preprocessor"].is_object());
    assert!(card["card_crc32"].is_null(), "{card}");
    let files = std::fs::read_dir(folder.path()).unwrap();
    assert_eq!(files.count(), 2, "nothing is left aside");
    let error = Artifact::save_card(&path, &path).unwrap_err();
    assert!(matches!(error, ModelError::NotAModel { .. }), "{error}");
}

/// Running statistics are part of a model, and the shape of pictures is too.
#[test]
fn a_loaded_network_of_pictures_sees_what_the_saved_one_saw() {
    let model = CnnSettings {
        channels: vec![4, 4],
        norm: true,
        residual: true,
        ..CnnSettings::default()
    };
    let settings = TrialSettings {
        model: ModelSettings::Cnn(model),
        lr: 0.01,
        batch_size: 16,
        max_epochs: 6,
        ..TrialSettings::default()
    };
    let mut trial = trial::<Constant>(settings, &stripes(240));
    let go = AtomicBool::new(false);
    trial.run_until(6, &mut (), &go).unwrap();
    let best = trial.snapshot().unwrap();
    assert!(best.valid[&Metric::Accuracy] > 0.9, "{:?}", best.valid);
    let mut saved = trial.model(serde_json::Value::Null).unwrap();
    let folder = folder();
    let path = folder.path().join("stripes.safetensors");
    saved.save(&path).unwrap();
    let mut loaded = Model::load(&path).unwrap();
    let table = stripes_table(240);
    let predictions = loaded.predict(&table).unwrap();
    assert_eq!(predictions, saved.predict(&table).unwrap());
    let Answers::Classes { probabilities, .. } = predictions.answers else {
        panic!("it predicts classes")
    };
    assert!(probabilities.iter().any(|&p| p > 0.9));
}

/// What whoever reads a model in Python does with it, by what the README's five lines left in `card` and
/// `weights`.
const FORWARD: &str = r#"
import sys
import numpy as np
x = np.array(eval(sys.argv[1]), dtype=np.float32)
for i in range(depth := len(card["settings"]["model"]["hidden"])):
    x = np.maximum(x @ weights[f"layers.{i}.weight"] + weights[f"layers.{i}.bias"], 0)
x = x @ weights[f"layers.{depth}.weight"] + weights[f"layers.{depth}.bias"]
chances = np.exp(x - x.max(axis=1, keepdims=True))
chances /= chances.sum(axis=1, keepdims=True)
print(*card["task"]["classes"])
print(*chances.ravel())
"#;

/// A Python with what the README's lines need, where there is one. Who names one wants the test run.
fn python() -> Option<OsString> {
    let named = std::env::var_os("ATTUNE_PYTHON");
    let is_named = named.is_some();
    let python = named.unwrap_or_else(|| "python3".into());
    let asked = Command::new(&python)
        .args(["-c", "import numpy, safetensors"])
        .output();
    let has_both = asked.is_ok_and(|output| output.status.success());
    assert!(
        has_both || !is_named,
        "ATTUNE_PYTHON has no numpy or no safetensors"
    );
    has_both.then_some(python)
}

#[test]
fn a_model_is_read_from_python_in_five_lines() {
    let readme = include_str!("../../../README.md");
    let (_, lines) = readme.split_once("```python\n").unwrap();
    let (lines, _) = lines.split_once("```").unwrap();
    assert_eq!(lines.lines().count(), 5, "{lines}");
    let Some(python) = python() else {
        eprintln!(
            "SKIPPED: python3 lacks numpy or safetensors, so no model is read from Python; install \
             both, or name a Python that has them by ATTUNE_PYTHON"
        );
        return;
    };
    let table = flowers(60);
    let mut saved = model(&table, "kind");
    let folder = folder();
    let path = folder.path().join("digits.safetensors");
    saved.save(&path).unwrap();
    Artifact::save_card(&path, &Artifact::card_path(&path)).unwrap();
    let features = saved.features(&table).unwrap();
    let rows: Vec<&[f32]> = features.data().chunks(features.width()).collect();
    let output = Command::new(python)
        .current_dir(folder.path())
        .args(["-c", &format!("{lines}{FORWARD}"), &format!("{rows:?}")])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, text) = text.split_once('\n').unwrap();
    let (names, chances) = text.split_once('\n').unwrap();
    let chances = chances.split_whitespace();
    let found: Vec<f32> = chances.map(|x| x.parse().unwrap()).collect();
    let Answers::Classes {
        classes,
        probabilities,
        ..
    } = saved.predict(&table).unwrap().answers
    else {
        panic!("classes are predicted");
    };
    assert_eq!(names, classes.join(" "));
    assert_eq!(found.len(), probabilities.len());
    for (found, expected) in found.iter().zip(&probabilities) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
}

/// The tenth layer's name comes before the second's, in the file and in its checksum.
#[test]
fn a_deep_model_is_loaded_again() {
    let settings = TrialSettings {
        model: ModelSettings::mlp([4; 12]),
        max_epochs: 1,
        ..TrialSettings::default()
    };
    let table = flowers(60);
    let trial = trial::<Constant>(settings, &dataset(&table, "kind"));
    let mut saved = trial.model(serde_json::Value::Null).unwrap();
    let folder = folder();
    let path = folder.path().join("deep.safetensors");
    saved.save(&path).unwrap();
    let mut loaded = Model::load(&path).unwrap();
    assert_eq!(
        loaded.predict(&table).unwrap(),
        saved.predict(&table).unwrap()
    );
}

#[test]
fn predictions_are_probabilities_of_named_classes() {
    let predictions = model(&flowers(200), "kind").predict(&flowers(50)).unwrap();
    let Answers::Classes {
        classes,
        chosen,
        probabilities,
    } = predictions.answers
    else {
        panic!()
    };
    assert_eq!(classes, ["setosa", "versicolor", "virginica"]);
    assert_eq!((chosen.len(), probabilities.len()), (50, 150));
    for (row, chosen) in probabilities.chunks(3).zip(chosen) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        assert!(row.iter().all(|p| *p <= row[chosen]));
    }
}

#[test]
fn columns_may_come_in_any_order_and_the_target_may_be_missing() {
    let mut model = model(&flowers(200), "kind");
    let straight = Table::parse(
        "a.csv",
        "länge,width,colour,same\n1.5,2.5,red,1\n".as_bytes(),
    )
    .unwrap();
    let turned = Table::parse(
        "b.csv",
        "extra;colour;width;länge\n7;red;2.5;1.5\n".as_bytes(),
    )
    .unwrap();
    let (straight, turned) = (
        model.predict(&straight).unwrap(),
        model.predict(&turned).unwrap(),
    );
    assert_eq!(straight.answers, turned.answers);
    assert!(straight.notes.is_empty());
    assert_eq!(
        turned.notes,
        ["columns unknown to the model are ignored: extra"]
    );

    let lacking = Table::parse("c.csv", b"colour\nred\n").unwrap();
    let error = model.predict(&lacking).unwrap_err();
    assert!(matches!(error, ModelError::Data(_)));
    assert!(error.to_string().starts_with("c.csv has no column `länge`"));
}

/// A model's file with another card, whose checksum is right.
fn rewritten(model: &[u8], change: impl Fn(&str) -> String) -> Vec<u8> {
    let length = u64::from_le_bytes(*model.first_chunk().unwrap()) as usize;
    let (header, weights) = model[8..].split_at(length);
    let mut header: serde_json::Value = serde_json::from_slice(header).unwrap();
    let card = &mut header["__metadata__"]["attune"];
    let (entries, _) = card
        .as_str()
        .unwrap()
        .rsplit_once(",\"card_crc32\":")
        .unwrap();
    let entries = change(entries);
    let checksum = crc32fast::hash(entries.as_bytes());
    *card = format!("{entries},\"card_crc32\":{checksum}}}").into();
    let mut header = serde_json::to_string(&header).unwrap();
    // Tensors begin where a number of eight bytes can.
    header.push_str(&" ".repeat(header.len().wrapping_neg() % 8));
    let length = (header.len() as u64).to_le_bytes();
    [&length, header.as_bytes(), weights].concat()
}

/// The first versions had a model's layers at the top of its settings.
#[test]
fn a_model_of_an_earlier_version_is_told_from_a_damaged_one() {
    let folder = folder();
    let path = folder.path().join("model");
    model(&flowers(100), "kind").save(&path).unwrap();
    let earlier = rewritten(&std::fs::read(&path).unwrap(), |card| {
        let card = card.replacen("\"format\":2", "\"format\":1", 1);
        let settings = "\"settings\":{\"hidden\":[8],";
        card.replacen("\"settings\":{", settings, 1)
    });
    std::fs::write(&path, earlier).unwrap();
    let told = Model::load(&path).unwrap_err().to_string();
    assert!(
        told.contains(" was made by an earlier Attune: it has format 1,")
            && told.contains("train it again with `attune run`"),
        "{told}"
    );
}

#[test]
fn files_that_are_no_models_are_refused_with_a_reason() {
    let folder = folder();
    let path = folder.path().join("model");
    model(&flowers(100), "kind").save(&path).unwrap();
    let good = std::fs::read(&path).unwrap();
    let header_length = u64::from_le_bytes(*good.first_chunk().unwrap()) as usize;
    let message = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Model::load(&path).unwrap_err().to_string()
    };
    // Same length, so that the file stays well-formed.
    let replaced = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let header = std::str::from_utf8(&good[8..8 + header_length]).unwrap();
        assert!(header.contains(from), "{header}");
        [
            &good[..8],
            header.replacen(from, to, 1).as_bytes(),
            &good[8 + header_length..],
        ]
        .concat()
    };

    for bytes in [
        &b""[..],
        b"garbage that is no model",
        &good[..100],
        &good[..good.len() - 1],
    ] {
        assert!(message(bytes).contains("is not a model that Attune saved, or it is damaged"));
    }
    assert!(message(&replaced("attune", "other_")).contains("it has no `attune` entry"));
    let of_format = |format: &str| replaced("format\\\":2", &format!("format\\\":{format}"));
    assert!(message(&of_format("9")).contains("has format 9, but"));
    assert!(message(&replaced("hidden\\\":[8]", "hidden\\\":[9]")).contains("its card is damaged"));
    let other_hidden = |card: &str| card.replacen("hidden\":[8]", "hidden\":[9]", 1);
    assert!(message(&rewritten(&good, other_hidden)).contains("but the card says f32 of shape"));

    let weights = &good[8 + header_length..];
    for place in [0, weights.len() / 2, weights.len() - 1] {
        let mut damaged = good.clone();
        damaged[8 + header_length + place] ^= 1;
        assert!(message(&damaged).contains("its weights are damaged"));
    }
    let mut not_finite = weights.to_vec();
    not_finite[weights.len() - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let [old, new] =
        [weights, &not_finite].map(|weights| format!("crc32\":{}", crc32fast::hash(weights)));
    let header = rewritten(&good, |card| {
        assert!(card.contains(&old), "{card}");
        card.replacen(&old, &new, 1)
    });
    let bytes = [&header[..header.len() - weights.len()], &not_finite].concat();
    assert!(message(&bytes).contains("numbers that are not finite"));

    let missing = Model::load(Path::new("nowhere/model")).unwrap_err();
    assert!(matches!(missing, ModelError::Unreadable { .. }));
    let unwritable = model(&flowers(100), "kind")
        .save(Path::new("nowhere/model"))
        .unwrap_err();
    assert!(matches!(unwritable, ModelError::Unwritable { .. }));
}
