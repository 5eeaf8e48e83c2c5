//! Trials in lanes: as many side by side as trained at once.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// A stretch of time, and the trial that took it: its place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) place: u32,
    /// Milliseconds since 1970; the end is that of the universe for what is not over.
    pub(super) start: u64,
    pub(super) end: u64,
}

/// Packs stretches into lanes: each goes into the first lane that is free when it starts. Within a
/// lane they follow each other and never overlap.
pub(super) fn pack(mut spans: Vec<Span>) -> Vec<Vec<Span>> {
    spans.sort_unstable_by_key(|span| (span.start, span.place));
    let mut lanes: Vec<Vec<Span>> = Vec::new();
    let mut free: BTreeSet<usize> = BTreeSet::new();
    let mut busy: BinaryHeap<Reverse<(u64, usize)>> = BinaryHeap::new();
    for span in spans {
        let span = Span {
            end: span.end.max(span.start),
            ..span
        };
        while let Some(Reverse((end, lane))) = busy.peek().copied() {
            if end > span.start {
                break;
            }
            busy.pop();
            free.insert(lane);
        }
        let lane = free.pop_first().unwrap_or_else(|| {
            lanes.push(Vec::new());
            lanes.len() - 1
        });
        busy.push(Reverse((span.end, lane)));
        lanes[lane].push(span);
    }
    lanes
}

/// The stretches of a lane that touch a time from `from` to before `to`.
pub(super) fn within(lane: &[Span], from: u64, to: u64) -> &[Span] {
    let first = lane.partition_point(|span| span.end <= from && span.start < from);
    let last = lane.partition_point(|span| span.start < to);
    lane.get(first..last).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(place: u32, start: u64, end: u64) -> Span {
        Span { place, start, end }
    }

    #[test]
    fn trials_that_follow_each_other_share_a_lane() {
        let lanes = pack(vec![
            span(2, 5, 9),
            span(0, 0, 5),
            span(1, 0, 7),
            span(3, 7, u64::MAX),
        ]);
        let places: Vec<Vec<u32>> = lanes
            .iter()
            .map(|lane| lane.iter().map(|span| span.place).collect())
            .collect();
        assert_eq!(places, [vec![0, 2], vec![1, 3]]);
        assert_eq!(within(&lanes[0], 5, 6), [span(2, 5, 9)]);
        assert_eq!(within(&lanes[0], 0, 100).len(), 2);
        assert_eq!(within(&lanes[1], 7, 8), [span(3, 7, u64::MAX)]);
        assert!(within(&lanes[0], 9, 20).is_empty());
    }

    proptest! {
        #[test]
        fn no_two_overlap_and_there_are_no_more_lanes_than_needed(
            times in prop::collection::vec((0u64..100, 0u64..30), 0..60),
        ) {
            let spans: Vec<Span> = times
                .iter()
                .enumerate()
                .map(|(place, (start, long))| span(place as u32, *start, start + long))
                .collect();
            let lanes = pack(spans.clone());
            prop_assert_eq!(lanes.iter().map(Vec::len).sum::<usize>(), spans.len());
            for lane in &lanes {
                prop_assert!(lane.windows(2).all(|pair| pair[0].end <= pair[1].start));
            }
            let at_once = |at: u64| spans.iter().filter(|s| s.start <= at && s.end > at).count();
            // A stretch without length takes a lane for itself for no time at all.
            let most = spans.iter().map(|span| at_once(span.start)).max().unwrap_or(0);
            prop_assert!(lanes.len() <= most + 1);
        }
    }
}
