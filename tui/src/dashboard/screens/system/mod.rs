//! How the machine, the daemon, its workers and its store do, and what the log says.

mod facts;
mod history;
mod log;

use super::{Pointer, Screen, Wants};
use crate::dashboard::cx::{Cx, Step};
use crate::dashboard::data::want::{Fresh, Loaded, Want};
use crate::dashboard::deed::Subject;
use crate::dashboard::keys::{Command, Group};
use crate::dashboard::overlay::{Dialog, Entry, Overlay, Purpose};
use crate::dashboard::pen::{Pen, inset, split_left, split_top};
use crate::number::{self, bytes};
use crate::style::Ink;
use crate::table::{Cell, Column, Table};
use attune_protocol::DaemonStatus;
use history::History;
use log::Log;
use ratatui::layout::Rect;
use std::time::Duration;

/// The screen.
#[derive(Debug, Default)]
pub(crate) struct System {
    history: History,
    log: Log,
}

/// From this width on workers and queue can stand side by side.
const WIDE: u16 = 110;

/// Rows that the log has at least.
const LOG: u16 = 5;

/// A worker that has not been heard of for so many milliseconds is told of.
const SILENT: u64 = 10_000;

impl Screen for System {
    fn groups(&self) -> &'static [Group] {
        &[Group::System]
    }

    fn title(&self, cx: &Cx<'_>) -> String {
        let status = cx.data.status().ready();
        let host = status.map(|status| status.machine.host.clone());
        host.unwrap_or_default()
    }

    fn wants(&mut self, cx: &mut Cx<'_>, wants: &mut Wants) {
        if let Some(status) = cx.data.status().ready() {
            self.history.note(status, cx.now);
        }
        wants.answer(Want::Status, Fresh::Within(1_000));
        wants.answer(Want::Log(self.log.level()), Fresh::Within(2_000));
    }

    fn act(&mut self, command: Command, cx: &mut Cx<'_>) -> bool {
        match command {
            Command::Level => self.log.next_level(),
            Command::Filter => {
                let entry = Entry::text("holds", "a word; nothing shows all", &self.log.word);
                let dialog = Dialog::new(Purpose::Filter, "Find in the log", "", vec![entry]);
                cx.step(Step::Show(Overlay::Dialog(dialog)));
            }
            command => return self.log.act(command),
        }
        true
    }

    fn subjects(&self, _cx: &Cx<'_>) -> Vec<Subject> {
        Vec::new()
    }

    fn set_filter(&mut self, text: &str, _cx: &mut Cx<'_>) {
        text.clone_into(&mut self.log.word);
    }

    fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>) {
        let status = match cx.data.status() {
            Loaded::Ready(status) => status,
            Loaded::Waiting => {
                let text = "asking the daemon how it does";
                pen.say(area, text, Ink::Dim);
                return;
            }
            Loaded::Failed(why) => {
                pen.say(area, why, Ink::Bad);
                return;
            }
        };
        let inside = inset(area);
        let room = (cx.now, usize::from(inside.width));
        let facts = facts::lines(status, &self.history, room, pen.style);
        // The log keeps some rows, and so do the tables.
        let most = area.height.saturating_sub(LOG + 6);
        let (top, rest) = split_top(inside, (facts.len() as u16).min(most));
        pen.lines(top, &facts);
        let rest = Rect {
            x: area.x,
            width: area.width,
            ..rest
        };
        let rest = tables(pen, rest, status);
        self.log.draw(pen, rest, cx);
    }

    fn pointer(&mut self, pointer: Pointer, _cx: &mut Cx<'_>) -> bool {
        self.log.pointer(pointer)
    }
}

/// Workers and queue, side by side or one below the other; what is left below them.
fn tables(pen: &mut Pen<'_>, area: Rect, status: &DaemonStatus) -> Rect {
    // A heading, the columns' titles, and a row each; without any, a sentence in their place.
    let rows = |count: usize| if count == 0 { 2 } else { count as u16 + 2 };
    let (workers, studies) = (rows(status.workers.len()), rows(status.studies.len()));
    let most = area.height.saturating_sub(LOG);
    // One below the other what they do can be read; side by side there is more room for the log.
    if area.width >= WIDE && workers + studies > most {
        let (top, rest) = split_top(area, workers.max(studies).min(most));
        let (left, right) = split_left(top, area.width / 2);
        let left = Rect {
            width: left.width - 2,
            ..left
        };
        draw_workers(pen, left, status);
        draw_queue(pen, right, status);
        return rest;
    }
    let queue_rows = studies.min((most / 2).max(most.saturating_sub(workers)));
    let worker_rows = workers.min(most.saturating_sub(queue_rows));
    let (top, rest) = split_top(area, worker_rows);
    draw_workers(pen, top, status);
    let (top, rest) = split_top(rest, queue_rows);
    draw_queue(pen, top, status);
    rest
}

fn draw_workers(pen: &mut Pen<'_>, area: Rect, status: &DaemonStatus) {
    let workers = &status.workers;
    let note = match workers.len() {
        0 => String::new(),
        1 => "1 process".to_owned(),
        count => format!("{count} processes"),
    };
    let columns = [
        Column::right("id"),
        Column::right("pid").rank(3),
        Column::left("trial").at_least(6),
        Column::left("doing").at_least(10),
        Column::right("silent").rank(1),
        Column::right("memory").rank(2),
    ];
    let table = Table::new(columns).rows(workers.iter().map(|worker| {
        let (first, more) = match worker.trials.as_slice() {
            [] => ("", 0),
            [first, rest @ ..] => (first.as_str(), rest.len()),
        };
        let trial = match more {
            0 => first.to_owned(),
            more => format!("{first} +{more}"),
        };
        let is_silent = worker.silent_ms >= SILENT;
        let silent = number::duration(Duration::from_millis(worker.silent_ms));
        let ink = if is_silent { Ink::Warning } else { Ink::Dim };
        let mark = if is_silent { "! " } else { "" };
        vec![
            Cell::from(worker.id.to_string()),
            Cell::inked(worker.pid.to_string(), Ink::Dim),
            Cell::inked(trial, Ink::Strong),
            Cell::from(&worker.doing),
            Cell::inked(format!("{mark}{silent}"), ink),
            Cell::inked(bytes(worker.memory_bytes), Ink::Dim),
        ]
    }));
    let none = "none: they start when a study has trials to train";
    draw_table(pen, area, ("Workers", &note), &table, workers.len(), none);
}

fn draw_queue(pen: &mut Pen<'_>, area: Rect, status: &DaemonStatus) {
    let studies = &status.studies;
    let running: u32 = studies.iter().map(|study| study.running).sum();
    let queued: u32 = studies.iter().map(|study| study.queued).sum();
    let note = format!("{running} trials in training, {queued} wait");
    let columns = [
        Column::left("study"),
        Column::left("name").rank(1).at_least(8),
        Column::right("running"),
        Column::right("waiting"),
        Column::left("doing").at_least(12),
    ];
    let table = Table::new(columns).rows(studies.iter().map(|study| {
        vec![
            Cell::inked(&study.id, Ink::Strong),
            Cell::from(&study.name),
            Cell::from(study.running.to_string()),
            Cell::from(study.queued.to_string()),
            Cell::inked(&study.doing, Ink::Dim),
        ]
    }));
    let none = "no study is under way: N on the list of studies (1) launches one";
    draw_table(pen, area, ("Queue", &note), &table, studies.len(), none);
}

/// A table below a heading, as many rows as there is room for.
fn draw_table(
    pen: &mut Pen<'_>,
    area: Rect,
    (title, note): (&str, &str),
    table: &Table,
    rows: usize,
    none: &str,
) {
    let room = usize::from(area.height).saturating_sub(2);
    let hidden = rows.saturating_sub(room);
    let note = match hidden {
        0 => note.to_owned(),
        hidden => format!("{note}, {hidden} more than fit"),
    };
    let inside = inset(pen.heading(area, title, &note));
    if rows == 0 {
        if inside.height > 0 {
            pen.text(inside.x, inside.y, inside.width, none, Ink::Dim);
        }
        return;
    }
    let mut lines = table.lines(inside.width.into(), pen.style);
    // The heading above has a rule already.
    lines.remove(1);
    pen.lines(inside, &lines);
}
