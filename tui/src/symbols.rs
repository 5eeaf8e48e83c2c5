//! The marks that pictures are made of, in Unicode and in ASCII, side by side so that neither is
//! forgotten.

use crate::chart::MarkKind;
use attune_protocol::TrialState;

/// One set of marks.
pub(crate) struct Symbols {
    /// Stands for text that was cut off.
    pub(crate) ellipsis: &'static str,
    /// Between facts on one line.
    pub(crate) separator: &'static str,
    /// Under a table's heading.
    pub(crate) rule: &'static str,
    /// For a value that does not exist.
    pub(crate) nothing: &'static str,
    /// Done, half done and left of a progress bar.
    pub(crate) bar: [&'static str; 3],
    /// Levels of a spark line, low to high.
    pub(crate) sparks: &'static [&'static str],
    /// A plot's axes: upright, upright with a tick, corner, level, level with a tick.
    pub(crate) axes: [&'static str; 5],
    /// A box's corners (top left, top right, low left, low right), its level and its upright side.
    pub(crate) frame: [&'static str; 6],
    /// Around what can be turned to something else.
    pub(crate) turn: [&'static str; 2],
    /// Before a row that is marked.
    pub(crate) marked: &'static str,
    /// Behind the heading that a table is sorted by: rising, falling.
    pub(crate) sorted: [&'static str; 2],
    /// What tells one series of a plot from another.
    pub(crate) markers: &'static [&'static str],
    /// What stands for a value beyond a chart's lower and upper edge.
    pub(crate) beyond: [&'static str; 2],
    /// Curves that are not chosen, from the lowest layer up: stopped ones, others, and the band or
    /// the raw values of a chosen one.
    pub(crate) layers: [&'static str; 3],
    /// Upright lines in a chart: a guide, the anchor and the cross-hair.
    pub(crate) guide: &'static str,
    pub(crate) anchor: &'static str,
    pub(crate) cursor: &'static str,
    /// What happened to a trial, in the order of [`MarkKind`].
    marks: [&'static str; 6],
    /// A trial that trained to its end, was stopped, diverged, failed, or is none of these.
    states: [&'static str; 5],
}

impl Symbols {
    /// The mark of a trial's state. The state's name always stands beside it.
    pub(crate) fn state(&self, state: TrialState) -> &'static str {
        let [done, stopped, diverged, failed, other] = self.states;
        match state {
            TrialState::Done => done,
            TrialState::Stopped => stopped,
            TrialState::Diverged => diverged,
            TrialState::Failed | TrialState::Lost => failed,
            TrialState::Queued | TrialState::Running | TrialState::Paused => other,
        }
    }

    /// What stands on a curve where something happened.
    pub(crate) fn mark(&self, kind: MarkKind) -> &'static str {
        self.marks[kind as usize]
    }

    /// What marks the n-th series of a plot.
    pub(crate) fn marker(&self, index: usize) -> &'static str {
        self.markers[index % self.markers.len()]
    }
}

pub(crate) static UNICODE: Symbols = Symbols {
    ellipsis: "…",
    separator: " · ",
    rule: "─",
    nothing: "–",
    bar: ["━", "╸", "─"],
    sparks: &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    axes: ["│", "┤", "└", "─", "┴"],
    frame: ["╭", "╮", "╰", "╯", "─", "│"],
    turn: ["◂", "▸"],
    marked: "▌",
    sorted: ["▲", "▼"],
    markers: &["●", "■", "▲", "◆", "○", "□", "△", "◇", "▼", "✚", "✖", "▽"],
    beyond: ["↓", "↑"],
    layers: ["┈", "─", "░"],
    guide: "┊",
    anchor: "╎",
    cursor: "│",
    marks: ["⌂", "╪", "║", "┫", "★", "‡"],
    states: ["✓", "■", "!", "✗", "·"],
};

pub(crate) static ASCII: Symbols = Symbols {
    ellipsis: "...",
    separator: " - ",
    rule: "-",
    nothing: "-",
    bar: ["#", "#", "."],
    sparks: &["_", ".", "-", "=", "+", "*", "#"],
    axes: ["|", "+", "+", "-", "+"],
    frame: ["+", "+", "+", "+", "-", "|"],
    turn: ["<", ">"],
    marked: "*",
    sorted: ["^", "v"],
    markers: &["o", "x", "+", "*", "#", "@", "%", "&", "a", "b", "c", "d"],
    beyond: ["v", "^"],
    layers: [".", ",", "'"],
    guide: ":",
    anchor: "!",
    cursor: "|",
    marks: ["C", "R", "P", "E", "B", "H"],
    states: ["+", "-", "!", "x", "."],
};

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    fn every_mark(symbols: &Symbols) -> Vec<&'static str> {
        let mut marks = vec![symbols.rule, symbols.nothing];
        marks.extend(symbols.bar);
        marks.extend(symbols.axes);
        marks.extend(symbols.frame);
        marks.extend(symbols.turn);
        marks.extend(symbols.sorted);
        marks.push(symbols.marked);
        marks.extend(symbols.states);
        marks.extend(symbols.sparks);
        marks.extend(symbols.markers);
        marks.extend(symbols.beyond);
        marks.extend(symbols.layers);
        marks.extend([symbols.guide, symbols.anchor, symbols.cursor]);
        marks.extend(symbols.marks);
        marks
    }

    #[test]
    fn every_mark_is_one_column_wide() {
        for mark in every_mark(&UNICODE).into_iter().chain(every_mark(&ASCII)) {
            assert_eq!(mark.width(), 1, "{mark}");
        }
    }

    #[test]
    fn the_ascii_marks_are_ascii_and_markers_differ() {
        for mark in every_mark(&ASCII) {
            assert!(mark.is_ascii(), "{mark}");
        }
        assert!(ASCII.ellipsis.is_ascii() && ASCII.separator.is_ascii());
        for symbols in [&UNICODE, &ASCII] {
            let mut markers = symbols.markers.to_vec();
            markers.sort_unstable();
            markers.dedup();
            assert_eq!(markers.len(), symbols.markers.len());
        }
    }
}
