//! Plugin libraries that are broken in every way we could think of: each gives one clear error, a
//! non-zero exit code, and keeps nobody else from working.
#![allow(clippy::expect_used)]

mod support;

use attune_loader::{Place, Plugins};
use attune_plugin_api::Setup;
use attune_plugin_api::controller::{Clock, Controller};
use std::fs;
use support::{Finished, Home, build_folder, library_name, plugins_dir, test_library};

/// Traces a scheduler of a library over three metrics.
fn trace(home: &Home, library: &std::path::Path, scheduler: &str, misbehave: &str) -> Finished {
    let metrics = home.file("metrics.txt", "1\n0.5\n0.25\n");
    let output = home
        .attune()
        .arg("--plugin")
        .arg(library)
        .args([
            "trace",
            "--lr",
            "0.1",
            "--steps",
            "3",
            "--scheduler",
            scheduler,
        ])
        .arg(metrics)
        .env("ATTUNE_MISBEHAVE", misbehave)
        .output()
        .expect("the program starts");
    Finished::from(output)
}

#[test]
fn the_shipped_plugins_are_found_beside_the_program() {
    let home = Home::new();
    let listed = home.run(&["plugin", "ls"]).ok();
    for scheduler in [
        "greedy",
        "plateau",
        "cosine",
        "one-cycle",
        "wsd",
        "hypergradient",
    ] {
        assert!(
            listed.contains(scheduler),
            "{scheduler} is not in\n{listed}"
        );
    }
    assert!(
        !listed.contains("misbehave"),
        "a library of the tests was found by accident"
    );
    let page = home.run(&["plugin", "ls", "greedy"]).ok();
    assert!(page.contains("patience = 10"), "{page}");
    assert!(page.contains("whole number ≥ 0"), "{page}");
}

#[test]
fn several_libraries_of_one_type_are_each_themselves() {
    // abi_stable's own loader would answer every path with the first library it ever loaded.
    let home = Home::new();
    let json = home.run(&["plugin", "ls", "--json"]).ok();
    let all: Vec<serde_json::Value> = serde_json::from_str(&json).expect("JSON");
    let mut libraries: Vec<&str> = all.iter().filter_map(|s| s["library"].as_str()).collect();
    libraries.dedup();
    assert_eq!(
        libraries,
        [
            "attune-plugin-cosine",
            "attune-plugin-greedy",
            "attune-plugin-hypergradient"
        ]
    );
}

#[test]
fn a_file_that_is_no_library_is_named_and_the_others_work() {
    let home = Home::new();
    let text = home.file("notes.so", "this is no library\n");
    let finished = home.run(&["--plugin", &text.to_string_lossy(), "plugin", "ls"]);
    assert!(finished.out.contains("greedy"), "{}", finished.out);
    let error = finished.failed(1);
    assert!(error.contains("notes.so"), "{error}");
    assert!(
        error.contains("not a shared library for this platform"),
        "{error}"
    );
}

#[test]
fn a_library_that_is_missing_or_cut_off_or_empty_is_refused() {
    let home = Home::new();
    let whole = fs::read(plugins_dir().join(library_name("attune-plugin-greedy"))).expect("built");
    let table = [
        ("gone.so", None, "check the path"),
        ("empty.so", Some(0), "0 bytes long"),
        ("cut.so", Some(whole.len() / 2), "cut off"),
        ("end.so", Some(whole.len() - 1), "cut off"),
    ];
    for (name, length, expected) in table {
        let path = home.path().join(name);
        if let Some(length) = length {
            fs::write(&path, &whole[..length]).expect("a cut library");
        }
        let error = home
            .run(&["--plugin", &path.to_string_lossy(), "plugin", "ls"])
            .failed(1);
        assert!(
            error.contains(name) && error.contains(expected),
            "{name}: {error}"
        );
    }
}

#[test]
fn some_other_library_is_told_from_a_plugin() {
    let home = Home::new();
    // Procedural macros are shared libraries that have nothing to do with us.
    let deps = fs::read_dir(build_folder().join("deps")).expect("the build's libraries");
    let other = deps
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            name.starts_with("libserde_derive") && name.ends_with(std::env::consts::DLL_SUFFIX)
        })
        .expect("serde's derive macro was built");
    let error = home
        .run(&["--plugin", &other.to_string_lossy(), "plugin", "ls"])
        .failed(1);
    assert!(error.contains("not an Attune plugin"), "{error}");
    assert!(error.contains("export!"), "{error}");
}

#[test]
fn a_plugin_of_another_abi_is_refused_by_number() {
    let home = Home::new();
    let library = test_library("attune-other-abi");
    let error = home
        .run(&["--plugin", &library.to_string_lossy(), "plugin", "ls"])
        .failed(1);
    assert!(
        error.contains("speaks plugin ABI 999, this Attune speaks 1"),
        "{error}"
    );
    assert!(error.contains("rebuild the plugin"), "{error}");
}

#[test]
fn panics_errors_and_bad_rates_end_the_trace_alone() {
    let home = Home::new();
    let library = test_library("attune-misbehave");
    let table = [
        ("panic@configure", "panicked"),
        ("error@configure", "misbehave"),
        ("panic@step", "panicked"),
        ("error@step", "failed at step"),
        ("panic@metric", "panicked"),
        ("nan@step", "set a rate to NaN"),
        ("infinite@step", "set a rate to inf"),
        ("negative@step", "set a rate to -"),
    ];
    for (misbehave, expected) in table {
        let error = trace(&home, &library, "misbehave", misbehave).failed(1);
        assert!(error.contains(expected), "{misbehave}: {error}");
        assert!(
            error.starts_with("error: "),
            "{misbehave}: more than one error:\n{error}"
        );
    }
    let described = trace(&home, &library, "greedy", "panic@describe").failed(1);
    assert!(
        described.contains("failed to describe itself"),
        "{described}"
    );

    assert_eq!(
        trace(&home, &library, "misbehave", "").ok().lines().count(),
        3
    );
    // A destructor that panics has nobody to tell, and must not end the program.
    trace(&home, &library, "misbehave", "panic@drop").ok();
}

#[test]
fn a_library_may_be_overwritten_while_it_is_in_use_and_loaded_again_under_its_old_path() {
    let home = Home::new();
    let cache = home.path().join("copies");
    let path = home.path().join("mine.so");
    let places = [Place::named(&path)];
    let setup = Setup::of_rates(&[0.1]);
    let step = |controller: &mut dyn Controller| {
        let mut rates = [0.1];
        let stepped = controller.step(&Clock::default(), &[], &mut rates, &mut [0.9]);
        stepped.map(|()| rates[0])
    };
    let library = |package: &str| plugins_dir().join(library_name(package));

    fs::copy(library("attune-plugin-cosine"), &path).expect("a copy");
    let (before, errors) = Plugins::load(&places, &cache);
    assert!(errors.is_empty(), "{errors:?}");
    let mut old = before
        .create("constant", &[].into(), &setup)
        .expect("a scheduler");

    // In place, as `cp` does it: the file that was named is not the file that is mapped.
    let other = fs::read(library("attune-plugin-greedy")).expect("built");
    fs::write(&path, other).expect("overwritten");
    assert_eq!(step(old.as_mut()), Ok(0.1));

    let (after, errors) = Plugins::load(&places, &cache);
    assert!(errors.is_empty(), "{errors:?}");
    assert!(after.find("greedy").is_ok() && after.find("constant").is_err());
    assert_eq!(step(old.as_mut()), Ok(0.1));
}

#[test]
fn a_plugin_from_outside_the_workspace_is_built_and_loaded() {
    let home = Home::new();
    let example =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/custom-plugin");
    let target = build_folder().join("custom-plugin");
    let status = std::process::Command::new(env!("CARGO"))
        .args(["build", "--quiet"])
        .current_dir(example)
        .env("CARGO_TARGET_DIR", &target)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the example does not build by itself");
    let library = target.join("debug").join(library_name("bold-driver"));
    let rates = trace(&home, &library, "bold-driver", "").ok();
    let rates: Vec<f64> = rates
        .lines()
        .map(|line| line.parse().expect("a rate"))
        .collect();
    assert!(
        rates.len() == 3 && rates.iter().all(|rate| *rate >= 0.1),
        "{rates:?}"
    );
}

#[test]
fn parameters_are_checked_before_a_plugin_sees_them() {
    let home = Home::new();
    let table = [
        (
            vec!["--param", "factor=1.5"],
            "`factor` of scheduler `greedy` is 1.5, but must be a number in (0, 1)",
        ),
        (
            vec!["--param", "patience=soon"],
            "`patience` of scheduler `greedy` is soon, but must be a whole number",
        ),
        (
            vec!["--param", "patients=3"],
            "no parameter `patients`; it takes",
        ),
        (vec!["--param", "factor"], "write it as NAME=VALUE"),
        (vec!["--lr", "nan"], "must be finite"),
    ];
    for (args, expected) in table {
        let lr = if args[0] == "--lr" {
            vec![]
        } else {
            vec!["--lr", "0.1"]
        };
        let all = [vec!["trace", "--scheduler", "greedy"], lr, args].concat();
        let error = home.run(&all).failed(1);
        assert!(error.contains(expected), "{all:?}: {error}");
    }
}
