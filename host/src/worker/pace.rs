//! How many leases to ask for: enough that short trials never wait for the daemon, and no more than
//! that, since what one worker holds no other one can train.

use std::time::Duration;

/// How much work is kept in store.
const AHEAD: Duration = Duration::from_millis(50);

/// The most leases in store, however short they are.
const MOST: u16 = 256;

/// How much a new segment counts in the average.
const WEIGHT: f64 = 0.2;

/// How long segments take of late.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Pace {
    seconds: Option<f64>,
}

impl Pace {
    /// A segment took so long.
    pub(crate) fn took(&mut self, segment: Duration) {
        let new = segment.as_secs_f64();
        self.seconds = Some(match self.seconds {
            // One long segment says at once that leases should not wait here; short ones must
            // convince.
            Some(old) if new < old => old + WEIGHT * (new - old),
            _ => new,
        });
    }

    /// How many more leases to ask for, where so many wait and one is in training or not.
    pub(crate) fn want(self, waiting: usize, in_training: bool) -> u16 {
        let idle = !in_training && waiting == 0;
        let in_store = match self.seconds {
            // A float beyond the range becomes the nearest end of it.
            Some(seconds) => ((AHEAD.as_secs_f64() / seconds.max(1e-9)) as u16).min(MOST),
            None => 0,
        };
        let waiting = u16::try_from(waiting).unwrap_or(u16::MAX);
        in_store.max(u16::from(idle)).saturating_sub(waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(segments: &[f64]) -> Pace {
        let mut pace = Pace::default();
        for seconds in segments {
            pace.took(Duration::from_secs_f64(*seconds));
        }
        pace
    }

    #[test]
    fn leases_are_wanted_for_fifty_milliseconds() {
        let table: &[(&[f64], usize, bool, u16)] = &[
            // Nothing is known yet: one, when there is nothing to do.
            (&[], 0, false, 1),
            (&[], 0, true, 0),
            (&[], 3, false, 0),
            // Long trials: none waits here.
            (&[10.0], 0, true, 0),
            (&[10.0], 0, false, 1),
            (&[0.06], 0, true, 0),
            // Short ones.
            (&[0.05], 0, true, 1),
            (&[0.05], 1, true, 0),
            (&[0.01], 0, true, 5),
            (&[0.01], 4, true, 1),
            (&[0.01], 9, true, 0),
            (&[1e-6], 0, true, 256),
            (&[0.0], 0, false, 256),
            (&[1e-6], 250, true, 6),
            (&[1e-6], 100_000, true, 0),
        ];
        for (segments, waiting, in_training, expected) in table {
            let want = after(segments).want(*waiting, *in_training);
            assert_eq!(
                want, *expected,
                "{segments:?}, {waiting} wait, {in_training}"
            );
        }
    }

    #[test]
    fn a_long_segment_counts_at_once_and_short_ones_in_time() {
        assert_eq!(after(&[0.001, 0.001, 2.0]).want(0, true), 0);
        let mut pace = after(&[2.0]);
        let mut segments = 0;
        while pace.want(0, true) < 10 {
            pace.took(Duration::from_millis(4));
            segments += 1;
        }
        assert!((20..60).contains(&segments), "{segments}");
    }
}
