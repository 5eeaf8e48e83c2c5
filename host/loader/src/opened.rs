//! The libraries of a process that serves one trial after another.

use crate::library::LoadedLibrary;
use crate::scan::Candidate;
use crate::{LoadReason, MAX_LIBRARIES};

/// The libraries that a process has opened so far, told apart by their content alone: two builds of
/// one plugin, for two studies, may both be here.
#[derive(Debug, Default)]
pub struct Opened {
    libraries: Vec<LoadedLibrary>,
}

impl Opened {
    /// The library of this candidate, opened where it is not yet: see [`LoadedLibrary::open`].
    ///
    /// # Errors
    /// What is wrong with the library; [`LoadReason::TooMany`] where so many are open that the
    /// process had better end.
    pub fn open(&mut self, candidate: &Candidate) -> Result<&LoadedLibrary, LoadReason> {
        let there = self.position(&candidate.hash);
        let index = match there {
            Some(index) => index,
            None if self.libraries.len() >= MAX_LIBRARIES => return Err(LoadReason::TooMany),
            None => {
                self.libraries.push(LoadedLibrary::open(candidate)?);
                self.libraries.len() - 1
            }
        };
        Ok(&self.libraries[index])
    }

    fn position(&self, hash: &str) -> Option<usize> {
        self.libraries.iter().position(|l| l.hash() == hash)
    }
}
