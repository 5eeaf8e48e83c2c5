//! How the machine did lately, as far as it was seen here.

use attune_protocol::DaemonStatus;
use std::collections::VecDeque;

/// Load and memory, a value a second, the latest last.
#[derive(Debug, Default)]
pub(super) struct History {
    load: VecDeque<f64>,
    /// The part of the memory that is in use.
    memory: VecDeque<f64>,
    noted_at: Option<u64>,
}

/// So many values are kept, and one in so many milliseconds.
const KEPT: usize = 60;
const EVERY: u64 = 1_000;

impl History {
    /// Notes how the machine does, unless it did so just now.
    pub(super) fn note(&mut self, status: &DaemonStatus, now: u64) {
        if self
            .noted_at
            .is_some_and(|at| now.saturating_sub(at) < EVERY)
        {
            return;
        }
        self.noted_at = Some(now);
        let used = used(status).map_or(f64::NAN, |(used, of)| used as f64 / of as f64);
        for (values, value) in [
            (&mut self.load, status.machine.load.0),
            (&mut self.memory, used),
        ] {
            values.push_back(value);
            if values.len() > KEPT {
                values.pop_front();
            }
        }
    }

    pub(super) fn load(&self) -> Vec<f64> {
        self.load.iter().copied().collect()
    }

    pub(super) fn memory(&self) -> Vec<f64> {
        self.memory.iter().copied().collect()
    }
}

/// Bytes of memory in use, and those that there are; nothing where that is not known.
pub(super) fn used(status: &DaemonStatus) -> Option<(u64, u64)> {
    let machine = &status.machine;
    (machine.memory_bytes > 0).then(|| {
        let used = machine
            .memory_bytes
            .saturating_sub(machine.memory_free_bytes);
        (used, machine.memory_bytes)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use attune_protocol::{Machine, Number};

    fn status(load: f64, free: u64) -> DaemonStatus {
        DaemonStatus {
            version: String::new(),
            pid: 0,
            embedded: false,
            started_unix_ms: 0,
            state_dir: String::new(),
            listens: Vec::new(),
            memory_bytes: 0,
            workers: Vec::new(),
            studies: Vec::new(),
            idle: None,
            store_bytes: 0,
            checkpoint_bytes: 0,
            checkpoint_budget_bytes: 0,
            warnings: Vec::new(),
            machine: Machine {
                load: Number(load),
                memory_bytes: 100,
                memory_free_bytes: free,
                ..Machine::default()
            },
        }
    }

    #[test]
    fn a_value_a_second_is_kept_and_the_oldest_go() {
        let mut history = History::default();
        history.note(&status(1.0, 75), 10_000);
        history.note(&status(9.0, 75), 10_500);
        history.note(&status(2.0, 25), 11_000);
        assert_eq!(history.load(), [1.0, 2.0]);
        assert_eq!(history.memory(), [0.25, 0.75]);
        for second in 0..100 {
            history.note(&status(3.0, 0), 12_000 + 1_000 * second);
        }
        assert_eq!(history.load(), [3.0; KEPT]);
    }
}
