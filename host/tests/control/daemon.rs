//! The daemon as its users meet it: started, refused, stopped, killed under a client, and set up
//! wrongly.

use crate::support::{
    Finished, Followed, Home, SPACE, outcome, signal, small_study, study_of, wait_until,
};
use rustix::process::Signal;
use serde_json::Value;

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn a_daemon_is_started_looked_at_and_stopped() {
    let home = Home::new();
    let none = home.run(&["status"]).failed(1);
    assert!(none.contains("no daemon runs"), "{none}");
    home.run(&["daemon", "stop"]).ok();
    assert_eq!(home.processes(), [0; 0], "looking at it started it");

    let started = home.run(&["daemon", "start"]);
    let pid = home.daemon_pid().expect("a daemon");
    assert!(started.err.contains(&pid.to_string()), "{}", started.err);
    started.ok();
    let again = home.run(&["daemon", "start"]);
    assert!(
        again.err.contains("runs already") && again.err.contains(&pid.to_string()),
        "{}",
        again.err
    );
    again.ok();
    for look in ["status", "daemon status"] {
        let words: Vec<&str> = look.split(' ').collect();
        let page = home.run(&words).ok();
        assert!(
            page.contains(&format!("pid {pid}")) && page.contains("no study is under way"),
            "{page}"
        );
        let status = home.json(&[&words[..], &["--json"]].concat());
        assert_eq!(status["pid"], pid);
        assert_eq!(status["version"], VERSION);
        assert_eq!(status["embedded"], false);
    }
    let log = home.run(&["daemon", "logs"]).ok();
    assert!(log.contains("the daemon is ready"), "{log}");
    let log = home.run(&["daemon", "logs", "-n", "1"]).ok();
    assert_eq!(log.lines().count(), 1, "{log}");

    home.run(&["daemon", "stop"]).ok();
    assert_eq!(home.daemon_pid(), None);
    let log = home.run(&["daemon", "logs"]).ok();
    assert!(log.contains("the daemon has ended"), "{log}");
    home.run(&["status"]).failed(1);
}

#[test]
fn a_second_daemon_is_refused_with_the_first_ones_pid_and_version() {
    let home = Home::new();
    home.run(&["daemon", "start"]).ok();
    let pid = home.daemon_pid().expect("a daemon");
    let file = small_study(&home, "trials = 2");
    for (second, code) in [
        (vec!["daemon", "run"], 4),
        (vec!["run", &file, "--embedded"], 1),
        (
            vec!["fit", "wine.csv", "--target", "cultivar", "--embedded"],
            1,
        ),
    ] {
        let error = home.run(&second).failed(code);
        for part in [&pid.to_string(), VERSION, "attune daemon stop"] {
            assert!(error.contains(part), "{second:?}: no {part} in\n{error}");
        }
        assert_eq!(error.lines().count(), 1, "{second:?}:\n{error}");
    }
    // The first one took no harm.
    assert_eq!(home.json(&["status", "--json"])["pid"], pid);
    assert_eq!(home.json(&["ls", "--json"]), Value::Array(Vec::new()));
}

#[test]
fn embedded_or_detached_a_study_comes_to_the_same() {
    let home = Home::new();
    let file = small_study(&home, "trials = 5");
    home.run(&["run", &file, "--embedded"]).ok();
    // A worker that was told to end may take a moment to be gone.
    let nothing_is_left = || home.processes().is_empty();
    wait_until(nothing_is_left, "what an embedded daemon began has ended");
    assert!(home.path().join("study.safetensors").exists());

    let id = home.start_detached(&file);
    assert_eq!(id, "s2");
    home.wait_for_state(&id, "done");
    assert_eq!(outcome(&home, "s1"), outcome(&home, &id));
    let told = home.json(&["run", &file, "--detach", "--json"]);
    assert_eq!(told["study"], "s3");
}

#[test]
fn an_embedded_daemon_that_is_interrupted_pauses_its_study() {
    let home = Home::new();
    let text = small_study(&home, "trials = 1000");
    let mut child = home.follow(&["run", &text, "--embedded", "--json"]);
    child.wait_for_epochs(1);
    let status = home.json(&["status", "--json"]);
    assert_eq!(
        (&status["embedded"], &status["pid"]),
        (&Value::Bool(true), &child.id().into())
    );
    signal(child.id(), Signal::INT);
    child.finish().failed(130);
    // They end as the pipe from their daemon does, a moment after it.
    wait_until(|| home.processes().is_empty(), "its workers are gone");
    assert_eq!(home.study("s1")["state"], "paused");
}

#[test]
fn clients_that_start_a_daemon_at_the_same_time_share_one() {
    let home = Home::new();
    for _ in 0..3 {
        let clients: Vec<Followed> = (0..5).map(|_| home.follow(&["ls", "--json"])).collect();
        for client in clients {
            client.finish().ok();
        }
        let pid = home.daemon_pid().expect("a daemon");
        wait_until(
            || home.processes() == [pid],
            "the daemons that were too late end",
        );
        // Those that come while it ends start the next one, unless it went while they asked it.
        let stop = home.follow(&["daemon", "stop"]);
        let clients: Vec<Followed> = (0..3).map(|_| home.follow(&["ls", "--json"])).collect();
        stop.finish().ok();
        for client in clients {
            let client = client.finish();
            let (code, error) = (client.code, client.err);
            assert!(
                code == Some(0) || error.contains("/v1/studies") || error.contains("answers at"),
                "{error}"
            );
        }
        home.run(&["daemon", "stop"]).ok();
    }
}

#[test]
fn a_study_that_is_submitted_twice_at_once_is_two_studies_with_one_outcome() {
    let home = Home::new();
    let file = small_study(&home, "trials = 5");
    let clients = ["a.safetensors", "b.safetensors"].map(|out| {
        let args = ["run", &file, "--out", out];
        home.follow(&args)
    });
    for client in clients {
        client.finish().ok();
    }
    assert_eq!(outcome(&home, "s1"), outcome(&home, "s2"));
    for out in ["a.safetensors", "b.safetensors"] {
        assert!(home.path().join(out).exists(), "{out} was not saved");
    }
}

/// Kills the daemon once the client has been told of an epoch; the client starts another one.
pub fn kill_daemon_under(home: &Home, client: &mut Followed) {
    client.wait_for_epochs(1);
    let daemon = home.daemon_pid().expect("a daemon");
    signal(daemon, Signal::KILL);
    wait_until(
        || home.daemon_pid().is_some_and(|pid| pid != daemon),
        "the client starts another daemon",
    );
}

#[test]
fn a_daemon_that_is_killed_under_its_client_is_started_again_and_nothing_differs() {
    let home = Home::new();
    // Long enough to be killed in twice, wherever it is fast.
    let file = study_of(
        &home,
        "trials = 8",
        "min_epochs = 200\nmax_epochs = 800",
        SPACE,
    );
    home.run(&["run", &file]).ok();

    let mut client = home.follow(&["run", &file, "--json"]);
    for _ in 0..2 {
        kill_daemon_under(&home, &mut client);
    }
    client.finish().ok();
    assert_eq!(outcome(&home, "s1"), outcome(&home, "s2"));
    assert_eq!(home.study("s2")["trials"]["running"], 0);
}

#[test]
fn a_daemon_ends_when_its_state_folder_is_deleted() {
    let home = Home::new();
    home.run(&["daemon", "start"]).ok();
    std::fs::remove_dir_all(home.state()).expect("the state folder goes");
    wait_until(|| home.processes().is_empty(), "the daemon ends");
    // Whoever comes next begins anew.
    assert_eq!(home.json(&["ls", "--json"]), Value::Array(Vec::new()));
}

/// Whoever deletes the folder may be quicker with another daemon than the first one is with its end.
#[test]
fn a_daemon_whose_folder_is_gone_leaves_the_next_ones_socket_alone() {
    let home = Home::new();
    home.run(&["daemon", "start"]).ok();
    let first = home.daemon_pid().expect("a daemon");
    std::fs::remove_dir_all(home.attune_home()).expect("the folder goes");
    home.run(&["daemon", "start"]).ok();
    let second = home.daemon_pid().expect("another daemon");
    assert_ne!(first, second);
    wait_until(|| !home.processes().contains(&first), "the first one ends");
    assert_eq!(home.json(&["status", "--json"])["pid"], second);
}

#[test]
fn a_mistake_in_the_configuration_is_told_by_every_command_that_starts_a_daemon() {
    let home = Home::new();
    let file = small_study(&home, "trials = 2");
    home.configure("# Ours.\nworkesr = 2\n");
    let fit = ["fit", "wine.csv", "--target", "cultivar"];
    for command in [
        vec!["daemon", "start"],
        vec!["daemon", "run"],
        vec!["ls"],
        vec!["show", "s1"],
        vec!["compare", "s1", "s2"],
        vec!["plugin", "ls"],
        vec!["run", &file],
        vec!["run", &file, "--embedded"],
        vec!["run", &file, "--detach"],
        fit.to_vec(),
        [&fit[..], &["--embedded"]].concat(),
        vec!["pause", "s1"],
        vec!["resume", "s1"],
        vec!["fork", "s1.0"],
    ] {
        let error = home.run(&command).failed(1);
        for part in ["config.toml:2", "`workesr`", "did you mean `workers`?"] {
            assert!(error.contains(part), "{command:?}: no {part} in\n{error}");
        }
        assert_eq!(error.lines().count(), 1, "{command:?}:\n{error}");
    }
    // Whoever needs no daemon is not kept from working.
    home.run(&["daemon", "stop"]).ok();
    let none = home.run(&["status"]).failed(1);
    assert!(none.contains("no daemon runs"), "{none}");
}

#[test]
fn a_home_may_be_named_from_where_one_is() {
    let home = Home::new();
    let finished: Finished = home
        .attune()
        .env("ATTUNE_HOME", "home")
        .args(["ls", "--json"])
        .output()
        .expect("the program starts")
        .into();
    finished.ok();
    assert!(home.state().is_dir(), "the daemon's home is another one");
    // The same home by its whole name has the same daemon.
    let pid = home.json(&["status", "--json"])["pid"].take();
    let pid = u32::try_from(pid.as_u64().expect("a number")).expect("a process");
    home.run(&["daemon", "stop"]).ok();
    wait_until(
        || !std::path::Path::new(&format!("/proc/{pid}/environ")).exists(),
        "the daemon is gone",
    );
}
