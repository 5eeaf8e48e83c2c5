//! What is known of the daemon: studies, trials, curves and answers, kept up to date by events.

mod column;
pub(crate) mod curves;
pub(crate) mod rows;
pub(crate) mod want;

use attune_protocol::{
    Checked, DaemonStatus, DataLook, Direction, Draft, Drafted, Event, Insight, LogLine, NewStudy,
    PluginInfo, Preview, Previewed, StepRows, StepsQuery, StudyDetail, StudySummary, TrialDetail,
    Zoom, ZoomQuery,
};
use curves::Curves;
use rows::{Rows, number_of, study_of};
use std::collections::{HashMap, VecDeque};
use want::{Answer, Cache, Fresh, Loaded, Want};

/// How the line to the daemon is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Link {
    /// Not yet there.
    Connecting,
    /// There.
    Live,
    /// Away since this moment, for this reason.
    Away(u64, String),
}

/// Everything that screens draw from.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) link: Link,
    /// The newest first; nothing before the first answer.
    studies: Option<Vec<StudySummary>>,
    tables: HashMap<String, Table>,
    pub(crate) curves: Curves,
    pub(crate) cache: Cache,
    /// The best value over time, by study, as far as it was seen here: for spark lines.
    trends: HashMap<String, VecDeque<f64>>,
    /// What was warned of, the latest last.
    pub(crate) warnings: VecDeque<String>,
}

#[derive(Debug, Default)]
struct Table {
    rows: Rows,
    asked: bool,
    /// When everything was there last; nothing where it must be looked at anew.
    settled_at: Option<u64>,
    wanted_at: u64,
}

/// So many studies' tables are kept.
const TABLES: usize = 4;

/// As many values as a spark line shows.
const TREND: usize = 48;

/// Warnings that are kept.
const WARNINGS: usize = 50;

/// A table that has missed something is asked for again after so many milliseconds.
const CATCH_UP: u64 = 2_000;

impl Data {
    pub(crate) fn new() -> Self {
        Data {
            link: Link::Connecting,
            studies: None,
            tables: HashMap::new(),
            curves: Curves::default(),
            cache: Cache::default(),
            trends: HashMap::new(),
            warnings: VecDeque::new(),
        }
    }

    /// Every study, the newest first; nothing before it is known.
    pub(crate) fn studies(&self) -> Option<&[StudySummary]> {
        self.studies.as_deref()
    }

    pub(crate) fn study(&self, id: &str) -> Option<&StudySummary> {
        self.studies.as_ref()?.iter().find(|study| study.id == id)
    }

    /// A study's trials, as far as they have come.
    pub(crate) fn rows(&self, study: &str) -> Option<&Rows> {
        self.tables.get(study).map(|table| &table.rows)
    }

    /// The best value of a study over time.
    pub(crate) fn trend(&self, study: &str) -> Option<&VecDeque<f64>> {
        self.trends.get(study)
    }

    pub(crate) fn status(&self) -> Loaded<'_, DaemonStatus> {
        self.cache
            .get(&Want::Status)
            .and_then(|answer| match answer {
                Answer::Status(status) => Some(status),
                _ => None,
            })
    }

    pub(crate) fn plugins(&self) -> Loaded<'_, Vec<PluginInfo>> {
        self.cache
            .get(&Want::Plugins)
            .and_then(|answer| match answer {
                Answer::Plugins(plugins) => Some(plugins),
                _ => None,
            })
    }

    pub(crate) fn log(&self, level: &Option<String>) -> Loaded<'_, Vec<LogLine>> {
        let want = Want::Log(level.clone());
        self.cache.get(&want).and_then(|answer| match answer {
            Answer::Log(lines) => Some(lines),
            _ => None,
        })
    }

    /// A study's text and notes; its trials are in [`Data::rows`].
    pub(crate) fn detail(&self, study: &str) -> Loaded<'_, StudyDetail> {
        let want = Want::Study(study.to_owned());
        self.cache.get(&want).and_then(|answer| match answer {
            Answer::Study(detail) => Some(detail),
            _ => None,
        })
    }

    pub(crate) fn trial(&self, trial: &str) -> Loaded<'_, TrialDetail> {
        let want = Want::Trial(trial.to_owned());
        self.cache.get(&want).and_then(|answer| match answer {
            Answer::Trial(detail) => Some(detail),
            _ => None,
        })
    }

    pub(crate) fn zoom(&self, trial: &str, query: &ZoomQuery) -> Loaded<'_, Zoom> {
        let want = Want::Zoom(trial.to_owned(), query.clone());
        self.cache.get(&want).and_then(|answer| match answer {
            Answer::Zoom(zoom) => Some(zoom),
            _ => None,
        })
    }

    pub(crate) fn steps(&self, trial: &str, query: &StepsQuery) -> Loaded<'_, StepRows> {
        let want = Want::Steps(trial.to_owned(), query.clone());
        self.cache.get(&want).and_then(|answer| match answer {
            Answer::Steps(rows) => Some(rows),
            _ => None,
        })
    }

    pub(crate) fn insight(&self, study: &str) -> Loaded<'_, Insight> {
        let want = Want::Insight(study.to_owned());
        self.cache.get(&want).and_then(|answer| match answer {
            Answer::Insight(insight) => Some(insight),
            _ => None,
        })
    }

    pub(crate) fn preview(&self, preview: &Preview) -> Loaded<'_, Previewed> {
        let want = Want::Preview(preview.clone());
        self.cache.get(&want).and_then(|answer| match answer {
            Answer::Preview(previewed) => Some(previewed),
            _ => None,
        })
    }

    pub(crate) fn checked(&self, study: &NewStudy) -> Loaded<'_, Checked> {
        let want = Want::Check(study.clone());
        self.cache.get(&want).and_then(|answer| match answer {
            Answer::Check(checked) => Some(checked),
            _ => None,
        })
    }

    pub(crate) fn drafted(&self, draft: &Draft) -> Loaded<'_, Drafted> {
        let want = Want::Draft(draft.clone());
        self.cache.get(&want).and_then(|answer| match answer {
            Answer::Draft(drafted) => Some(drafted),
            _ => None,
        })
    }

    pub(crate) fn look(&self, path: &str) -> Loaded<'_, DataLook> {
        let want = Want::Look(path.to_owned());
        self.cache.get(&want).and_then(|answer| match answer {
            Answer::Look(look) => Some(look),
            _ => None,
        })
    }

    /// The question that a study's table needs now, if it needs one.
    pub(crate) fn missing_rows(&mut self, study: &str, now: u64) -> Option<Want> {
        let ended = self.study(study).map(|study| study.trials.ended() as usize);
        let table = self.tables.entry(study.to_owned()).or_default();
        table.wanted_at = now;
        if table.asked {
            return None;
        }
        let misses = ended.is_some_and(|ended| !table.rows.complete || ended > table.rows.ended());
        let due = match table.settled_at {
            None => true,
            Some(at) => misses && now.saturating_sub(at) >= CATCH_UP,
        };
        if !due {
            return None;
        }
        table.asked = true;
        let from = match table.rows.complete {
            true => table.rows.first_open(),
            false => table.rows.next,
        };
        Some(Want::Trials(study.to_owned(), from))
    }

    /// The question that these curves need now, if they need one.
    pub(crate) fn missing_curves(
        &mut self,
        study: &str,
        metric: &str,
        trials: &[u32],
        now: u64,
    ) -> Option<Want> {
        let rows = self.tables.get(study).map(|table| &table.rows);
        self.curves.missing(study, metric, trials, rows, now)
    }

    /// Takes an answer in; says whether anything looks different now.
    pub(crate) fn answer(&mut self, want: &Want, answer: Result<Answer, String>, now: u64) -> bool {
        match (want, answer) {
            (Want::Studies, Ok(Answer::Studies(mut studies))) => {
                // The daemon tells the oldest first.
                studies.sort_by_key(|study| std::cmp::Reverse(age(&study.id)));
                for study in &studies {
                    self.note_trend(study);
                }
                let differs = self.studies.as_deref() != Some(studies.as_slice());
                self.studies = Some(studies);
                self.cache
                    .answer(want, Ok(Answer::Studies(Vec::new())), now);
                differs
            }
            (Want::Trials(study, _), Ok(Answer::Trials(page))) => {
                self.tidy_tables(study);
                let table = self.tables.entry(study.clone()).or_default();
                table.asked = false;
                let is_last = page.next.is_none();
                if table.rows.complete && !is_last {
                    // It had been whole, and now there is more than one page of news.
                    table.rows.complete = false;
                }
                table.rows.take(page);
                table.settled_at = is_last.then_some(now);
                true
            }
            (Want::Trials(study, _), Err(error)) => {
                if let Some(table) = self.tables.get_mut(study) {
                    table.asked = false;
                    table.settled_at = Some(now);
                }
                self.warn(error);
                true
            }
            (
                Want::Curves {
                    study,
                    metric,
                    trials,
                },
                Ok(Answer::Curves(curves)),
            ) => {
                self.curves.take(study, metric, trials, curves, now);
                true
            }
            (
                Want::Curves {
                    study,
                    metric,
                    trials,
                },
                Err(error),
            ) => {
                // Not asked for again and again: they count as empty.
                self.curves.take(study, metric, trials, Vec::new(), now);
                self.warn(error);
                true
            }
            (want, answer) => self.cache.answer(want, answer, now),
        }
    }

    /// A question was given up without an answer.
    pub(crate) fn unanswered(&mut self, want: &Want) {
        match want {
            Want::Trials(study, _) => {
                if let Some(table) = self.tables.get_mut(study) {
                    table.asked = false;
                }
            }
            Want::Curves {
                study,
                metric,
                trials,
            } => self.curves.unanswered(study, metric, trials),
            want => self.cache.unanswered(want),
        }
    }

    /// Takes an event in.
    pub(crate) fn event(&mut self, event: &Event, now: u64) {
        match event {
            Event::StudyStarted { study }
            | Event::StudyChanged { study }
            | Event::StudyEnded { study } => self.take_study(study),
            Event::TrialEnded { trial, study } => {
                self.take_trial(trial, now);
                self.take_study(study);
            }
            Event::TrialStarted { trial } | Event::TrialChanged { trial } => {
                self.take_trial(trial, now);
            }
            Event::Epoch(progress) => {
                let study = study_of(&progress.trial);
                let objective = self.objective(study);
                if let (Some(table), Some(number)) =
                    (self.tables.get_mut(study), number_of(&progress.trial))
                {
                    let (metric, direction) = &objective;
                    table
                        .rows
                        .take_epoch(number, progress, (metric, *direction), now);
                }
                self.curves.take_epoch(study, progress);
                if let Some(study) = self.known_study(study) {
                    study.count_epoch(progress);
                }
            }
            Event::StudyRemoved { id } => {
                if let Some(studies) = &mut self.studies {
                    studies.retain(|study| study.id != *id);
                }
                self.tables.remove(id);
            }
            Event::Warning { message } => self.warn(message.clone()),
        }
    }

    /// The daemon may be another one now: everything is looked at anew.
    pub(crate) fn expire(&mut self) {
        self.cache.expire();
        self.curves.expire();
        for table in self.tables.values_mut() {
            table.settled_at = None;
            table.asked = false;
        }
    }

    /// Something about this study or trial was changed by hand.
    pub(crate) fn touched(&mut self, id: &str) {
        self.cache.expire_one(&Want::Trial(id.to_owned()));
        self.cache.expire_one(&Want::Study(study_of(id).to_owned()));
    }

    /// The objective's metric and direction; accuracy where the study is not known.
    pub(crate) fn objective(&self, study: &str) -> (String, Direction) {
        self.study(study).map_or_else(
            || (String::new(), Direction::Minimize),
            |study| (study.metric.clone(), study.direction),
        )
    }

    pub(crate) fn take_study(&mut self, study: &StudySummary) {
        self.note_trend(study);
        match self.known_study(&study.id) {
            Some(known) => *known = study.clone(),
            None => self
                .studies
                .get_or_insert_default()
                .insert(0, study.clone()),
        }
    }

    fn known_study(&mut self, id: &str) -> Option<&mut StudySummary> {
        self.studies
            .as_mut()?
            .iter_mut()
            .find(|study| study.id == id)
    }

    pub(crate) fn take_trial(&mut self, trial: &attune_protocol::TrialSummary, now: u64) {
        if let Some(Answer::Trial(detail)) = self.cache.get_mut(&Want::Trial(trial.id.clone())) {
            detail.trial.note = trial.note.clone();
        }
        let number = number_of(&trial.id);
        let table = self.tables.get_mut(study_of(&trial.id));
        if let (Some(table), Some(number)) = (table, number) {
            table.rows.take_summary(number, trial, now);
        }
    }

    pub(crate) fn warn(&mut self, message: String) {
        if self.warnings.back() != Some(&message) {
            self.warnings.push_back(message);
        }
        if self.warnings.len() > WARNINGS {
            self.warnings.pop_front();
        }
    }

    /// Whether it should be asked for.
    pub(crate) fn must_ask(&mut self, want: &Want, fresh: Fresh, now: u64) -> bool {
        self.cache.must_ask(want, fresh, now)
    }

    fn note_trend(&mut self, study: &StudySummary) {
        let Some(best) = study.best_value else {
            return;
        };
        let trend = self.trends.entry(study.id.clone()).or_default();
        if !study.trend.is_empty() {
            *trend = study.trend.iter().map(|value| value.0).collect();
        }
        if trend.back() != Some(&best.0) {
            trend.push_back(best.0);
        }
        if trend.len() > TREND {
            trend.pop_front();
        }
    }

    fn tidy_tables(&mut self, keep: &str) {
        while self.tables.len() > TABLES {
            let oldest = self
                .tables
                .iter()
                .filter(|(study, _)| *study != keep)
                .min_by_key(|(_, table)| table.wanted_at)
                .map(|(study, _)| study.clone());
            match oldest {
                Some(study) => drop(self.tables.remove(&study)),
                None => return,
            }
        }
    }
}

/// Where a study stands in the order of their beginnings: 12 for `s12`.
fn age(study: &str) -> Option<u64> {
    study.strip_prefix('s')?.parse().ok()
}
