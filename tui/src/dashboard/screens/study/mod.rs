//! One study: its trials in a table, their learning curves, and below them the learning rates of
//! those that are chosen, on the same axis.

mod curves;
mod head;
pub(super) mod trials;

pub(crate) use trials::state_ink;

use super::picture::Picture;
use super::steps::{ALONE, pace};
use super::{Pointer, Screen, Wants};
use crate::chart::Unit;
use crate::dashboard::cx::{Cx, Step};
use crate::dashboard::data::rows::{Rows, number_of, study_of};
use crate::dashboard::data::want::{Fresh, Want};
use crate::dashboard::deed::Subject;
use crate::dashboard::keys::{Command, Group};
use crate::dashboard::overlay::{Dialog, Entry, Overlay, Purpose};
use crate::dashboard::pen::{Pen, split_left, split_top};
use crate::style::Ink;
use ratatui::layout::Rect;
use trials::Trials;

/// The screen of a study.
#[derive(Debug)]
pub(crate) struct Study {
    trials: Trials,
    picture: Picture,
    /// Which study the choices were made for.
    study: Option<String>,
    /// The metric that is drawn; the objective where none was chosen.
    metric: Option<String>,
}

/// From this width on table and chart stand side by side.
const WIDE: u16 = 150;

impl Default for Study {
    fn default() -> Self {
        Study {
            trials: Trials::default(),
            picture: Picture::new(Unit::Epoch),
            study: None,
            metric: None,
        }
    }
}

impl Study {
    /// The number of the trial that is chosen.
    fn chosen(&self, cx: &Cx<'_>) -> Option<u32> {
        let rows = cx.data.rows(self.study.as_deref()?)?;
        self.trials.chosen(rows)
    }

    fn trial_id(&self, number: u32) -> String {
        format!("{}.{number}", self.study.as_deref().unwrap_or_default())
    }

    /// The metric that is drawn.
    fn metric(&self, cx: &Cx<'_>, study: &str) -> String {
        match &self.metric {
            Some(metric) => metric.clone(),
            None => format!("valid_{}", cx.data.objective(study).0),
        }
    }

    fn next_metric(&mut self, cx: &Cx<'_>) {
        let Some(study) = self.study.clone() else {
            return;
        };
        let now = self.metric(cx, &study);
        let rows = cx.data.rows(&study);
        // Those of the test rows are known once, at the end: they have no curve.
        let mut names: Vec<&str> = rows
            .into_iter()
            .flat_map(Rows::metrics)
            .filter(|name| !name.starts_with("test_"))
            .collect();
        names.sort_unstable();
        let at = names.iter().position(|name| **name == now);
        let next = at.map_or(0, |at| (at + 1) % names.len().max(1));
        self.metric = names.get(next).map(|name| (*name).to_owned());
        self.picture.reset();
    }

    /// The study to be shown may be another one than before.
    fn follow(&mut self, cx: &Cx<'_>) {
        if self.study != cx.focus.study {
            self.study.clone_from(&cx.focus.study);
            self.metric = None;
            self.picture.reset();
            self.trials = Trials::default();
        }
    }

    /// The trials whose curves are looked at, by number: the marked ones, then the one under the
    /// cursor.
    fn looked_at(&self, cx: &Cx<'_>) -> Vec<u32> {
        let Some(study) = &self.study else {
            return Vec::new();
        };
        let own = |trial: &&String| study_of(trial) == study;
        let marked = cx.focus.marked.iter().filter(own);
        let mut numbers: Vec<u32> = marked.filter_map(|trial| number_of(trial)).collect();
        numbers.truncate(MOST_LOOKED_AT);
        if let Some(chosen) = self.chosen(cx).filter(|chosen| !numbers.contains(chosen)) {
            numbers.push(chosen);
        }
        numbers
    }
}

/// More curves than these cannot be told apart.
const MOST_LOOKED_AT: usize = 7;

impl Screen for Study {
    fn groups(&self) -> &'static [Group] {
        &[Group::List, Group::Chart, Group::Deeds]
    }

    fn title(&self, cx: &Cx<'_>) -> String {
        cx.study_title()
    }

    fn wants(&mut self, cx: &mut Cx<'_>, wants: &mut Wants) {
        cx.newest_study();
        self.follow(cx);
        let Some(study) = self.study.clone() else {
            return;
        };
        wants.table(&study);
        wants.answer(Want::Status, Fresh::Within(2_000));
        wants.answer(Want::Study(study.clone()), Fresh::Within(60_000));
        let Some(rows) = cx.data.rows(&study) else {
            return;
        };
        let (objective, direction) = cx.data.objective(&study);
        self.trials.refresh(rows, &objective, direction);
        let looked_at = self.looked_at(cx);
        let metric = self.metric(cx, &study);
        let shown = curves::shown(rows, direction, &looked_at);
        wants.curves(&study, &metric, shown);
        let row = |number: &u32| rows.get(*number);
        let runs = |number: &u32| row(number).is_some_and(|row| row.ended_unix_ms.is_none());
        let running = looked_at
            .iter()
            .filter(|number| runs(number))
            .count()
            .max(1) as u64;
        for number in &looked_at {
            let (trial, query) = (self.trial_id(*number), curves::rate_query());
            let zoom = cx.data.zoom(&trial, &query).ready();
            let told = zoom
                .and_then(|zoom| zoom.buckets.last())
                .map_or(0, |b| b.to);
            // Whether the first step has the number 0 or 1 does not matter so.
            let is_whole = row(number).is_some_and(|row| told.saturating_add(2) >= row.steps);
            let fresh = match runs(number) {
                true => pace(curves::RATE_BYTES, ALONE / running),
                false if is_whole => Fresh::Once,
                // It ended since, or its steps were not all kept.
                false => Fresh::Within(10_000),
            };
            wants.answer(Want::Zoom(trial, query), fresh);
        }
        if let Some(chosen) = self.chosen(cx) {
            cx.focus.trial = Some(self.trial_id(chosen));
        }
    }

    fn act(&mut self, command: Command, cx: &mut Cx<'_>) -> bool {
        if self.trials.grid.act(command) || self.picture.act(command) {
            return true;
        }
        match command {
            Command::Open => {
                if let Some(chosen) = self.chosen(cx) {
                    cx.open_trial(&self.trial_id(chosen));
                }
            }
            Command::Mark => {
                if let Some(chosen) = self.chosen(cx) {
                    cx.focus.toggle(&self.trial_id(chosen));
                    self.trials.grid.act(Command::Down);
                }
            }
            Command::Unmark => cx.focus.marked.clear(),
            Command::Metric => self.next_metric(cx),
            Command::Filter => {
                let hint = "lr < 0.05 and state = done, greedy, tag = good, not diverged";
                let entry = Entry::text("show", hint, self.trials.filter_text());
                let dialog = Dialog::new(Purpose::Filter, "Filter the trials", "", vec![entry]);
                cx.step(Step::Show(Overlay::Dialog(dialog)));
            }
            Command::Columns => {
                let rows = self.study.as_deref().and_then(|study| cx.data.rows(study));
                let names = rows.map(Trials::column_names).unwrap_or_default();
                let text = format!("Settings and metrics here: {}.", names.join(" "));
                let chosen = self.trials.columns().join(" ");
                let entry = Entry::text("columns", "names, separated by spaces", chosen);
                let dialog = Dialog::new(Purpose::Columns, "Columns", text, vec![entry]);
                cx.step(Step::Show(Overlay::Dialog(dialog)));
            }
            Command::Sort => self.trials.sort_by_next(),
            Command::Reverse => self.trials.grid.reverse = !self.trials.grid.reverse,
            _ => return false,
        }
        true
    }

    fn subjects(&self, cx: &Cx<'_>) -> Vec<Subject> {
        let study = self.study.as_deref().unwrap_or_default();
        let own = |trial: &&String| study_of(trial) == study;
        let marked: Vec<Subject> = cx
            .focus
            .marked
            .iter()
            .filter(own)
            .map(|trial| Subject::Trial(trial.clone()))
            .collect();
        if !marked.is_empty() {
            return marked;
        }
        let chosen = self.chosen(cx).map(|number| self.trial_id(number));
        let chosen = chosen.map(Subject::Trial);
        let study = self.study.clone().map(Subject::Study);
        chosen.or(study).into_iter().collect()
    }

    fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>) {
        self.follow(cx);
        let study = self.study.as_deref().and_then(|id| cx.data.study(id));
        let Some(study) = study else {
            let text = "no study is chosen: 1 lists all of them, N launches one";
            pen.say(area, text, Ink::Dim);
            return;
        };
        let rows = cx.data.rows(&study.id);
        let (top, rest) = split_top(area, head::HEIGHT);
        head::draw(pen, top, study, rows, cx);
        let Some(rows) = rows else {
            return;
        };
        self.trials.refresh(rows, &study.metric, study.direction);
        let (list, chart) = match area.width >= WIDE {
            true => split_left(rest, area.width * 9 / 20),
            false => {
                let most = (rows.len() as u16).saturating_add(1).max(5);
                split_top(rest, (rest.height * 2 / 5).min(most).max(5))
            }
        };
        self.trials.draw(pen, list, rows, study, cx);
        let looked_at = self.looked_at(cx);
        let metric = self.metric(cx, &study.id);
        let drawing = curves::Drawing {
            study,
            rows,
            metric: &metric,
            looked_at: &looked_at,
        };
        drawing.draw(pen, chart, &mut self.picture, cx);
    }

    fn pointer(&mut self, pointer: Pointer, cx: &mut Cx<'_>) -> bool {
        let (meant, opened) = self.trials.grid.pointer(pointer);
        if opened {
            self.act(Command::Open, cx);
        }
        meant || self.picture.pointer(pointer)
    }

    fn set_filter(&mut self, text: &str, cx: &mut Cx<'_>) {
        self.follow(cx);
        let rows = self.study.as_deref().and_then(|study| cx.data.rows(study));
        if let Some(Err(why)) = rows.map(|rows| self.trials.set_filter(text, rows)) {
            cx.complain(why);
        }
    }

    fn set_columns(&mut self, columns: &[String], cx: &mut Cx<'_>) {
        let rows = self.study.as_deref().and_then(|study| cx.data.rows(study));
        if let Some(Err(why)) = rows.map(|rows| self.trials.set_columns(columns, rows)) {
            cx.complain(why);
        }
    }
}
