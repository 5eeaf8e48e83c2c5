//! Many trials at once, as a dashboard reads them: the table of a study, and learning curves.

use crate::support::{Home, SPACE, small_study, study_of};
use crate::wire::{exchange, get, request, told};
use attune_protocol::endpoint::POSTCARD;
use attune_protocol::{TrialCurve, TrialTable};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What is told, in the form that takes few bytes.
fn compact<T: DeserializeOwned>(home: &Home, path: &str) -> (T, usize) {
    let headers = format!("accept: {POSTCARD}\r\n");
    let answer = exchange(home, &request("GET", path, &headers, b"")).expect("an answer");
    assert!(
        answer.head.contains(&format!("content-type: {POSTCARD}")),
        "{}",
        answer.head
    );
    let told = postcard::from_bytes(&answer.body).expect("what was asked for");
    (told, answer.body.len())
}

fn refused(home: &Home, path: &str, status: u16, why: &str) {
    let answer = get(home, path);
    assert_eq!(answer.status, status, "{path}: {answer:?}");
    let message = answer.json()["message"].take();
    assert!(message.as_str().unwrap().contains(why), "{path}: {message}");
}

/// The points of a trial's curve, as the trial itself tells them.
fn points(detail: &Value, name: &str) -> Vec<(u32, f64)> {
    let curves = detail["epoch_curves"].as_array().expect("curves");
    let curve = curves
        .iter()
        .find(|curve| curve["name"] == name)
        .expect("the curve");
    serde_json::from_value::<Vec<(f64, f64)>>(curve["points"].clone())
        .expect("points")
        .into_iter()
        .map(|(epoch, value)| (epoch as u32, value))
        .collect()
}

fn drawn(curve: &TrialCurve) -> Vec<(u32, f64)> {
    let values = curve.values.iter().map(|value| value.0);
    curve.epochs.iter().copied().zip(values).collect()
}

#[test]
fn a_table_has_every_trial_once_and_as_it_is_told_elsewhere() {
    let home = Home::new();
    let file = small_study(&home, "trials = 7");
    home.run(&["run", &file]).ok();
    let mut trials = home.json(&["show", "s1", "--json"])["trials"].take();
    let trials = trials.as_array_mut().unwrap();
    trials.sort_by_key(|trial| {
        let number = trial["id"].as_str().unwrap().strip_prefix("s1.").unwrap();
        number.parse::<u32>().unwrap()
    });

    let mut pages: Vec<TrialTable> = Vec::new();
    let mut next = Some(0);
    while let Some(from) = next {
        let path = format!("/v1/studies/s1/trials?from={from}&limit=3");
        let page: TrialTable = told(&home, &path);
        assert_eq!(compact::<TrialTable>(&home, &path).0, page);
        next = page.next;
        pages.push(page);
    }
    assert_eq!(
        pages.iter().map(|page| page.rows.len()).collect::<Vec<_>>(),
        [3, 3, 1]
    );
    let mut numbers = 0..;
    for page in &pages {
        assert!(page.keys.is_sorted() && page.metrics.is_sorted());
        for row in &page.rows {
            let number = numbers.next().unwrap();
            let trial = &trials[number as usize];
            assert_eq!(row.number, number);
            assert_eq!(row.config.len(), page.keys.len());
            assert_eq!(row.metrics.len(), page.metrics.len());
            let values = row
                .config
                .iter()
                .map(|value| serde_json::to_value(value).unwrap());
            let config: serde_json::Map<String, Value> = page
                .keys
                .iter()
                .cloned()
                .zip(values)
                .filter(|(_, value)| !value.is_null())
                .collect();
            assert_eq!(Value::Object(config), trial["config"]);
            for (name, value) in page.metrics.iter().zip(&row.metrics) {
                let exact = trial["metrics"][name].as_f64();
                assert_eq!(
                    value.map(|value| value.0),
                    exact.map(|exact| exact as f32),
                    "{name}"
                );
            }
            let row = serde_json::to_value(row).unwrap();
            for same in [
                "state",
                "scheduler",
                "epochs",
                "max_epochs",
                "steps",
                "value",
                "best_epoch",
                "rungs",
                "seconds",
                "started_unix_ms",
                "ended_unix_ms",
                "reason",
            ] {
                assert_eq!(row[same], trial[same], "{same} of s1.{number}");
            }
        }
    }
    // What nobody limits is whole, and in few bytes.
    let whole: TrialTable = told(&home, "/v1/studies/s1/trials");
    assert_eq!((whole.rows.len(), whole.next), (7, None));
    let (again, bytes) = compact::<TrialTable>(&home, "/v1/studies/s1/trials");
    assert_eq!(again, whole);
    assert!(
        bytes < get(&home, "/v1/studies/s1/trials").body.len() / 2,
        "{bytes} bytes"
    );
    let past: TrialTable = told(&home, "/v1/studies/s1/trials?from=7");
    assert_eq!(past, TrialTable::default());

    refused(&home, "/v1/studies/s9/trials", 404, "s9");
    for limit in ["0", "20001", "-1", "many"] {
        refused(
            &home,
            &format!("/v1/studies/s1/trials?limit={limit}"),
            400,
            "",
        );
    }
    refused(
        &home,
        "/v1/studies/s1/trials?limit=0",
        400,
        "from 1 to 20000",
    );
}

#[test]
fn curves_are_those_of_the_trials_and_thinned_where_they_are_long() {
    let home = Home::new();
    let long = "method = \"none\"\nmax_epochs = 60";
    let file = study_of(&home, "trials = 6", long, SPACE);
    home.run(&["run", &file]).ok();
    let best = home.study("s1")["best_trial"].take();
    let best: u32 = best
        .as_str()
        .unwrap()
        .strip_prefix("s1.")
        .unwrap()
        .parse()
        .unwrap();

    let named: Vec<TrialCurve> = told(
        &home,
        "/v1/studies/s1/curves?metric=valid_loss&trials=4,1,4",
    );
    assert_eq!(
        named.iter().map(|curve| curve.trial).collect::<Vec<_>>(),
        [1, 4]
    );
    for curve in &named {
        let detail = get(&home, &format!("/v1/trials/s1.{}", curve.trial)).json();
        assert_eq!(drawn(curve), points(&detail, "valid_loss"));
        let trial = &detail["trial"];
        assert_eq!(
            Some(curve.steps_per_epoch.0 * 60.0),
            trial["steps"].as_f64()
        );
        let seconds = trial["seconds"].as_f64().unwrap();
        assert!((curve.seconds_per_epoch.0 * 60.0 - seconds).abs() < 1e-9 * seconds);
    }
    let all = "/v1/studies/s1/curves?metric=valid_loss";
    let all: Vec<TrialCurve> = told(&home, all);
    assert_eq!(all.len(), 6);
    let few: Vec<TrialCurve> = told(&home, "/v1/studies/s1/curves?metric=valid_loss&count=1");
    assert_eq!(
        few.iter().map(|curve| curve.trial).collect::<Vec<_>>(),
        [best]
    );
    assert_eq!(
        compact::<Vec<TrialCurve>>(&home, "/v1/studies/s1/curves?metric=valid_loss").0,
        all
    );

    let thin: Vec<TrialCurve> = told(
        &home,
        "/v1/studies/s1/curves?metric=valid_loss&trials=1&points=12",
    );
    let (whole, thin) = (drawn(&named[0]), drawn(&thin[0]));
    assert!(
        thin.len() <= 12 && thin.iter().all(|point| whole.contains(point)),
        "{thin:?}"
    );
    let least = |of: &[(u32, f64)]| of.iter().map(|(_, value)| *value).fold(f64::MAX, f64::min);
    assert_eq!((thin[0], least(&thin)), (whole[0], least(&whole)));
    assert_eq!(thin.last(), whole.last());

    // A trial of its own is thinned in the same way, its steps among it.
    let detail = get(&home, "/v1/trials/s1.1?points=12").json();
    assert_eq!(points(&detail, "valid_loss"), thin);
    for kind in ["epoch_curves", "step_curves"] {
        for curve in detail[kind].as_array().unwrap() {
            let count = curve["points"].as_array().unwrap().len();
            assert!((1..=12).contains(&count), "{kind}: {count}");
        }
    }
    let exact = get(&home, "/v1/trials/s1.1").json();
    assert_eq!(points(&exact, "valid_loss").len(), 60);

    let unknown: Vec<TrialCurve> = told(&home, "/v1/studies/s1/curves?metric=glory");
    assert!(unknown.is_empty());
    let unknown: Vec<TrialCurve> = told(&home, "/v1/studies/s1/curves?metric=glory&trials=2");
    assert!(unknown[0].trial == 2 && unknown[0].epochs.is_empty());
    refused(&home, "/v1/studies/s1/curves", 400, "metric");
    refused(&home, "/v1/studies/s1/curves?metric=a&trials=x", 400, "`x`");
    refused(
        &home,
        "/v1/studies/s1/curves?metric=a&trials=99",
        404,
        "s1.99",
    );
    refused(&home, "/v1/studies/s9/curves?metric=a", 404, "s9");
    refused(&home, "/v1/studies/s9/curves?metric=a&trials=", 404, "s9");
    refused(
        &home,
        "/v1/studies/s1/curves?metric=a&points=3",
        400,
        "from 4 to 10000",
    );
    refused(
        &home,
        "/v1/studies/s1/curves?metric=a&count=0",
        400,
        "from 1 to 1000",
    );
    refused(&home, "/v1/trials/s1.1?points=3", 400, "from 4 to 10000");
}
