//! As much of a terminal as the live view needs: it fails on any sequence it does not know.

#![allow(unreachable_pub, reason = "a module of a test")]

/// Lines that scrolled or were written, the cursor's place among them, and what was switched.
#[derive(Debug, Default)]
pub struct Terminal {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    pub cursor_hidden: bool,
    pub wrapping_off: bool,
}

impl Terminal {
    /// Reads what was written.
    pub fn feed(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            match character {
                '\r' => self.column = 0,
                '\n' => self.row += 1,
                '\x1b' => {
                    assert_eq!(rest.next(), Some('['));
                    let parameter: String = take_parameter(&mut rest);
                    self.control(&parameter);
                }
                _ => self.put(character),
            }
        }
    }

    /// Everything on screen and scrolled off it, without empty lines at the end.
    pub fn text(&self) -> String {
        let line = |line: &Vec<char>| line.iter().collect::<String>().trim_end().to_owned();
        let lines: Vec<String> = self.lines.iter().map(line).collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// Whether the cursor is at the start of the first line below all text.
    pub fn cursor_is_below(&self) -> bool {
        let below = self
            .lines
            .iter()
            .skip(self.row)
            .all(|line| line.iter().all(|c| *c == ' '));
        self.column == 0 && below
    }

    fn control(&mut self, sequence: &str) {
        match sequence {
            "?25l" => self.cursor_hidden = true,
            "?25h" => self.cursor_hidden = false,
            "?7l" => self.wrapping_off = true,
            "?7h" => self.wrapping_off = false,
            "2K" => self.line().clear(),
            "J" => {
                let column = self.column;
                self.line().truncate(column);
                self.lines.truncate(self.row + 1);
            }
            _ if sequence.ends_with('m') => {}
            _ => {
                let up = sequence
                    .strip_suffix('A')
                    .and_then(|count| count.parse().ok());
                assert!(up.is_some(), "unknown sequence {sequence}");
                let up: usize = up.unwrap_or(0);
                assert!(up <= self.row, "the cursor would leave the text");
                self.row -= up;
            }
        }
    }

    fn put(&mut self, character: char) {
        let column = self.column;
        let line = self.line();
        if line.len() <= column {
            line.resize(column + 1, ' ');
        }
        line[column] = character;
        self.column += 1;
    }

    fn line(&mut self) -> &mut Vec<char> {
        if self.lines.len() <= self.row {
            self.lines.resize(self.row + 1, Vec::new());
        }
        &mut self.lines[self.row]
    }
}

fn take_parameter(rest: &mut std::str::Chars<'_>) -> String {
    let mut parameter = String::new();
    for character in rest.by_ref() {
        parameter.push(character);
        if character.is_ascii_alphabetic() {
            break;
        }
    }
    parameter
}
