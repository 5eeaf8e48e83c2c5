//! As much of the protobuf wire format as event files need.

/// A message in the making: its fields' bytes, in the order in which they were put.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Message(Vec<u8>);

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const LENGTH: u32 = 2;
const FIXED32: u32 = 5;

impl Message {
    /// A whole number, a boolean or an enum's member. Zero is written too: inside a `oneof` it is
    /// not the same as nothing.
    pub(super) fn int(&mut self, field: u32, value: u64) {
        self.key(field, VARINT);
        self.varint(value);
    }

    /// A 64-bit float.
    pub(super) fn double(&mut self, field: u32, value: f64) {
        self.key(field, FIXED64);
        self.0.extend(value.to_le_bytes());
    }

    /// A 32-bit float.
    pub(super) fn float(&mut self, field: u32, value: f32) {
        self.key(field, FIXED32);
        self.0.extend(value.to_le_bytes());
    }

    /// A text.
    pub(super) fn text(&mut self, field: u32, value: &str) {
        self.chunk(field, value.as_bytes());
    }

    /// A message, or bytes that are one.
    pub(super) fn message(&mut self, field: u32, value: &Message) {
        self.chunk(field, &value.0);
    }

    /// What was written.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn chunk(&mut self, field: u32, bytes: &[u8]) {
        self.key(field, LENGTH);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn key(&mut self, field: u32, wire_type: u32) {
        self.varint(u64::from(field << 3 | wire_type));
    }

    /// Seven bits a byte, the lowest first; the top bit says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_the_format_says() {
        // From Python: Event(wall_time=1.5, step=300, file_version="v").SerializeToString()
        let mut message = Message::default();
        message.double(1, 1.5);
        message.int(2, 300);
        message.text(3, "v");
        let expected = b"\x09\x00\x00\x00\x00\x00\x00\xf8\x3f\x10\xac\x02\x1a\x01v";
        assert_eq!(message.bytes(), expected);

        let mut outer = Message::default();
        outer.message(5, &message);
        assert_eq!(outer.bytes().first_chunk(), Some(&[0x2a, 15]));
        outer = Message::default();
        outer.int(16, u64::MAX);
        assert_eq!(outer.bytes().len(), 12);
        // Summary.Value(simple_value=-0.5)
        outer = Message::default();
        outer.float(2, -0.5);
        assert_eq!(outer.bytes(), b"\x15\x00\x00\x00\xbf");
    }
}
