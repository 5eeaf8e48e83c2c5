//! Schedulers that are tried without training.

use crate::asking::Asking;
use crate::support::{Home, RUNGS, says, study_of, test_library};
use attune_protocol::{Number, Preview, Previewed, Scalar};

fn wanted(scheduler: &str, steps: u64) -> Preview {
    Preview {
        scheduler: scheduler.into(),
        rate: Number(0.1),
        steps,
        steps_per_epoch: 100,
        ..Preview::default()
    }
}

fn preview(asking: &Asking, wanted: &Preview) -> Previewed {
    asking.to(|client| {
        let wanted = wanted.clone();
        async move { client.preview(&wanted).await }
    })
}

#[test]
fn every_scheduler_can_be_tried_and_its_parameters_count() {
    let home = Home::new();
    let asking = Asking::of(&home);
    let plugins = asking.to(|client| async move { client.plugins().await });
    let libraries = plugins.iter().filter_map(|plugin| plugin.library.as_ref());
    let schedulers: Vec<(String, bool)> = libraries
        .flat_map(|library| library["schedulers"].as_array().unwrap())
        .map(|about| {
            let closed =
                about["metric"] != true && about["signals"].as_array().is_none_or(Vec::is_empty);
            (about["name"].as_str().unwrap().to_owned(), closed)
        })
        .collect();
    assert!(schedulers.len() >= 10, "{schedulers:?}");
    for (name, is_closed) in &schedulers {
        // What looks at nothing has nothing made up for it.
        let told = preview(&asking, &wanted(name, 20_000));
        assert!((2..=500).contains(&told.rates.len()), "{name}");
        assert_eq!(told.rates[0].0, 0, "{name}");
        assert!(
            told.rates.iter().all(|(_, rate)| rate.0.is_finite()),
            "{name}"
        );
        let says_made_up = told
            .note
            .as_deref()
            .is_some_and(|note| note.contains("made up"));
        assert_eq!(says_made_up, !is_closed, "{name}: {:?}", told.note);
        assert!(!is_closed || told.losses.is_empty(), "{name}");
        assert_eq!(told, preview(&asking, &wanted(name, 20_000)), "{name}");
    }

    // One that waits for the loss to stall lowers the rate where the made-up one does, or not.
    let mut plateau = wanted("plateau", 10_000);
    plateau.params.insert("patience".into(), Scalar::Int(5));
    let told = preview(&asking, &plateau);
    let rates = told.rates.iter().filter(|(step, _)| *step < 3_500);
    assert!(
        rates.into_iter().all(|(_, rate)| rate.0 == 0.1),
        "{:?}",
        told.rates
    );
    assert!(told.rates.last().unwrap().1.0 < 0.1);
    assert_eq!(told.losses.len(), 200);
    plateau.params.insert("patience".into(), Scalar::Int(1_000));
    let patient = preview(&asking, &plateau);
    assert!(patient.rates.iter().all(|(_, rate)| rate.0 == 0.1));
}

#[test]
fn what_cannot_be_tried_is_told() {
    let home = Home::new();
    let misbehave = test_library("attune-misbehave");
    home.configure(&format!(
        "load_timeout = \"5s\"\nplugins = [{misbehave:?}]\n"
    ));
    let asking = Asking::of(&home);
    let with = |scheduler: &str, params: &[(&str, Scalar)]| Preview {
        params: params
            .iter()
            .map(|(name, value)| ((*name).into(), value.clone()))
            .collect(),
        ..wanted(scheduler, 1_000)
    };
    let deed = |what: &str| with("misbehave", &[("action", Scalar::Text(what.into()))]);
    for (wanted, code, why) in [
        (wanted("cosin", 10), 400, "did you mean `cosine`?"),
        (wanted("cosine", 0), 400, "`steps` must be"),
        (wanted("cosine", 1_000_001), 400, "`steps` must be"),
        (
            Preview {
                rate: Number(f64::NAN),
                ..wanted("cosine", 10)
            },
            400,
            "`rate` must be",
        ),
        (
            Preview {
                steps_per_epoch: 0,
                ..wanted("cosine", 10)
            },
            400,
            "`steps_per_epoch`",
        ),
        (
            with("plateau", &[("patiense", Scalar::Int(1))]),
            400,
            "has no parameter `patiense`",
        ),
        (
            with("plateau", &[("patience", Scalar::Int(-1))]),
            400,
            "is -1, but must be",
        ),
        (deed("nan"), 400, "set a rate to NaN at step"),
        (
            deed("abort"),
            409,
            "ended the process that tried 1000 steps of it",
        ),
        (
            deed("hang"),
            409,
            "ended the process that tried 1000 steps of it",
        ),
    ] {
        let (status, told) = asking.refused(|client| {
            let wanted = wanted.clone();
            async move { client.preview(&wanted).await }
        });
        assert_eq!(status, code, "{told}");
        says(&told, &[why]);
    }
    // Whatever it does to the probe, the daemon is well.
    assert_eq!(preview(&asking, &wanted("cosine", 10)).rates.len(), 10);

    // Two trials that it kills put it into quarantine, and it is not tried any more.
    let file = study_of(
        &home,
        "trials = 2\nparallel = 1",
        RUNGS,
        "scheduler = \"misbehave\"\nmisbehave.action = \"abort\"\nlr = \"search\"",
    );
    let id = home.start_detached(&file);
    home.wait_for_state(&id, "done");
    let (code, told) = asking.refused(|client| {
        let wanted = wanted("misbehave", 10);
        async move { client.preview(&wanted).await }
    });
    assert_eq!(code, 409);
    says(
        &told,
        &[
            "is in quarantine",
            "`attune plugin release attune-misbehave`",
        ],
    );
}
