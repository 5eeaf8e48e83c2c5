//! What the scheduler saw and did, step by step: a page of steps at a time, and of it the steps at
//! which something was decided.

mod rows;
#[cfg(test)]
mod tests;

pub(super) use rows::steered;

use super::curves::SIGNAL;
use super::known::Known;
use crate::dashboard::cx::Cx;
use crate::dashboard::data::want::{Fresh, Loaded, Want};
use crate::dashboard::grid::Grid;
use crate::dashboard::keys::Command;
use crate::dashboard::pen::{Pen, split_top};
use crate::dashboard::screens::steps::{SHARED, Sight, forked_at, pace};
use crate::dashboard::screens::{Pointer, Press, Wants};
use crate::style::Ink;
use attune_protocol::work::Intervention;
use attune_protocol::{Bucket, StepRows, StepsQuery};
use ratatui::layout::Rect;
use rows::{Columns, decided};

/// Steps that are fetched and looked through at a time.
const PAGE: u64 = 500;

/// What a value of a step takes on the wire, about.
const VALUE_BYTES: u64 = 20;

/// How long a page of a trial in training stays, in milliseconds.
const HOLD: u64 = 30_000;

/// The table and where in the trial it is.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    grid: Grid,
    /// Which page of steps; nothing for where the last decision was.
    page: Option<u64>,
    /// The step that is to be chosen once its page is here.
    sought: Option<u64>,
    /// The page that is shown of a trial in training where none was chosen.
    held: Option<Held>,
    /// Rows that were drawn last.
    drawn: usize,
}

/// A page that stays for a while, though its trial trains on: pages are large, and it may make one
/// in the blink of an eye.
#[derive(Debug)]
struct Held {
    trial: String,
    page: u64,
    since: u64,
}

/// Which way pages are turned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Forward,
    Back,
}

impl Decisions {
    /// Goes to a step.
    pub(super) fn seek(&mut self, step: u64) {
        self.page = Some(step / PAGE);
        self.sought = Some(step);
    }

    /// The step of the chosen row.
    pub(super) fn chosen(&self, known: &Known<'_>, cx: &Cx<'_>, sight: Sight) -> Option<u64> {
        let rows = self.rows(known, cx, sight).ready()?;
        let shown = decided(rows, &by_hand(known), self.page(known, cx, sight));
        rows.steps.get(*shown.get(self.grid.chosen)?).copied()
    }

    pub(super) fn wants(
        &mut self,
        known: &Known<'_>,
        cx: &Cx<'_>,
        sight: Sight,
        wants: &mut Wants,
    ) {
        self.hold(known, cx, sight);
        let page = self.page(known, cx, sight);
        let rows = self.rows(known, cx, sight).ready();
        let told = rows.and_then(|rows| rows.steps.last()).copied();
        // A page that is full does not change.
        let is_full = told.is_some_and(|last| last + 1 >= (page + 1) * PAGE);
        let is_over = !known.is_running() && told.is_some_and(|last| last + 2 >= known.steps());
        let values = rows.map_or(0, |rows| rows.steps.len() * (rows.columns.len() + 1));
        let fresh = match known.is_running() {
            _ if is_full || is_over => Fresh::Once,
            true => pace(values as u64 * VALUE_BYTES, SHARED),
            false => Fresh::Within(10_000),
        };
        wants.answer(Want::Steps(known.id.to_owned(), query(page)), fresh);
    }

    /// A command of lists; says whether it was one.
    pub(super) fn act(
        &mut self,
        command: Command,
        known: &Known<'_>,
        cx: &Cx<'_>,
        sight: Sight,
    ) -> bool {
        let shown = self.shown(known, cx, sight);
        let is_last = self.grid.chosen + 1 >= shown;
        match command {
            Command::Down | Command::PageDown if is_last => {
                self.turn(Turn::Forward, known, cx, sight)
            }
            Command::Up | Command::PageUp if self.grid.chosen == 0 => {
                self.turn(Turn::Back, known, cx, sight);
            }
            Command::Top => {
                self.page = Some(first_page(known));
                self.sought = Some(0);
            }
            Command::Bottom => {
                self.page = None;
                self.sought = Some(u64::MAX);
            }
            command => return self.grid.act(command),
        }
        true
    }

    /// The mouse; says whether it meant anything, and whether the chosen row is to be opened.
    pub(super) fn pointer(
        &mut self,
        pointer: Pointer,
        known: &Known<'_>,
        cx: &Cx<'_>,
        sight: Sight,
    ) -> (bool, bool) {
        let (before, sort) = (self.grid.chosen, self.grid.sort);
        let (meant, opened) = self.grid.pointer(pointer);
        // The rows stand in the order of their steps, whatever heading is clicked.
        (self.grid.sort, self.grid.reverse) = (sort, false);
        let turned = match pointer.deed {
            Press::WheelDown => Some(Command::Down),
            Press::WheelUp => Some(Command::Up),
            _ => None,
        };
        if let Some(command) = turned.filter(|_| meant && self.grid.chosen == before) {
            self.act(command, known, cx, sight);
        }
        (meant, opened)
    }

    /// Draws the table.
    pub(super) fn draw(
        &mut self,
        pen: &mut Pen<'_>,
        area: Rect,
        known: &Known<'_>,
        cx: &Cx<'_>,
        sight: Sight,
    ) {
        let page = self.page(known, cx, sight);
        let (from, to) = (
            page * PAGE,
            ((page + 1) * PAGE).min(known.steps().max(1)) - 1,
        );
        let place = match known.steps() {
            steps if steps > PAGE => format!("steps {from} to {to} of {steps}"),
            _ => String::new(),
        };
        let inside = pen.heading(area, "What the scheduler saw and did", &place);
        let rows = match self.rows(known, cx, sight) {
            Loaded::Ready(rows) => rows,
            Loaded::Waiting => return pen.say(inside, "the steps are on their way", Ink::Dim),
            Loaded::Failed(why) => return pen.say(inside, why, Ink::Dim),
        };
        if rows.steps.is_empty() {
            let text = match known.steps() {
                0 => "no step was made yet",
                _ => "the steps one by one were not kept; the curves show what is left of them",
            };
            return pen.say(inside, text, Ink::Dim);
        }
        let hands = by_hand(known);
        let shown = decided(rows, &hands, page);
        // Whoever is at the last one sees the next one, too, and begins there where there are more
        // pages than one.
        let was_last = self.grid.chosen + 1 >= self.drawn;
        let is_at_end = self.page.is_none() && was_last && known.is_running();
        let begins = self.drawn == 0 && page > 0;
        if (is_at_end || begins) && shown.len() > self.drawn {
            self.sought.get_or_insert(u64::MAX);
        }
        self.drawn = shown.len();
        if let Some(step) = self.sought.take() {
            let at = shown.partition_point(|&row| rows.steps[row] < step);
            self.grid.chosen = at.min(shown.len().saturating_sub(1));
        }
        if shown.is_empty() {
            let text = "the rate stayed as it was here; up and down look on";
            return pen.say(inside, text, Ink::Dim);
        }
        let columns = Columns::of(rows);
        let nothing = pen.style.symbols().nothing;
        let (list, foot) = split_top(inside, inside.height - u16::from(inside.height > 4));
        self.grid
            .draw(pen, list, &columns.headings(), shown.len(), |place| {
                (columns.cells(rows, shown[place], &hands, nothing), false)
            });
        let left = rows.steps.len() - shown.len();
        if left > 0 && foot.height > 0 {
            let text = format!("in {left} more steps here the rate stayed as it was");
            pen.say(foot, &text, Ink::Dim);
        }
    }

    /// How many rows are shown.
    fn shown(&self, known: &Known<'_>, cx: &Cx<'_>, sight: Sight) -> usize {
        let rows = self.rows(known, cx, sight).ready();
        let page = self.page(known, cx, sight);
        rows.map_or(0, |rows| decided(rows, &by_hand(known), page).len())
    }

    fn rows<'a>(&self, known: &Known<'_>, cx: &Cx<'a>, sight: Sight) -> Loaded<'a, StepRows> {
        let page = self.page(known, cx, sight);
        cx.data.steps(known.id, &query(page))
    }

    /// The page that is shown.
    fn page(&self, known: &Known<'_>, cx: &Cx<'_>, sight: Sight) -> u64 {
        match &self.held {
            Some(held) if self.page.is_none() && held.trial == known.id => held.page,
            _ => self.newest(known, cx, sight),
        }
    }

    /// Stays at the page of a trial in training until the line has rested.
    fn hold(&mut self, known: &Known<'_>, cx: &Cx<'_>, sight: Sight) {
        if !known.is_running() || self.page.is_some() {
            self.held = None;
            return;
        }
        let is_due = self
            .held
            .as_ref()
            .is_none_or(|held| held.trial != known.id || cx.now.saturating_sub(held.since) >= HOLD);
        if is_due {
            self.held = Some(Held {
                trial: known.id.to_owned(),
                page: self.newest(known, cx, sight),
                since: cx.now,
            });
        }
    }

    /// The page that was chosen, or the one of the last decision.
    fn newest(&self, known: &Known<'_>, cx: &Cx<'_>, sight: Sight) -> u64 {
        let last = known.steps().saturating_sub(1) / PAGE;
        let changed = || {
            let rates = sight.all(cx.data, known.id, "lr");
            (!has_signals(known)).then(|| last_change(rates)).flatten()
        };
        let page = self.page.or_else(|| Some(changed()? / PAGE));
        page.unwrap_or(last).min(last).max(first_page(known))
    }

    /// To the next page on which something was decided, or the one before.
    fn turn(&mut self, turn: Turn, known: &Known<'_>, cx: &Cx<'_>, sight: Sight) {
        let page = self.page(known, cx, sight);
        let last = known.steps().saturating_sub(1) / PAGE;
        let rates = sight.all(cx.data, known.id, "lr");
        let found = match turn {
            Turn::Forward if page >= last => None,
            Turn::Back if page <= first_page(known) => None,
            Turn::Forward if has_signals(known) => Some(page + 1),
            Turn::Back if has_signals(known) => Some(page - 1),
            Turn::Forward => {
                let after = (page + 1) * PAGE;
                let mut changes = changes(rates).filter(|(_, to)| *to >= after);
                changes.next().map(|(from, _)| from.max(after) / PAGE)
            }
            Turn::Back => {
                let before = (page * PAGE).saturating_sub(1);
                let changes = changes(rates).filter(|(from, _)| *from <= before);
                changes.last().map(|(_, to)| to.min(before) / PAGE)
            }
        };
        if let Some(page) = found {
            self.page = Some(page);
            self.sought = Some(match turn {
                Turn::Forward => 0,
                Turn::Back => u64::MAX,
            });
        }
    }
}

/// The question for a page, with the step before it: what its first one changed can be seen then.
fn query(page: u64) -> StepsQuery {
    let before = u64::from(page > 0);
    StepsQuery {
        from: Some(page * PAGE - before),
        limit: Some((PAGE + before) as u32),
    }
}

/// The page that a trial begins on: a fork begins at the step that it was forked at.
fn first_page(known: &Known<'_>) -> u64 {
    forked_at(known.study) / PAGE
}

fn has_signals(known: &Known<'_>) -> bool {
    known.columns().iter().any(|name| name.starts_with(SIGNAL))
}

/// What people did, by step.
fn by_hand<'a>(known: &Known<'a>) -> Vec<&'a Intervention> {
    let trial = known.trial();
    trial.map_or_else(Vec::new, |trial| trial.interventions.iter().collect())
}

/// The stretches in which the rate changed, by their first and last step.
fn changes(rates: &[Bucket]) -> impl Iterator<Item = (u64, u64)> {
    let before = std::iter::once(None).chain(rates.iter().map(Some));
    rates.iter().zip(before).filter_map(|(rate, before)| {
        let moved = rate.min != rate.max || before.is_some_and(|before| before.last != rate.min);
        moved.then_some((rate.from, rate.to))
    })
}

fn last_change(rates: &[Bucket]) -> Option<u64> {
    changes(rates).last().map(|(_, to)| to)
}
