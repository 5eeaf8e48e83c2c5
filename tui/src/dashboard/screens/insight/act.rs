//! What keys and the mouse do on the plots.

use super::brush::Brush;
use super::{Insight, Part, table};
use crate::dashboard::cx::Cx;
use crate::dashboard::keys::Command;
use crate::dashboard::screens::Pointer;

impl Insight {
    /// The name of the setting that is chosen among the bars.
    fn bar(&self, cx: &Cx<'_>) -> Option<String> {
        let insight = cx.data.insight(self.study.as_deref()?).ready()?;
        let part = insight.importance.get(self.bars.chosen)?;
        Some(part.name.clone())
    }

    pub(super) fn open(&mut self, cx: &mut Cx<'_>) {
        let Some(study) = self.study.clone() else {
            return;
        };
        match self.part {
            Part::Importance => {
                let name = self.bar(cx);
                self.turn_to(Part::Slices, cx);
                self.choose_again(name);
            }
            Part::Timeline => {
                if let Some(trial) = self.timeline_trial(cx) {
                    cx.open_trial(&trial);
                }
            }
            Part::Parallel | Part::Slices => match self.table.filter() {
                Ok(Some(filter)) => cx.open_filtered(&study, filter),
                Ok(None) => cx.tell("space brushes a part of the chosen setting first"),
                Err(name) => cx.complain(format!(
                    "no filter can name the values of {name}: take its brush away with space"
                )),
            },
        }
    }

    fn timeline_trial(&self, cx: &Cx<'_>) -> Option<String> {
        let study = self.study.as_deref()?;
        let row = cx.data.rows(study)?.row(self.timeline.chosen()? as usize)?;
        Some(format!("{study}.{}", row.number))
    }

    /// Makes a brush around the best trial, or takes it away.
    fn toggle_brush(&mut self) {
        let brush = match self.table.brush(self.chosen) {
            Some(_) => None,
            None => {
                let best = self.table.best(1).first().copied();
                let column = self.table.columns.get(self.chosen);
                column.and_then(|column| {
                    let value = best.and_then(|place| column.values.get(place as usize).copied());
                    Brush::around(&column.scale, value)
                })
            }
        };
        self.table.set_brush(self.chosen, brush);
    }

    /// Changes the brush of the chosen column, if it has one.
    fn change_brush(&mut self, command: Command, cx: &mut Cx<'_>) {
        let Some(column) = self.table.columns.get(self.chosen) else {
            return;
        };
        let Some(brush) = self.table.brush(self.chosen) else {
            cx.tell("space brushes a part of the chosen setting first");
            return;
        };
        let scale = &column.scale;
        let changed = match command {
            Command::Up => Some(brush.moved(scale, true)),
            Command::Down => Some(brush.moved(scale, false)),
            Command::ZoomIn => brush.widened(scale, false),
            _ => brush.widened(scale, true),
        };
        self.table.set_brush(self.chosen, changed);
    }

    /// A command in the parts that have brushes.
    pub(super) fn act_on_columns(&mut self, command: Command, cx: &mut Cx<'_>) -> bool {
        match command {
            Command::CursorLeft => self.chosen = self.chosen.saturating_sub(1),
            Command::CursorRight => self.chosen = (self.chosen + 1).min(self.last_column()),
            Command::Mark => self.toggle_brush(),
            Command::Fit => self.table.clear_brushes(),
            Command::Up | Command::Down | Command::ZoomIn | Command::ZoomOut => {
                self.change_brush(command, cx);
            }
            _ => return false,
        }
        true
    }

    /// The brush that the mouse was dragged over.
    pub(super) fn drag(&mut self, pointer: Pointer, from: (u16, u16)) -> bool {
        let (column, brush) = match self.part {
            Part::Parallel => {
                let Some(index) = self.parallel.axis_at(from.0, from.1) else {
                    return false;
                };
                let column = self.table.columns.get(index);
                let brush = |c: &table::Column| self.parallel.brush(&c.scale, from.1, pointer.y);
                (index, column.and_then(brush))
            }
            Part::Slices if self.slices.holds(from.0, from.1) => {
                let column = self.table.columns.get(self.chosen);
                let brush = |c: &table::Column| self.slices.brush(&c.scale, from.0, pointer.x);
                (self.chosen, column.and_then(brush))
            }
            _ => return false,
        };
        self.chosen = column;
        if self.table.brush(column) != brush.as_ref() {
            self.table.set_brush(column, brush);
        }
        true
    }

    pub(super) fn act_on_bars(&mut self, command: Command, cx: &Cx<'_>) -> bool {
        let insight = self
            .study
            .as_deref()
            .and_then(|id| cx.data.insight(id).ready());
        let count = insight.map_or(0, |insight| insight.importance.len());
        match command {
            Command::Up | Command::CursorLeft => self.bars.step(-1, count),
            Command::Down | Command::CursorRight => self.bars.step(1, count),
            Command::Mark | Command::ZoomIn | Command::ZoomOut | Command::Fit => {}
            _ => return false,
        }
        true
    }

    pub(super) fn act_on_timeline(&mut self, command: Command, cx: &mut Cx<'_>) -> bool {
        match command {
            Command::Mark => {
                if let Some(trial) = self.timeline_trial(cx) {
                    cx.focus.toggle(&trial);
                }
            }
            Command::CursorLeft
            | Command::CursorRight
            | Command::Up
            | Command::Down
            | Command::ZoomIn
            | Command::ZoomOut
            | Command::Fit => self.timeline.act(command),
            _ => return false,
        }
        true
    }

    /// A click chooses what is under it.
    pub(super) fn click(&mut self, pointer: Pointer) -> bool {
        let (x, y) = (pointer.x, pointer.y);
        match self.part {
            Part::Importance => match self.bars.at(x, y) {
                Some(chosen) => self.bars.chosen = chosen,
                None => return false,
            },
            Part::Parallel => match self.parallel.axis_at(x, y) {
                Some(chosen) => self.chosen = chosen,
                None => return false,
            },
            Part::Slices => return false,
            Part::Timeline => return self.timeline.point(x, y),
        }
        true
    }
}
