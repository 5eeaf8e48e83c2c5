//! Where the newest version of every record lies, in key order and in few, large pieces of memory:
//! a store can have millions of records, and all of this is let go of once it is open.

use std::cmp::Reverse;

use super::frame::{Action, FRAME_HEAD, Head};
use crate::index::{self, Stamp};

/// Where a record's newest version lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) stamp: Stamp,
    pub(crate) deleted: bool,
    /// Which of the catalogue's files.
    pub(crate) file: u32,
    pub(crate) value_len: u32,
    pub(crate) value_offset: u64,
}

impl Place {
    pub(crate) fn new(head: &Head, file: usize, offset: u64) -> Self {
        Self {
            stamp: Stamp {
                seq: head.seq,
                crc: head.crc,
            },
            deleted: head.action == Action::Delete,
            file: file as u32,
            value_len: head.value_len,
            value_offset: offset + (FRAME_HEAD + head.key.len()) as u64,
        }
    }

    /// Whether the index has the value, and not only its place.
    pub(crate) fn is_kept(&self, key: &[u8]) -> bool {
        index::keeps(key, self.value_len as usize)
    }

    /// The bytes that the write takes in its file.
    pub(crate) fn frame_bytes(&self, key: &[u8]) -> u64 {
        (FRAME_HEAD + key.len()) as u64 + u64::from(self.value_len)
    }
}

/// Places by key.
#[derive(Default)]
pub(crate) struct Places {
    keys: Vec<u8>,
    entries: Vec<Entry>,
}

struct Entry {
    key: usize,
    key_len: u16,
    place: Place,
}

impl Places {
    /// Adds what a write says. [`Places::settle`] must follow before anything is read.
    pub(crate) fn insert(&mut self, key: &[u8], place: Place) {
        let at = self.keys.len();
        self.keys.extend_from_slice(key);
        self.entries.push(Entry {
            key: at,
            // Keys are capped far below what fits.
            key_len: key.len() as u16,
            place,
        });
    }

    /// Leaves the newest write of each key, in the order of the keys.
    pub(crate) fn settle(&mut self) {
        let Self { keys, entries } = self;
        // The same write may be in two files; the one met first has the lesser key address.
        entries.sort_unstable_by_key(|entry| {
            (
                key_of(keys, entry),
                Reverse(entry.place.stamp.seq),
                entry.key,
            )
        });
        entries.dedup_by(|later, newest| key_of(keys, later) == key_of(keys, newest));
    }

    /// All of them in the order of their keys, deleted ones among them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &Place)> {
        let entries = self.entries.iter();
        entries.map(|entry| (key_of(&self.keys, entry), &entry.place))
    }

    /// Those that are not deleted.
    pub(crate) fn live(&self) -> impl Iterator<Item = (&[u8], &Place)> {
        self.iter().filter(|(_, place)| !place.deleted)
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&Place> {
        let found = self
            .entries
            .binary_search_by(|entry| key_of(&self.keys, entry).cmp(key));
        found.ok().map(|at| &self.entries[at].place)
    }
}

fn key_of<'a>(keys: &'a [u8], entry: &Entry) -> &'a [u8] {
    &keys[entry.key..entry.key + usize::from(entry.key_len)]
}
