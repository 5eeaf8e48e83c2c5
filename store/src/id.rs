//! The ids of studies and trials, and how a user types them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// A study's number, counted from 1 and never used twice. Shown as `s12`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StudyId(pub u64);

/// A trial: its study, and its number within the study counted from 0. Shown as `s12.3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TrialId {
    /// The study it belongs to.
    pub study: StudyId,
    /// Its number within the study.
    pub number: u32,
}

/// Either kind of id, as a command's argument names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Id {
    /// `s12` or `12`.
    Study(StudyId),
    /// `s12.3` or `12.3`.
    Trial(TrialId),
}

impl StudyId {
    /// The id of this study's trial with the given number.
    pub fn trial(self, number: u32) -> TrialId {
        TrialId {
            study: self,
            number,
        }
    }
}

impl fmt::Display for StudyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}", self.0)
    }
}

impl fmt::Display for TrialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.study, self.number)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Study(id) => id.fmt(f),
            Self::Trial(id) => id.fmt(f),
        }
    }
}

impl FromStr for Id {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        parse(text).ok_or_else(|| Error::NotAnId {
            text: text.to_owned(),
        })
    }
}

impl FromStr for StudyId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.parse()? {
            Id::Study(id) => Ok(id),
            Id::Trial(_) => Err(Error::NotAnId {
                text: text.to_owned(),
            }),
        }
    }
}

impl FromStr for TrialId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.parse()? {
            Id::Trial(id) => Ok(id),
            Id::Study(_) => Err(Error::NotAnId {
                text: text.to_owned(),
            }),
        }
    }
}

fn parse(text: &str) -> Option<Id> {
    let digits = text.strip_prefix(['s', 'S']).unwrap_or(text);
    match digits.split_once('.') {
        None => Some(Id::Study(StudyId(number(digits)?))),
        Some((study, trial)) => Some(Id::Trial(
            StudyId(number(study)?).trial(u32::try_from(number(trial)?).ok()?),
        )),
    }
}

/// `str::parse` alone would also take a leading `+`.
fn number(digits: &str) -> Option<u64> {
    digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_a_user_types_them() {
        let study = Some(Id::Study(StudyId(12)));
        let trial = Some(Id::Trial(StudyId(12).trial(3)));
        for (text, expected) in [
            ("s12", study),
            ("12", study),
            ("S12", study),
            ("s12.3", trial),
            ("12.3", trial),
            ("", None),
            ("s", None),
            ("s12.", None),
            (".3", None),
            ("s+12", None),
            ("s12.3.4", None),
            ("s12.4294967296", None),
            ("18446744073709551616", None),
            ("trial", None),
        ] {
            assert_eq!(text.parse::<Id>().ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn ids_are_shown_as_they_are_typed() {
        let trial = StudyId(12).trial(3);
        assert_eq!(trial.to_string(), "s12.3");
        assert_eq!(trial.to_string().parse::<TrialId>().unwrap(), trial);
        assert_eq!(
            StudyId(7).to_string().parse::<StudyId>().unwrap(),
            StudyId(7)
        );
        assert!("s7".parse::<TrialId>().is_err());
        assert!("s7.1".parse::<StudyId>().is_err());
    }
}
