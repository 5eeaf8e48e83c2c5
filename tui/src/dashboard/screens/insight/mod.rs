//! What a study teaches about its settings: which of them matter, how they go together, what each
//! does, and how the time was used.

mod act;
mod brush;
mod cloud;
mod importance;
mod lanes;
mod parallel;
mod scale;
mod slices;
mod table;
mod timeline;

use super::tabs::{Tabs, beside};
use super::{Pointer, Press, Screen, Wants};
use crate::dashboard::cx::Cx;
use crate::dashboard::data::want::{Fresh, Want};
use crate::dashboard::deed::Subject;
use crate::dashboard::keys::{Command, Group};
use crate::dashboard::pen::{Pen, inset, split_top};
use crate::style::Ink;
use attune_protocol::{StudyState, StudySummary};
use importance::Bars;
use parallel::Parallel;
use ratatui::layout::Rect;
use slices::Slices;
use table::{Source, Table};
use timeline::Timeline;

/// The screen.
#[derive(Debug, Default)]
pub(crate) struct Insight {
    part: Part,
    /// Which study the choices were made for.
    study: Option<String>,
    table: Table,
    /// The column that is chosen.
    chosen: usize,
    bars: Bars,
    parallel: Parallel,
    slices: Slices,
    timeline: Timeline,
    tabs: Tabs<Part>,
}

/// The plots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Part {
    #[default]
    Importance,
    Parallel,
    Slices,
    Timeline,
}

impl Part {
    const ALL: [Part; 4] = [
        Part::Importance,
        Part::Parallel,
        Part::Slices,
        Part::Timeline,
    ];

    fn title(self) -> &'static str {
        match self {
            Part::Importance => "importance",
            Part::Parallel => "parallel",
            Part::Slices => "slices",
            Part::Timeline => "timeline",
        }
    }
}

/// How old an answer may be while the study runs, and after.
const FRESH: u64 = 5_000;
const OLD: u64 = 600_000;

impl Insight {
    /// The study to be shown may be another one than before, and its trials may be others.
    fn follow(&mut self, cx: &Cx<'_>) {
        if self.study != cx.focus.study {
            *self = Insight {
                study: cx.focus.study.clone(),
                part: self.part,
                ..Insight::default()
            };
        }
        let Some(study) = self.study.as_deref() else {
            return;
        };
        let (Some(summary), Some(rows)) = (cx.data.study(study), cx.data.rows(study)) else {
            return;
        };
        let is_running = summary.state == StudyState::Running;
        match self.part {
            Part::Importance => {}
            Part::Timeline => self.timeline.refresh(rows, cx.now, is_running),
            Part::Parallel | Part::Slices => {
                let detail = cx.data.detail(study).ready();
                let before = self.column_name(self.chosen);
                let source = Source {
                    rows,
                    direction: summary.direction,
                    spec: detail.map_or("", |detail| detail.spec.as_str()),
                    insight: cx.data.insight(study).ready(),
                    plugins: cx.data.plugins().ready().map_or(&[], Vec::as_slice),
                    is_running,
                };
                self.table.refresh(&source, cx.now);
                self.choose_again(before);
            }
        }
    }

    fn column_name(&self, column: usize) -> Option<String> {
        let column = self.table.columns.get(column);
        column.map(|column| column.name.clone())
    }

    /// The columns may have another order now; the same one stays chosen.
    fn choose_again(&mut self, name: Option<String>) {
        let columns = &self.table.columns;
        let place = name.and_then(|name| columns.iter().position(|c| c.name == name));
        self.chosen = place.unwrap_or(self.chosen).min(self.last_column());
    }

    /// The last column that can be chosen: slices have none of the value itself.
    fn last_column(&self) -> usize {
        match self.part {
            Part::Slices => self.table.settings().len().saturating_sub(1),
            _ => self.table.columns.len().saturating_sub(1),
        }
    }

    fn turn_to(&mut self, part: Part, cx: &Cx<'_>) {
        self.part = part;
        self.follow(cx);
        self.chosen = self.chosen.min(self.last_column());
    }

    fn draw_part(&mut self, pen: &mut Pen<'_>, area: Rect, study: &StudySummary, cx: &Cx<'_>) {
        if self.part == Part::Importance {
            self.bars.draw(pen, area, &study.id, cx);
            return;
        }
        let Some(rows) = cx.data.rows(&study.id) else {
            pen.say(area, "the trials are on their way", Ink::Dim);
            return;
        };
        if self.part == Part::Timeline {
            self.timeline.draw(pen, area, &study.id, rows, cx);
            return;
        }
        if self.table.settings().is_empty() {
            let text = match (rows.complete, self.table.columns.is_empty()) {
                (false, _) => "the trials are on their way",
                (true, true) => "no trial has a result yet: plots begin with the first ones",
                (true, false) => {
                    "no setting differs between the trials: there is nothing to compare"
                }
            };
            pen.say(area, text, Ink::Dim);
            return;
        }
        let (plot, foot) = split_top(area, area.height - 1);
        match self.part {
            Part::Parallel => self.parallel.draw(pen, plot, &self.table, self.chosen),
            _ => self
                .slices
                .draw(pen, plot, &self.table, self.chosen, &study.metric),
        }
        self.foot(pen, foot);
    }

    /// What is brushed, and how many trials that leaves.
    fn foot(&self, pen: &mut Pen<'_>, line: Rect) {
        if self.table.brushes.is_empty() {
            let text = "left and right choose a setting, space or a drag of the mouse brushes it";
            pen.say(line, text, Ink::Dim);
            return;
        }
        let count = format!(
            "{} of {} trials: ",
            self.table.brushed.len(),
            self.table.trials
        );
        let filter = match self.table.filter() {
            Ok(filter) => filter.unwrap_or_default(),
            Err(name) => format!("a part of {name}"),
        };
        let line = inset(line);
        pen.pieces(
            line.x,
            line.y,
            line.width,
            &[(&count, Ink::Strong), (&filter, Ink::Warning)],
        );
    }
}

impl Screen for Insight {
    fn groups(&self) -> &'static [Group] {
        &[Group::Insight]
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
        let runs = cx
            .data
            .study(&study)
            .is_some_and(|study| matches!(study.state, StudyState::Running | StudyState::Queued));
        let age = if runs { FRESH } else { OLD };
        wants.table(&study);
        wants.answer(Want::Insight(study.clone()), Fresh::Within(age));
        wants.answer(Want::Study(study), Fresh::Within(OLD));
    }

    fn act(&mut self, command: Command, cx: &mut Cx<'_>) -> bool {
        match command {
            Command::NextPart => self.turn_to(beside(&Part::ALL, self.part, 1), cx),
            Command::PreviousPart => self.turn_to(beside(&Part::ALL, self.part, -1), cx),
            Command::Open => self.open(cx),
            command => {
                return match self.part {
                    Part::Importance => self.act_on_bars(command, cx),
                    Part::Timeline => self.act_on_timeline(command, cx),
                    Part::Parallel | Part::Slices => self.act_on_columns(command, cx),
                };
            }
        }
        true
    }

    fn subjects(&self, _cx: &Cx<'_>) -> Vec<Subject> {
        self.study.clone().map(Subject::Study).into_iter().collect()
    }

    fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>) {
        self.follow(cx);
        let study = self.study.as_deref().and_then(|id| cx.data.study(id));
        let Some(study) = study else {
            let text = "no study is chosen: 1 lists all of them";
            pen.say(area, text, Ink::Dim);
            return;
        };
        let (line, rest) = split_top(area, 1);
        let parts = Part::ALL.map(|part| (part, part.title()));
        self.tabs.draw(pen, line, parts, self.part);
        self.draw_part(pen, rest, study, cx);
    }

    fn pointer(&mut self, pointer: Pointer, cx: &mut Cx<'_>) -> bool {
        match pointer.deed {
            Press::Click | Press::DoubleClick => {
                if let Some(part) = self.tabs.at(pointer.x, pointer.y) {
                    self.turn_to(part, cx);
                    return true;
                }
                let meant = self.click(pointer);
                if meant && pointer.deed == Press::DoubleClick {
                    self.open(cx);
                }
                meant
            }
            Press::Drag(x, y) => self.drag(pointer, (x, y)),
            Press::Drop(x, y) if self.part == Part::Timeline => {
                self.timeline.zoom_to((x, y), pointer.x);
                true
            }
            Press::Drop(x, y) => self.drag(pointer, (x, y)),
            Press::WheelUp | Press::WheelDown => {
                let command = match (self.part, pointer.deed) {
                    (Part::Timeline, Press::WheelUp) => Command::ZoomIn,
                    (Part::Timeline, _) => Command::ZoomOut,
                    (_, Press::WheelUp) => Command::Up,
                    _ => Command::Down,
                };
                self.act(command, cx)
            }
        }
    }
}
