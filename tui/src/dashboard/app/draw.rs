//! The frame around the screens: the head with the screens' names, the foot with hints.

use super::{App, Effect};
use crate::dashboard::cx::Cx;
use crate::dashboard::data::Link;
use crate::dashboard::deed::Deed;
use crate::dashboard::keys::{self, Command, Place};
use crate::dashboard::pen::{Pen, split_top};
use crate::dashboard::shot;
use crate::number;
use crate::style::Ink;
use crate::text::width;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::time::Duration;

/// The least columns and rows that it can be used on.
const LEAST: (u16, u16) = (60, 20);

impl App {
    /// Draws everything.
    pub fn draw(&mut self, buffer: &mut Buffer) {
        self.dirty = false;
        let area = buffer.area;
        self.drawn = area;
        let style = self.style;
        let mut pen = Pen { buffer, style };
        pen.blank(area);
        if area.width < LEAST.0 || area.height < LEAST.1 {
            let text = format!(
                "attune needs {} x {} columns and rows; here are {} x {}",
                LEAST.0, LEAST.1, area.width, area.height
            );
            pen.text(area.x, area.y, area.width, &text, Ink::Warning);
            return;
        }
        let (head, rest) = split_top(area, 1);
        let (body, foot) = split_top(rest, rest.height - 1);
        self.body = body;
        let title = {
            let (screen, cx) = self.screen();
            screen.title(&cx)
        };
        self.head(&mut pen, head, &title);
        // Drawing changes only what screens remember of where things are.
        let mut focus = std::mem::take(&mut self.focus);
        let cx = Cx::new(&self.data, &mut focus, self.now, &self.folder);
        self.screens.at(self.place).draw(&mut pen, body, &cx);
        if let Some(overlay) = &mut self.overlay {
            overlay.draw(&mut pen, body, &cx);
        }
        self.focus = focus;
        self.foot(&mut pen, foot);
    }

    fn head(&mut self, pen: &mut Pen<'_>, area: Rect, title: &str) {
        self.tabs.clear();
        let mut x = area.x;
        // Names where there is room for all, else numbers for all but the one that is shown.
        let names: usize = Place::ALL.iter().map(|p| p.title().len() + 4).sum();
        let state = self.link_text();
        let room = usize::from(area.width).saturating_sub(width(&state) + width(title) + 6);
        for (index, place) in Place::ALL.into_iter().enumerate() {
            let here = place == self.place;
            let text = match here || names <= room {
                true => format!(" {} {} ", index + 1, place.title()),
                false => format!(" {} ", index + 1),
            };
            let ink = if here { Ink::Strong } else { Ink::Dim };
            let taken = pen.text(x, area.y, area.right() - x, &text, ink);
            let tab = Rect::new(x, area.y, taken, 1);
            if here {
                pen.choose(tab);
            }
            self.tabs.push((tab, place));
            x += taken;
        }
        let ink = match self.data.link {
            Link::Live => Ink::Dim,
            Link::Connecting | Link::Away(..) => Ink::Warning,
        };
        let state_room = width(&state) as u16 + 1;
        let left = area.right().saturating_sub(x + state_room + 2);
        pen.text(x + 1, area.y, left, title, Ink::Strong);
        let x = area.right().saturating_sub(state_room).max(x);
        pen.right(x, area.y, area.right() - x, &state, ink);
    }

    fn link_text(&self) -> String {
        match &self.data.link {
            Link::Live => String::new(),
            Link::Connecting => "connecting".to_owned(),
            Link::Away(since, _) => {
                let away = Duration::from_millis(self.now.saturating_sub(*since));
                format!("daemon away for {}", number::clock(away))
            }
        }
    }

    fn foot(&mut self, pen: &mut Pen<'_>, area: Rect) {
        if let Some(told) = &self.told {
            let ink = if told.is_bad { Ink::Bad } else { Ink::Accent };
            pen.text(area.x, area.y, area.width, &told.text, ink);
            return;
        }
        if let Some((study, at)) = self.doomed.first() {
            let left = at.saturating_sub(self.now).div_ceil(1_000);
            let text = format!("{study} is deleted in {left} s: u takes it back");
            pen.text(area.x, area.y, area.width, &text, Ink::Warning);
            return;
        }
        if let Link::Away(_, why) = &self.data.link {
            let text = format!("the daemon is away, and looked for: {why}");
            pen.text(area.x, area.y, area.width, &text, Ink::Warning);
            return;
        }
        let screen = self.screens.at(self.place);
        let (groups, is_typing) = (screen.groups(), screen.is_typing());
        // What would be typed is no command; and where one types, esc is how to leave.
        let key = |binding: &keys::Binding| {
            let mut keys = binding.keys.iter();
            keys.find(|key| !is_typing || !key.is_text()).copied()
        };
        let is_hint = |binding: &keys::Binding| match binding.command {
            Command::Quit => !is_typing,
            Command::Back => is_typing,
            _ => binding.hint,
        };
        let mut hints: Vec<_> = keys::of(groups)
            .filter(|binding| is_hint(binding))
            .filter_map(|binding| Some((key(binding)?.to_string(), binding.name)))
            .collect();
        let wide = |(key, name): &(String, &str)| width(key) + width(name) + 3;
        // The last ones are those that help and leave: they stay whatever is left out.
        let room = usize::from(area.width);
        while hints.len() > 3 && hints.iter().map(wide).sum::<usize>() > room {
            hints.remove(hints.len() - 4);
        }
        let mut x = area.x;
        for (key, name) in hints {
            let left = area.right().saturating_sub(x);
            x += pen.text(x, area.y, left, &format!("{key} "), Ink::Accent);
            let left = area.right().saturating_sub(x);
            x += pen.text(x, area.y, left, &format!("{name}  "), Ink::Dim);
        }
    }

    pub(super) fn screenshot(&mut self, effects: &mut Vec<Effect>) {
        let mut picture = Buffer::empty(self.drawn);
        self.draw(&mut picture);
        let place = self.place.title().to_lowercase();
        // By the moment: a later session finds no name taken.
        let path = format!("{}/attune-{place}-{}", self.folder, self.now);
        let title = format!("attune: {}", self.place.title());
        for (ending, text) in [
            ("svg", shot::svg(&picture, &title)),
            ("txt", shot::text(&picture)),
        ] {
            let path = format!("{path}.{ending}");
            self.perform(Deed::Save { path, text }, effects);
        }
    }
}
