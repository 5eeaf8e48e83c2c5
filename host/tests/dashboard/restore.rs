//! However the dashboard ends, the terminal is given back as it was.

use crate::ground::Terminal;
use crate::support::{Home, signal};
use attune_protocol::client::{Address, Client};
use attune_tui::Style;
use attune_tui::dashboard::{Helper, Session, Soon, run};
use rustix::process::Signal;
use std::process::Command;
use std::sync::Arc;

const SIZE: (u16, u16) = (100, 30);

/// The dashboard of an empty home, once it shows something.
fn open(home: &Home) -> Terminal {
    let mut terminal = Terminal::dashboard(home, SIZE);
    terminal.is_taken_over();
    terminal.sees("1 Studies");
    terminal
}

#[test]
fn a_signal_ends_it_and_gives_the_terminal_back() {
    let home = Home::new();
    for sent in [Signal::TERM, Signal::HUP, Signal::INT] {
        let mut terminal = open(&home);
        signal(terminal.pid(), sent);
        assert_eq!(terminal.ended(), 0, "{sent:?}");
        terminal.is_given_back();
    }
    assert!(home.daemon_pid().is_some(), "the daemon goes on");
}

#[test]
fn it_ends_with_its_terminal() {
    let home = Home::new();
    let mut terminal = open(&home);
    terminal.unplug();
    terminal.ended();
    assert!(home.daemon_pid().is_some(), "the daemon goes on");
}

/// The variable that makes the test below the program in the terminal of the one after it.
const IS_PROGRAM: &str = "TEST_DASHBOARD_PANICS";

/// What a dashboard has done for it, by somebody who fails at it.
struct Clumsy;

impl Helper for Clumsy {
    fn revive(&self) -> Soon<'_, Result<(), String>> {
        panic!("the helper stumbles");
    }

    fn export(&self, _: String, _: String, _: String) -> Soon<'_, Result<String, String>> {
        Box::pin(async { Ok(String::new()) })
    }

    fn save(&self, _: String, _: String) -> Soon<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}

#[test]
#[ignore = "it is the program of the next test"]
fn a_dashboard_with_a_clumsy_helper() {
    if std::env::var_os(IS_PROGRAM).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let session = Session {
        client: Client::new(Address::Unix("nobody-listens-here".into())),
        helper: Arc::new(Clumsy),
        style: Style::ASCII,
        folder: String::new(),
        open: None,
    };
    runtime.block_on(run(session)).unwrap();
}

#[test]
fn a_panic_gives_the_terminal_back_and_ends_it() {
    let home = Home::new();
    let mut program = Command::new(std::env::current_exe().unwrap());
    program
        .args(["--ignored", "--exact", "--nocapture", "--test-threads=1"])
        .arg("restore::a_dashboard_with_a_clumsy_helper")
        .env("RUST_BACKTRACE", "0")
        .env(IS_PROGRAM, "1");
    let mut terminal = Terminal::run(&home, SIZE, &program);
    // It is told where it can be read: on the screen that stays.
    terminal.sees("the helper stumbles");
    assert_ne!(terminal.ended(), 0);
    terminal.is_given_back();
    terminal.sees("the helper stumbles");
}
