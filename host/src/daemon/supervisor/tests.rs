use super::*;
use std::path::Path;

/// What a test waits for at the most before it fails.
const AT_LAST: Duration = Duration::from_secs(20);
const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(50);

fn shell(script: &str) -> Launch {
    Launch {
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        variables: Vec::new(),
    }
}

fn supervisor() -> (Supervisor, mpsc::Receiver<Exited>) {
    let (exits, ended) = mpsc::channel(8);
    (Supervisor::new(exits), ended)
}

async fn next(ended: &mut mpsc::Receiver<Exited>) -> Exited {
    timeout(AT_LAST, ended.recv())
        .await
        .expect("it ends")
        .unwrap()
}

/// Waits until a child has said so.
async fn said(supervisor: &Supervisor, folder: &Path, what: &str) {
    let there = async {
        while !folder.join(what).exists() {
            tokio::task::yield_now().await;
        }
    };
    timeout(AT_LAST, there).await.expect(what);
    assert!(!supervisor.running().is_empty());
}

fn is_alive(pid: u32) -> bool {
    // A process that has ended and was not waited for has no memory.
    memory(pid).is_some_and(|bytes| bytes > 0)
}

async fn gone(pid: u32) {
    let gone = async {
        while is_alive(pid) {
            tokio::task::yield_now().await;
        }
    };
    timeout(AT_LAST, gone).await.expect("it ends");
}

#[tokio::test]
async fn every_end_is_told_with_its_cause_and_last_words() {
    let table = [
        ("exit 0", Exit::Code(0), "exit code 0", ""),
        (
            "echo out; echo err >&2; exit 3",
            Exit::Code(3),
            "exit code 3",
            "out",
        ),
        (
            "echo err >&2; kill -SEGV $$",
            Exit::Signal(11),
            "SIGSEGV (memory",
            "err",
        ),
        ("kill -ABRT $$", Exit::Signal(6), "SIGABRT (it gave up", ""),
        ("kill -BUS $$", Exit::Signal(7), "SIGBUS (", ""),
        (
            "kill -KILL $$",
            Exit::Signal(9),
            "SIGKILL (killed, perhaps out of memory)",
            "",
        ),
        ("kill -40 $$", Exit::Signal(40), "signal 40", ""),
        (
            "printf 'no newline'; exit 1",
            Exit::Code(1),
            "exit code 1",
            "no newline",
        ),
    ];
    let (mut supervisor, mut ended) = supervisor();
    for (script, how, shown, words) in table {
        let started = supervisor.start(&shell(script)).unwrap();
        let exited = next(&mut ended).await;
        assert_eq!((exited.id, exited.pid), (started.id, started.pid));
        assert_eq!(exited.how, how, "{script}");
        assert!(exited.how.to_string().starts_with(shown), "{}", exited.how);
        assert!(
            exited.last_words.contains(words),
            "{script}: {}",
            exited.last_words
        );
        assert!(!exited.was_told, "{script}");
    }
    assert!(supervisor.running().is_empty());
}

#[tokio::test]
async fn a_child_runs_until_its_input_ends() {
    let (mut supervisor, mut ended) = supervisor();
    let child = supervisor.start(&shell("cat; exit 4")).unwrap();
    assert_eq!(supervisor.running(), [child]);
    assert!(supervisor.memory(child.id).unwrap() > 0);
    assert!(ended.try_recv().is_err());

    assert!(supervisor.close(child.id, LONG));
    let exited = next(&mut ended).await;
    assert_eq!((exited.how, exited.was_told), (Exit::Code(4), true));
    assert_eq!(supervisor.memory(child.id), None);
    assert!(!supervisor.close(child.id, LONG) && !supervisor.kill(child.id));
}

#[tokio::test]
async fn who_does_not_heed_the_end_of_input_is_told_and_then_killed() {
    let dir = tempfile::tempdir().unwrap();
    let wait = "while true; do sleep 0.01; done";
    for (trap, grace, expected) in [
        // It is told after half of this, and has the other half to do so.
        ("exit 5", Duration::from_secs(4), Exit::Code(5)),
        // Deaf to SIGTERM.
        ("", SHORT, Exit::Signal(9)),
    ] {
        let (mut supervisor, mut ended) = supervisor();
        let ready = dir.path().join(format!("ready-{}", trap.len()));
        let script = format!("trap '{trap}' TERM; : > {}; {wait}", ready.display());
        let child = supervisor.start(&shell(&script)).unwrap();
        said(
            &supervisor,
            dir.path(),
            ready.file_name().unwrap().to_str().unwrap(),
        )
        .await;
        supervisor.close(child.id, grace);
        let exited = next(&mut ended).await;
        assert_eq!((exited.how, exited.was_told), (expected, true));
    }
}

#[tokio::test]
async fn killing_needs_no_consent_and_takes_grandchildren_along() {
    let dir = tempfile::tempdir().unwrap();
    let (mut supervisor, mut ended) = supervisor();
    let script = format!(
        "trap '' TERM; sh -c 'sleep 1000' & echo $! > {0}/pid; mv {0}/pid {0}/ready; wait; cat",
        dir.path().display()
    );
    let child = supervisor.start(&shell(&script)).unwrap();
    said(&supervisor, dir.path(), "ready").await;
    let grandchild = fs::read_to_string(dir.path().join("ready")).unwrap();
    let grandchild = grandchild.trim().parse().unwrap();
    assert!(is_alive(grandchild));
    // First asked in all patience, then killed after all.
    supervisor.close(child.id, LONG);
    assert!(supervisor.kill(child.id));
    let exited = next(&mut ended).await;
    assert_eq!((exited.how, exited.was_told), (Exit::Signal(9), true));
    gone(grandchild).await;
}

#[tokio::test]
async fn what_a_child_leaves_behind_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let (mut supervisor, mut ended) = supervisor();
    let file = dir.path().join("pid").display().to_string();
    let script = format!("sleep 1000 & echo $! > {file}; exit 0");
    supervisor.start(&shell(&script)).unwrap();
    assert_eq!(next(&mut ended).await.how, Exit::Code(0));
    let left = fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    gone(left).await;

    run_once(
        &shell(&script.replace("& echo", ">&- 2>&- & echo")),
        b"",
        AT_LAST,
        10,
    )
    .await
    .unwrap();
    let left = fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    gone(left).await;
}

#[tokio::test]
async fn an_order_only_becomes_harder() {
    let (mut supervisor, mut ended) = supervisor();
    let child = supervisor
        .start(&shell("trap '' TERM; exec sleep 1000"))
        .unwrap();
    for _ in 0..100 {
        supervisor.close(child.id, LONG);
    }
    supervisor.kill(child.id);
    supervisor.close(child.id, LONG);
    assert_eq!(next(&mut ended).await.how, Exit::Signal(9));
}

#[tokio::test]
async fn a_supervisor_takes_its_children_along() {
    let (mut supervisor, mut ended) = supervisor();
    let child = supervisor
        .start(&shell("trap '' TERM; exec sleep 1000"))
        .unwrap();
    drop(supervisor);
    let exited = next(&mut ended).await;
    assert_eq!((exited.id, exited.how), (child.id, Exit::Signal(9)));
    gone(child.pid).await;
}

#[test]
fn a_runtime_that_ends_takes_the_children_along() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (mut supervisor, _ended) = supervisor();
    let child = runtime.block_on(async { supervisor.start(&shell("exec sleep 1000")).unwrap() });
    assert!(is_alive(child.pid));
    runtime.shutdown_timeout(AT_LAST);
    let start = std::time::Instant::now();
    while is_alive(child.pid) {
        assert!(start.elapsed() < AT_LAST);
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn only_the_last_words_of_a_talker_are_kept() {
    let (mut supervisor, mut ended) = supervisor();
    let script = "i=0; while [ $i -lt 3000 ]; do echo \"é line $i\"; i=$((i+1)); done";
    supervisor.start(&shell(script)).unwrap();
    let exited = next(&mut ended).await;
    assert!(exited.last_words.len() <= TAIL);
    assert!(exited.last_words.ends_with("é line 2999\n"));
    assert!(
        !exited.last_words.contains('\u{fffd}'),
        "cut within a character"
    );
}

#[tokio::test]
async fn output_held_open_by_a_grandchild_delays_no_report() {
    let dir = tempfile::tempdir().unwrap();
    let (mut supervisor, mut ended) = supervisor();
    // In a session of its own it outlives its parent's group.
    let script = format!(
        "setsid sh -c 'echo $$ > {0}/pid; mv {0}/pid {0}/ready; exec sleep 1000' & \
         while [ ! -e {0}/ready ]; do sleep 0.01; done; echo bye; exit 2",
        dir.path().display()
    );
    supervisor.start(&shell(&script)).unwrap();
    let exited = next(&mut ended).await;
    assert_eq!(exited.how, Exit::Code(2));
    assert_eq!(exited.last_words, "bye\n");
    let grandchild = fs::read_to_string(dir.path().join("ready")).unwrap();
    let grandchild = grandchild.trim().parse().unwrap();
    assert!(is_alive(grandchild));
    kill_process(Pid::from_raw(grandchild as i32).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_error() {
    let (mut supervisor, _ended) = supervisor();
    let launch = Launch {
        program: "/no/such/program".into(),
        ..shell("")
    };
    assert_eq!(
        supervisor.start(&launch).unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
    assert!(supervisor.running().is_empty());
    let error = run_once(&launch, b"", LONG, 10).await.unwrap_err();
    assert!(
        error.to_string().contains("cannot start /no/such/program"),
        "{error}"
    );
}

#[tokio::test]
async fn variables_are_added() {
    let mut launch = shell("printf \"$ADDED $PATH\"");
    launch.variables = vec![("ADDED".into(), "yes".into())];
    let output = run_once(&launch, b"", AT_LAST, 10_000).await.unwrap();
    assert!(output.starts_with(b"yes /"), "{output:?}");
}

#[tokio::test]
async fn one_run_gives_its_output_or_the_reason_why_not() {
    // More than a pipe holds, both ways at once.
    let large = vec![b'x'; 1 << 20];
    let output = run_once(&shell("cat"), &large, AT_LAST, 1 << 20).await;
    assert_eq!(output.unwrap(), large);
    // A program need not read its input.
    let output = run_once(&shell("echo done"), &large, AT_LAST, 100).await;
    assert_eq!(output.unwrap(), b"done\n");

    let error = run_once(&shell("cat"), &large, AT_LAST, (1 << 20) - 1).await;
    assert!(matches!(error, Err(OnceError::TooLong { cap: 1_048_575 })));
    let error = run_once(&shell("yes"), b"", AT_LAST, 1000).await;
    assert!(matches!(error, Err(OnceError::TooLong { cap: 1000 })));

    let error = run_once(&shell("echo why >&2; kill -ABRT $$"), b"", AT_LAST, 10).await;
    let error = error.unwrap_err().to_string();
    assert!(
        error.starts_with("it ended with SIGABRT (it gave up"),
        "{error}"
    );
    assert!(error.ends_with("; its last words: why"), "{error}");

    let hangs = shell("echo stuck >&2; trap '' TERM; echo $$; exec >&-; exec sleep 1000");
    let error = run_once(&hangs, b"", SHORT, 100).await.unwrap_err();
    assert!(matches!(error, OnceError::TimedOut { .. }), "{error}");
}

/// As Rust says them, with a backtrace asked for and without.
#[test]
fn the_gist_of_last_words_is_what_happened() {
    for (said, expected) in [
        ("", None),
        ("why\n\n", Some("why")),
        ("why\nnote: run with `RUST_BACKTRACE=1`\n", Some("why")),
        ("why\nstack backtrace:\n   0: there\n", Some("why")),
        (
            "memory allocation of 9 bytes failed\nskipping backtrace printing to avoid \
             potential recursion\n",
            Some("memory allocation of 9 bytes failed"),
        ),
    ] {
        assert_eq!(gist(said), expected, "{said}");
    }
}

#[test]
fn last_words_are_not_cut_within_a_character() {
    for shift in 0..9 {
        let said = format!("{}{}", "a".repeat(shift), "aé€😀".repeat(3000));
        for block in [1, 7, 4096, said.len()] {
            let mut tail = Tail::default();
            said.as_bytes()
                .chunks(block)
                .for_each(|part| tail.push(part));
            let text = tail.text();
            assert!(said.ends_with(&text), "{shift} {block}");
            assert!((TAIL - 3..=TAIL).contains(&text.len()), "{shift} {block}");
        }
    }
    let mut tail = Tail::default();
    tail.push(b"short");
    assert_eq!(tail.text(), "short");
}

#[test]
fn the_log_is_not_flooded() {
    let mut lines = Lines::default();
    let start = Instant::now();
    let mut told = Vec::new();
    let flood = "again\n".repeat(1000);
    lines.push(flood.as_bytes(), start, |line| told.push(line.to_owned()));
    assert_eq!(told.len(), 101);
    assert_eq!(told[100], "more lines in this second are left out");

    told.clear();
    let later = start + Duration::from_secs(2);
    let long = format!("{}\nsho", "x".repeat(5000));
    lines.push(long.as_bytes(), later, |line| told.push(line.to_owned()));
    lines.push(b"rt\nend", later, |line| told.push(line.to_owned()));
    lines.end(|line| told.push(line.to_owned()));
    assert_eq!(told[0], format!("{} …", "x".repeat(MAX_LINE)));
    assert_eq!(told[1..], ["short", "end"]);
}
