//! One trial in full: its curves, what its scheduler saw and did, its settings and its past, and
//! what went wrong.

mod curves;
mod decisions;
mod draw;
mod facts;
mod head;
mod known;
mod pager;
mod part;

use super::picture::Picture;
use super::steps::Sight;
use super::tabs::{Tabs, beside};
use super::{Pointer, Press, Screen, Wants};
use crate::chart::Unit;
use crate::dashboard::cx::Cx;
use crate::dashboard::data::rows::{number_of, study_of};
use crate::dashboard::data::want::{Fresh, Loaded, Want};
use crate::dashboard::deed::Subject;
use crate::dashboard::keys::{Command, Group};
use crate::dashboard::pen::{Pen, split_top};
use crate::style::Ink;
use curves::Drawing;
use decisions::Decisions;
use known::Known;
use pager::Pager;
use part::Part;
use ratatui::layout::Rect;

/// The screen of a trial.
#[derive(Debug)]
pub(crate) struct Trial {
    /// Which trial the choices were made for.
    trial: Option<String>,
    part: Part,
    tabs: Tabs<Part>,
    picture: Picture,
    /// The metric that is drawn; the objective where none was chosen, or there is none such.
    metric: Option<String>,
    /// The last tenth of the steps as it was looked at last, where it still is.
    recent: Option<(f64, f64)>,
    decisions: Decisions,
    settings: Pager,
    log: Pager,
    /// Where the chosen lines of the settings lead, as they were drawn last.
    leads: Vec<Option<Subject>>,
}

/// The share of a trial's steps that counts as recent.
const RECENT: f64 = 0.1;

impl Default for Trial {
    fn default() -> Self {
        Trial {
            trial: None,
            part: Part::Curves,
            tabs: Tabs::default(),
            picture: Picture::new(Unit::Step),
            metric: None,
            recent: None,
            decisions: Decisions::default(),
            settings: Pager::default(),
            log: Pager::default(),
            leads: Vec::new(),
        }
    }
}

impl Trial {
    /// The trial to be shown may be another one than before. Metric, axis and part stay: whoever goes
    /// from trial to trial compares.
    fn follow(&mut self, cx: &Cx<'_>) {
        if self.trial != cx.focus.trial {
            self.trial.clone_from(&cx.focus.trial);
            self.picture.reset();
            self.recent = None;
            self.decisions = Decisions::default();
            self.settings = Pager::default();
            self.log = Pager::default();
        }
    }

    /// The metric that is drawn.
    fn metric(&self, known: &Known<'_>) -> String {
        let names = curves::metrics(known);
        let chosen = self.metric.as_ref().filter(|metric| names.contains(metric));
        let first = || names.first().cloned().unwrap_or_default();
        chosen.cloned().unwrap_or_else(first)
    }

    /// The steps in sight.
    fn sight(&self, known: &Known<'_>) -> Sight {
        let per = known.per_step(self.picture.unit);
        let range = self.picture.x_range();
        let range = range.map(|(from, to)| (from / per, to / per));
        Sight::new(range, self.picture.columns(), known.steps())
    }

    /// Where the last tenth of the steps is, along the axis.
    fn last_tenth(&self, known: &Known<'_>) -> Option<(f64, f64)> {
        let steps = known.steps() as f64;
        let per = known.per_step(self.picture.unit);
        (steps >= 2.0).then_some(((1.0 - RECENT) * steps * per, (steps - 1.0) * per))
    }

    /// Looks at the last tenth, or at everything again.
    fn look_at_recent(&mut self, known: &Known<'_>) {
        let was = self.recent.is_some() && self.recent == self.picture.x_range();
        self.recent = match was {
            true => None,
            false => self.last_tenth(known),
        };
        self.picture.look_at(self.recent);
        self.part = Part::Curves;
    }

    /// The cross-hair goes where the chosen decision is.
    fn show_decision(&mut self, known: &Known<'_>, cx: &Cx<'_>) {
        let sight = self.sight(known);
        if let Some(step) = self.decisions.chosen(known, cx, sight) {
            let per = known.per_step(self.picture.unit);
            self.picture.set_cursor(Some(step as f64 * per));
        }
    }

    /// The chosen decision goes where the cross-hair is.
    fn seek_cursor(&mut self, known: &Known<'_>) {
        if let Some(cursor) = self.picture.cursor() {
            let step = cursor / known.per_step(self.picture.unit);
            // Casts of floats to integers stop at their ends.
            self.decisions.seek(step.round() as u64);
        }
    }

    /// The trial so many further on in its study.
    fn beside(&self, step: isize, cx: &mut Cx<'_>) {
        let Some(trial) = &self.trial else {
            return;
        };
        let study = study_of(trial).to_owned();
        let next = number_of(trial).and_then(|number| {
            let rows = cx.data.rows(&study)?;
            let index = rows.index_of(number)?.checked_add_signed(step)?;
            rows.row(index).map(|row| row.number)
        });
        match next {
            Some(number) => cx.focus.trial = Some(format!("{study}.{number}")),
            None => cx.tell("there is no further trial in this direction"),
        }
    }

    fn open(&self, target: &Subject, cx: &mut Cx<'_>) {
        match target {
            Subject::Study(study) => cx.open_study(study),
            Subject::Trial(trial) => cx.open_trial(trial),
        }
    }

    /// What enter does.
    fn enter_chosen(&mut self, cx: &mut Cx<'_>) {
        match self.part {
            Part::Decisions => self.part = Part::Curves,
            Part::Settings => {
                let lead = self.leads.get(self.settings.chosen()).cloned().flatten();
                match lead {
                    Some(target) => self.open(&target, cx),
                    None => cx.tell("this line leads nowhere; study, origin and forks do"),
                }
            }
            Part::Curves | Part::Log => {}
        }
    }
}

impl Screen for Trial {
    fn groups(&self) -> &'static [Group] {
        match self.part {
            Part::Curves | Part::Decisions => &[Group::Trial, Group::Chart, Group::Deeds],
            Part::Settings | Part::Log => &[Group::Trial, Group::Deeds],
        }
    }

    fn title(&self, cx: &Cx<'_>) -> String {
        match &cx.focus.trial {
            Some(trial) => {
                let study = cx.data.study(study_of(trial));
                let name = study.map_or("", |study| study.name.as_str());
                format!("{trial} {name}")
            }
            None => String::new(),
        }
    }

    fn wants(&mut self, cx: &mut Cx<'_>, wants: &mut Wants) {
        if cx.focus.trial.is_none() {
            // As for whoever comes here first: the best one of the study.
            let study = cx.focus.study.as_deref();
            let study = study.and_then(|study| cx.data.study(study));
            let newest = || cx.data.studies()?.iter().find(|s| s.best_trial.is_some());
            cx.focus.trial = study.or_else(newest).and_then(|s| s.best_trial.clone());
        }
        self.follow(cx);
        let Some(trial) = self.trial.clone() else {
            return;
        };
        cx.focus.study = Some(study_of(&trial).to_owned());
        wants.table(study_of(&trial));
        let known = Known::new(&trial, cx);
        wants.answer(Want::Trial(trial.clone()), known.fresh());
        // For "again, but".
        wants.answer(
            Want::Study(study_of(&trial).to_owned()),
            Fresh::Within(60_000),
        );
        if self.recent.is_some() && self.recent == self.picture.x_range() {
            // What is recent moves while it trains.
            self.recent = self.last_tenth(&known);
            self.picture.look_at(self.recent);
        } else {
            self.recent = None;
        }
        let sight = self.sight(&known);
        let metric = self.metric(&known);
        if matches!(self.part, Part::Curves | Part::Decisions) {
            let metric = (self.part == Part::Curves).then_some(metric.as_str());
            let drawing = Drawing {
                known,
                metric,
                sight,
            };
            drawing.wants(wants, cx);
        } else {
            // For the head.
            let steps = (known.steps(), known.is_running());
            sight.want(wants, cx.data, known.id, "lr", steps);
        }
        match self.part {
            Part::Decisions => self.decisions.wants(&known, cx, sight, wants),
            Part::Log => {
                let age = if known.is_running() { 5_000 } else { 60_000 };
                wants.answer(Want::Log(None), Fresh::Within(age));
            }
            Part::Curves | Part::Settings => {}
        }
    }

    fn act(&mut self, command: Command, cx: &mut Cx<'_>) -> bool {
        let Some(trial) = self.trial.clone() else {
            return false;
        };
        let known = Known::new(&trial, cx);
        let sight = self.sight(&known);
        let moved = match self.part {
            Part::Curves => false,
            Part::Decisions => self.decisions.act(command, &known, cx, sight),
            Part::Settings => self.settings.act(command),
            Part::Log => self.log.act(command),
        };
        if moved {
            if self.part == Part::Decisions {
                self.show_decision(&known, cx);
            }
            return true;
        }
        if self.picture.act(command) {
            let is_cursor = matches!(command, Command::CursorLeft | Command::CursorRight);
            if is_cursor && self.part == Part::Decisions {
                self.seek_cursor(&known);
            }
            return true;
        }
        match command {
            Command::NextPart => self.part = beside(&Part::ALL, self.part, 1),
            Command::PreviousPart => self.part = beside(&Part::ALL, self.part, -1),
            Command::NextTrial => self.beside(1, cx),
            Command::PreviousTrial => self.beside(-1, cx),
            Command::Recent => self.look_at_recent(&known),
            Command::Mark => cx.focus.toggle(&trial),
            Command::Open => self.enter_chosen(cx),
            Command::Metric => {
                let names = curves::metrics(&known);
                let now = self.metric(&known);
                let at = names.iter().position(|name| *name == now);
                let next = at.map_or(0, |at| (at + 1) % names.len().max(1));
                self.metric = names.get(next).cloned();
                self.part = Part::Curves;
            }
            Command::Down
            | Command::Up
            | Command::PageDown
            | Command::PageUp
            | Command::Top
            | Command::Bottom => {}
            _ => return false,
        }
        true
    }

    fn subjects(&self, _cx: &Cx<'_>) -> Vec<Subject> {
        let trial = self.trial.clone().map(Subject::Trial);
        trial.into_iter().collect()
    }

    fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>) {
        self.follow(cx);
        let Some(trial) = self.trial.clone() else {
            let text = "no trial is chosen: 2 shows a study's trials, enter opens one of them";
            pen.say(area, text, Ink::Dim);
            return;
        };
        let known = Known::new(&trial, cx);
        if let (Loaded::Failed(why), None) = (known.detail, known.row) {
            let (line, rest) = split_top(area, 1);
            pen.say(line, why, Ink::Bad);
            pen.say(rest, "2 shows the study's trials, 1 all studies", Ink::Dim);
            return;
        }
        let (top, rest) = split_top(area, head::height(&known));
        let (_, tabs) = split_top(top, top.height - 1);
        let rates = self.sight(&known).all(cx.data, known.id, "lr");
        let rate = known.rate().or_else(|| Some(rates.last()?.last.0));
        head::draw(pen, top, &known, rate);
        self.draw_tabs(pen, tabs, &known, cx);
        match (known.detail, known.row) {
            (Loaded::Waiting, None) => {
                pen.say(rest, "the trial is on its way", Ink::Dim);
            }
            (Loaded::Failed(why), _) => {
                pen.say(rest, why, Ink::Bad);
            }
            _ => self.draw_part(pen, rest, &known, cx),
        }
    }

    fn pointer(&mut self, pointer: Pointer, cx: &mut Cx<'_>) -> bool {
        let tab = self.tabs.at(pointer.x, pointer.y);
        if let (Some(part), Press::Click) = (tab, pointer.deed) {
            self.part = part;
            return true;
        }
        let Some(trial) = self.trial.clone() else {
            return false;
        };
        let known = Known::new(&trial, cx);
        let sight = self.sight(&known);
        let (meant, opened) = match self.part {
            Part::Curves => (false, false),
            Part::Decisions => self.decisions.pointer(pointer, &known, cx, sight),
            Part::Settings => self.settings.pointer(pointer),
            Part::Log => self.log.pointer(pointer),
        };
        if meant {
            if self.part == Part::Decisions {
                self.show_decision(&known, cx);
            }
            if opened {
                self.enter_chosen(cx);
            }
            return true;
        }
        if matches!(self.part, Part::Settings | Part::Log) {
            return false;
        }
        let meant = self.picture.pointer(pointer);
        if meant && self.part == Part::Decisions && pointer.deed == Press::Click {
            self.seek_cursor(&known);
        }
        meant
    }
}
