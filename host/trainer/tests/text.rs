//! Text: what a transformer learns of it, and that it goes on where it was put aside.

#![allow(
    clippy::unwrap_used,
    reason = "clippy does not know that helpers belong to tests"
)]

mod support;

use attune_trainer::artifact::{Model, ModelError};
use attune_trainer::data::{Dataset, Part, Shape, Task, Text, TextLevel, TextOptions};
use attune_trainer::metrics::Metric;
use attune_trainer::trial::{Checkpoint, ClassWeights, Goal, Progress, Trial, TrialSettings};
use attune_trainer::{ModelSettings, TransformerSettings};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use support::{Constant, History, Watchful, blossoms, configured, controller, trial};

static GO: AtomicBool = AtomicBool::new(false);

/// Sums of digits, of which the last figure follows from what stands before it.
fn sums(level: TextLevel) -> Arc<Dataset> {
    let line = |i: usize| {
        let (a, b) = (i * 7 % 5, i * i % 4);
        format!("{a}+{b}={};", a + b)
    };
    let text: String = (0..1600).map(line).collect();
    let text = Text::parse("sums.txt", text.as_bytes()).unwrap();
    let options = TextOptions {
        level,
        // No multiple of a line, so that an epoch's windows begin anywhere in theirs.
        context: 13,
        ..TextOptions::default()
    };
    Arc::new(Dataset::prepare_text(&text, &options).unwrap())
}

fn settings() -> TrialSettings {
    TrialSettings {
        model: ModelSettings::Transformer(TransformerSettings {
            layers: 2,
            heads: 2,
            width: 16,
            ..TransformerSettings::default()
        }),
        dropout: 0.1,
        batch_size: 16,
        max_epochs: 3,
        lr: 0.01,
        seed: 5,
        ..TrialSettings::default()
    }
}

#[test]
fn a_trial_on_text_goes_on_from_a_checkpoint_bit_for_bit() {
    let data = sums(TextLevel::Char);
    let settings = || TrialSettings {
        batch_size: 8,
        accumulate: 2,
        ema: Some(0.9),
        group_decay: [("embeddings".to_owned(), 0.0)].into(),
        ..settings()
    };
    let mut whole = trial::<Watchful>(settings(), &data);
    let mut expected = History::default();
    assert_eq!(
        whole.run_until(3, &mut expected, &GO),
        Ok(Progress::Reached)
    );
    let last = whole.steps();
    // At the start, within an epoch, at its end, and within the last.
    let per_epoch = last / 3;
    for at in [0, per_epoch / 2, per_epoch, last - 1] {
        let mut first = trial::<Watchful>(settings(), &data);
        let mut history = History::default();
        let goal = Goal {
            epoch: 3,
            step: Some(at),
        };
        first.run_until(goal, &mut history, &GO).unwrap();
        let bytes = first.checkpoint().unwrap();
        let setup = Checkpoint::peek(&bytes).unwrap().setup().clone();
        let settings = settings().check().unwrap();
        let scheduler = configured::<Watchful>(&setup);
        let mut second = Trial::restore(settings, data.clone(), scheduler, &bytes).unwrap();
        second.run_until(3, &mut history, &GO).unwrap();
        assert_eq!(
            format!("{history:?}"),
            format!("{expected:?}"),
            "from step {at}"
        );
        assert_eq!(second.snapshot(), whole.snapshot(), "from step {at}");
    }
}

#[test]
fn a_transformer_learns_to_add_and_its_model_says_how_a_text_goes_on() {
    for level in [TextLevel::Char, TextLevel::Byte] {
        let data = sums(level);
        let settings = TrialSettings {
            dropout: 0.0,
            max_epochs: 15,
            ..settings()
        };
        let mut trial = trial::<Constant>(settings, &data);
        trial.run_until(15, &mut (), &GO).unwrap();
        let scores = trial.evaluate(Part::Test).unwrap();
        let names: Vec<Metric> = scores.keys().copied().collect();
        let mut known = Metric::TEXT.to_vec();
        known.sort_unstable();
        assert_eq!(names, known);
        let (loss, perplexity) = (scores[&Metric::Loss], scores[&Metric::Perplexity]);
        assert_eq!(perplexity, loss.exp());
        // Of six letters four follow from their line, and the others from the line before, where that
        // is seen.
        assert!(scores[&Metric::Accuracy] > 0.85, "{level:?}: {scores:?}");

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let mut model = trial.model(serde_json::Value::Null).unwrap();
        model.save(&path).unwrap();
        let mut loaded = Model::load(&path).unwrap();
        assert_eq!(loaded.card(), model.card());
        // Such as are there: of what never stands before, nothing was learnt.
        for (text, next) in [("0+0=0;2+1=", '3'), (";0", '+'), ("4+0=4;1+1=2;3+0", '=')] {
            let found = loaded.following(text).unwrap();
            assert_eq!(found, model.following(text).unwrap());
            let sum: f32 = found.iter().sum();
            assert!((sum - 1.0).abs() < 1e-5, "{sum}");
            let likely = (0..found.len()).max_by(|&a, &b| found[a].total_cmp(&found[b]));
            let Task::Text { vocabulary, .. } = &model.card().task else {
                panic!("{:?}", model.card().task);
            };
            assert_eq!(vocabulary.told(likely.unwrap()), next, "{level:?}: {text}");
        }
        assert!(matches!(loaded.following(""), Err(ModelError::EmptyText)));
        let table = support::flowers(5);
        assert!(matches!(loaded.predict(&table), Err(ModelError::Text)));
    }
}

#[test]
fn text_is_for_transformers_and_rows_are_not() {
    let text = sums(TextLevel::Char);
    assert!(matches!(text.shape(), Shape::Text { context: 13, .. }));
    for (model, data, told) in [
        (
            ModelSettings::mlp([4]),
            &text,
            "`model` is mlp, but it must be transformer",
        ),
        (
            settings().model,
            &blossoms(),
            "`model` is transformer, but it must be one that reads rows",
        ),
    ] {
        let settings = TrialSettings {
            model,
            ..settings()
        };
        let error = refused(settings, data);
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn settings_that_a_text_cannot_have_are_refused() {
    let data = sums(TextLevel::Char);
    let weighed = TrialSettings {
        class_weights: ClassWeights::Balanced,
        ..settings()
    };
    let error = refused(weighed, &data);
    let told = "all tokens of a text count the same";
    assert!(error.contains(told), "{error}");
    let ranked = TrialSettings {
        objective: Some(Metric::F1),
        ..settings()
    };
    let error = refused(ranked, &data);
    let told = "one of loss, perplexity, accuracy, error";
    assert!(error.contains(told), "{error}");
}

fn refused(settings: TrialSettings, data: &Arc<Dataset>) -> String {
    let settings = settings.check().unwrap();
    let controller = controller::<Constant>(&settings, data);
    let made = Trial::new(settings, data.clone(), controller);
    made.unwrap_err().to_string()
}

#[test]
fn a_text_is_read_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    std::fs::write(&path, "\u{feff}one two three ".repeat(20)).unwrap();
    let data = Dataset::prepare_text(&Text::read(&path).unwrap(), &TextOptions::default());
    let error = data.unwrap_err().to_string();
    assert!(error.contains("validation part has"), "{error}");
    let error = Text::read(Path::new("no such file")).unwrap_err();
    assert!(error.to_string().starts_with("cannot read no such file"));
}
