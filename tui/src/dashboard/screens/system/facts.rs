//! How machine, daemon and store do, as facts that flow over as many lines as they need.

use super::history::{History, used};
use crate::gauge;
use crate::number::{self, bytes};
use crate::style::{Ink, Style};
use crate::text::{clean, flow, wrap};
use attune_protocol::DaemonStatus;
use ratatui::text::{Line, Span};
use std::time::Duration;

/// Columns of a bar, and of a spark line.
const BAR: usize = 10;
const SPARK: usize = 16;

/// So many accelerators are told of one by one.
const GPUS: usize = 8;

/// Everything above the tables, no wider than `room`.
pub(super) fn lines(
    status: &DaemonStatus,
    history: &History,
    (now, room): (u64, usize),
    style: Style,
) -> Vec<Line<'static>> {
    let say = Facts { style };
    let machine = &status.machine;
    let mut pieces = Vec::new();
    if !machine.host.is_empty() {
        pieces.push(say.strong(&machine.host));
    }
    if machine.cores > 0 {
        let load = history.load();
        let spark = gauge::spark(&load, SPARK, style);
        let told = format!("{:.2} of {} cores {spark}", machine.load.0, machine.cores);
        let is_over = machine.load.0 > 1.5 * f64::from(machine.cores);
        pieces.push(say.fact("load", &told, is_over));
    }
    if let Some((used, of)) = used(status) {
        let part = used as f64 / of as f64;
        let memory = gauge::spark(&history.memory(), SPARK, style);
        let told = format!("{} of {} {memory}", bytes(used), bytes(of));
        pieces.push(say.bar("memory", part, &told));
    }
    if machine.disk_free_bytes > 0 {
        let told = format!("{} free", bytes(machine.disk_free_bytes));
        pieces.push(say.fact("disk", &told, machine.disk_free_bytes < 1_000_000_000));
    }
    for (number, gpu) in machine.gpus.iter().take(GPUS).enumerate() {
        let mut told = format!("{}%", gpu.busy_percent);
        if gpu.memory_bytes > 0 {
            told = format!(
                "{told}, {} of {}",
                bytes(gpu.used_bytes),
                bytes(gpu.memory_bytes)
            );
        }
        let name = format!("gpu {number} {}", gpu.name);
        pieces.push(say.bar(&name, f64::from(gpu.busy_percent) / 100.0, &told));
    }
    // What wants attention comes first, and what can be left out last.
    let mut lines = Vec::new();
    if let Some(idle) = &status.idle {
        lines.extend(wrap(say.head("idle:", Ink::Warning), idle, room, style));
    }
    for warning in &status.warnings {
        lines.extend(wrap(
            say.head("warning:", Ink::Warning),
            warning,
            room,
            style,
        ));
    }
    lines.extend(say.flow(pieces, room));
    lines.extend(say.flow(store(&say, status), room));
    lines.extend(say.flow(daemon(&say, status, now), room));
    lines
}

fn daemon(say: &Facts, status: &DaemonStatus, now: u64) -> Vec<Line<'static>> {
    let up = Duration::from_millis(now.saturating_sub(status.started_unix_ms));
    let place = if status.embedded {
        ", inside a command"
    } else {
        ""
    };
    let mut pieces = vec![
        say.strong(&format!("attune {}", status.version)),
        say.fact("up", &number::clock(up), false),
        say.fact("pid", &format!("{}{place}", status.pid), false),
        say.fact("memory", &bytes(status.memory_bytes), false),
    ];
    for address in &status.listens {
        pieces.push(say.fact("listens on", address, false));
    }
    pieces.push(say.fact("state in", &status.state_dir, false));
    pieces
}

fn store(say: &Facts, status: &DaemonStatus) -> Vec<Line<'static>> {
    let kept = status.checkpoint_bytes;
    let budget = status.checkpoint_budget_bytes;
    let part = kept as f64 / budget.max(1) as f64;
    let told = format!("{} of at most {}", bytes(kept), bytes(budget));
    vec![
        say.fact("store", &bytes(status.store_bytes), false),
        say.bar("checkpoints and models", part, &told),
    ]
}

/// Says facts in one style.
struct Facts {
    style: Style,
}

impl Facts {
    fn head(&self, text: &str, ink: Ink) -> Span<'static> {
        Span::styled(clean(text).into_owned(), self.style.ink(ink))
    }

    fn strong(&self, text: &str) -> Line<'static> {
        Line::from(self.head(text, Ink::Strong))
    }

    fn fact(&self, name: &str, text: &str, is_bad: bool) -> Line<'static> {
        let ink = if is_bad { Ink::Warning } else { Ink::Plain };
        // Not by colour alone.
        let mark = if is_bad { " !" } else { "" };
        Line::from(vec![
            self.head(&format!("{name} "), Ink::Dim),
            self.head(&format!("{text}{mark}"), ink),
        ])
    }

    fn bar(&self, name: &str, part: f64, text: &str) -> Line<'static> {
        let mut line = self.fact(name, "", false);
        line.spans.extend(gauge::bar(part, BAR, self.style));
        let (mark, ink) = if part > 0.9 {
            (" !", Ink::Warning)
        } else {
            ("", Ink::Plain)
        };
        line.spans.push(self.head(&format!(" {text}{mark}"), ink));
        line
    }

    fn flow(&self, pieces: Vec<Line<'static>>, room: usize) -> Vec<Line<'static>> {
        flow(pieces, 3, room, self.style.symbols().ellipsis)
    }
}
