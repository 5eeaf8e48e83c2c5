//! Ends a worker that is stuck inside a plugin: nothing else can.

use super::flight::{Call, Recorder};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{self, MissedTickBehavior};

/// The exit code of a worker that a plugin held for too long.
pub(crate) const HUNG: i32 = 86;

/// How often the training thread is looked at.
const TICK: Duration = Duration::from_millis(100);

/// How long a plugin's calls may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Loading a library, and making a scheduler.
    pub(crate) load: Duration,
    /// All others.
    pub(crate) step: Duration,
}

/// How long the call in progress has been seen.
#[derive(Debug, Default)]
struct Watch {
    seen: Option<(u64, Call)>,
    /// Counted in ticks, not in time: a process that is stopped and goes on later did not hang.
    ticks: u32,
}

/// Looks for ever, and ends the process when a call takes too long.
pub(crate) async fn watch(recorder: Arc<Recorder>, limits: Limits) {
    let mut ticks = time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watch = Watch::default();
    loop {
        ticks.tick().await;
        if let Some(call) = watch.tick(recorder.in_call(), limits) {
            recorder.hung();
            let limit = limits.of(call).as_secs_f64();
            say!(
                "worker: the plugin's `{}` took longer than {limit} s",
                call.name()
            );
            std::process::exit(HUNG);
        }
    }
}

impl Limits {
    fn of(self, call: Call) -> Duration {
        match call {
            Call::Open | Call::Configure => self.load,
            Call::Step | Call::Metric | Call::Save | Call::Load | Call::Drop => self.step,
        }
    }
}

impl Watch {
    /// The call that has taken too long, if it has.
    fn tick(&mut self, now: Option<(u64, Call)>, limits: Limits) -> Option<Call> {
        if now.is_none() || now != self.seen {
            self.seen = now;
            self.ticks = 0;
            return None;
        }
        self.ticks += 1;
        let (_, call) = now?;
        (TICK * self.ticks > limits.of(call)).then_some(call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        load: Duration::from_millis(300),
        step: Duration::from_millis(500),
    };

    /// After how many looks at this it is too long.
    fn ticks_until(now: impl Fn(u64) -> Option<(u64, Call)>) -> Option<u64> {
        let mut watch = Watch::default();
        (0..100).find(|tick| watch.tick(now(*tick), LIMITS).is_some())
    }

    #[test]
    fn one_call_may_take_its_time_and_no_more() {
        assert_eq!(ticks_until(|_| None), None);
        assert_eq!(ticks_until(|_| Some((1, Call::Open))), Some(4));
        assert_eq!(ticks_until(|_| Some((1, Call::Configure))), Some(4));
        assert_eq!(ticks_until(|_| Some((1, Call::Step))), Some(6));
        assert_eq!(ticks_until(|_| Some((1, Call::Drop))), Some(6));
        // One call after another is no hanging, nor is one with pauses.
        assert_eq!(ticks_until(|tick| Some((tick / 5, Call::Step))), None);
        assert_eq!(
            ticks_until(|tick| (tick % 5 > 0).then_some((1, Call::Step))),
            None
        );
    }
}
