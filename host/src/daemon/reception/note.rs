//! What people may write about a study or a trial: text to be read, and words to find it by.

use super::Reception;
use crate::daemon::engine::Ask;
use crate::daemon::invalid;
use attune_protocol::{Note, Problem, StudySummary, TrialSummary};
use attune_store as disk;
use attune_store::{StudyId, TrialId};

/// The longest text, and the most and longest tags, in characters.
const MAX_TEXT: usize = 10_000;
const MAX_TAGS: usize = 20;
const MAX_TAG: usize = 40;

impl Reception {
    /// `at_rest` is the study as it is stored.
    pub(in crate::daemon) async fn note_study(
        &self,
        id: StudyId,
        note: Note,
        at_rest: StudySummary,
    ) -> Result<StudySummary, Problem> {
        let note = checked(note).map_err(invalid)?;
        let ask = |reply| Ask::NoteStudy(id, note, Box::new(at_rest), reply);
        self.engine.ask(ask).await
    }

    pub(in crate::daemon) async fn note_trial(
        &self,
        id: TrialId,
        note: Note,
    ) -> Result<TrialSummary, Problem> {
        let note = checked(note).map_err(invalid)?;
        let ask = |reply| Ask::NoteTrial(id, note, reply);
        self.engine.ask(ask).await
    }
}

/// The note as it is kept: each tag once.
///
/// # Errors
/// What of it cannot be kept.
pub(in crate::daemon) fn checked(note: Note) -> Result<disk::Note, String> {
    let Note { text, tags } = note;
    let length = text.chars().count();
    if length > MAX_TEXT {
        return Err(format!(
            "the note has {length} characters, but at most {MAX_TEXT} are kept"
        ));
    }
    if let Some(bad) = text
        .chars()
        .find(|c| c.is_control() && !"\n\t".contains(*c))
    {
        return Err(format!(
            "the note has the control character {bad:?}; take it out"
        ));
    }
    let mut kept: Vec<String> = Vec::new();
    for tag in tags {
        let is_word =
            !tag.is_empty() && !tag.contains(|c: char| c.is_whitespace() || c.is_control());
        if !is_word || tag.chars().count() > MAX_TAG {
            return Err(format!(
                "the tag {tag:?} must be a word of up to {MAX_TAG} characters, without spaces"
            ));
        }
        if !kept.contains(&tag) {
            kept.push(tag);
        }
    }
    if kept.len() > MAX_TAGS {
        return Err(format!(
            "there are {} tags, but at most {MAX_TAGS} are kept",
            kept.len()
        ));
    }
    Ok(disk::Note { text, tags: kept })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_text_and_its_tags_are_words() {
        let note = |text: &str, tags: &[&str]| {
            checked(Note {
                text: text.into(),
                tags: tags.iter().map(|tag| (*tag).into()).collect(),
            })
        };
        let kept = note("zwei\n\tZeilen", &["größer", "a", "a"]).unwrap();
        assert_eq!(kept.tags, ["größer", "a"]);
        assert!(note(&"ß".repeat(10_000), &["x".repeat(40).as_str()]).is_ok());
        let many: Vec<String> = (0..21).map(|number| number.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        for (text, tags, why) in [
            ("ß".repeat(10_001).as_str(), &[][..], "at most 10000"),
            ("a\u{1b}[31m", &[], "control character"),
            ("", &["two words"], "\"two words\" must be a word"),
            ("", &[""], "must be a word"),
            ("", &["a\u{7}"], "must be a word"),
            ("", &["x".repeat(41).as_str()], "up to 40"),
            ("", &many, "at most 20"),
        ] {
            let error = note(text, tags).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
