//! Adapters: a base that stays as it is, and what is learned beside it.

#![allow(
    clippy::unwrap_used,
    reason = "clippy does not know that helpers belong to tests"
)]

mod support;

use attune_trainer::artifact::{Adapted, Answers, Model};
use attune_trainer::data::{
    DataOptions, Dataset, Part, Pictures, Shape, Source, Table, Text, TextOptions,
};
use attune_trainer::trial::{Checkpoint, Progress, Subject, Trial, TrialError, TrialSettings};
use attune_trainer::{
    AdapterSettings, CnnSettings, MlpSettings, ModelSettings, NormKind, TabularResnetSettings,
    TransformerSettings,
};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use support::{
    Constant, adapting, base, blossoms, configured, controller, flowers, hills, meadow, trial,
};

static GO: AtomicBool = AtomicBool::new(false);

fn settings() -> TrialSettings {
    TrialSettings {
        model: ModelSettings::Adapter(AdapterSettings::default()),
        dropout: 0.1,
        batch_size: 16,
        max_epochs: 4,
        lr: 0.02,
        seed: 3,
        ..TrialSettings::default()
    }
}

fn resnet() -> ModelSettings {
    ModelSettings::TabularResnet(TabularResnetSettings {
        blocks: 2,
        width: 8,
        hidden: 12,
        ..TabularResnetSettings::default()
    })
}

fn normed() -> ModelSettings {
    ModelSettings::Mlp(MlpSettings {
        hidden: vec![8, 8],
        norm: NormKind::Batch,
        residual: true,
        ..MlpSettings::default()
    })
}

fn trained(subject: &Subject) -> Trial {
    let mut trial = trial::<Constant>(settings(), subject);
    assert_eq!(trial.run_until(4, &mut (), &GO), Ok(Progress::Reached));
    trial
}

fn saved(trial: &Trial) -> Model {
    trial.model(serde_json::Value::Null).unwrap()
}

/// All bits of what a model answers.
fn answers(model: &mut Model, table: &Table) -> Vec<u64> {
    match model.predict(table).unwrap().answers {
        Answers::Classes { probabilities, .. } => probabilities
            .iter()
            .map(|share| share.to_bits().into())
            .collect(),
        Answers::Numbers(numbers) => numbers.iter().map(|number| number.to_bits()).collect(),
    }
}

#[test]
fn before_its_first_step_an_adapter_is_its_base() {
    let table = meadow(90);
    for model in [resnet(), normed(), ModelSettings::mlp([])] {
        let mut base = Arc::new(base(model));
        let trial = trial::<Constant>(settings(), adapting(&base, &table, "kind"));
        let found = answers(&mut saved(&trial), &table);
        drop(trial);
        let base = Arc::get_mut(&mut base).unwrap();
        assert_eq!(found, answers(base, &table));
    }
}

#[test]
fn what_was_learned_is_merged_into_an_ordinary_model() {
    let table = meadow(90);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for model in [resnet(), normed()] {
        let base = Arc::new(base(model.clone()));
        for target in ["kind", "weight"] {
            let trial = trained(&adapting(&base, &table, target));
            // Measured with factors beside the base, and with factors merged.
            let best = trial.snapshot().unwrap();
            let merged = trial.evaluate(Part::Valid).unwrap();
            for (metric, value) in &best.valid {
                assert_eq!(value.to_bits(), merged[metric].to_bits(), "{metric}");
            }
            let mut own = saved(&trial);
            let card = own.card();
            assert_eq!(card.settings.model, model);
            assert_eq!(
                card.adapted,
                Some(Adapted {
                    base: base.hash().into(),
                    adapter: AdapterSettings::default(),
                })
            );
            own.save(&path).unwrap();
            let mut loaded = Model::load(&path).unwrap();
            assert_eq!(loaded.card(), own.card());
            assert_eq!(answers(&mut loaded, &table), answers(&mut own, &table));
            assert_ne!(loaded.hash(), base.hash());
            // It can be a base itself.
            let again = adapting(&Arc::new(loaded), &table, target);
            trained(&again);
        }
    }
}

#[test]
fn a_target_of_another_kind_gets_an_output_layer_of_its_own() {
    let groups = |target: &str, base: &Arc<Model>| -> Vec<(String, Vec<String>, u64)> {
        let subject = adapting(base, &meadow(90), target);
        let setup = Trial::setup(&settings().check().unwrap(), subject);
        let groups = setup.groups.into_iter();
        groups
            .map(|group| (group.name, group.tags, group.size))
            .collect()
    };
    let base = Arc::new(base(ModelSettings::mlp([5])));
    let group = |name: &str, tag: &str, size| (name.to_owned(), vec![tag.to_owned()], size);
    let inputs = base.features(&flowers(3)).unwrap().width() as u64;
    assert_eq!(
        groups("kind", &base),
        [
            group("factors_a", "factor", (inputs + 5) * 4),
            group("factors_b", "factor", (5 + 3) * 4),
        ]
    );
    assert_eq!(
        groups("weight", &base),
        [
            group("factors_a", "factor", inputs * 4),
            group("factors_b", "factor", 5 * 4),
            group("weights", "weight", 5),
            group("biases", "bias", 1),
        ]
    );
    for (target, told) in [
        (
            "kind",
            "`kind` is what the base predicts, whose output layer is kept",
        ),
        (
            "weight",
            "`weight` is not what the base predicts, which is `kind`; an adapter",
        ),
    ] {
        let subject = adapting(&base, &meadow(90), target);
        let notes = subject.dataset().unwrap().notes();
        assert!(notes.iter().any(|note| note.starts_with(told)), "{notes:?}");
    }
}

/// The number stays in the base's units, whatever the new rows' mean and deviation.
#[test]
fn a_number_of_the_same_name_is_the_base_s_number() {
    let hills = hills(80);
    let data = support::dataset(&hills, "height");
    let settings_of_base = TrialSettings {
        model: ModelSettings::mlp([6]),
        max_epochs: 2,
        ..TrialSettings::default()
    };
    let mut of_base = trial::<Constant>(settings_of_base, data);
    of_base.run_until(2, &mut (), &GO).unwrap();
    let mut base = Arc::new(saved(&of_base));
    let text = "x,y,height\n".to_owned()
        + &(0..40)
            .map(|row| format!("{},{},{}\n", row % 7, row % 5, 40 + row % 4))
            .collect::<String>();
    let table = Table::parse("low.csv", text.as_bytes()).unwrap();
    let subject = adapting(&base, &table, "height");
    let dataset = subject.dataset().unwrap();
    assert_eq!(dataset.task(), &base.card().task);
    let own = trial::<Constant>(settings(), &subject);
    let found = answers(&mut saved(&own), &table);
    drop((own, subject));
    assert_eq!(found, answers(Arc::get_mut(&mut base).unwrap(), &table));
}

#[test]
fn a_checkpoint_has_what_was_learned_and_knows_its_base() {
    let base = Arc::new(base(resnet()));
    let subject = adapting(&base, &meadow(90), "kind");
    let mut trial = trial::<Constant>(settings(), &subject);
    trial.run_until(2, &mut (), &GO).unwrap();
    let bytes = trial.checkpoint().unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("parameters.blocks.0.first.factor_a"));
    assert!(text.contains(base.hash()));
    for name in ["first.weight", "first.bias", "norm.weight", "running_mean"] {
        assert!(!text.contains(name), "{name}");
    }
    let restore = |subject: &Subject| {
        let setup = Checkpoint::peek(&bytes).unwrap().setup().clone();
        let controller = configured::<Constant>(&setup);
        let settings = settings().check().unwrap();
        Trial::restore(settings, subject, controller, &bytes).map(drop)
    };
    assert!(restore(&subject).is_ok());
    // Another base that reads data in the same way.
    let other = saved(&trained(&adapting(
        &Arc::new(support::base(resnet())),
        &meadow(90),
        "kind",
    )));
    let others = adapting(&Arc::new(other), &meadow(90), "kind");
    let error = restore(&others).unwrap_err().to_string();
    assert!(error.contains("the base"), "{error}");
}

/// What reads a base's features and learns from nothing can stand beside an adapter.
#[test]
fn other_kinds_learn_from_data_that_are_prepared_for_a_base() {
    let base = Arc::new(base(resnet()));
    let subject = adapting(&base, &meadow(90), "kind");
    let own = TrialSettings {
        model: ModelSettings::mlp([6]),
        ..settings()
    };
    let mut trial = trial::<Constant>(own, &subject);
    trial.run_until(1, &mut (), &GO).unwrap();
    let card_of = saved(&trial);
    assert_eq!(card_of.card().adapted, None);
    assert_eq!(card_of.card().settings.model, ModelSettings::mlp([6]));
}

fn text(rule: usize) -> Text {
    let line = |i: usize| {
        let (a, b) = (i * 7 % 5, i * i % rule);
        format!("{a}{}{b}={};", ["+", "×"][usize::from(rule == 3)], a + b)
    };
    let text: String = (0..400).map(line).collect();
    Text::parse("sums.txt", text.as_bytes()).unwrap()
}

#[test]
fn a_base_of_text_reads_another_text_by_its_own_vocabulary() {
    let options = TextOptions {
        context: 13,
        ..TextOptions::default()
    };
    let data = Arc::new(Dataset::prepare_text(&text(4), &options).unwrap());
    let of_base = TrialSettings {
        model: ModelSettings::Transformer(TransformerSettings {
            layers: 1,
            heads: 2,
            width: 16,
            ..TransformerSettings::default()
        }),
        max_epochs: 1,
        ..TrialSettings::default()
    };
    let mut of_base = trial::<Constant>(of_base, data);
    of_base.run_until(1, &mut (), &GO).unwrap();
    let mut base = Arc::new(saved(&of_base));
    let options = DataOptions {
        like: Some(base.fitted()),
        ..DataOptions::of_text()
    };
    let dataset = Source::Text(text(3)).prepare(&options).unwrap();
    assert_eq!(dataset.task(), &base.card().task);
    let subject = Subject::adapting(Arc::new(dataset), Arc::clone(&base)).unwrap();
    let bits = |model: &mut Model| -> Vec<u32> {
        let shares = model.following("3×2=").unwrap();
        shares.iter().map(|share| share.to_bits()).collect()
    };
    let mut begun = saved(&trial::<Constant>(settings(), &subject));
    let mut ended = saved(&trained(&subject));
    drop(subject);
    let of_base = bits(Arc::get_mut(&mut base).unwrap());
    assert_eq!(bits(&mut begun), of_base);
    assert_ne!(bits(&mut ended), of_base);
}

/// Pictures of squares in two greys.
fn squares(side: u8, grey: u8) -> Pictures {
    let rows = 40_u8;
    let header = |kind: u8| [0, 0, 8, kind, 0, 0, 0, rows];
    let mut images = header(3).to_vec();
    images.extend([0, 0, 0, side, 0, 0, 0, side]);
    for row in 0..rows {
        let points = (0..side * side).map(|point| grey * (1 + row % 2) + (row + point) % 5);
        images.extend(points);
    }
    let mut labels = header(1).to_vec();
    labels.extend((0..rows).map(|row| row % 2));
    Pictures::parse_idx(("images", &images), ("labels", &labels)).unwrap()
}

#[test]
fn a_base_of_pictures_has_others_brought_to_its_size_and_scale() {
    let options = DataOptions::of_target("label");
    let data = Arc::new(Dataset::of_images(&squares(6, 60), &options).unwrap());
    let of_base = TrialSettings {
        model: ModelSettings::Cnn(CnnSettings {
            channels: vec![3],
            norm: true,
            ..CnnSettings::default()
        }),
        max_epochs: 1,
        ..TrialSettings::default()
    };
    let mut of_base = trial::<Constant>(of_base, data);
    of_base.run_until(1, &mut (), &GO).unwrap();
    let base = Arc::new(saved(&of_base));
    let options = DataOptions {
        like: Some(base.fitted()),
        ..options
    };
    let pictures = Source::Pictures(squares(9, 100));
    let dataset = pictures.prepare(&options).unwrap();
    let is = |shape| {
        matches!(
            shape,
            Shape::Image {
                height: 6,
                width: 6,
                channels: 1
            }
        )
    };
    assert!(is(dataset.shape()));
    trained(&Subject::adapting(Arc::new(dataset), Arc::clone(&base)).unwrap());

    let table = Source::Table(meadow(90));
    let error = table.prepare(&options).unwrap_err().to_string();
    assert!(error.contains("has no column `label`"), "{error}");
}

#[test]
fn what_does_not_fit_a_base_is_refused_with_a_reason() {
    let base = Arc::new(base(ModelSettings::mlp([5])));
    let like = |change: fn(&mut DataOptions)| {
        let mut options = DataOptions {
            like: Some(base.fitted()),
            ..DataOptions::of_target("kind")
        };
        change(&mut options);
        options
    };
    let table = |text: &str| Source::Table(Table::parse("new.csv", text.as_bytes()).unwrap());
    let short = "länge,colour,kind\n".to_owned() + &"1,red,a\n2,blue,b\n".repeat(20);
    let data = [
        (
            table(&short),
            like(|_| {}),
            "new.csv does not fit the base: there is no column `width`, which it reads; add the column",
        ),
        (
            Source::Table(meadow(90)),
            like(|options| options.target = "colour".into()),
            "meadow.csv does not fit the base: it reads column `colour`, which is predicted, splits \
             the rows or is ignored here; use a base",
        ),
        (
            Source::Table(meadow(90)),
            like(|options| options.ignore = vec!["width".into()]),
            "meadow.csv does not fit the base: it reads column `width`, which is predicted",
        ),
        (
            Source::Table(meadow(90)),
            like(|options| options.image = Some([2, 2, 1])),
            "meadow.csv does not fit the base: `image` is given, but the base has its own; leave",
        ),
        (
            Source::Text(text(3)),
            like(|_| {}),
            "sums.txt does not fit the base: it reads columns of a table, and this is a text; use a base",
        ),
        (
            Source::Pictures(squares(6, 60)),
            like(|options| options.target = "label".into()),
            "images does not fit the base: it reads columns of a table, and this is a set of pictures",
        ),
    ];
    for (source, options, start) in data {
        let error = source.prepare(&options).unwrap_err().to_string();
        assert!(error.starts_with(start), "{error}");
    }

    let error = Subject::adapting(blossoms(), Arc::new(support::base(ModelSettings::mlp([4]))));
    assert!(error.is_ok(), "the same rows are prepared the same");
    let other = support::dataset(&flowers(60), "kind");
    let error = Subject::adapting(other, Arc::clone(&base)).unwrap_err();
    assert_eq!(error, TrialError::UnlikeBase);

    let checked = settings().check().unwrap();
    let without = blossoms();
    let error = Trial::new(
        checked.clone(),
        &without,
        controller::<Constant>(&checked, &without),
    );
    assert_eq!(
        error.unwrap_err().to_string(),
        "`model` is adapter, but it must be another kind where there is no base to adapt"
    );
    for (rank, alpha, start) in [
        (0, None, "`rank` is 0, but it must be from 1 to 1024"),
        (
            4,
            Some(0.0),
            "`alpha` is 0, but it must be a finite number above 0",
        ),
    ] {
        let model = ModelSettings::Adapter(AdapterSettings { rank, alpha });
        let error = TrialSettings {
            model,
            ..settings()
        }
        .check()
        .unwrap_err();
        assert_eq!(error.to_string(), start);
    }
}
