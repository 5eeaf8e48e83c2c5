//! What a study would be and all that is wrong with it, said before it runs.

use crate::asking::Asking;
use crate::support::{Home, library_name, plugins_dir, says, small_study, wait_for};
use attune_protocol::{Checked, Direction, NewStudy};
use rustix::fs::inotify;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Line and key of each problem, and all that they say.
fn problems(checked: &Checked) -> (Vec<(Option<u32>, &str)>, String) {
    let places = checked.problems.iter();
    let places = places.map(|p| (p.line, p.key.as_deref().unwrap_or("")));
    let told: Vec<&str> = checked
        .problems
        .iter()
        .map(|p| p.message.as_str())
        .collect();
    (places.collect(), told.join("\n"))
}

/// Else every trial would be trained in vain.
#[test]
fn a_metric_that_cannot_be_measured_is_refused() {
    let home = Home::new();
    let rows = |row: usize| format!("{row},{},{}\n", row % 7, if row < 60 { row % 2 } else { 1 });
    let rows: String = (0..100).map(rows).collect();
    home.file("late.csv", format!("day,x,y\n{rows}"));
    let text = |task: &str, metric: &str| {
        format!(
            "[data]\npath = 'late.csv'\ntarget = 'y'\ntime = 'day'\ntask = '{task}'\n\
             [objective]\nmetric = '{metric}'\n[space]\nscheduler = 'cosine'\n"
        )
    };
    let asking = Asking::of(&home);
    for (task, metric, why) in [
        ("classification", "auc", "all of one class"),
        ("regression", "r2", "all the same"),
    ] {
        let checked = asking.check(&home, &text(task, metric));
        let (places, told) = problems(&checked);
        assert_eq!(places, [(Some(7), "objective.metric")], "{told}");
        says(
            &told,
            &[
                &format!("`{metric}` has no value"),
                why,
                "choose another metric",
            ],
        );
    }
    for (task, metric) in [("classification", "accuracy"), ("regression", "rmse")] {
        assert_eq!(asking.check(&home, &text(task, metric)).problems, []);
    }
}

#[test]
fn a_study_that_is_well_is_told_in_words_and_nothing_is_made() {
    let home = Home::new();
    let text = std::fs::read_to_string(small_study(&home, "trials = 6\nname = 'grapes'")).unwrap();
    let asking = Asking::of(&home);
    let checked = asking.check(&home, &text);
    assert_eq!(checked.problems, []);
    assert_eq!((checked.name.as_str(), checked.trials), ("grapes", Some(6)));
    assert_eq!(
        (checked.metric.as_str(), checked.max_epochs),
        ("accuracy", 9)
    );
    assert_eq!(checked.direction, Some(Direction::Maximize));
    assert!(!checked.notes.is_empty());
    let part = |name: &str| checked.space.iter().find(|part| part.name == name).unwrap();
    assert_eq!(part("width").values, "8, 16");
    assert_eq!(part("lr").values, "0.01 to 0.3 (log)");
    assert!(part("lr").searched && !part("dropout").searched);
    assert_eq!(part("dropout").values, "0.2");
    assert_eq!(part("greedy.patience").scheduler.as_deref(), Some("greedy"));
    assert_eq!(checked.estimate, None, "nobody knows how long it takes");
    assert_eq!(home.json(&["ls", "--json"]), serde_json::json!([]));

    // Once such trials have been trained, somebody knows.
    let id = home.start_detached("study.toml");
    home.wait_for_state(&id, "done");
    let took = home.study(&id)["seconds"].as_f64().unwrap();
    let again = Asking::of(&home);
    // What one needs to launch it again, from where its relative paths begin.
    let detail = again.to(|client| {
        let id = id.clone();
        async move { client.study(&id).await }
    });
    let file = std::path::Path::new(&detail.file).canonicalize();
    let own = home.path().join("study.toml").canonicalize();
    assert_eq!((detail.spec, file.unwrap()), (text.clone(), own.unwrap()));
    let estimate = wait_for(
        || again.check(&home, &text).estimate,
        "there is an estimate",
    );
    assert_eq!(
        estimate.basis,
        format!("the trials of {id}, on the same data")
    );
    let seconds = estimate.seconds.0;
    // What a study takes besides training its trials is no part of it.
    assert!(
        seconds > 0.0 && seconds < took * 2.0,
        "{seconds} s, {took} s"
    );
}

#[test]
fn everything_that_is_wrong_is_placed() {
    let home = Home::new();
    let good = std::fs::read_to_string(small_study(&home, "trials = 6")).unwrap();
    let asking = Asking::of(&home);
    let placed = |from: &str, to: &str| {
        assert!(good.contains(from), "{from} is not in\n{good}");
        let text = good.replace(from, to);
        let checked = asking.check(&home, &text);
        let line = text.lines().position(|line| line.contains(to)).unwrap() + 1;
        let (places, told) = problems(&checked);
        assert_eq!(places.len(), 1, "{told}");
        assert_eq!(places[0].0, u32::try_from(line).ok(), "{told}");
        (places[0].1.to_owned(), told)
    };
    for (from, to, key, says_so) in [
        ("trials = 6", "trials = 0", "trials", "from 1 to"),
        (
            "trials = 6",
            "trails = 6",
            "trails",
            "did you mean `trials`?",
        ),
        ("trials = 6", "trials = = 6", "", "not valid TOML"),
        ("\"wine.csv\"", "\"wein.csv\"", "data.path", "wein.csv"),
        (
            "\"wine.csv\"",
            "\".\"",
            "data.path",
            "no folders with PNG or JPEG",
        ),
        (
            "\"wine.csv\"",
            "\"/dev/null\"",
            "data.path",
            "neither a file nor a folder",
        ),
        (
            "\"cultivar\"",
            "\"cultivr\"",
            "data.target",
            "did you mean `cultivar`?",
        ),
        (
            "\"hypergradient\"",
            "\"hypergradent\"",
            "space.scheduler",
            "did you mean",
        ),
        (
            "width = [8, 16]",
            "width = [8, 0]",
            "space.width",
            "whole number",
        ),
        (
            "min_epochs = 2",
            "min_epochs = 20",
            "fidelity.min_epochs",
            "from 1 to 9",
        ),
    ] {
        let (found, told) = placed(from, to);
        assert_eq!(found, key, "{told}");
        says(&told, &[says_so]);
    }
    let metric = good.replace("[fidelity]", "[objective]\nmetric = \"mae\"\n[fidelity]");
    let (places, told) = (asking.check(&home, &metric), "objective.metric");
    let (places, said) = problems(&places);
    assert_eq!(places, [(Some(7), told)], "{said}");

    // Several at once, and what is well is told all the same.
    let text = good
        .replace("trials = 6", "trials = 0")
        .replace("width = [8, 16]", "widht = 3")
        .replace("lr = \"search\"", "lr = 1e9");
    let checked = asking.check(&home, &text);
    let (places, told) = problems(&checked);
    let keys: Vec<&str> = places.iter().map(|(_, key)| *key).collect();
    assert_eq!(keys, ["trials", "space.lr", "space.widht"], "{told}");
    assert_eq!(checked.metric, "accuracy");
    assert!(
        checked
            .space
            .iter()
            .any(|part| part.name == "greedy.patience")
    );
}

#[test]
fn data_are_read_again_only_where_they_changed() {
    let home = Home::new();
    let text = std::fs::read_to_string(small_study(&home, "trials = 6")).unwrap();
    let asking = Asking::of(&home);
    assert_eq!(asking.check(&home, &text).problems, []);
    let table = Watched::of(&home.path().join("wine.csv"));
    for number in 0..20 {
        let dropout = text.replace("dropout = 0.2", &format!("dropout = 0.{number}"));
        assert_eq!(asking.check(&home, &dropout).problems, []);
        let target = text.replace("cultivar", &format!("cultiv{number}"));
        let checked = asking.check(&home, &target);
        assert_eq!(checked.problems[0].key.as_deref(), Some("data.target"));
    }
    assert!(!table.was_opened());
    // Other rows are tested on, and the table is another one.
    let other = text.replace("[fidelity]", "test = 0.3\n[fidelity]");
    assert_eq!(asking.check(&home, &other).problems, []);
    assert!(table.was_opened());
    let data = std::fs::read_to_string(home.path().join("wine.csv")).unwrap();
    home.file("wine.csv", data.replacen("cultivar", "grape", 1));
    let changed = asking.check(&home, &text);
    assert_eq!(changed.problems[0].key.as_deref(), Some("data.target"));
}

/// A file, and whether somebody opens it.
struct Watched(OwnedFd);

impl Watched {
    fn of(path: &Path) -> Self {
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
        inotify::add_watch(&watch, path, inotify::WatchFlags::OPEN).unwrap();
        Watched(watch)
    }

    /// Whether somebody did since the last look.
    fn was_opened(&self) -> bool {
        let mut room = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.0, &mut room);
        let mut found = false;
        while events.next().is_ok() {
            found = true;
        }
        found
    }
}

#[test]
fn a_library_that_is_named_for_the_study_has_to_work() {
    let home = Home::new();
    let text = std::fs::read_to_string(small_study(&home, "")).unwrap();
    let broken = home.file("libbroken.so", "no library");
    let asking = Asking::of(&home);
    let ask = |plugins: &[&Path], file: &str| NewStudy {
        spec: text.clone(),
        file: file.to_owned(),
        plugins: plugins.iter().map(|p| p.to_string_lossy().into()).collect(),
        parallel: None,
    };
    let file = home.path().join("study.toml");
    let file = file.to_str().unwrap();
    let library = plugins_dir().join(library_name("attune-plugin-cosine"));
    let study = ask(&[&broken], file);
    let checked = asking.to(|client| async move { client.check(&study).await });
    let (places, told) = problems(&checked);
    assert_eq!(places, [(None, "")], "{told}");
    says(&told, &["libbroken.so"]);
    let study = ask(&[&library], file);
    let checked = asking.to(|client| async move { client.check(&study).await });
    assert_eq!(checked.problems, []);
    let study = ask(&[], "study.toml");
    let (code, told) = asking.refused(|client| async move { client.check(&study).await });
    assert_eq!(code, 400);
    says(&told, &["study.toml is not absolute"]);
}
