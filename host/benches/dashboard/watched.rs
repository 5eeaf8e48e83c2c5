//! A dashboard that is looked at from outside.

use crate::ground::Terminal;
use crate::relay::Relay;
use crate::support::Home;
use std::time::{Duration, Instant};

const SIZE: (u16, u16) = (120, 40);

/// A dashboard, in a terminal, behind a relay.
pub struct Watched {
    pub terminal: Terminal,
    relay: Relay,
}

/// What happened in a second, in the mean of some.
pub struct Rates {
    /// Parts of one core in use.
    pub busy: f64,
    pub frames: f64,
    pub to_terminal: f64,
    pub from_daemon: f64,
    pub to_daemon: f64,
}

impl Watched {
    pub fn open(home: &Home, args: &[&str]) -> Self {
        let relay = Relay::before(home);
        let mut program = home.attune();
        program.args(args).env("ATTUNE_CONNECT", relay.address());
        Watched {
            terminal: Terminal::run(home, SIZE, &program),
            relay,
        }
    }

    /// Megabytes in memory now, and at most so far.
    pub fn memory(&self) -> (f64, f64) {
        let path = format!("/proc/{}/status", self.terminal.pid());
        let status = std::fs::read_to_string(path).unwrap();
        let of = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            let kilobytes = line.split_whitespace().nth(1).unwrap();
            kilobytes.parse::<f64>().unwrap() * 1024.0 / 1e6
        };
        (of("VmRSS:"), of("VmHWM:"))
    }

    /// Seconds of a core that it has used.
    fn used(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.terminal.pid());
        let stat = std::fs::read_to_string(path).unwrap();
        // After the name, which may hold anything: the 14th and the 15th of all.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: f64 = ticks.map(|ticks| ticks.parse::<f64>().unwrap()).sum();
        ticks / rustix::param::clock_ticks_per_second() as f64
    }

    /// Watches it for a while.
    pub fn rates(&self, during: Duration) -> Rates {
        let look = || {
            let (from, to) = self.relay.passed();
            let terminal = &self.terminal;
            (self.used(), terminal.frames(), terminal.bytes(), from, to)
        };
        let before = look();
        let begun = Instant::now();
        std::thread::sleep(during);
        let after = look();
        let seconds = begun.elapsed().as_secs_f64();
        let a_second = |after: u64, before: u64| (after - before) as f64 / seconds;
        Rates {
            busy: (after.0 - before.0) / seconds,
            frames: a_second(after.1, before.1),
            to_terminal: a_second(after.2, before.2),
            from_daemon: a_second(after.3, before.3),
            to_daemon: a_second(after.4, before.4),
        }
    }

    /// Waits until what a screen needs once has come: for a while little comes from the daemon. Not
    /// for long, as there may always come much.
    pub fn settle(&self) {
        let mut quiet = 0;
        for _ in 0..20 {
            let rates = self.rates(Duration::from_secs(1));
            quiet = if rates.from_daemon < 20e3 {
                quiet + 1
            } else {
                0
            };
            if quiet == 2 {
                return;
            }
        }
    }

    /// How long it takes from a key until the next frame has come. Where nothing else happens that is
    /// the one that answers it; where trials train, it may be one that the news of them caused.
    pub fn answer(&mut self, key: &str) -> Duration {
        let before = self.terminal.frames();
        let begun = Instant::now();
        self.terminal.press(key);
        while self.terminal.frames() == before {
            assert!(begun.elapsed() < Duration::from_secs(10), "no answer");
            std::thread::sleep(Duration::from_micros(100));
        }
        begun.elapsed()
    }

    /// Presses keys so many times, and prints how soon they are answered.
    pub fn tell_answers(&mut self, name: &str, keys: &[&str], rounds: usize) {
        let mut times: Vec<Duration> = Vec::new();
        // What was begun is ended.
        for key in keys
            .iter()
            .cycle()
            .take(rounds.next_multiple_of(keys.len()))
        {
            times.push(self.answer(key));
            // People look at what they see; and what was asked for comes.
            std::thread::sleep(Duration::from_millis(30));
        }
        times.sort();
        let at = |part: f64| {
            let place = ((times.len() - 1) as f64 * part).ceil() as usize;
            times[place].as_secs_f64() * 1e3
        };
        println!(
            "{name:<28} {:>7.1} {:>7.1} {:>7.1} ms (goal: 30 ms)",
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
}
