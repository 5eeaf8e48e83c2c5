//! The parts of the page: the parameters, what the scheduler is, and its schedule.

use super::values::{self, Setting};
use super::{Plugins, about, preview};
use crate::dashboard::cx::Cx;
use crate::dashboard::grid::{Heading, Text};
use crate::dashboard::pen::{Pen, split_top};
use crate::style::Ink;
use ratatui::layout::Rect;

impl Plugins {
    /// The parameters of the chosen scheduler, and what the chosen one means.
    pub(super) fn draw_parameters(&mut self, pen: &mut Pen<'_>, area: Rect) {
        let inside = pen.heading(
            area,
            "Parameters",
            "e changes one, 0 sets all to their defaults",
        );
        let Some(scheduler) = self.scheduler() else {
            about::say(
                pen,
                inside,
                "",
                "nothing could be read from this library",
                Ink::Dim,
            );
            return;
        };
        let settings = values::params(scheduler);
        let doc = if inside.height >= 8 { 3 } else { 0 };
        let (table, low) = split_top(inside, inside.height - doc);
        let headings = [
            Heading::word("parameter"),
            Heading::word("value").most(16),
            Heading::word("default").rank(3).most(12),
            Heading::word("takes").most(40),
            Heading::word("searched").rank(2),
        ];
        let values = &self.values;
        self.settings
            .draw(pen, table, &headings, settings.len(), |index| {
                let setting = &settings[index];
                let param = &setting.param;
                let (value, is_changed) = values.get(setting);
                let ink = if is_changed { Ink::Accent } else { Ink::Plain };
                let mark = if is_changed { " *" } else { "" };
                let cells: Vec<Text> = vec![
                    (
                        param.name.clone().into(),
                        if setting.is_own() {
                            Ink::Dim
                        } else {
                            Ink::Strong
                        },
                    ),
                    (format!("{value}{mark}").into(), ink),
                    (param.default.to_string().into(), Ink::Dim),
                    (param.takes().into(), Ink::Plain),
                    (param.searched().into(), Ink::Dim),
                ];
                (cells, false)
            });
        if let Some(Setting { param, .. }) = settings.get(self.settings.chosen) {
            let searched = match param.searched() {
                range if range.is_empty() => range,
                range => format!(", searched {range}"),
            };
            let text = format!("{} (default {}{searched})", param.doc, param.default);
            about::say(pen, low, "", &text, Ink::Dim);
        }
    }

    pub(super) fn draw_about(&self, pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>) {
        if let (Some(entry), Some(info)) = (self.chosen(), self.info(cx)) {
            about::about(pen, area, entry, info, cx);
        }
    }

    pub(super) fn draw_preview(&mut self, pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>) {
        let Some(name) = self.scheduler().map(|scheduler| scheduler.name.clone()) else {
            let inside = pen.heading(area, "Preview", "");
            about::say(pen, inside, "", "there is no schedule to show", Ink::Dim);
            return;
        };
        preview::draw(pen, area, &name, &self.values, &mut self.picture, cx);
    }

    /// The chosen parameter in a line, above a preview that fills the page.
    pub(super) fn draw_param(&self, pen: &mut Pen<'_>, line: Rect) {
        let Some(setting) = self.setting() else {
            return;
        };
        let (value, _) = self.values.get(&setting);
        let told = format!("{} = {value}", setting.param.name);
        let pieces = [
            (told.as_str(), Ink::Strong),
            ("   up and down choose a parameter, e changes it", Ink::Dim),
        ];
        pen.pieces(line.x + 1, line.y, line.width.saturating_sub(1), &pieces);
    }
}
