//! The table of a comparison: a column a trial, a row a thing.

use super::one::One;
use crate::chart::MarkKind;
use crate::dashboard::data::want::Loaded;
use crate::dashboard::keys::Command;
use crate::dashboard::pen::Pen;
use crate::dashboard::screens::study::trials::state_ink;
use crate::dashboard::screens::{Pointer, Press};
use crate::number;
use crate::style::{Ink, Style};
use crate::summary::known_direction;
use crate::text::{clean, width};
use attune_protocol::{Direction, TrialSummary};
use ratatui::layout::Rect;
use std::collections::BTreeSet;

/// A row: its name, and a cell a trial. Without cells it is a heading.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) cells: Vec<(String, Ink)>,
    /// Whether it is what the trials are judged by: always shown.
    is_result: bool,
}

impl Row {
    /// Whether it tells trials apart.
    fn says_more(&self) -> bool {
        let mut pairs = self.cells.windows(2);
        self.is_result || pairs.any(|pair| pair[0].0 != pair[1].0)
    }
}

/// The rows of these trials: results, then the settings that differ, or all.
pub(super) fn rows(ones: &[One<'_>], all: bool, style: Style) -> Vec<Row> {
    let table = Maker { ones, style };
    let mut rows = table.results();
    rows.retain(|row| all || row.says_more());
    rows.extend(table.settings(all));
    rows
}

/// The metrics that the trials are judged by, each with its direction, once.
pub(super) fn objectives<'a>(ones: &[One<'a>]) -> Vec<(&'a str, Direction)> {
    let mut objectives = Vec::new();
    for study in ones.iter().filter_map(|one| one.study) {
        let objective = (study.metric.as_str(), study.direction);
        if !objectives.contains(&objective) {
            objectives.push(objective);
        }
    }
    objectives
}

struct Maker<'m, 'a> {
    ones: &'m [One<'a>],
    style: Style,
}

impl<'a> Maker<'_, 'a> {
    fn results(&self) -> Vec<Row> {
        let mut rows = vec![self.row("state", |trial| {
            let mark = self.style.symbols().state(trial.state);
            Some((format!("{mark} {}", trial.state), state_ink(trial.state)))
        })];
        let objectives = objectives(self.ones);
        for (metric, direction) in &objectives {
            let value = |one: &One<'_>| {
                let study = one.study?;
                let is_own = (study.metric.as_str(), study.direction) == (metric, *direction);
                is_own.then_some(one.trial()?.value?.0)
            };
            let aim = match direction {
                Direction::Minimize => "lowest",
                Direction::Maximize => "highest",
            };
            rows.push(Row {
                is_result: true,
                ..self.figures(&format!("{aim} {metric}"), Some(*direction), value)
            });
        }
        rows.push(self.row("at epoch", |trial| {
            Some((trial.best_epoch?.to_string(), Ink::Plain))
        }));
        let trials = || self.ones.iter().filter_map(One::trial);
        let metrics: BTreeSet<&str> = trials()
            .flat_map(|trial| trial.metrics.keys().map(String::as_str))
            .collect();
        for name in metrics {
            let own = name.trim_start_matches("valid_");
            let judged = objectives.iter().find(|(metric, _)| *metric == own);
            let direction = judged.map(|(_, direction)| *direction);
            let value = |one: &One<'_>| Some(one.trial()?.metrics.get(name)?.0);
            let title = format!("last {}", name.replace('_', " "));
            rows.push(self.figures(&title, direction.or_else(|| known_direction(name)), value));
        }
        rows.push(self.row("last rate", |trial| {
            let one = self.ones.iter().find(|one| one.id == trial.id)?;
            Some((number::rate(one.rate()?.points.last()?.1.0), Ink::Plain))
        }));
        rows.push(self.row("epochs", |trial| {
            Some((format!("{}/{}", trial.epochs, trial.max_epochs), Ink::Plain))
        }));
        rows.push(self.row("steps", |trial| Some((trial.steps.to_string(), Ink::Plain))));
        rows.push(self.row("took", |trial| {
            let took = number::duration(number::seconds(trial.seconds));
            Some((took, Ink::Plain))
        }));
        let more = [
            self.row("reason", |trial| {
                Some((trial.reason.clone()?, Ink::Warning))
            }),
            self.row("workers died", |trial| {
                let deaths = trial.deaths.len();
                (deaths > 0).then(|| (deaths.to_string(), Ink::Warning))
            }),
            self.row("by hand", |trial| {
                let hands = trial.interventions.len();
                (hands > 0).then(|| (format!("{hands} times"), Ink::Warning))
            }),
            self.row("tags", |trial| {
                let tags = trial.note.tags.join(" ");
                (!tags.is_empty()).then_some((tags, Ink::Accent))
            }),
        ];
        let nothing = self.style.symbols().nothing;
        let says = |row: &Row| row.cells.iter().any(|(text, _)| text != nothing);
        rows.extend(more.into_iter().filter(says));
        let origins = self.ones.iter().map(|one| {
            let origin = one.study.and_then(|study| study.origin.as_ref());
            origin.map_or_else(
                || (nothing.to_owned(), Ink::Dim),
                |origin| (format!("{} at {}", origin.trial, origin.step), Ink::Plain),
            )
        });
        let origins = Row {
            name: "fork of".to_owned(),
            cells: origins.collect(),
            is_result: false,
        };
        rows.extend(Some(origins).filter(says));
        rows
    }

    fn settings(&self, all: bool) -> Vec<Row> {
        let trials: Vec<&TrialSummary> = self.ones.iter().filter_map(One::trial).collect();
        let keys: BTreeSet<&String> = trials.iter().flat_map(|t| t.config.keys()).collect();
        let differs = |key: &String| {
            let values: Vec<_> = trials.iter().map(|trial| trial.config.get(key)).collect();
            values.windows(2).any(|pair| pair[0] != pair[1])
        };
        // The scheduler first, then settings of all trials, then those of one scheduler.
        let mut keys: Vec<&String> = keys.into_iter().filter(|key| all || differs(key)).collect();
        keys.sort_by_key(|key| (*key != "scheduler", key.contains('.'), *key != "lr"));
        let seeds = trials.windows(2).any(|pair| pair[0].seed != pair[1].seed);
        let heading = match (all, keys.is_empty()) {
            (true, _) => "all settings",
            (false, false) => "settings that differ",
            (false, true) => "no setting differs",
        };
        let mut rows = vec![Row {
            name: heading.to_owned(),
            cells: Vec::new(),
            is_result: false,
        }];
        rows.extend(keys.into_iter().map(|key| {
            self.row(key, |trial| {
                Some((trial.config.get(key)?.to_string(), Ink::Plain))
            })
        }));
        if all || seeds {
            rows.push(self.row("seed", |trial| Some((trial.seed.to_string(), Ink::Dim))));
        }
        rows
    }

    fn row(&self, name: &str, cell: impl Fn(&'a TrialSummary) -> Option<(String, Ink)>) -> Row {
        let nothing = self.style.symbols().nothing;
        let cells = self.ones.iter().map(|one| {
            let told = one.trial().and_then(&cell);
            told.unwrap_or_else(|| (nothing.to_owned(), Ink::Dim))
        });
        Row {
            name: name.to_owned(),
            cells: cells.collect(),
            is_result: false,
        }
    }

    /// A row of numbers, the best of them marked.
    fn figures(
        &self,
        name: &str,
        direction: Option<Direction>,
        value: impl Fn(&One<'_>) -> Option<f64>,
    ) -> Row {
        let symbols = self.style.symbols();
        let values: Vec<Option<f64>> = self.ones.iter().map(value).collect();
        let best = direction.and_then(|direction| best(&values, direction));
        let cells = values.iter().map(|value| match value {
            Some(value) if Some(*value) == best => {
                let star = symbols.mark(MarkKind::Best);
                (format!("{star} {}", number::metric(*value)), Ink::Best)
            }
            Some(value) => (number::metric(*value), Ink::Plain),
            None => (symbols.nothing.to_owned(), Ink::Dim),
        });
        Row {
            name: name.to_owned(),
            cells: cells.collect(),
            is_result: false,
        }
    }
}

/// The best of several values; nothing where there is nothing to compare.
fn best(values: &[Option<f64>], direction: Direction) -> Option<f64> {
    let known = || values.iter().flatten().filter(|value| !value.is_nan());
    let first = known().next()?;
    if known().all(|value| value == first) {
        return None;
    }
    known().copied().reduce(|best, value| {
        if direction.better(value, best) {
            value
        } else {
            best
        }
    })
}

/// Where in the table one is.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// The column of the chosen trial.
    pub(super) chosen: usize,
    /// The first row and the first column in sight.
    top: usize,
    left: usize,
    rows: usize,
    body: Rect,
    /// Where columns were drawn last.
    columns: Vec<(Rect, usize)>,
}

/// Between two columns, and the widest and the narrowest one.
const GAP: u16 = 2;
const WIDEST: u16 = 26;
const LEAST: u16 = 8;

impl Table {
    /// A command that scrolls; says whether it was one.
    pub(super) fn act(&mut self, command: Command) -> bool {
        let page = usize::from(self.body.height).max(1);
        let last = self.rows.saturating_sub(page);
        self.top = match command {
            Command::Down => self.top + 1,
            Command::Up => self.top.saturating_sub(1),
            Command::PageDown => self.top + page,
            Command::PageUp => self.top.saturating_sub(page),
            Command::Top => 0,
            Command::Bottom => last,
            _ => return false,
        }
        .min(last);
        true
    }

    /// The mouse; says whether it meant anything, and whether the chosen trial is to be opened.
    pub(super) fn pointer(&mut self, pointer: Pointer) -> (bool, bool) {
        let at = (pointer.x, pointer.y).into();
        let column = self.columns.iter().find(|(area, _)| area.contains(at));
        match pointer.deed {
            Press::Click | Press::DoubleClick => match column {
                Some(&(_, column)) => {
                    self.chosen = column;
                    (true, pointer.deed == Press::DoubleClick)
                }
                None => (false, false),
            },
            _ if !self.body.contains(at) => (false, false),
            Press::WheelDown => (self.act(Command::Down), false),
            Press::WheelUp => (self.act(Command::Up), false),
            Press::Drag(..) | Press::Drop(..) => (false, false),
        }
    }

    /// Draws it; `rows` are those of [`rows`].
    pub(super) fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, ones: &[One<'_>], rows: &[Row]) {
        self.columns.clear();
        self.rows = rows.len();
        self.chosen = self.chosen.min(ones.len().saturating_sub(1));
        self.body = Rect {
            y: area.y + 1,
            height: area.height.saturating_sub(1),
            ..area
        };
        let page = usize::from(self.body.height);
        self.top = self.top.min(rows.len().saturating_sub(page));
        let names = rows.iter().map(|row| width(&row.name) as u16).max();
        let names = (names.unwrap_or(0) + 1).min(area.width * 2 / 5);
        let wide: Vec<u16> = (0..ones.len())
            .map(|n| column_width(ones, rows, n))
            .collect();
        let room = area.width.saturating_sub(names + GAP);
        self.left = first_column(&wide, self.left.min(self.chosen), self.chosen, room);
        let shown: Vec<&Row> = rows.iter().skip(self.top).take(page).collect();
        for (index, row) in shown.iter().enumerate() {
            let y = self.body.y + index as u16;
            let ink = if row.cells.is_empty() {
                Ink::Strong
            } else {
                Ink::Dim
            };
            let room = if row.cells.is_empty() {
                area.width
            } else {
                names
            };
            pen.text(area.x + 1, y, room.saturating_sub(1), &row.name, ink);
        }
        let mut x = area.x + names + GAP;
        for column in self.left..ones.len() {
            let room = area.right().saturating_sub(x);
            if room < LEAST.min(wide[column]) {
                break;
            }
            let wide = wide[column].min(room);
            let place = Rect::new(x, area.y, wide, area.height);
            self.column(pen, place, (&ones[column], column), &shown);
            self.columns.push((place, column));
            x += wide + GAP;
        }
        let hidden = ones.len() - self.left - self.columns.len();
        let sides = [(self.left, "left"), (hidden, "right")];
        let told: Vec<String> = sides
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, side)| format!("{count} more {side}"))
            .collect();
        pen.text(area.x + 1, area.y, names, &told.join(", "), Ink::Warning);
    }

    fn column(
        &self,
        pen: &mut Pen<'_>,
        place: Rect,
        (one, index): (&One<'_>, usize),
        rows: &[&Row],
    ) {
        let marker = pen.style.symbols().marker(index);
        let taken = pen.text(place.x, place.y, place.width, marker, Ink::Series(index)) + 1;
        let room = place.width.saturating_sub(taken);
        pen.text(place.x + taken, place.y, room, &one.id, Ink::Strong);
        if index == self.chosen {
            pen.choose(Rect { height: 1, ..place });
        }
        let lost = match one.detail {
            Loaded::Ready(_) => None,
            Loaded::Waiting => Some(("on its way", Ink::Dim)),
            Loaded::Failed(why) => Some((why, Ink::Bad)),
        };
        if let Some((text, ink)) = lost {
            pen.text(place.x, place.y + 1, place.width, text, ink);
            return;
        }
        for (line, row) in rows.iter().enumerate() {
            if let Some((text, ink)) = row.cells.get(index) {
                pen.text(place.x, place.y + 1 + line as u16, place.width, text, *ink);
            }
        }
    }
}

fn column_width(ones: &[One<'_>], rows: &[Row], column: usize) -> u16 {
    let cells = rows.iter().filter_map(|row| row.cells.get(column));
    let widest = cells
        .map(|(text, _)| width(&clean(text)))
        .max()
        .unwrap_or(0);
    let head = width(&ones[column].id) + 2;
    (widest.max(head).min(usize::from(WIDEST)) as u16).max(LEAST)
}

/// The first column in sight, from `from` on, so that the chosen one is in sight whole.
fn first_column(wide: &[u16], from: usize, chosen: usize, room: u16) -> usize {
    let needed = |first: usize| -> u16 {
        let columns = wide.iter().take(chosen + 1).skip(first);
        columns
            .map(|wide| wide + GAP)
            .sum::<u16>()
            .saturating_sub(GAP)
    };
    (from..chosen)
        .find(|&first| needed(first) <= room)
        .unwrap_or(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_better_than_another_one() {
        let values = [Some(0.5), None, Some(0.9), Some(f64::NAN)];
        assert_eq!(best(&values, Direction::Maximize), Some(0.9));
        assert_eq!(best(&values, Direction::Minimize), Some(0.5));
        assert_eq!(best(&values[..2], Direction::Minimize), None);
        assert_eq!(best(&[Some(0.5); 3], Direction::Minimize), None);
    }

    #[test]
    fn the_chosen_column_is_in_sight() {
        let wide = [10, 10, 10, 10];
        assert_eq!(first_column(&wide, 0, 2, 100), 0);
        assert_eq!(first_column(&wide, 0, 2, 34), 0);
        assert_eq!(first_column(&wide, 0, 3, 34), 1);
        assert_eq!(first_column(&wide, 2, 3, 34), 2);
        assert_eq!(first_column(&wide, 0, 3, 5), 3);
    }
}
