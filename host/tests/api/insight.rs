//! What a study's trials teach about its settings, asked of a real daemon.

use crate::fuzz::endless;
use crate::support::{Home, small_study};
use crate::wire::{self, get};
use attune_protocol::{Importance, Insight};

#[test]
fn settings_are_weighed_by_what_sets_the_good_trials_apart() {
    let home = Home::new();
    let file = small_study(&home, "trials = 40");
    home.run(&["run", &file]).ok();
    let told: Insight = wire::told(&home, "/v1/studies/s1/insight");
    assert_eq!((told.trials, told.method.as_str()), (40, "PED-ANOVA"));
    assert!((4..40).contains(&told.good), "{told:?}");
    // What few trials have stands last and has no share.
    let is_ranked = |setting: &&Importance| setting.trials >= 8;
    let ranked: Vec<&Importance> = told.importance.iter().take_while(is_ranked).collect();
    let others = &told.importance[ranked.len()..];
    assert!(
        others.iter().all(|setting| setting.share.0.is_nan()),
        "{told:?}"
    );
    let shares: f64 = ranked.iter().map(|setting| setting.share.0).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{told:?}");
    assert!(ranked.is_sorted_by(|a, b| a.share >= b.share), "{told:?}");

    // Everything that is searched is there, and nothing else; a scheduler's own parameters with as
    // many trials as it steered.
    let detail = home.json(&["show", "s1", "--json"]);
    let trials = detail["trials"].as_array().unwrap();
    let find = |of: &Insight, name: &str| {
        let found = of.importance.iter().find(|setting| setting.name == name);
        found
            .unwrap_or_else(|| panic!("no {name} in {of:?}"))
            .clone()
    };
    for name in ["scheduler", "lr", "width"] {
        assert_eq!(find(&told, name).trials, 40);
    }
    let steered = trials
        .iter()
        .filter(|trial| trial["scheduler"] == "greedy")
        .count();
    assert_eq!(find(&told, "greedy.patience").trials as usize, steered);
    assert!(
        told.importance
            .iter()
            .all(|setting| setting.name != "dropout")
    );
    let schedulers = ["greedy", "cosine", "hypergradient", "plateau"];
    let good = find(&told, "scheduler").good_values;
    assert!(
        good.split(", ").all(|good| schedulers.contains(&good)),
        "{good}"
    );
    let range = find(&told, "lr").good_values;
    let (low, high) = range.split_once(" to ").expect("a range");
    let (low, high): (f64, f64) = (low.parse().unwrap(), high.parse().unwrap());
    assert!(0.01 <= low && low < high && high <= 0.3, "{range}");
    let says = |part: &str| told.caveats.iter().any(|caveat| caveat.contains(part));
    assert!(
        says("40 trials came to a value: with fewer than 50"),
        "{:?}",
        told.caveats
    );
    assert!(says("ended before the last epoch"), "{:?}", told.caveats);

    // With more of them good there are enough.
    let more: Insight = wire::told(&home, "/v1/studies/s1/insight?good_percent=25");
    assert!(more.good >= 10 && !more.caveats.iter().any(|caveat| caveat.contains("fewer")));

    // The same trials from elsewhere: the file still states some ranges, the trials tell the rest.
    home.run(&["export", "s1", "--to", "s1.jsonl"]).ok();
    home.run(&["import", "s1.jsonl"]).ok();
    let again: Insight = wire::told(&home, "/v1/studies/s2/insight");
    assert_eq!((again.trials, again.good), (told.trials, told.good));
    assert!(
        again.caveats[0].contains("not all of what the study searches"),
        "{again:?}"
    );
    for name in ["scheduler", "lr", "width", "greedy.patience"] {
        assert_eq!(
            find(&again, name).trials,
            find(&told, name).trials,
            "{name}"
        );
    }

    for wrong in ["good_percent=0", "good_percent=100", "good_percent=half"] {
        assert_eq!(
            get(&home, &format!("/v1/studies/s1/insight?{wrong}")).status,
            400
        );
    }
    assert_eq!(get(&home, "/v1/studies/s9/insight").status, 404);
}

#[test]
fn a_study_without_results_says_so() {
    let home = Home::new();
    small_study(&home, "");
    let file = home.file("endless.toml", endless());
    let id = home.start_detached(&file.to_string_lossy());
    let told: Insight = wire::told(&home, &format!("/v1/studies/{id}/insight"));
    assert_eq!((told.trials, told.good, told.importance.len()), (0, 0, 0));
    assert_eq!(told.caveats[0], "no trial has ended with a value yet");
    home.run(&["stop", &id]).ok();
}
