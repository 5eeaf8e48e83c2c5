//! What is shown above a screen and takes all keys while it is there: help, palette, questions.

mod dialog;
mod help;
mod palette;

pub(crate) use dialog::{Dialog, Entry, Purpose};
pub(crate) use help::Help;
pub(crate) use palette::Palette;

use super::cx::Cx;
use super::keys::Command;
use super::pen::Pen;
use super::screens::Press;
use ratatui::crossterm::event::KeyEvent;
use ratatui::layout::Rect;

/// What is shown above a screen.
#[derive(Debug)]
pub(crate) enum Overlay {
    Help(Help),
    Palette(Palette),
    Dialog(Dialog),
}

/// What an overlay came to.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It stays.
    Stay,
    /// It goes.
    Close,
    /// It goes, and this command is carried out.
    Run(Command),
    /// It goes, and this was answered.
    Answer(Purpose, Vec<String>),
}

impl Overlay {
    pub(crate) fn key(&mut self, event: &KeyEvent) -> Verdict {
        match self {
            Overlay::Help(help) => help.key(event),
            Overlay::Palette(palette) => palette.key(event),
            Overlay::Dialog(dialog) => dialog.key(event),
        }
    }

    pub(crate) fn paste(&mut self, text: &str) {
        match self {
            Overlay::Help(_) => {}
            Overlay::Palette(palette) => palette.paste(text),
            Overlay::Dialog(dialog) => dialog.paste(text),
        }
    }

    pub(crate) fn pointer(&mut self, x: u16, y: u16, press: Press) -> Verdict {
        match self {
            Overlay::Help(help) => help.pointer(press),
            Overlay::Palette(palette) => palette.pointer(x, y, press),
            Overlay::Dialog(dialog) => dialog.pointer(x, y, press),
        }
    }

    pub(crate) fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>) {
        match self {
            Overlay::Help(help) => help.draw(pen, area),
            Overlay::Palette(palette) => palette.draw(pen, area),
            Overlay::Dialog(dialog) => dialog.draw(pen, area, cx),
        }
    }
}
