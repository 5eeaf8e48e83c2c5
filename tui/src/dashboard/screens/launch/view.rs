//! Draws the screen, and says what the mouse means on it.

use super::Launch;
use super::check::Problem;
use super::fields::{self, Row};
use super::form::{Around, Hit};
use super::sheet::Sheet;
use super::summary::Summary;
use crate::dashboard::cx::Cx;
use crate::dashboard::pen::{Pen, split_left, split_top};
use crate::dashboard::screens::{Pointer, Press, Screen};
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

/// From so many columns on, what the study comes to stands beside the form.
const WIDE: u16 = 78;

impl Launch {
    /// Draws the screen.
    pub(super) fn paint(&mut self, pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>) {
        let is_wide = area.width >= WIDE;
        let (body, side) = match is_wide {
            true => {
                let (body, side) = split_left(area, area.width * 9 / 16);
                (
                    Rect {
                        width: body.width - 1,
                        ..body
                    },
                    side,
                )
            }
            false => split_top(area, area.height - (area.height / 3).clamp(6, 12)),
        };
        self.body = body;
        let problems = self.problems(cx);
        if self.is_text {
            self.editor.draw(pen, body, &problems);
        } else {
            let folder = self.folder(cx);
            let start = self.start_told(cx);
            let sheet = Sheet {
                document: &self.document,
                around: Around {
                    facts: self.knowledge.facts(&self.document, &folder),
                    entries: self.knowledge.entries(),
                    folder: &folder,
                    studies: &[],
                },
                problems: &problems,
                look: self.knowledge.look(&self.document, &folder, cx.data),
                start: &start,
            };
            sheet.draw(&mut self.form, pen, body);
        }
        self.draw_side(pen, side, &problems, is_wide);
    }

    /// The mouse did something.
    pub(super) fn point(&mut self, pointer: Pointer, cx: &mut Cx<'_>) -> bool {
        let at = (pointer.x, pointer.y).into();
        if self.schedule.pointer(pointer) {
            return true;
        }
        if self.side.contains(at) {
            self.side_top = match pointer.deed {
                Press::WheelDown => self.side_top + 2,
                Press::WheelUp => self.side_top.saturating_sub(2),
                _ => return false,
            };
            return true;
        }
        if self.is_text {
            return self.editor.pointer(pointer);
        }
        if !self.body.contains(at) {
            return false;
        }
        match pointer.deed {
            Press::WheelDown => self.form.top += 3,
            Press::WheelUp => self.form.top = self.form.top.saturating_sub(3),
            Press::Click | Press::DoubleClick => {
                let hits = self.form.hits.iter();
                let mut hit = hits.filter(|(area, _)| area.contains(at)).cloned();
                if let Some((area, hit)) = hit.next() {
                    self.click(hit, area, pointer, cx);
                }
            }
            Press::Drag(..) | Press::Drop(..) => return false,
        }
        true
    }

    /// What is clicked on the form.
    fn click(&mut self, hit: Hit, area: Rect, pointer: Pointer, cx: &mut Cx<'_>) {
        let id = match hit {
            Hit::Offer(value) => {
                self.edit(cx, |form, document, around| {
                    form.take(&value, document, around.facts)
                });
                return;
            }
            Hit::Row(id) => id,
        };
        let was_chosen = self.form.chosen == id;
        self.choose(&id, cx);
        let on_tick = pointer.x < area.x + 5;
        let row = self.form.row(&self.document, self.facts(cx));
        match row {
            Some(Row::Scheduler { name, .. }) if on_tick => {
                self.edit(cx, |form, document, around| {
                    form.toggle(&name, document, around.facts)
                });
            }
            Some(Row::Scheduler { .. } | Row::Start) if pointer.deed == Press::DoubleClick => {
                self.key(&KeyEvent::from(KeyCode::Enter), cx);
            }
            Some(Row::Start) if was_chosen => self.key(&KeyEvent::from(KeyCode::Right), cx),
            Some(Row::Field(item)) if was_chosen && !fields::words(&item).is_empty() => {
                self.key(&KeyEvent::from(KeyCode::Right), cx);
            }
            _ => {}
        }
    }

    fn start_told(&self, cx: &Cx<'_>) -> String {
        match cx.data.study(&self.form.start) {
            Some(study) => format!("{} {}", study.id, study.name),
            None => "an empty study".to_owned(),
        }
    }

    fn draw_side(&mut self, pen: &mut Pen<'_>, area: Rect, problems: &[Problem], both: bool) {
        let shows_schedule = both || fields::scheduler_of(&self.form.chosen).is_some();
        let told = Summary {
            lacks: self.lacks().map(|(_, what)| what),
            state: self.knowledge.check.state(self.document.text()),
            checked: self.knowledge.check.checked(),
            problems,
        };
        let lines = told.lines(usize::from(area.width).max(8), pen.style);
        let summary = match (shows_schedule, both) {
            // The schedule has what is left, and half of the room at least.
            (true, true) => (lines.len() as u16 + 2).min(area.height / 2),
            (true, false) => 0,
            (false, _) => area.height,
        };
        let (top, low) = split_top(area, summary);
        self.side = top;
        let inside = pen.heading(top, "What it comes to", "");
        let room = usize::from(inside.height);
        self.side_top = self.side_top.min(lines.len().saturating_sub(room));
        pen.lines(inside, &lines[self.side_top..]);
        if low.height > 1 {
            self.schedule.draw(pen, low);
        }
    }
}
