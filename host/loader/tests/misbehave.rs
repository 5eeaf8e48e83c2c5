//! What the misbehaving plugin does to the process that opens it: the ways to die that a host must
//! survive, each in a process of its own.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use attune_loader::{Candidate, LoadedLibrary, Place, scan};
use attune_plugin_api::Setup;
use attune_plugin_api::controller::Clock;
use attune_plugin_api::param::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;
use support::library;
use tempfile::TempDir;

const ABORTED: &str = "signal 6";
const SEGFAULT: &str = "signal 11";
const EXITED: &str = "code 7";

/// Memory of a process that takes all it gets, in KiB: more than it needs without.
const MEMORY_KIB: u64 = 512 << 10;

static COPIES: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

/// The plugin, found once for all tests.
fn plugin() -> &'static Candidate {
    static FOUND: LazyLock<Candidate> = LazyLock::new(|| {
        let (mut found, errors) = scan(&[Place::named(library("attune-misbehave"))], COPIES.path());
        assert!(errors.is_empty(), "{errors:?}");
        found.remove(0)
    });
    &FOUND
}

/// What a child process is told in its environment.
const TOLD_COPY: &str = "ATTUNE_TEST_COPY";
const TOLD_HASH: &str = "ATTUNE_TEST_HASH";
const TOLD_PARAMS: &str = "ATTUNE_TEST_PARAMS";

/// Not a test of its own: what a child process does. It says what it has done line by line.
#[test]
fn child() {
    let Some(copy) = std::env::var_os(TOLD_COPY).map(PathBuf::from) else {
        return;
    };
    let candidate = Candidate {
        path: copy.clone(),
        copy,
        hash: std::env::var(TOLD_HASH).unwrap(),
        named: true,
    };
    let params: BTreeMap<String, Value> =
        serde_json::from_str(&std::env::var(TOLD_PARAMS).unwrap()).unwrap();
    // The test harness writes to stdout too.
    println!("\ndid start");
    let library = LoadedLibrary::open(&candidate).unwrap();
    println!("did open");
    let setup = Setup::of_rates(&[0.1]);
    let mut controller = match library.create("misbehave", &params, &setup) {
        Ok(controller) => controller,
        Err(error) => return println!("did fail: {error}"),
    };
    println!("did configure");
    for step in 0..4 {
        let clock = Clock {
            step,
            ..Clock::default()
        };
        let (mut rates, mut momenta) = ([0.1], [0.9]);
        let stepped = controller.step(&clock, &[], &mut rates, &mut momenta);
        println!("did step {step}: {stepped:?} {rates:?}");
    }
    let clock = Clock {
        step: 4,
        ..Clock::default()
    };
    let (mut rates, mut momenta) = ([0.1], [0.9]);
    let measured = controller.metric(1.0, &clock, &mut rates, &mut momenta);
    println!("did metric: {measured:?} {rates:?}");
    let saved = controller.save();
    println!("did save: {}", saved.is_ok());
    let loaded = controller.load(&saved.unwrap_or_default());
    println!("did load: {}", loaded.is_ok());
    drop(controller);
    println!("did drop");
}

/// A child process to be.
struct Play {
    command: Command,
}

/// What a child did, and how it ended.
#[derive(Debug)]
struct Played {
    did: Vec<String>,
    end: String,
}

impl Play {
    fn new(variables: &[(&str, &str)], params: &[(&str, Value)]) -> Self {
        let params: BTreeMap<_, _> = params.iter().cloned().collect();
        let plugin = plugin();
        let mut command = Command::new("sh");
        command
            // No core files, and an end to memory.
            .args([
                "-c",
                &format!("ulimit -c 0; ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\""),
            ])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads", "1"])
            .env(TOLD_COPY, &plugin.copy)
            .env(TOLD_HASH, &plugin.hash)
            .env(TOLD_PARAMS, serde_json::to_string(&params).unwrap())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        Play { command }
    }

    fn of(wish: &str) -> Self {
        Self::new(&[("ATTUNE_MISBEHAVE", wish)], &[])
    }

    /// Starts it; what it does comes line by line.
    fn start(mut self) -> (Child, Receiver<String>) {
        let mut child = self.command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if let Some(did) = line.strip_prefix("did ") {
                    let _ = tell.send(did.to_owned());
                }
            }
        });
        (child, told)
    }

    fn play(self) -> Played {
        let (mut child, told) = self.start();
        let did = told.iter().collect();
        let end = end_of(child.wait().unwrap());
        Played { did, end }
    }
}

impl Played {
    fn last(&self) -> &str {
        self.did.last().map_or("", String::as_str)
    }
}

fn end_of(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("code {code}"),
        (_, Some(signal)) => format!("signal {signal}"),
        _ => "unknown".into(),
    }
}

/// What was done last when the process ends in this call.
fn before(call: &str) -> &str {
    match call {
        "open" | "describe" => "start",
        "configure" => "open",
        "step" => "configure",
        "metric" => "step 3",
        "save" => "metric",
        "load" => "save",
        // A load drops the scheduler that it replaces.
        _ => "save",
    }
}

const CALLS: [&str; 8] = [
    "open",
    "describe",
    "configure",
    "step",
    "metric",
    "save",
    "load",
    "drop",
];

#[test]
fn left_alone_it_does_nothing_bad() {
    let played = Play::new(&[], &[]).play();
    let rates = "Ok(()) [0.1]";
    assert_eq!(
        played.did,
        [
            "start",
            "open",
            "configure",
            &format!("step 0: {rates}"),
            &format!("step 1: {rates}"),
            &format!("step 2: {rates}"),
            &format!("step 3: {rates}"),
            &format!("metric: {rates}"),
            "save: true",
            "load: true",
            "drop"
        ]
    );
    assert_eq!(played.end, "code 0");
}

#[test]
fn it_ends_the_process_in_every_call() {
    for (action, end) in [
        ("segfault", SEGFAULT),
        ("abort", ABORTED),
        ("exit", EXITED),
        ("allocate", ABORTED),
    ] {
        for call in CALLS {
            let wish = format!("{action}@{call}");
            let played = Play::of(&wish).play();
            assert_eq!(played.end, end, "{wish}: {played:?}");
            assert!(
                played.last().starts_with(before(call)),
                "{wish}: {played:?}"
            );
        }
    }
}

#[test]
fn a_panic_ends_the_process_only_where_nobody_can_catch_it() {
    let played = Play::of("panic@open").play();
    assert_eq!((played.end.as_str(), played.last()), (ABORTED, "start"));
    let played = Play::of("panic@configure").play();
    assert!(played.last().contains("panicked"), "{played:?}");
    assert_eq!(played.end, "code 0");
}

#[test]
fn it_hangs_until_it_is_killed() {
    for call in ["open", "configure", "step"] {
        let (mut child, told) = Play::of(&format!("hang@{call}")).start();
        let done_before = told
            .iter()
            .find(|did| did.starts_with(before(call)))
            .is_some();
        assert!(done_before, "{call}");
        let more = told.recv_timeout(Duration::from_millis(100));
        assert_eq!(more, Err(RecvTimeoutError::Timeout), "{call}");
        child.kill().unwrap();
        assert_eq!(end_of(child.wait().unwrap()), "signal 9");
    }
}

#[test]
fn it_may_begin_at_a_step() {
    let at = ("ATTUNE_MISBEHAVE_AT", "2");
    for (wish, end, last) in [
        ("exit@step", EXITED, "step 1"),
        ("exit@metric", EXITED, "step 3"),
        ("exit@save", EXITED, "metric"),
        ("exit@load", EXITED, "save"),
        ("exit@open", EXITED, "start"),
        ("exit@configure", EXITED, "open"),
    ] {
        let played = Play::new(&[("ATTUNE_MISBEHAVE", wish), at], &[]).play();
        assert_eq!(played.end, end, "{wish}: {played:?}");
        assert!(played.last().starts_with(last), "{wish}: {played:?}");
    }
    let never = Play::new(
        &[
            ("ATTUNE_MISBEHAVE", "exit@drop"),
            ("ATTUNE_MISBEHAVE_AT", "5"),
        ],
        &[],
    )
    .play();
    assert_eq!(never.last(), "drop");
}

#[test]
fn it_may_happen_once_in_all_processes() {
    let folder = tempfile::tempdir().unwrap();
    for call in ["open", "step"] {
        let once = folder.path().join(call);
        let once = once.to_str().unwrap();
        let wish = format!("segfault@{call}");
        let variables = [
            ("ATTUNE_MISBEHAVE", wish.as_str()),
            ("ATTUNE_MISBEHAVE_ONCE", once),
        ];
        assert_eq!(Play::new(&variables, &[]).play().end, SEGFAULT);
        assert!(Path::new(once).exists());
        assert_eq!(Play::new(&variables, &[]).play().last(), "drop");
    }
    let nowhere = folder.path().join("gone/file");
    let variables = [
        ("ATTUNE_MISBEHAVE", "exit@configure"),
        ("ATTUNE_MISBEHAVE_ONCE", nowhere.to_str().unwrap()),
    ];
    let played = Play::new(&variables, &[]).play();
    assert!(played.last().contains("cannot be made"), "{played:?}");
}

#[test]
fn parameters_ask_for_the_same_and_the_environment_goes_first() {
    let params = [
        ("action", Value::Text("nan".into())),
        ("at_step", Value::Int(2)),
    ];
    let played = Play::new(&[], &params).play();
    assert_eq!(
        played.did[4..7],
        [
            "step 1: Ok(()) [0.1]",
            "step 2: Ok(()) [NaN]",
            "step 3: Ok(()) [NaN]"
        ]
    );
    let wish = [("ATTUNE_MISBEHAVE", "exit@step")];
    assert_eq!(Play::new(&wish, &params).play().last(), "configure");
    let elsewhere = [
        ("action", Value::Text("exit".into())),
        ("call", Value::Text("save".into())),
    ];
    let played = Play::new(&[], &elsewhere).play();
    assert!(played.last().starts_with("metric"), "{played:?}");
    assert_eq!(played.end, EXITED);
}

#[test]
fn a_slip_of_the_pen_is_an_error_of_configure() {
    for (wish, expected) in [
        ("hang", "it must be ACTION@CALL"),
        ("error@open", "can happen in configure"),
    ] {
        let played = Play::of(wish).play();
        assert!(played.last().contains(expected), "{wish}: {played:?}");
    }
    let params = [
        ("action", Value::Text("nan".into())),
        ("call", Value::Text("save".into())),
    ];
    let played = Play::new(&[], &params).play();
    assert!(played.last().contains("can happen in step"), "{played:?}");
}
