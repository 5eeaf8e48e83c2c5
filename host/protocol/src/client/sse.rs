//! Server-sent events, from bytes that come in any pieces.

/// The longest line and the longest event that is taken in, in bytes.
const LONGEST: usize = 8 * 1024 * 1024;

/// An event as it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Frame {
    /// Its number, where it has one.
    pub(super) id: Option<u64>,
    /// Its text.
    pub(super) data: String,
}

/// Puts lines and events together.
#[derive(Debug, Default)]
pub(super) struct Parser {
    line: Vec<u8>,
    /// A line feed behind a carriage return belongs to it.
    after_return: bool,
    started: bool,
    frame: Frame,
    has_data: bool,
}

impl Parser {
    /// Takes in a piece and hands each event that is whole by now to `take`.
    ///
    /// Names of events are not kept: the data says what it is.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(Frame),
    ) -> Result<(), &'static str> {
        let mut rest = bytes;
        if self.after_return && !rest.is_empty() {
            self.after_return = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (head, tail) = rest.split_at(end);
            self.hold(head)?;
            if let Some(frame) = self.end_of_line()? {
                take(frame);
            }
            rest = match tail {
                [b'\r', b'\n', rest @ ..] => rest,
                [b'\r'] => {
                    self.after_return = true;
                    &[]
                }
                [_, rest @ ..] => rest,
                [] => &[],
            };
        }
        self.hold(rest)
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        if self.line.len() + bytes.len() > LONGEST {
            return Err("an event has a line of more than 8 MiB");
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_of_line(&mut self) -> Result<Option<Frame>, &'static str> {
        let line = std::mem::take(&mut self.line);
        let mut line = str::from_utf8(&line).map_err(|_| "an event is not UTF-8")?;
        if !std::mem::replace(&mut self.started, true) {
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        if line.is_empty() {
            let frame = std::mem::take(&mut self.frame);
            let whole = std::mem::take(&mut self.has_data);
            // The number counts from here on even where there is nothing else.
            self.frame.id = frame.id;
            return Ok(whole.then_some(frame));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.frame.id = value.parse().ok(),
            "data" => {
                if self.frame.data.len() + value.len() > LONGEST {
                    return Err("an event has more than 8 MiB");
                }
                if std::mem::replace(&mut self.has_data, true) {
                    self.frame.data.push('\n');
                }
                self.frame.data.push_str(value);
            }
            // Comments, names, and what the standard may add.
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(pieces: &[&[u8]]) -> Result<Vec<Frame>, &'static str> {
        let mut parser = Parser::default();
        let mut frames = Vec::new();
        for piece in pieces {
            parser.feed(piece, |frame| frames.push(frame))?;
        }
        Ok(frames)
    }

    fn frame(id: impl Into<Option<u64>>, data: &str) -> Frame {
        Frame {
            id: id.into(),
            data: data.to_owned(),
        }
    }

    #[test]
    fn events_are_what_the_standard_says() {
        let table: [(&str, Vec<Frame>); 9] = [
            ("data: a\n\n", vec![frame(None, "a")]),
            ("id: 7\nevent: x\ndata: a\n\n", vec![frame(7, "a")]),
            (
                "id:7\ndata:a\n\ndata:b\n\n",
                vec![frame(7, "a"), frame(7, "b")],
            ),
            ("data: a\ndata:\ndata:  b\n\n", vec![frame(None, "a\n\n b")]),
            (": beat\n\n: beat\r\n\r\ndata\r\r", vec![frame(None, "")]),
            ("\u{feff}data: a\n\n", vec![frame(None, "a")]),
            ("id: 3\n\ndata: a\n\n", vec![frame(3, "a")]),
            (
                "id: x\nretry: 5\nnew: y\ndata: a\n\n",
                vec![frame(None, "a")],
            ),
            ("data: cut off\n", vec![]),
        ];
        for (text, frames) in table {
            assert_eq!(parsed(&[text.as_bytes()]).unwrap(), frames, "{text:?}");
        }
    }

    #[test]
    fn pieces_of_any_size_are_the_same_events() {
        for ending in ["\n", "\r\n", "\r"] {
            let text =
                "\u{feff}id: 12\nevent: epoch\ndata: größe\n\n: beat\n\ndata: a\ndata: b\n\n"
                    .replace('\n', ending);
            let text = text.as_bytes();
            let whole = parsed(&[text]).unwrap();
            assert_eq!(whole, [frame(12, "größe"), frame(12, "a\nb")]);
            for cut in 0..=text.len() {
                let (a, b) = text.split_at(cut);
                assert_eq!(parsed(&[a, b]).unwrap(), whole, "{ending:?} cut at {cut}");
                assert_eq!(
                    parsed(&[a, b"", b]).unwrap(),
                    whole,
                    "{ending:?} cut at {cut}"
                );
            }
            let bytes: Vec<&[u8]> = text.chunks(1).collect();
            assert_eq!(parsed(&bytes).unwrap(), whole);
        }
    }

    #[test]
    fn what_is_no_event_is_refused() {
        assert!(parsed(&[b"data: \xff\n"]).is_err());
        let line = vec![b'x'; LONGEST / 2];
        assert!(parsed(&[&line, &line]).is_ok());
        assert!(parsed(&[&line, &line, b"x"]).is_err());
        let many = [b"data: ".as_slice(), &line, b"\n"].concat();
        assert!(parsed(&[&many, &many, &many]).is_err());
    }
}
