//! What the scheduler saw and did, step by step: a page of steps at a time, and of it the steps at
//! which something was decided.

use super::curves::SIGNAL;
use super::known::Known;
use crate::dashboard::cx::Cx;
use crate::dashboard::data::want::{Fresh, Loaded, Want};
use crate::dashboard::grid::{Grid, Heading, Text};
use crate::dashboard::keys::Command;
use crate::dashboard::pen::{Pen, split_top};
use crate::dashboard::screens::steps::{Sight, pace};
use crate::dashboard::screens::{Pointer, Press, Wants};
use crate::number;
use crate::style::Ink;
use crate::summary::is_rate_column;
use attune_protocol::work::Intervention;
use attune_protocol::{Bucket, Number, Steer, StepRows, StepsQuery};
use ratatui::layout::Rect;

/// Steps that are fetched and looked through at a time.
const PAGE: u64 = 500;

/// What a value of a step takes on the wire, about.
const VALUE_BYTES: u64 = 20;

/// The table and where in the trial it is.
#[derive(Debug, Default)]
pub(super) struct Decisions {
    grid: Grid,
    /// Which page of steps; nothing for where the last decision was.
    page: Option<u64>,
    /// The step that is to be chosen once its page is here.
    sought: Option<u64>,
    /// Rows that were drawn last.
    drawn: usize,
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

    pub(super) fn wants(&self, known: &Known<'_>, cx: &Cx<'_>, sight: Sight, wants: &mut Wants) {
        let page = self.page(known, cx, sight);
        let rows = self.rows(known, cx, sight).ready();
        let told = rows.and_then(|rows| rows.steps.last()).copied();
        // A page that is full does not change.
        let is_full = told.is_some_and(|last| last + 1 >= (page + 1) * PAGE);
        let is_over = !known.is_running() && told.is_some_and(|last| last + 2 >= known.steps());
        let values = rows.map_or(0, |rows| rows.steps.len() * (rows.columns.len() + 1));
        let fresh = match known.is_running() {
            _ if is_full || is_over => Fresh::Once,
            true => pace(values as u64 * VALUE_BYTES),
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
                self.page = Some(0);
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
            Loaded::Waiting => return say(pen, inside, "the steps are on their way"),
            Loaded::Failed(why) => return say(pen, inside, why),
        };
        if rows.steps.is_empty() {
            let text = match known.steps() {
                0 => "no step was made yet",
                _ => "the steps one by one were not kept; the curves show what is left of them",
            };
            return say(pen, inside, text);
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
            return say(
                pen,
                inside,
                "the rate stayed as it was here; up and down look on",
            );
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
            pen.text(foot.x + 1, foot.y, foot.width - 1, &text, Ink::Dim);
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
        let last = known.steps().saturating_sub(1) / PAGE;
        let changed = || {
            let rates = sight.all(cx.data, known.id, "lr");
            (!has_signals(known)).then(|| last_change(rates)).flatten()
        };
        let page = self.page.or_else(|| Some(changed()? / PAGE));
        page.unwrap_or(last).min(last)
    }

    /// To the next page on which something was decided, or the one before.
    fn turn(&mut self, turn: Turn, known: &Known<'_>, cx: &Cx<'_>, sight: Sight) {
        let page = self.page(known, cx, sight);
        let last = known.steps().saturating_sub(1) / PAGE;
        let rates = sight.all(cx.data, known.id, "lr");
        let found = match turn {
            Turn::Forward if page >= last => None,
            Turn::Back if page == 0 => None,
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

fn say(pen: &mut Pen<'_>, area: Rect, text: &str) {
    pen.text(
        area.x + 1,
        area.y,
        area.width.saturating_sub(1),
        text,
        Ink::Dim,
    );
}

/// The question for a page, with the step before it: what its first one changed can be seen then.
fn query(page: u64) -> StepsQuery {
    let before = u64::from(page > 0);
    StepsQuery {
        from: Some(page * PAGE - before),
        limit: Some((PAGE + before) as u32),
    }
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

/// The rows of a page at which something was decided or shown: the rate changed, the scheduler saw
/// a signal, or somebody took the wheel. The trial's first step always is one.
fn decided(rows: &StepRows, hands: &[&Intervention], page: u64) -> Vec<usize> {
    let columns = Columns::of(rows);
    let first = usize::from(page > 0 && rows.steps.first().is_some_and(|s| *s < page * PAGE));
    let is_decided = |row: &usize| {
        let step = rows.steps[*row];
        let moved = columns.rates.iter().any(|(_, rates)| changed(rates, *row));
        let saw = columns
            .signals
            .iter()
            .any(|(_, values)| number_at(values, *row).is_finite());
        let hand = hands.iter().any(|hand| hand.step == step);
        moved || saw || hand || (*row == 0 && page == 0)
    };
    (first..rows.steps.len()).filter(is_decided).collect()
}

fn number_at(values: &[Number], row: usize) -> f64 {
    values.get(row).map_or(f64::NAN, |value| value.0)
}

fn changed(rates: &[Number], row: usize) -> bool {
    let before = row.checked_sub(1).map(|before| number_at(rates, before));
    // By their bits: what is not a number equals itself so.
    before.is_some_and(|before| before.to_bits() != number_at(rates, row).to_bits())
}

/// The columns of a page by what they are.
struct Columns<'a> {
    rates: Vec<(&'a str, &'a [Number])>,
    signals: Vec<(&'a str, &'a [Number])>,
    loss: &'a [Number],
}

impl<'a> Columns<'a> {
    fn of(rows: &'a StepRows) -> Self {
        let all = || {
            rows.columns
                .iter()
                .map(|(name, values)| (name.as_str(), values.as_slice()))
        };
        let signal =
            |(name, values): (&'a str, &'a [Number])| Some((name.strip_prefix(SIGNAL)?, values));
        Columns {
            rates: all().filter(|(name, _)| is_rate_column(name)).collect(),
            signals: all().filter_map(signal).collect(),
            loss: rows.columns.get("loss").map_or(&[], Vec::as_slice),
        }
    }

    fn headings(&self) -> Vec<Heading> {
        let mut headings = vec![Heading::number("step"), Heading::number("loss").rank(2)];
        for (index, (name, _)) in self.rates.iter().enumerate() {
            let title = match name.strip_prefix("lr.") {
                Some(group) => format!("rate {group}"),
                None => "rate".to_owned(),
            };
            let heading = Heading::number(title);
            headings.push(if index == 0 { heading } else { heading.rank(5) });
        }
        headings.push(Heading::number("change").rank(1));
        for (index, (name, _)) in self.signals.iter().enumerate() {
            let rank = 10 + (index as u8).min(200);
            headings.push(Heading::number((*name).to_owned()).rank(rank).most(18));
        }
        headings.push(Heading::word("what was done").most(40).rank(1));
        headings
    }

    fn cells(
        &self,
        rows: &StepRows,
        row: usize,
        hands: &[&Intervention],
        nothing: &'static str,
    ) -> Vec<Text> {
        let told = |value: f64, write: fn(f64) -> String| -> Text {
            match value.is_nan() {
                true => (nothing.into(), Ink::Dim),
                false => (write(value).into(), Ink::Plain),
            }
        };
        let step = rows.steps[row];
        let mut cells: Vec<Text> = vec![
            (step.to_string().into(), Ink::Strong),
            told(number_at(self.loss, row), number::metric),
        ];
        for (_, rates) in &self.rates {
            cells.push(told(number_at(rates, row), number::rate));
        }
        let rates = self.rates.first().map_or(&[][..], |(_, rates)| rates);
        let before = row.checked_sub(1).map(|before| number_at(rates, before));
        let now = number_at(rates, row);
        let change = before.and_then(|before| percent(before, now));
        cells.push((change.unwrap_or_default().into(), Ink::Plain));
        for (_, values) in &self.signals {
            cells.push(told(number_at(values, row), number::significant));
        }
        let hand: Vec<String> = hands
            .iter()
            .filter(|hand| hand.step == step)
            .map(|hand| format!("by hand: {}", steered(&hand.steer)))
            .collect();
        let what = match before {
            _ if !hand.is_empty() => (hand.join("; ").into(), Ink::Warning),
            None if row == 0 && step <= 1 => ("began".into(), Ink::Dim),
            Some(before) if now > before => ("raised".into(), Ink::Accent),
            Some(before) if now < before => ("lowered".into(), Ink::Accent),
            _ => ("".into(), Ink::Dim),
        };
        cells.push(what);
        cells
    }
}

/// A hand on the wheel, in words.
pub(super) fn steered(steer: &Steer) -> String {
    match steer {
        Steer::SetRate(rate) => format!("rate set to {}", number::significant(rate.0)),
        Steer::Swap { scheduler, .. } => format!("{scheduler} took the wheel"),
    }
}

/// By how much a rate changed, such as `-5.00%`; nothing where it did not, or from nothing.
fn percent(before: f64, now: f64) -> Option<String> {
    let change = (now - before) / before * 100.0;
    if change == 0.0 || !change.is_finite() {
        return None;
    }
    Some(match change.abs() {
        0.0..0.01 => format!("{change:+.1e}%"),
        0.01..1000.0 => format!("{change:+.2}%"),
        _ => format!("{}x", number::significant(now / before)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(from: u64, to: u64, ends: (f64, f64)) -> Bucket {
        Bucket {
            from,
            to,
            min: Number(ends.0.min(ends.1)),
            mean: Number(ends.0),
            max: Number(ends.0.max(ends.1)),
            last: Number(ends.1),
        }
    }

    #[test]
    fn changes_within_and_between_stretches_are_found() {
        let rates = [
            bucket(0, 9, (0.1, 0.1)),
            bucket(10, 19, (0.1, 0.05)),
            bucket(20, 29, (0.05, 0.05)),
            bucket(30, 39, (0.02, 0.02)),
        ];
        assert_eq!(changes(&rates).collect::<Vec<_>>(), [(10, 19), (30, 39)]);
        assert_eq!(last_change(&rates), Some(39));
        assert_eq!(last_change(&rates[..1]), None);
    }

    #[test]
    fn only_steps_at_which_something_happened_are_shown() {
        let numbers = |values: &[f64]| values.iter().copied().map(Number).collect::<Vec<_>>();
        let mut rows = StepRows {
            steps: (499..505).collect(),
            ..StepRows::default()
        };
        let rates = numbers(&[0.1, 0.05, 0.05, 0.04, 0.04, 0.04]);
        rows.columns.insert("lr".into(), rates);
        rows.columns.insert("loss".into(), numbers(&[1.0; 6]));
        assert_eq!(decided(&rows, &[], 1), [1, 3]);
        let hand = Intervention {
            step: 503,
            steer: Steer::SetRate(Number(0.04)),
        };
        assert_eq!(decided(&rows, &[&hand], 1), [1, 3, 4]);
        let mut seen = [f64::NAN; 6];
        seen[5] = 2.0;
        rows.columns.insert("signal.norm".into(), numbers(&seen));
        assert_eq!(decided(&rows, &[], 1), [1, 3, 5]);
        rows.steps = (0..6).collect();
        assert_eq!(decided(&rows, &[], 0), [0, 1, 3, 5], "the first one always");
    }

    #[test]
    fn pages_begin_with_the_step_before() {
        assert_eq!((query(0).from, query(0).limit), (Some(0), Some(500)));
        assert_eq!((query(2).from, query(2).limit), (Some(999), Some(501)));
    }

    #[test]
    fn a_change_is_told_in_percent() {
        let table = [
            (0.1, 0.1, None),
            (0.1, 0.095, Some("-5.00%")),
            (0.1, 0.2, Some("+100.00%")),
            (0.1, 0.1000001, Some("+1.0e-4%")),
            (0.001, 0.1, Some("100x")),
            (0.0, 0.1, None),
        ];
        for (before, now, told) in table {
            assert_eq!(percent(before, now).as_deref(), told, "{before} {now}");
        }
    }
}
