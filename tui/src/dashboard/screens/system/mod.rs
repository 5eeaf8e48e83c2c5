//! Workers, machine, store and log.

use super::{Screen, Wants};
use crate::dashboard::cx::Cx;
use crate::dashboard::deed::Subject;
use crate::dashboard::keys::{Command, Group};
use crate::dashboard::pen::Pen;
use ratatui::layout::Rect;

/// The screen.
#[derive(Debug, Default)]
pub(crate) struct System;

impl Screen for System {
    fn groups(&self) -> &'static [Group] {
        &[Group::System, Group::List]
    }

    fn title(&self, _cx: &Cx<'_>) -> String {
        String::new()
    }

    fn wants(&mut self, _cx: &mut Cx<'_>, _wants: &mut Wants) {}

    fn act(&mut self, _command: Command, _cx: &mut Cx<'_>) -> bool {
        false
    }

    fn subjects(&self, _cx: &Cx<'_>) -> Vec<Subject> {
        Vec::new()
    }

    fn draw(&mut self, _pen: &mut Pen<'_>, _area: Rect, _cx: &Cx<'_>) {}
}
