//! What came together, in fewer words: for a listener that wants to know how things stand and not
//! everything that led there.
//!
//! Of each study and each trial only the latest is kept. What begins, ends or is deleted, and what
//! people are warned of, is kept as it is and in its order. Whoever is told a digest after another
//! knows as much as who was told everything, but for the epochs in between, and for trials beyond
//! [`TRIALS`]: a study's counts say that there are more.

use super::super::hub::frame;
use attune_protocol::{Event, EventsQuery, Progress, StudySummary, TrialSummary};
use std::collections::BTreeMap;

/// The most trials that one digest tells of: those of which something was heard last.
pub(super) const TRIALS: usize = 64;

/// The most events that are kept as they are before they must be told.
const KEPT: usize = 1_024;

/// What has happened and was not told.
pub(super) struct Digest {
    how: EventsQuery,
    /// The number of the latest event.
    last: Option<u64>,
    /// Counts what is noted, so that it can be told in order.
    turn: u64,
    kept: Vec<(u64, Event)>,
    studies: BTreeMap<String, (u64, StudySummary)>,
    trials: BTreeMap<String, Trial>,
}

/// The latest of a trial, each with its turn.
#[derive(Default)]
struct Trial {
    summary: Option<(u64, TrialSummary)>,
    epoch: Option<(u64, Progress)>,
}

impl Digest {
    /// Without a pace nothing of a study is left out.
    pub(super) fn new(how: EventsQuery) -> Self {
        Digest {
            how,
            last: None,
            turn: 0,
            kept: Vec::new(),
            studies: BTreeMap::new(),
            trials: BTreeMap::new(),
        }
    }

    /// Takes note of an event.
    pub(super) fn add(&mut self, number: u64, event: &Event) {
        self.last = Some(number);
        match event {
            Event::StudyStarted { study } | Event::StudyEnded { study } => {
                // It says more than what is still to be told of the study.
                self.studies.remove(&study.id);
                self.keep(event.clone());
            }
            Event::StudyRemoved { id } => {
                self.studies.remove(id);
                self.trials.retain(|trial, _| study_of(trial) != id);
                self.keep(event.clone());
            }
            Event::Warning { .. } => self.keep(event.clone()),
            Event::StudyChanged { study } => self.study(study),
            Event::TrialEnded { trial, study } => {
                self.trial(trial);
                self.study(study);
            }
            Event::TrialStarted { trial } | Event::TrialChanged { trial } => self.trial(trial),
            Event::Epoch(progress) => {
                let turn = self.next();
                self.of_trial(&progress.trial, |trial| {
                    trial.epoch = Some((turn, progress.clone()));
                });
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.studies.is_empty() && self.trials.is_empty()
    }

    /// Whether it must be told before more is added.
    pub(super) fn is_full(&self) -> bool {
        self.kept.len() >= KEPT
    }

    /// What is to be told, in order, as it stands in a stream; nothing is left. Only the last event
    /// has a number: whoever loses the line before it has come is told all of it again.
    pub(super) fn text(&mut self) -> Vec<u8> {
        let events = self.take();
        let last = events.len().saturating_sub(1);
        let frames = events.iter().enumerate().map(|(at, event)| {
            let number = self.last.filter(|_| at == last);
            frame(number, event)
        });
        frames.collect::<Vec<_>>().concat()
    }

    fn take(&mut self) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.kept);
        let studies = std::mem::take(&mut self.studies).into_values();
        events.extend(studies.map(|(turn, study)| (turn, Event::StudyChanged { study })));
        for (_, Trial { summary, epoch }) in std::mem::take(&mut self.trials) {
            events.extend(summary.map(|(turn, trial)| (turn, Event::TrialChanged { trial })));
            events.extend(epoch.map(|(turn, progress)| (turn, Event::Epoch(progress))));
        }
        events.sort_by_key(|(turn, _)| *turn);
        events.into_iter().map(|(_, event)| event).collect()
    }

    fn keep(&mut self, event: Event) {
        let turn = self.next();
        self.kept.push((turn, event));
    }

    fn study(&mut self, study: &StudySummary) {
        let study = study.clone();
        if self.how.pace_ms.is_none() {
            self.keep(Event::StudyChanged { study });
            return;
        }
        let turn = self.next();
        self.studies.insert(study.id.clone(), (turn, study));
    }

    fn trial(&mut self, summary: &TrialSummary) {
        let turn = self.next();
        self.of_trial(&summary.id, |trial| {
            trial.summary = Some((turn, summary.clone()));
        });
    }

    /// Notes something of a trial, if it is to be told of any; where there are too many, the one of
    /// which nothing was heard for longest is left out.
    fn of_trial(&mut self, id: &str, note: impl FnOnce(&mut Trial)) {
        if self.how.studies_only {
            return;
        }
        if let Some(trial) = self.trials.get_mut(id) {
            note(trial);
            return;
        }
        if self.trials.len() == TRIALS {
            let oldest = self.trials.iter().min_by_key(|(_, trial)| trial.heard());
            if let Some(oldest) = oldest.map(|(id, _)| id.clone()) {
                self.trials.remove(&oldest);
            }
        }
        note(self.trials.entry(id.to_owned()).or_default());
    }

    fn next(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }
}

impl Trial {
    /// The turn of what was heard last.
    fn heard(&self) -> Option<u64> {
        let summary = self.summary.as_ref().map(|(turn, _)| *turn);
        summary.max(self.epoch.as_ref().map(|(turn, _)| *turn))
    }
}

fn study_of(trial: &str) -> &str {
    trial.split_once('.').map_or(trial, |(study, _)| study)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::tests::{study as detail, trial as summary};
    use attune_protocol::Number;
    use proptest::prelude::*;

    /// What a listener knows after what it was told.
    #[derive(Debug, Clone, Default, PartialEq)]
    struct Known {
        studies: BTreeMap<String, StudySummary>,
        trials: BTreeMap<String, (Option<TrialSummary>, Option<Progress>)>,
        /// What is kept as it is, in order.
        seen: Vec<Event>,
    }

    impl Known {
        fn hear(&mut self, event: &Event) {
            match event {
                Event::StudyStarted { study } | Event::StudyEnded { study } => {
                    self.studies.insert(study.id.clone(), study.clone());
                    self.seen.push(event.clone());
                }
                Event::StudyChanged { study } => {
                    self.studies.insert(study.id.clone(), study.clone());
                }
                Event::StudyRemoved { id } => {
                    self.studies.remove(id);
                    let others = format!("{id}.");
                    self.trials.retain(|trial, _| !trial.starts_with(&others));
                    self.seen.push(event.clone());
                }
                Event::TrialStarted { trial } | Event::TrialChanged { trial } => {
                    self.trials.entry(trial.id.clone()).or_default().0 = Some(trial.clone());
                }
                Event::TrialEnded { trial, study } => {
                    self.trials.entry(trial.id.clone()).or_default().0 = Some(trial.clone());
                    self.studies.insert(study.id.clone(), study.clone());
                }
                Event::Epoch(progress) => {
                    let known = self.trials.entry(progress.trial.clone()).or_default();
                    known.1 = Some(progress.clone());
                }
                Event::Warning { .. } => self.seen.push(event.clone()),
            }
        }

        fn of<'e>(events: impl IntoIterator<Item = &'e Event>) -> Self {
            let mut known = Known::default();
            events.into_iter().for_each(|event| known.hear(event));
            known
        }
    }

    fn study(id: u32, mark: u32) -> StudySummary {
        let mut study = detail(&[]).study;
        (study.id, study.trials.done) = (format!("s{id}"), mark);
        study
    }

    fn trial(study: u32, number: u32, mark: u32) -> TrialSummary {
        let mut trial = summary(&format!("s{study}.{number}"));
        trial.epochs = mark;
        trial
    }

    fn epoch(study: u32, number: u32, mark: u32) -> Event {
        Event::Epoch(Progress {
            trial: format!("s{study}.{number}"),
            epoch: mark,
            step: 1,
            metrics: BTreeMap::new(),
            rate: Number(0.1),
        })
    }

    /// An event about one of these studies and trials, with something in it that tells it from all
    /// others.
    fn event((kind, s, t, mark): (u32, u32, u32, u32)) -> Event {
        match kind {
            0 => Event::StudyStarted {
                study: study(s, mark),
            },
            1 => Event::StudyEnded {
                study: study(s, mark),
            },
            2 => Event::StudyRemoved {
                id: format!("s{s}"),
            },
            3 => Event::Warning {
                message: mark.to_string(),
            },
            4 | 5 => Event::StudyChanged {
                study: study(s, mark),
            },
            6 => Event::TrialStarted {
                trial: trial(s, t, mark),
            },
            7 | 8 => Event::TrialChanged {
                trial: trial(s, t, mark),
            },
            9 | 10 => Event::TrialEnded {
                trial: trial(s, t, mark),
                study: study(s, mark),
            },
            _ => epoch(s, t, mark),
        }
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        // `s1` and `s11`: the one's name begins as the other's.
        let study = prop::sample::select(vec![1_u32, 2, 11]);
        let one = (0_u32..16, study, 0_u32..20, any::<u32>()).prop_map(event);
        prop::collection::vec(one, 0..120)
    }

    fn digest(pace_ms: Option<u32>, studies_only: bool) -> Digest {
        Digest::new(EventsQuery {
            pace_ms,
            studies_only,
        })
    }

    /// What is told of these events, piece by piece, each with the number of its last event.
    fn told(
        mut digest: Digest,
        first: u64,
        events: &[Event],
        cuts: &[bool],
    ) -> Vec<(u64, Vec<Event>)> {
        let mut pieces = Vec::new();
        for (at, event) in events.iter().enumerate() {
            digest.add(first + at as u64, event);
            let is_last = at + 1 == events.len();
            if (is_last || cuts[at % cuts.len()]) && !digest.is_empty() {
                pieces.push((digest.last.unwrap(), digest.take()));
            }
        }
        pieces
    }

    fn cuts() -> impl Strategy<Value = Vec<bool>> {
        prop::collection::vec(prop::bool::weighted(0.1), 1..40)
    }

    proptest! {
        /// At every moment at which it was told something.
        #[test]
        fn who_listens_at_a_pace_knows_what_everybody_knows(events in events(), cuts in cuts()) {
            let (mut known, mut all) = (Known::default(), Known::default());
            let mut from = 0;
            for (last, piece) in told(digest(Some(500), false), 0, &events, &cuts) {
                piece.iter().for_each(|event| known.hear(event));
                events[from..=last as usize].iter().for_each(|event| all.hear(event));
                from = last as usize + 1;
                prop_assert_eq!(&known, &all);
            }
            prop_assert_eq!(from, events.len());
        }

        #[test]
        fn of_each_there_is_one_in_a_piece(events in events(), cuts in cuts()) {
            for (_, piece) in told(digest(Some(500), false), 0, &events, &cuts) {
                let mut about: Vec<String> = Vec::new();
                for event in &piece {
                    about.extend(match event {
                        Event::StudyChanged { study } => Some(format!("study {}", study.id)),
                        Event::TrialChanged { trial } => Some(format!("trial {}", trial.id)),
                        Event::Epoch(progress) => Some(format!("epoch {}", progress.trial)),
                        Event::TrialStarted { .. } | Event::TrialEnded { .. } => {
                            prop_assert!(false, "{:?}", event);
                            None
                        }
                        _ => None,
                    });
                }
                let all = about.len();
                about.sort();
                about.dedup();
                prop_assert_eq!(about.len(), all);
            }
        }

        /// The line may break anywhere in a piece: what was heard of it is said again.
        #[test]
        fn who_comes_back_misses_nothing(
            events in events(), cuts in cuts(), other_cuts in cuts(), break_at in 0_usize..200,
        ) {
            let (mut known, mut heard, mut last) = (Known::default(), 0, None);
            'line: for (number, piece) in told(digest(Some(500), false), 0, &events, &cuts) {
                for (at, event) in piece.iter().enumerate() {
                    if heard == break_at {
                        break 'line;
                    }
                    heard += 1;
                    known.hear(event);
                    if at + 1 == piece.len() {
                        last = Some(number);
                    }
                }
            }
            let from = last.map_or(0, |last| last as usize + 1);
            let rest = told(digest(Some(500), false), from as u64, &events[from..], &other_cuts);
            rest.iter().flat_map(|(_, piece)| piece).for_each(|event| known.hear(event));
            let all = Known::of(&events);
            prop_assert_eq!(&known.studies, &all.studies);
            prop_assert_eq!(&known.trials, &all.trials);
            // What is said again is seen again.
            prop_assert!(all.seen.iter().all(|event| known.seen.contains(event)));
        }

        #[test]
        fn studies_alone_are_told_without_their_trials(
            events in events(), cuts in cuts(), pace in prop::option::of(Just(500)),
        ) {
            let mut known = Known::default();
            let pieces = told(digest(pace, true), 0, &events, &cuts);
            pieces.iter().flat_map(|(_, piece)| piece).for_each(|event| known.hear(event));
            let all = Known::of(&events);
            prop_assert!(known.trials.is_empty());
            prop_assert_eq!((&known.studies, &known.seen), (&all.studies, &all.seen));
            if pace.is_none() {
                let about_studies = |event: &&Event| {
                    !matches!(
                        event,
                        Event::Epoch(_) | Event::TrialStarted { .. } | Event::TrialChanged { .. }
                    )
                };
                let told: usize = pieces.iter().map(|(_, piece)| piece.len()).sum();
                prop_assert_eq!(told, events.iter().filter(about_studies).count());
            }
        }
    }

    #[test]
    fn of_too_many_trials_those_that_were_heard_of_last_are_told() {
        let mut digest = digest(Some(500), false);
        for number in 0..200 {
            digest.add(
                u64::from(number),
                &Event::TrialChanged {
                    trial: trial(1, number, 1),
                },
            );
            // The first one is heard of again and again.
            digest.add(u64::from(number), &epoch(1, 0, number));
        }
        let last = epoch(1, 0, 199);
        let known = Known::of(&digest.take());
        assert_eq!(known.trials.len(), TRIALS);
        assert_eq!(known.trials["s1.0"].1.clone().map(Event::Epoch), Some(last));
        assert!(known.trials.contains_key("s1.199") && !known.trials.contains_key("s1.100"));
        assert!(digest.is_empty());
    }

    #[test]
    fn only_the_last_event_of_a_piece_has_a_number() {
        let mut digest = digest(Some(500), false);
        assert_eq!(digest.text(), b"");
        digest.add(
            7,
            &Event::TrialEnded {
                trial: trial(1, 3, 9),
                study: study(1, 1),
            },
        );
        digest.add(8, &epoch(1, 4, 2));
        let text = String::from_utf8(digest.text()).unwrap();
        let frames: Vec<&str> = text.split_terminator("\n\n").collect();
        let starts = [
            "event: trial_changed\n",
            "event: study_changed\n",
            "id: 8\nevent: epoch\n",
        ];
        assert_eq!(frames.len(), starts.len());
        for (frame, start) in frames.iter().zip(starts) {
            assert!(frame.starts_with(start), "{frame}");
        }
        assert!(digest.is_empty());
    }

    #[test]
    fn what_is_kept_as_it_is_has_a_bound() {
        let mut digest = digest(Some(60_000), false);
        for number in 0..KEPT {
            assert!(!digest.is_full());
            digest.add(
                number as u64,
                &Event::Warning {
                    message: String::new(),
                },
            );
        }
        assert!(digest.is_full());
        assert_eq!(digest.take().len(), KEPT);
        assert!(!digest.is_full());
    }
}
