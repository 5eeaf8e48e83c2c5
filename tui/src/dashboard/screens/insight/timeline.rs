//! Which trials trained when: a line of the screen for each that trained beside another.

use super::lanes::{Span, pack, within};
use super::table::can_wait;
use crate::axis::Axis;
use crate::dashboard::cx::Cx;
use crate::dashboard::data::rows::{Row, Rows};
use crate::dashboard::grid::in_sight;
use crate::dashboard::keys::Command;
use crate::dashboard::pen::{Pen, split_top};
use crate::dashboard::screens::study::state_ink;
use crate::number;
use crate::style::Ink;
use crate::text::width;
use attune_protocol::TrialState;
use ratatui::layout::Rect;
use std::time::Duration;

/// The lanes, what is seen of them, and where the cross-hair is.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    lanes: Vec<Vec<Span>>,
    made_from: Option<Made>,
    /// Milliseconds since 1970, from and to; nothing for all.
    view: Option<(u64, u64)>,
    cursor: Option<u64>,
    lane: usize,
    top: usize,
    /// What was drawn last, and from when to when.
    plot: Rect,
    seen: (u64, u64),
}

/// What the lanes were made from, and when.
#[derive(Debug)]
struct Made {
    revision: u64,
    trials: usize,
    at: u64,
}

/// Columns for the numbers of the lanes.
const GUTTER: u16 = 4;

/// What one key zooms.
const ZOOM: f64 = 1.5;

impl Timeline {
    /// Packs the trials into lanes, where something changed.
    pub(super) fn refresh(&mut self, rows: &Rows, now: u64, is_running: bool) {
        let made = Made {
            revision: rows.revision(),
            trials: rows.len(),
            at: now,
        };
        if let Some(before) = &self.made_from {
            let is_as_long = before.trials == made.trials;
            let waits = is_running && is_as_long && can_wait(made.trials, before.at, now);
            if before.revision == made.revision || waits {
                return;
            }
        }
        self.made_from = Some(made);
        let spans = rows.rows().iter().enumerate();
        let spans = spans.filter_map(|(place, row)| span(place as u32, row));
        self.lanes = pack(spans.collect());
        self.lane = self.lane.min(self.lanes.len().saturating_sub(1));
    }

    /// The place in the table of the trial under the cross-hair.
    pub(super) fn chosen(&self) -> Option<u32> {
        let lane = self.lanes.get(self.lane)?;
        let (from, to) = self.cell(self.column()?);
        // Of several in one cell the last is meant, as the one whose end is seen.
        within(lane, from, to).last().map(|span| span.place)
    }

    pub(super) fn act(&mut self, command: Command) {
        match command {
            Command::CursorLeft => self.step(-1),
            Command::CursorRight => self.step(1),
            Command::Up => self.lane = self.lane.saturating_sub(1),
            Command::Down => {
                self.lane = (self.lane + 1).min(self.lanes.len().saturating_sub(1));
            }
            Command::ZoomIn => self.zoom(ZOOM),
            Command::ZoomOut => self.zoom(1.0 / ZOOM),
            Command::Fit => self.view = None,
            _ => {}
        }
    }

    /// The mouse set the cross-hair; whether that was in the plot.
    pub(super) fn point(&mut self, x: u16, y: u16) -> bool {
        if !self.plot.contains((x, y).into()) {
            return false;
        }
        self.cursor = Some(self.middle(x - self.plot.x));
        let lane = self.top + usize::from(y - self.plot.y);
        self.lane = lane.min(self.lanes.len().saturating_sub(1));
        true
    }

    /// The mouse was dragged from a place to a column: that time is seen.
    pub(super) fn zoom_to(&mut self, (from, row): (u16, u16), to: u16) {
        if !self.plot.contains((from, row).into()) {
            return;
        }
        let inside = |x: u16| {
            let last = self.plot.right().saturating_sub(1).max(self.plot.x);
            self.cell(x.clamp(self.plot.x, last) - self.plot.x)
        };
        let (a, b) = (inside(from.min(to)), inside(from.max(to)));
        if b.1 > a.0 + 1 {
            self.view = Some((a.0, b.1));
        }
    }

    fn zoom(&mut self, factor: f64) {
        let (from, to) = self.seen;
        let about = self.cursor.unwrap_or(from / 2 + to / 2).clamp(from, to);
        let left = ((about - from) as f64 / factor) as u64;
        let right = ((to - about) as f64 / factor) as u64;
        // A second is seen at least.
        if left + right >= 1_000 {
            self.view = Some((about.saturating_sub(left), about + right));
        }
    }

    fn step(&mut self, columns: i32) {
        let last = i32::from(self.plot.width.saturating_sub(1));
        let at = self.column().map_or(last / 2, i32::from);
        self.cursor = Some(self.middle((at + columns).clamp(0, last) as u16));
    }

    /// The column of the plot that the cross-hair is in.
    fn column(&self) -> Option<u16> {
        let (from, to) = self.seen;
        let at = self.cursor?.clamp(from, to.max(from));
        let part = (at - from) as f64 / (to - from).max(1) as f64;
        let column = (part * f64::from(self.plot.width)) as u16;
        Some(column.min(self.plot.width.saturating_sub(1)))
    }

    /// From when to when a column of the plot is.
    fn cell(&self, column: u16) -> (u64, u64) {
        let (from, to) = self.seen;
        let long = (to - from).max(1) as f64 / f64::from(self.plot.width.max(1));
        let start = from + (f64::from(column) * long) as u64;
        let end = from + (f64::from(column + 1) * long) as u64;
        (start, end.max(start + 1))
    }

    fn middle(&self, column: u16) -> u64 {
        let (start, end) = self.cell(column);
        start / 2 + end / 2
    }

    pub(super) fn draw(
        &mut self,
        pen: &mut Pen<'_>,
        area: Rect,
        study: &str,
        rows: &Rows,
        cx: &Cx<'_>,
    ) {
        let lanes = self.lanes.len();
        let note = "packed into lanes by start and end; which worker trained is not kept";
        let inside = pen.heading(area, "Timeline", note);
        self.plot = Rect::ZERO;
        // Within a lane they follow each other: only its first begins and its last ends it.
        let firsts = self.lanes.iter().filter_map(|lane| lane.first());
        let Some(begin) = firsts.map(|span| span.start).min() else {
            let text = "no trial has begun yet";
            pen.say(inside, text, Ink::Dim);
            return;
        };
        if inside.height < 5 || inside.width < GUTTER + 10 {
            return;
        }
        let lasts = self.lanes.iter().filter_map(|lane| lane.last());
        let end = lasts.map(|span| over(span.end, cx.now)).max();
        let end = end.unwrap_or(begin).max(begin + 1_000);
        let (from, to) = self.view.unwrap_or((begin, end));
        let (from, to) = (from.max(begin), to.min(end));
        self.seen = if to > from { (from, to) } else { (begin, end) };
        // The time's axis with its labels, the legend, and the trial under the cross-hair.
        let (top, feet) = split_top(inside, inside.height - 4);
        self.plot = Rect {
            x: top.x + GUTTER,
            width: top.width - GUTTER,
            height: top.height.min(lanes as u16),
            ..top
        };
        self.top = in_sight(self.top, self.lane, lanes, self.plot.height.into());
        for row in 0..self.plot.height {
            self.lane(pen, row, rows, cx.now);
        }
        let feet = Rect {
            y: self.plot.bottom(),
            height: feet.height,
            ..feet
        };
        self.axis(pen, feet.y, begin);
        self.legend(
            pen,
            Rect {
                y: feet.y + 2,
                height: 1,
                ..feet
            },
        );
        let below = Rect {
            y: feet.y + 3,
            height: 1,
            ..feet
        };
        self.tell(pen, below, (study, begin), rows, cx);
    }

    fn lane(&self, pen: &mut Pen<'_>, row: u16, rows: &Rows, now: u64) {
        let number = self.top + usize::from(row);
        let Some(lane) = self.lanes.get(number) else {
            return;
        };
        let symbols = pen.style.symbols();
        let y = self.plot.y + row;
        let ink = if number == self.lane {
            Ink::Strong
        } else {
            Ink::Dim
        };
        pen.right(
            self.plot.x - GUTTER,
            y,
            GUTTER - 1,
            &(number + 1).to_string(),
            ink,
        );
        let chosen = self.chosen().filter(|_| number == self.lane);
        let cursor = self.column();
        for column in 0..self.plot.width {
            let x = self.plot.x + column;
            let (start, end) = self.cell(column);
            let here = match start > now {
                true => &[],
                false => within(lane, start, end),
            };
            let (glyph, ink) = match here {
                [] if cursor == Some(column) => (symbols.cursor, Ink::Dim),
                [] => continue,
                [span] if over(span.end, now) > end => {
                    (symbols.bar[0], state_ink(state(rows, span)))
                }
                spans => {
                    let state = gravest(spans.iter().map(|span| state(rows, span)));
                    (symbol(pen, state), state_ink(state))
                }
            };
            pen.text(x, y, 1, glyph, ink);
            if chosen.is_some_and(|place| here.iter().any(|span| span.place == place)) {
                pen.choose(Rect::new(x, y, 1, 1));
            }
        }
    }

    /// The axis of time, counted from the study's first trial.
    fn axis(&self, pen: &mut Pen<'_>, y: u16, begin: u64) {
        let symbols = pen.style.symbols();
        let [_, _, corner, level, ticked] = symbols.axes;
        let plot = self.plot;
        pen.text(plot.x - 1, y, 1, corner, Ink::Dim);
        pen.text(
            plot.x,
            y,
            plot.width,
            &level.repeat(plot.width.into()),
            Ink::Dim,
        );
        let since = |at: u64| at.saturating_sub(begin) as f64 / 1_000.0;
        let (low, high) = (since(self.seen.0), since(self.seen.1));
        let (unit, per) = match high {
            0.0..120.0 => ("seconds", 1.0),
            120.0..7_200.0 => ("minutes", 60.0),
            _ => ("hours", 3_600.0),
        };
        let room = plot.width.saturating_sub(width(unit) as u16 + 1);
        pen.right(plot.x, y + 1, plot.width, unit, Ink::Dim);
        let axis = Axis::around([low / per, high / per].into_iter(), false);
        let Some(axis) = axis.map(|axis| axis.whole(false)) else {
            return;
        };
        for label in axis.labels(plot.width.into()) {
            pen.text(plot.x + label.column as u16, y, 1, ticked, Ink::Dim);
            let long = width(&label.label) as u16;
            if label.start as u16 + long <= room {
                pen.text(
                    plot.x + label.start as u16,
                    y + 1,
                    long,
                    &label.label,
                    Ink::Dim,
                );
            }
        }
        if let Some(column) = self.column() {
            pen.text(plot.x + column, y, 1, symbols.beyond[1], Ink::Strong);
        }
    }

    fn legend(&self, pen: &mut Pen<'_>, line: Rect) {
        use TrialState::*;
        let mut x = line.x + 1;
        for state in [Done, Stopped, Diverged, Failed, Running] {
            let text = format!("{} {state}   ", symbol(pen, state));
            x += pen.text(x, line.y, line.right().saturating_sub(x), &text, Ink::Dim);
        }
    }

    /// What the trial under the cross-hair is.
    fn tell(
        &self,
        pen: &mut Pen<'_>,
        line: Rect,
        (study, begin): (&str, u64),
        rows: &Rows,
        cx: &Cx<'_>,
    ) {
        let (x, room) = (line.x + 1, line.width.saturating_sub(1));
        let Some(row) = self.chosen().and_then(|place| rows.row(place as usize)) else {
            let text = "left, right, up and down move the cross-hair to a trial; enter opens it";
            pen.text(x, line.y, room, text, Ink::Dim);
            return;
        };
        let id = format!("{study}.{}", row.number);
        let separator = pen.style.symbols().separator;
        let mut facts = vec![rows.scheduler(row).to_owned(), row.state.to_string()];
        if !row.value.is_nan() {
            facts.push(number::metric(row.value));
        }
        if let Some(span) = span(0, row) {
            let since = |at: u64| number::clock(Duration::from_millis(at.saturating_sub(begin)));
            let end = over(span.end, cx.now);
            facts.push(format!("from {} to {}", since(span.start), since(end)));
        }
        if let Some(reason) = &row.reason {
            facts.push(reason.to_string());
        }
        if cx.focus.is_marked(&id) {
            facts.push("marked".to_owned());
        }
        let told = format!("  {}", facts.join(separator));
        pen.pieces(x, line.y, room, &[(&id, Ink::Strong), (&told, Ink::Plain)]);
    }
}

/// From when to when a trial took a worker's time, as far as its record says.
fn span(place: u32, row: &Row) -> Option<Span> {
    let start = row.started_unix_ms?;
    let end = match (row.ended_unix_ms, row.state) {
        (Some(end), _) => end,
        (None, TrialState::Running) => u64::MAX,
        // It waits: only the time that it trained is known.
        (None, _) => start.saturating_add((row.seconds * 1_000.0) as u64),
    };
    Some(Span { place, start, end })
}

/// When something ended; now where it has not.
fn over(end: u64, now: u64) -> u64 {
    if end == u64::MAX { now } else { end }
}

fn state(rows: &Rows, span: &Span) -> TrialState {
    let row = rows.row(span.place as usize);
    row.map_or(TrialState::Queued, |row| row.state)
}

/// Of several trials in one cell the one that went the worst is seen.
fn gravest(states: impl Iterator<Item = TrialState>) -> TrialState {
    use TrialState::*;
    let rank = |state: &TrialState| match state {
        Failed => 7,
        Diverged => 6,
        Lost => 5,
        Running => 4,
        Stopped => 3,
        Done => 2,
        Paused => 1,
        Queued => 0,
    };
    states.max_by_key(rank).unwrap_or(Queued)
}

fn symbol(pen: &Pen<'_>, state: TrialState) -> &'static str {
    let symbols = pen.style.symbols();
    match state {
        TrialState::Running => symbols.turn[1],
        state => symbols.state(state),
    }
}
