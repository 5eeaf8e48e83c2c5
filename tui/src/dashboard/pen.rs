//! Writing into a buffer: clipped, cleaned and in the inks of a style.

use crate::style::{Ink, Style};
use crate::text::{clean, fit, width};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style as CellStyle};
use ratatui::text::Line;

/// A buffer and what its terminal can show.
pub(crate) struct Pen<'a> {
    pub(crate) buffer: &'a mut Buffer,
    pub(crate) style: Style,
}

impl Pen<'_> {
    /// Writes a text at a place, cut to `room` columns; returns the columns that it took.
    pub(crate) fn text(&mut self, x: u16, y: u16, room: u16, text: &str, ink: Ink) -> u16 {
        self.styled(x, y, room, text, self.style.ink(ink))
    }

    /// Writes a text on the first line of an area, one column in.
    pub(crate) fn say(&mut self, area: Rect, text: &str, ink: Ink) {
        let area = inset(area);
        self.text(area.x, area.y, area.width, text, ink);
    }

    /// Writes a text in a style of its own.
    pub(crate) fn styled(
        &mut self,
        x: u16,
        y: u16,
        room: u16,
        text: &str,
        style: CellStyle,
    ) -> u16 {
        let area = self.buffer.area;
        if room == 0 || y < area.top() || y >= area.bottom() || x < area.left() || x >= area.right()
        {
            return 0;
        }
        let room = room.min(area.right() - x);
        let text = clean(text);
        let text = fit(&text, room.into(), self.style.symbols().ellipsis);
        let (end, _) = self.buffer.set_stringn(x, y, &text, room.into(), style);
        end - x
    }

    /// Writes a text that ends at the right edge of `room` columns.
    pub(crate) fn right(&mut self, x: u16, y: u16, room: u16, text: &str, ink: Ink) {
        let text = clean(text);
        let text = fit(&text, room.into(), self.style.symbols().ellipsis).into_owned();
        let wide = width(&text) as u16;
        self.text(x + room.saturating_sub(wide), y, wide, &text, ink);
    }

    /// Writes a line of several inks.
    pub(crate) fn line(&mut self, x: u16, y: u16, room: u16, line: &Line<'_>) -> u16 {
        let mut taken = 0;
        for span in &line.spans {
            taken += self.styled(x + taken, y, room - taken, &span.content, span.style);
            if taken >= room {
                break;
            }
        }
        taken
    }

    /// Writes pieces one after the other.
    pub(crate) fn pieces(&mut self, x: u16, y: u16, room: u16, pieces: &[(&str, Ink)]) -> u16 {
        let mut taken = 0;
        for (text, ink) in pieces {
            if taken >= room {
                break;
            }
            taken += self.text(x + taken, y, room - taken, text, *ink);
        }
        taken
    }

    /// Writes lines from the top of an area, as many as there is room for.
    pub(crate) fn lines(&mut self, area: Rect, lines: &[Line<'_>]) {
        for (row, line) in lines.iter().take(area.height.into()).enumerate() {
            self.line(area.x, area.y + row as u16, area.width, line);
        }
    }

    /// A heading and a rule to the end of the area's first line; what is left of the area.
    pub(crate) fn heading(&mut self, area: Rect, title: &str, note: &str) -> Rect {
        if area.height == 0 {
            return area;
        }
        let mut taken = self.text(area.x, area.y, area.width, title, Ink::Strong);
        if taken > 0 && taken < area.width {
            taken += 1;
        }
        if !note.is_empty() && taken < area.width {
            let room = area.width - taken;
            taken += self.text(area.x + taken, area.y, room, note, Ink::Dim);
            taken = (taken + 1).min(area.width);
        }
        let rule = self
            .style
            .symbols()
            .rule
            .repeat((area.width - taken).into());
        self.text(area.x + taken, area.y, area.width - taken, &rule, Ink::Dim);
        Rect {
            y: area.y + 1,
            height: area.height - 1,
            ..area
        }
    }

    /// Blanks an area, whatever was drawn there.
    pub(crate) fn blank(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for position in area.positions() {
            self.buffer[position].reset();
        }
    }

    /// Shows that a stretch of a line is chosen, or that a cell is where one types.
    pub(crate) fn choose(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        // A single cell must be found at a glance; of a row the inks are to stay readable.
        let look = match area.width {
            1 => CellStyle::new().add_modifier(Modifier::REVERSED),
            _ => self.style.chosen(),
        };
        self.buffer.set_style(area, look);
    }

    /// A box around an area, with a title; the area within.
    pub(crate) fn frame(&mut self, area: Rect, title: &str) -> Rect {
        let area = area.intersection(self.buffer.area);
        self.blank(area);
        if area.width < 2 || area.height < 2 {
            return Rect::new(area.x, area.y, 0, 0);
        }
        let [left_top, right_top, left_low, right_low, level, upright] = self.style.symbols().frame;
        let across = level.repeat(usize::from(area.width) - 2);
        let (right, low) = (area.right() - 1, area.bottom() - 1);
        for (y, left_corner, right_corner) in
            [(area.y, left_top, right_top), (low, left_low, right_low)]
        {
            self.text(area.x, y, 1, left_corner, Ink::Accent);
            self.text(area.x + 1, y, area.width - 2, &across, Ink::Accent);
            self.text(right, y, 1, right_corner, Ink::Accent);
        }
        for y in area.y + 1..low {
            self.text(area.x, y, 1, upright, Ink::Accent);
            self.text(right, y, 1, upright, Ink::Accent);
        }
        if area.width > 6 {
            let title = format!(" {title} ");
            self.text(area.x + 2, area.y, area.width - 4, &title, Ink::Strong);
        }
        Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2)
    }
}

/// An area without its first column.
pub(crate) fn inset(area: Rect) -> Rect {
    Rect {
        x: area.x + 1,
        width: area.width.saturating_sub(1),
        ..area
    }
}

/// An area in the middle of another, as large as wished and no larger than there is room.
pub(crate) fn centred(area: Rect, wide: u16, high: u16) -> Rect {
    let (width, height) = (wide.min(area.width), high.min(area.height));
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}

/// An area cut in two: `rows` at the top, and the rest.
pub(crate) fn split_top(area: Rect, rows: u16) -> (Rect, Rect) {
    let rows = rows.min(area.height);
    (
        Rect {
            height: rows,
            ..area
        },
        Rect {
            y: area.y + rows,
            height: area.height - rows,
            ..area
        },
    )
}

/// An area cut in two: `columns` at the left, and the rest.
pub(crate) fn split_left(area: Rect, columns: u16) -> (Rect, Rect) {
    let columns = columns.min(area.width);
    (
        Rect {
            width: columns,
            ..area
        },
        Rect {
            x: area.x + columns,
            width: area.width - columns,
            ..area
        },
    )
}
