//! The journal's bytes: a file header, then frames, each one write to one key.
//!
//! ```text
//! file header   magic 8 · schema u32 · kind u32 · sequence number u64 · CRC32 of these
//! frame         magic 4 · sequence number u64 · left u32 · value length u32 · key length u16 · action u8
//!               · CRC32 of key, number, action and value · CRC32 of all the above and the key
//!               · key · value
//! ```
//! All numbers are little-endian. `left` counts the frames of the same batch still to come: a batch
//! whose last frame is missing at a journal's end was never acknowledged. In a snapshot, where there
//! are no batches, it counts the frames before this one. The head has a checksum of
//! its own, so that a damaged value can still be called by its name.

use std::io::{self, Read};

/// The version of everything this crate writes. A file with a greater one is refused.
///
/// 2: records of version 2, and kinds of records that 1 did not have.
pub(crate) const SCHEMA: u32 = 2;
/// The largest value one record may have, in bytes.
pub(crate) const MAX_VALUE: usize = 16 << 20;
/// The longest key, in bytes: a knowledge slot's with the longest names.
pub(crate) const MAX_KEY: usize = 512;
pub(crate) const FILE_HEADER: usize = 28;
pub(crate) const FRAME_HEAD: usize = 31;

const FILE_MAGIC: [u8; 8] = *b"ATTUNEJ\0";
const FRAME_MAGIC: [u8; 4] = *b"\xf1AtJ";

/// What a file of frames is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// Writes in the order they came; the header's number is the first one's.
    Segment,
    /// The live records up to and including the header's number.
    Snapshot,
}

/// What a frame does to its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Put,
    Delete,
    /// Closes a snapshot, which is not whole without it.
    End,
}

/// A frame without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) left: u32,
    pub(crate) action: Action,
    pub(crate) key: Vec<u8>,
    pub(crate) value_len: u32,
    pub(crate) crc: u32,
}

impl Head {
    pub(crate) fn frame_len(&self) -> u64 {
        (FRAME_HEAD + self.key.len()) as u64 + u64::from(self.value_len)
    }
}

pub(crate) fn file_header(kind: FileKind, seq: u64) -> [u8; FILE_HEADER] {
    file_header_of_schema(SCHEMA, kind, seq)
}

pub(crate) fn file_header_of_schema(schema: u32, kind: FileKind, seq: u64) -> [u8; FILE_HEADER] {
    let mut header = [0; FILE_HEADER];
    let kind: u32 = match kind {
        FileKind::Segment => 0,
        FileKind::Snapshot => 1,
    };
    header[..8].copy_from_slice(&FILE_MAGIC);
    header[8..12].copy_from_slice(&schema.to_le_bytes());
    header[12..16].copy_from_slice(&kind.to_le_bytes());
    header[16..24].copy_from_slice(&seq.to_le_bytes());
    let crc = crc32fast::hash(&header[..24]);
    header[24..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// The schema a file header gives, if it is one of ours and undamaged.
pub(crate) fn schema_of(header: &[u8]) -> Option<u32> {
    let (checked, crc) = header.get(..FILE_HEADER)?.split_at(24);
    let whole = checked.starts_with(&FILE_MAGIC) && u32_at(crc, 0) == crc32fast::hash(checked);
    whole.then(|| u32_at(checked, 8))
}

/// The checksum a record carries in the journal and in the index alike.
pub(crate) fn record_crc(key: &[u8], seq: u64, action: Action, value: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(&seq.to_le_bytes());
    crc.update(&[action_byte(action)]);
    crc.update(value);
    crc.finalize()
}

/// Appends a frame and returns its record's checksum.
pub(crate) fn write_frame(
    to: &mut Vec<u8>,
    seq: u64,
    left: u32,
    action: Action,
    key: &[u8],
    value: &[u8],
) -> u32 {
    let start = to.len();
    let crc = record_crc(key, seq, action, value);
    to.extend_from_slice(&FRAME_MAGIC);
    to.extend_from_slice(&seq.to_le_bytes());
    to.extend_from_slice(&left.to_le_bytes());
    to.extend_from_slice(&(value.len() as u32).to_le_bytes());
    to.extend_from_slice(&(key.len() as u16).to_le_bytes());
    to.push(action_byte(action));
    to.extend_from_slice(&crc.to_le_bytes());
    let mut head = crc32fast::Hasher::new();
    head.update(&to[start..]);
    head.update(key);
    to.extend_from_slice(&head.finalize().to_le_bytes());
    to.extend_from_slice(key);
    to.extend_from_slice(value);
    crc
}

/// What a [`Scanner`] comes across.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A whole frame, its value and the offset of the frame.
    Frame {
        offset: u64,
        head: Head,
        value: &'a [u8],
    },
    /// Bytes that are no whole frame, with the head if at least that is whole.
    Damage {
        offset: u64,
        bytes: u64,
        head: Option<Head>,
    },
}

/// Reads frames one after the other and, where one is damaged, finds the next whole head.
pub(crate) struct Scanner<R> {
    reader: R,
    buffer: Vec<u8>,
    /// How much of the buffer has been dealt with.
    done: usize,
    /// The file offset of the buffer's first byte.
    base: u64,
    at_end: bool,
}

impl<R: Read> Scanner<R> {
    /// A scanner over a reader that stands at the file offset `at`.
    pub(crate) fn new(reader: R, at: u64) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            done: 0,
            base: at,
            at_end: false,
        }
    }

    /// The next frame or damaged stretch; nothing at the file's end.
    ///
    /// # Errors
    /// Only those of reading.
    pub(crate) fn next(&mut self) -> io::Result<Option<Found<'_>>> {
        if !self.reach(1)? {
            return Ok(None);
        }
        let offset = self.base + self.done as u64;
        let head = self.head_here()?;
        if let Some(head) = &head {
            let frame = head.frame_len() as usize;
            if self.reach(frame)? {
                let start = self.done + FRAME_HEAD + head.key.len();
                let value = start..self.done + frame;
                let crc = record_crc(
                    &head.key,
                    head.seq,
                    head.action,
                    &self.buffer[value.clone()],
                );
                if crc == head.crc {
                    self.done += frame;
                    let head = head.clone();
                    return Ok(Some(Found::Frame {
                        offset,
                        head,
                        value: &self.buffer[value],
                    }));
                }
            }
        }
        let bytes = self.skip_to_next_head()?;
        Ok(Some(Found::Damage {
            offset,
            bytes,
            head,
        }))
    }

    /// Skips at least one byte, and goes on to the next whole head or the end.
    fn skip_to_next_head(&mut self) -> io::Result<u64> {
        let mut skipped = 0;
        loop {
            self.done += 1;
            skipped += 1;
            if !self.reach(1)? {
                return Ok(skipped);
            }
            if self.buffer[self.done] == FRAME_MAGIC[0] && self.head_here()?.is_some() {
                return Ok(skipped);
            }
        }
    }

    /// The head that starts here, if there is a whole one.
    fn head_here(&mut self) -> io::Result<Option<Head>> {
        if !self.reach(FRAME_HEAD)? {
            return Ok(None);
        }
        let fixed = &self.buffer[self.done..][..FRAME_HEAD];
        let value_len = u32_at(fixed, 16);
        let key_len = usize::from(u16::from_le_bytes([fixed[20], fixed[21]]));
        let action = match fixed[22] {
            0 => Action::Put,
            1 => Action::Delete,
            2 => Action::End,
            _ => return Ok(None),
        };
        // The caps come before the lengths are believed, so that damage cannot ask for gigabytes.
        if !fixed.starts_with(&FRAME_MAGIC) || key_len > MAX_KEY || value_len as usize > MAX_VALUE {
            return Ok(None);
        }
        if !self.reach(FRAME_HEAD + key_len)? {
            return Ok(None);
        }
        let (fixed, key) = self.buffer[self.done..][..FRAME_HEAD + key_len].split_at(FRAME_HEAD);
        let mut crc = crc32fast::Hasher::new();
        crc.update(&fixed[..FRAME_HEAD - 4]);
        crc.update(key);
        if crc.finalize() != u32_at(fixed, FRAME_HEAD - 4) {
            return Ok(None);
        }
        Ok(Some(Head {
            seq: u64::from(u32_at(fixed, 4)) | u64::from(u32_at(fixed, 8)) << 32,
            left: u32_at(fixed, 12),
            action,
            key: key.to_vec(),
            value_len,
            crc: u32_at(fixed, 23),
        }))
    }

    /// Whether `bytes` more bytes are there, once they have been read into the buffer.
    fn reach(&mut self, bytes: usize) -> io::Result<bool> {
        const READ: usize = 256 << 10;
        while self.buffer.len() - self.done < bytes && !self.at_end {
            if self.done > READ {
                self.buffer.drain(..self.done);
                self.base += self.done as u64;
                self.done = 0;
            }
            let read = (&mut self.reader)
                .take(READ as u64)
                .read_to_end(&mut self.buffer)?;
            self.at_end = read == 0;
        }
        Ok(self.buffer.len() - self.done >= bytes)
    }
}

fn action_byte(action: Action) -> u8 {
    match action {
        Action::Put => 0,
        Action::Delete => 1,
        Action::End => 2,
    }
}

/// The number at `at`, which the caller knows to be within `bytes`.
fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Three frames, and where each ends.
    fn three() -> (Vec<u8>, Vec<usize>) {
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for (seq, value) in [
            (7, &b"first"[..]),
            (8, b""),
            (9, b"\xf1AtJ looks like a frame"),
        ] {
            write_frame(&mut bytes, seq, 0, Action::Put, b"key", value);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn scan(bytes: &[u8]) -> (Vec<u64>, u64) {
        let mut scanner = Scanner::new(bytes, 0);
        let (mut whole, mut damaged) = (Vec::new(), 0);
        while let Some(found) = scanner.next().unwrap() {
            match found {
                Found::Frame { head, .. } => whole.push(head.seq),
                Found::Damage { bytes, .. } => damaged += bytes,
            }
        }
        (whole, damaged)
    }

    #[test]
    fn a_cut_anywhere_leaves_the_frames_before_it() {
        let (bytes, ends) = three();
        for cut in 0..=bytes.len() {
            let whole = ends.iter().filter(|end| **end <= cut).count();
            let rest = cut - ends[..whole].last().copied().unwrap_or(0);
            assert_eq!(
                scan(&bytes[..cut]),
                ([7, 8, 9][..whole].to_vec(), rest as u64),
                "{cut}"
            );
        }
    }

    #[test]
    fn a_flipped_bit_costs_one_frame_and_no_other() {
        let (bytes, ends) = three();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let hit = ends.iter().filter(|end| **end <= bit / 8).count();
            let mut expected = vec![7, 8, 9];
            expected.remove(hit);
            assert_eq!(scan(&damaged).0, expected, "bit {bit}");
        }
    }

    #[test]
    fn a_damaged_value_is_still_called_by_its_name() {
        let (mut bytes, ends) = three();
        bytes[ends[0] - 1] ^= 1;
        let mut scanner = Scanner::new(&bytes[..], 100);
        let found = scanner.next().unwrap().unwrap();
        let Found::Damage {
            offset: 100,
            bytes,
            head: Some(head),
        } = found
        else {
            panic!("{found:?}")
        };
        assert_eq!(
            (bytes, head.seq, &head.key[..]),
            (ends[0] as u64, 7, &b"key"[..])
        );
    }

    proptest! {
        #[test]
        fn nonsense_is_damage_and_never_panics(noise in prop::collection::vec(any::<u8>(), 0..500)) {
            let total = noise.len() as u64;
            prop_assert_eq!(scan(&noise), (vec![], total));
        }
    }

    #[test]
    fn a_file_header_gives_its_schema_only_undamaged() {
        let header = file_header_of_schema(9, FileKind::Snapshot, 77);
        assert_eq!(schema_of(&header), Some(9));
        for bit in 0..header.len() * 8 {
            let mut damaged = header;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(schema_of(&damaged), None, "bit {bit}");
        }
    }
}
