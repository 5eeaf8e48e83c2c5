//! What screens want to show, and what has come of asking for it.
//!
//! Screens never ask: at every turn each says what it *wants* and how fresh. What is missing or too
//! old is asked for, once; what nobody has wanted for long is forgotten.

use attune_protocol::{
    Checked, DataLook, Draft, Drafted, Insight, LogLine, NewStudy, PluginInfo, Preview, Previewed,
    StepRows, StepsQuery, StudyDetail, TrialDetail, Zoom, ZoomQuery,
};
use std::collections::HashMap;

/// Something to be asked of the daemon.
#[derive(Debug, Clone, PartialEq)]
pub enum Want {
    /// Every study.
    Studies,
    /// How the daemon does.
    Status,
    /// The scheduler plugins.
    Plugins,
    /// The end of the log, of this level.
    Log(Option<String>),
    /// A study's own text and notes, without its trials.
    Study(String),
    /// A study's trials from this number on.
    Trials(String, u32),
    /// Curves of a metric, of these trials of a study.
    Curves {
        /// The study.
        study: String,
        /// The metric.
        metric: String,
        /// The trials' numbers.
        trials: Vec<u32>,
    },
    /// A trial with its curves.
    Trial(String),
    /// A column of a trial's steps.
    Zoom(String, ZoomQuery),
    /// A trial's steps one by one.
    Steps(String, StepsQuery),
    /// What a study's trials teach.
    Insight(String),
    /// What a study file comes to.
    Check(NewStudy),
    /// A study file for a table.
    Draft(Draft),
    /// A folder or a table.
    Look(String),
    /// A schedule.
    Preview(Preview),
}

/// What was answered; the kind is that of the [`Want`].
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each is the answer to the want of its name")]
pub enum Answer {
    Studies(Vec<attune_protocol::StudySummary>),
    Status(attune_protocol::DaemonStatus),
    Plugins(Vec<PluginInfo>),
    Log(Vec<LogLine>),
    Study(StudyDetail),
    Trials(attune_protocol::TrialTable),
    Curves(Vec<attune_protocol::TrialCurve>),
    Trial(TrialDetail),
    Zoom(Zoom),
    Steps(StepRows),
    Insight(Insight),
    Check(Checked),
    Draft(Drafted),
    Look(DataLook),
    Preview(Previewed),
}

/// How old an answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fresh {
    /// As old as it likes: the question says all.
    Once,
    /// So many milliseconds.
    Within(u64),
}

/// What there is of something wanted.
#[derive(Debug, PartialEq)]
pub(crate) enum Loaded<'a, T> {
    /// It is on its way.
    Waiting,
    /// It is here.
    Ready(&'a T),
    /// The daemon has none, for this reason.
    Failed(&'a str),
}

/// Answers by what was wanted.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    slots: HashMap<String, Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    answer: Option<Answer>,
    error: Option<String>,
    /// Whether it has been asked for and not been answered.
    asked: bool,
    /// When it was answered; nothing where it must be asked for anew.
    answered_at: Option<u64>,
    wanted_at: u64,
}

/// A question that failed is asked again after so many milliseconds.
const AGAIN: u64 = 2_000;

/// So many answers that nobody wants any more are kept, for whoever comes back.
const KEPT: usize = 48;

/// A question is known by its text: they are few, and hold floats.
fn name(want: &Want) -> String {
    format!("{want:?}")
}

impl Cache {
    /// Whether it should be asked for now. Whoever is told so asks.
    pub(crate) fn must_ask(&mut self, want: &Want, fresh: Fresh, now: u64) -> bool {
        let slot = self.slots.entry(name(want)).or_default();
        slot.wanted_at = now;
        if slot.asked {
            return false;
        }
        let age = slot.answered_at.map(|at| now.saturating_sub(at));
        let must = match (age, fresh) {
            (None, _) => true,
            (Some(age), _) if slot.error.is_some() => age >= AGAIN,
            (Some(age), Fresh::Within(within)) => age >= within,
            (Some(_), Fresh::Once) => false,
        };
        slot.asked = must;
        must
    }

    /// Takes an answer in; says whether it differs from what was there.
    pub(crate) fn answer(&mut self, want: &Want, answer: Result<Answer, String>, now: u64) -> bool {
        let slot = self.slots.entry(name(want)).or_default();
        slot.asked = false;
        slot.answered_at = Some(now);
        match answer {
            Ok(answer) => {
                let differs = slot.answer.as_ref() != Some(&answer) || slot.error.is_some();
                slot.answer = Some(answer);
                slot.error = None;
                differs
            }
            Err(error) => {
                let differs = slot.error.as_ref() != Some(&error);
                slot.error = Some(error);
                differs
            }
        }
    }

    /// A question was given up without an answer, as when the daemon went away.
    pub(crate) fn unanswered(&mut self, want: &Want) {
        if let Some(slot) = self.slots.get_mut(&name(want)) {
            slot.asked = false;
        }
    }

    /// Everything must be asked for anew; what is here is shown until then.
    pub(crate) fn expire(&mut self) {
        for slot in self.slots.values_mut() {
            slot.answered_at = None;
            slot.error = None;
        }
    }

    /// One answer must be asked for anew.
    pub(crate) fn expire_one(&mut self, want: &Want) {
        if let Some(slot) = self.slots.get_mut(&name(want)) {
            slot.answered_at = None;
        }
    }

    /// Forgets what has been wanted the longest ago, where there is too much.
    pub(crate) fn tidy(&mut self, now: u64) {
        if self.slots.len() <= KEPT {
            return;
        }
        let mut ages: Vec<u64> = self.slots.values().map(|slot| slot.wanted_at).collect();
        ages.sort_unstable();
        let oldest = ages[self.slots.len() - KEPT];
        self.slots
            .retain(|_, slot| slot.asked || slot.wanted_at >= oldest || slot.wanted_at == now);
    }

    /// The answer that is here, to be kept up to date.
    pub(crate) fn get_mut(&mut self, want: &Want) -> Option<&mut Answer> {
        self.slots.get_mut(&name(want))?.answer.as_mut()
    }

    /// What there is of it.
    pub(crate) fn get(&self, want: &Want) -> Loaded<'_, Answer> {
        match self.slots.get(&name(want)) {
            Some(Slot {
                answer: Some(answer),
                ..
            }) => Loaded::Ready(answer),
            Some(Slot {
                error: Some(error), ..
            }) => Loaded::Failed(error),
            _ => Loaded::Waiting,
        }
    }
}

impl<T> Clone for Loaded<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

// What is borrowed can be copied whatever it is.
impl<T> Copy for Loaded<'_, T> {}

impl<'a, T> Loaded<'a, T> {
    pub(crate) fn ready(self) -> Option<&'a T> {
        match self {
            Loaded::Ready(it) => Some(it),
            _ => None,
        }
    }

    pub(crate) fn and_then<U>(self, part: impl FnOnce(&'a T) -> Option<&'a U>) -> Loaded<'a, U> {
        match self {
            Loaded::Waiting => Loaded::Waiting,
            Loaded::Failed(why) => Loaded::Failed(why),
            Loaded::Ready(it) => part(it).map_or(Loaded::Waiting, Loaded::Ready),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_asked_once_and_again_when_its_answer_is_old() {
        let mut cache = Cache::default();
        let want = Want::Log(None);
        let fresh = Fresh::Within(1_000);
        assert!(cache.must_ask(&want, fresh, 0));
        assert!(!cache.must_ask(&want, fresh, 5_000), "it is on its way");
        assert!(cache.answer(&want, Ok(Answer::Log(Vec::new())), 5_000));
        assert!(!cache.must_ask(&want, fresh, 5_999));
        assert!(cache.must_ask(&want, fresh, 6_000));
        assert!(!cache.answer(&want, Ok(Answer::Log(Vec::new())), 6_000));
        assert!(!cache.must_ask(&want, Fresh::Once, 99_000));
        cache.expire();
        assert!(
            cache.get(&want).ready().is_some(),
            "shown until there is a newer one"
        );
        assert!(cache.must_ask(&want, Fresh::Once, 99_000));
    }

    #[test]
    fn what_failed_is_asked_again_after_a_while() {
        let mut cache = Cache::default();
        let want = Want::Status;
        assert!(cache.must_ask(&want, Fresh::Once, 0));
        cache.answer(&want, Err("no".into()), 10);
        assert_eq!(cache.get(&want), Loaded::Failed("no"));
        assert!(!cache.must_ask(&want, Fresh::Once, 1_000));
        assert!(cache.must_ask(&want, Fresh::Once, 2_010));
        cache.unanswered(&want);
        assert!(cache.must_ask(&want, Fresh::Once, 4_000));
    }

    #[test]
    fn what_nobody_wants_is_forgotten() {
        let mut cache = Cache::default();
        for number in 0..200 {
            let want = Want::Trial(format!("s1.{number}"));
            cache.must_ask(&want, Fresh::Once, number);
            cache.answer(&want, Err("gone".into()), number);
        }
        cache.tidy(200);
        assert_eq!(cache.slots.len(), KEPT);
        assert_eq!(
            cache.get(&Want::Trial("s1.199".into())),
            Loaded::Failed("gone")
        );
        assert_eq!(cache.get(&Want::Trial("s1.0".into())), Loaded::Waiting);
    }
}
