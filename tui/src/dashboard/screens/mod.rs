//! The screens. Each keeps what the user chose on it, says what it wants to know, and draws what
//! there is.

pub(crate) mod compare;
pub(crate) mod insight;
pub(crate) mod launch;
pub(crate) mod picture;
pub(crate) mod plugins;
pub(crate) mod steps;
pub(crate) mod studies;
pub(crate) mod study;
pub(crate) mod system;
pub(crate) mod tabs;
pub(crate) mod trial;

use super::cx::Cx;
use super::data::want::{Fresh, Want};
use super::deed::Subject;
use super::keys::{Command, Group};
use super::pen::Pen;
use ratatui::crossterm::event::KeyEvent;
use ratatui::layout::Rect;

/// What the mouse did, where on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pointer {
    pub(crate) x: u16,
    pub(crate) y: u16,
    pub(crate) deed: Press,
}

/// What the mouse can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Press {
    Click,
    DoubleClick,
    /// Moved with the button held; the place where it was pressed.
    Drag(u16, u16),
    /// Let go after it was moved; the place where it was pressed.
    Drop(u16, u16),
    WheelUp,
    WheelDown,
}

/// A screen.
pub(crate) trait Screen {
    /// The groups of bindings that hold here, in their order of precedence.
    fn groups(&self) -> &'static [Group];

    /// What stands behind the screen's name at the head, such as the study's name.
    fn title(&self, cx: &Cx<'_>) -> String;

    /// What it needs to know, now.
    fn wants(&mut self, cx: &mut Cx<'_>, wants: &mut Wants);

    /// A command of one of its groups. Those of [`Group::Deeds`] come only where the screen does
    /// not leave them to the dashboard ([`Screen::act`] answers false).
    fn act(&mut self, command: Command, cx: &mut Cx<'_>) -> bool;

    /// What deeds are about: what is marked, or what is chosen.
    fn subjects(&self, cx: &Cx<'_>) -> Vec<Subject>;

    /// Draws itself.
    fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>);

    /// The mouse did something inside its area; whether it meant anything here.
    fn pointer(&mut self, _pointer: Pointer, _cx: &mut Cx<'_>) -> bool {
        false
    }

    /// Whether keys are being typed into it: then only control and function keys are commands.
    fn is_typing(&self) -> bool {
        false
    }

    /// Whether it waits for a moment to pass, such as for what is typed to rest.
    fn is_waiting(&self, _cx: &Cx<'_>) -> bool {
        false
    }

    /// A key, while it is typed into.
    fn key(&mut self, _event: &KeyEvent, _cx: &mut Cx<'_>) {}

    /// Something was pasted, while it is typed into.
    fn paste(&mut self, _text: &str, _cx: &mut Cx<'_>) {}

    /// A filter was typed for it.
    fn set_filter(&mut self, _text: &str, _cx: &mut Cx<'_>) {}

    /// A study file, and where it lies, to fill a form with.
    fn fill(&mut self, _spec: String, _file: String, _cx: &mut Cx<'_>) {}

    /// A question of its own was answered.
    fn answered(&mut self, _name: &str, _answers: &[String], _cx: &mut Cx<'_>) {}

    /// The columns were chosen for it.
    fn set_columns(&mut self, _columns: &[String], _cx: &mut Cx<'_>) {}
}

/// What a screen wants, collected.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    pub(crate) answers: Vec<(Want, Fresh)>,
    /// Studies whose tables it shows.
    pub(crate) tables: Vec<String>,
    /// Study, metric and trials whose curves it shows.
    pub(crate) curves: Vec<(String, String, Vec<u32>)>,
}

impl Wants {
    pub(crate) fn answer(&mut self, want: Want, fresh: Fresh) {
        self.answers.push((want, fresh));
    }

    pub(crate) fn table(&mut self, study: &str) {
        self.tables.push(study.to_owned());
    }

    pub(crate) fn curves(&mut self, study: &str, metric: &str, trials: Vec<u32>) {
        self.curves
            .push((study.to_owned(), metric.to_owned(), trials));
    }
}
