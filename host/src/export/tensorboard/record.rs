//! The frame around each event: length and content, each with its checksum.

use std::io::{self, Write};

/// Writes one record.
pub(super) fn write(file: &mut dyn Write, content: &[u8]) -> io::Result<()> {
    let length = (content.len() as u64).to_le_bytes();
    file.write_all(&length)?;
    file.write_all(&masked(&length).to_le_bytes())?;
    file.write_all(content)?;
    file.write_all(&masked(content).to_le_bytes())
}

/// CRC-32C, turned and moved: a checksum of data that holds checksums is a poor one otherwise.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_framed_as_tensorboard_frames_it() {
        // What TensorBoard's own RecordWriter makes of Event(file_version="brain.Event:2").
        let content = b"\x1a\x0dbrain.Event:2";
        let mut record = Vec::new();
        write(&mut record, content).unwrap();
        let length = b"\x0f\0\0\0\0\0\0\0mS+\t";
        assert_eq!(record, [length, content.as_slice(), b"\xfc\x98Q)"].concat());
    }
}
