//! What a scheduler is, where it comes from and how it does.

use super::describe::Entry;
use crate::dashboard::cx::Cx;
use crate::dashboard::grid::{Grid, Heading, Text};
use crate::dashboard::pen::{Pen, inset};
use crate::number;
use crate::style::{Ink, Style};
use crate::text::{clean, wrap};
use attune_protocol::PluginInfo;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// How a library does, in a word.
pub(super) fn health(info: &PluginInfo) -> (&'static str, Ink) {
    match (&info.quarantine, &info.error) {
        (Some(_), _) => ("quarantined", Ink::Warning),
        (None, Some(_)) => ("error", Ink::Bad),
        (None, None) => ("ok", Ink::Plain),
    }
}

/// The list of schedulers.
pub(super) fn list(
    pen: &mut Pen<'_>,
    area: Rect,
    grid: &mut Grid,
    entries: &[Entry],
    plugins: &[PluginInfo],
) {
    let headings = [
        Heading::word("scheduler"),
        Heading::word("library").rank(1).most(20),
        Heading::word("version").rank(2).still(),
        Heading::word("health"),
        Heading::word("what it does").rank(3).most(60).still(),
    ];
    grid.draw(pen, area, &headings, entries.len(), |index| {
        let entry = &entries[index];
        let info = plugins.get(entry.plugin);
        let (health, ink) = info.map_or(("", Ink::Plain), health);
        let what = match (&entry.scheduler, info) {
            (Some(scheduler), _) => scheduler.summary.clone(),
            (None, Some(info)) => info.error.clone().unwrap_or_default(),
            (None, None) => String::new(),
        };
        let cells: Vec<Text> = vec![
            (entry.name.clone().into(), Ink::Strong),
            (entry.library.clone().into(), Ink::Plain),
            (entry.version.clone().into(), Ink::Dim),
            (health.into(), ink),
            (what.into(), Ink::Dim),
        ];
        (cells, false)
    });
}

/// Everything that is known of a scheduler but its parameters.
pub(super) fn about(pen: &mut Pen<'_>, area: Rect, entry: &Entry, info: &PluginInfo, cx: &Cx<'_>) {
    let inside = inset(pen.heading(area, &entry.name, health(info).0));
    let (style, room) = (pen.style, inside.width);
    let mut lines = Vec::new();
    let mut fact = |name: &'static str, ink: Ink, text: &str| {
        let head = head(name, ink, style);
        lines.extend(wrap(head, text, room.into(), style));
    };
    if let Some(quarantine) = &info.quarantine {
        let since = number::ago(quarantine.unix_ms, cx.now);
        let text = format!("since {since}: {}; x lets it run again", quarantine.reason);
        fact("quarantined", Ink::Warning, &text);
    }
    if let Some(error) = &info.error {
        fact("error", Ink::Bad, error);
        if info.quarantine.is_none() {
            fact(
                "then",
                Ink::Dim,
                "mend or rebuild the library, and press r: it is looked at again",
            );
        }
    } else if entry.scheduler.is_none() && info.quarantine.is_none() {
        fact("error", Ink::Bad, "this library holds no scheduler");
    }
    if let Some(scheduler) = &entry.scheduler {
        fact("does", Ink::Dim, &scheduler.summary);
        let reads = match scheduler.reads.is_empty() {
            true => "nothing but the step".to_owned(),
            false => scheduler.reads.join(", "),
        };
        fact("reads", Ink::Dim, &reads);
        if !scheduler.reference.is_empty() {
            fact("after", Ink::Dim, &scheduler.reference);
        }
        let from = format!("{} {}", entry.library, entry.version);
        fact("library", Ink::Dim, &from);
    }
    fact("file", Ink::Dim, &info.path);
    if !info.hash.is_empty() || !info.fingerprint.is_empty() {
        let hash = info.hash.get(..16).unwrap_or(&info.hash);
        fact("build", Ink::Dim, &format!("{hash}  {}", info.fingerprint));
    }
    pen.lines(inside, &lines);
}

fn head(text: &'static str, ink: Ink, style: Style) -> Span<'static> {
    Span::styled(format!("{text:>7}"), style.ink(ink))
}

/// A sentence on as many lines as it needs.
pub(super) fn say(pen: &mut Pen<'_>, area: Rect, head: &'static str, text: &str, ink: Ink) {
    let area = inset(area);
    // Without a heading the first word stands in its place.
    let (head, ink, text) = match (head, text.split_once(' ')) {
        ("", Some((first, rest))) => (clean(first).into_owned(), ink, rest),
        (head, _) => (head.to_owned(), ink, text),
    };
    let head = Span::styled(head, pen.style.ink(ink));
    let lines: Vec<Line<'static>> = wrap(head, text, area.width.into(), pen.style);
    pen.lines(area, &lines);
}
