//! `attune doctor` where something is wrong: it names it and says what to do, and never fails itself.

use crate::fuzz::{endless, start};
use crate::support::{Home, test_library};
use std::fs;

/// Makes something wrong in a home.
type Harm = fn(&Home);

/// What doctor says is wrong, a line each.
fn problems(home: &Home) -> Vec<String> {
    let found = home.run(&["doctor"]);
    assert!(found.err.is_empty(), "{}", found.err);
    let lines = found.out.lines();
    let problems: Vec<String> = lines
        .filter_map(|line| line.strip_prefix("problem  "))
        .map(String::from)
        .collect();
    assert_eq!(
        found.code,
        Some(i32::from(!problems.is_empty())),
        "{}",
        found.out
    );
    problems
}

#[track_caller]
fn the_only_problem(home: &Home, parts: &[&str]) {
    let problems = problems(home);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    for part in parts {
        assert!(problems[0].contains(part), "no {part} in {problems:#?}");
    }
}

#[test]
fn what_keeps_a_daemon_from_starting_is_told_once_and_with_what_to_do() {
    let make: [(Harm, &[&str]); 9] = [
        (
            |home| fs::write(home.state(), "").unwrap(),
            &["state is not a folder", "move it away"],
        ),
        (
            |home| std::os::unix::fs::symlink("/proc/self", home.state()).unwrap(),
            &["nothing can be written to", "check who may write there"],
        ),
        (
            |home| fs::create_dir_all(home.lock_file()).unwrap(),
            &["daemon.lock", "Is a directory", "check who may write there"],
        ),
        (
            |home| home.configure("workesr = 2"),
            &["config.toml:1", "did you mean `workers`?"],
        ),
        (
            |home| {
                home.configure("");
                fs::write(home.attune_home().join("config.toml"), [0xff, 0xfe]).unwrap();
            },
            &["config.toml", "mend it or move it away"],
        ),
        (
            |home| fs::create_dir_all(home.attune_home().join("config.toml")).unwrap(),
            &["config.toml", "mend it or move it away"],
        ),
        (
            |home| home.configure("[listen]\naddress = \"0.0.0.0:7999\""),
            &["would let other machines in", "set `token_file`"],
        ),
        (
            |home| home.configure("[listen]\ntoken_file = \"none\""),
            &["home/none", "cannot read"],
        ),
        (
            |home| fs::write(home.attune_home().join("run"), "").unwrap(),
            &["run is not a folder", "remove it"],
        ),
    ];
    for (make, parts) in make {
        let home = Home::new();
        fs::create_dir_all(home.attune_home()).unwrap();
        make(&home);
        the_only_problem(&home, parts);
    }
}

#[test]
fn what_a_dead_daemon_left_behind_is_no_problem() {
    let home = Home::new();
    fs::create_dir_all(home.state()).unwrap();
    for left in [
        "",
        "garbage",
        "{\"pid\":1,\"version\":\"0.0.1\",\"protocol\":1,\"socket\":\"/nowhere\",\
         \"embedded\":false,\"started_unix_ms\":1}\n",
    ] {
        fs::write(home.lock_file(), left).unwrap();
        assert_eq!(problems(&home), [""; 0], "{left}");
        home.run(&["daemon", "stop"]).ok();
    }
}

#[test]
fn a_plugin_that_cannot_be_loaded_is_named() {
    let home = Home::new();
    let plugins = home.attune_home().join("plugins");
    fs::create_dir_all(&plugins).unwrap();
    let other = test_library("attune-other-abi");
    fs::copy(&other, plugins.join("libother.so")).unwrap();
    fs::write(
        plugins.join("libcut.so"),
        &fs::read(&other).unwrap()[..5000],
    )
    .unwrap();
    let problems = problems(&home);
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert!(
        problems
            .iter()
            .any(|p| p.contains("libcut.so") && p.contains("copy it again"))
    );
    assert!(
        problems
            .iter()
            .any(|p| p.contains("libother.so") && p.contains("rebuild the plugin"))
    );
}

#[test]
fn damaged_and_missing_checkpoints_are_named() {
    let home = Home::new();
    let id = start(&home, endless());
    home.run(&["pause", &id]).ok();
    assert_eq!(problems(&home), [""; 0]);
    let detail = home.json(&["ls", &id, "--json"]);
    let trials = detail["trials"].as_array().unwrap();
    let has_one = |trial: &&serde_json::Value| trial["checkpoints"][0]["step"].is_u64();
    let trial = trials.iter().find(has_one).expect("a checkpoint");
    let (name, step) = (
        trial["id"].as_str().unwrap(),
        &trial["checkpoints"][0]["step"],
    );
    let number = name.split_once('.').unwrap().1;
    let path = home
        .state()
        .join(format!("checkpoints/{id}/{number}/step-{step}.ckpt"));
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let place = path.to_string_lossy().into_owned();
    the_only_problem(
        &home,
        &[name, &place, "is damaged", "go on from an earlier one"],
    );
    fs::remove_file(&path).unwrap();
    the_only_problem(&home, &[name, &place, "cannot read"]);
}
