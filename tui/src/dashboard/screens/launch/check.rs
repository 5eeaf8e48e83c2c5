//! What the daemon says of a study file while it is written: asked for when the text has rested, and
//! kept until there is a newer word.

use super::document::Document;
use super::fields::{self, Facts, Kind, Row};
use super::form::Form;
use crate::dashboard::data::Data;
use crate::dashboard::data::want::{Fresh, Loaded, Want};
use crate::dashboard::screens::Wants;
use attune_protocol::{Checked, NewStudy};

/// A text that nobody has changed for so many milliseconds has rested.
const REST: u64 = 300;

/// Plugins and past studies, and so estimates, change without the text.
const AGE: u64 = 10_000;

/// The last word on a study file.
#[derive(Debug, Default)]
pub(super) struct Check {
    /// When the text was changed last.
    touched_at: u64,
    /// The text that was asked of last and is answered.
    answered: Option<String>,
    checked: Option<Checked>,
    /// Why the last question has no answer.
    error: Option<String>,
    /// The study is to be launched once nothing is wrong with it.
    pub(super) launches: bool,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    /// The key that it is about.
    pub(super) path: Option<String>,
    /// The line that it is about, counted from 1.
    pub(super) line: Option<usize>,
    pub(super) message: String,
}

impl Problem {
    /// What is wrong, behind where it is.
    pub(super) fn told(&self) -> String {
        let message = &self.message;
        match (&self.path, self.line) {
            (Some(path), _) => format!("{path}: {message}"),
            (None, Some(line)) => format!("line {line}: {message}"),
            (None, None) => message.clone(),
        }
    }
}

/// How far the word on a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State<'a> {
    /// On its way.
    Checking,
    /// Here.
    Checked,
    /// It does not come, for this reason.
    Failed(&'a str),
}

impl Check {
    /// The text was changed.
    pub(super) fn touch(&mut self, now: u64) {
        self.touched_at = now;
        self.launches = false;
    }

    /// Nobody has typed for a moment.
    pub(super) fn rests(&self, now: u64) -> bool {
        now.saturating_sub(self.touched_at) >= REST
    }

    /// It is another study's text now.
    pub(super) fn forget(&mut self) {
        *self = Check::default();
    }

    /// Asks, if it is time to, and takes in what was answered.
    pub(super) fn follow(&mut self, study: &NewStudy, data: &Data, now: u64, wants: &mut Wants) {
        match data.checked(study) {
            Loaded::Ready(checked) => {
                if self.checked.as_ref() != Some(checked) {
                    self.checked = Some(checked.clone());
                }
                self.answers(&study.spec);
                self.error = None;
            }
            Loaded::Failed(why) => {
                self.answers(&study.spec);
                self.error = Some(why.to_owned());
            }
            Loaded::Waiting => {}
        }
        if self.rests(now) || self.launches {
            wants.answer(Want::Check(study.clone()), Fresh::Within(AGE));
        }
    }

    fn answers(&mut self, spec: &str) {
        if self.answered.as_deref() != Some(spec) {
            self.answered = Some(spec.to_owned());
        }
    }

    /// The last word, which may be on an older text.
    pub(super) fn checked(&self) -> Option<&Checked> {
        self.checked.as_ref()
    }

    pub(super) fn state(&self, text: &str) -> State<'_> {
        match (&self.answered, &self.error) {
            (Some(spec), Some(why)) if spec == text => State::Failed(why),
            (Some(spec), None) if spec == text => State::Checked,
            _ => State::Checking,
        }
    }
}

/// Everything that is wrong, as far as it is known: what is no value, what is no TOML, parameters
/// outside their range, and what the daemon said last.
pub(super) fn problems(
    document: &Document,
    form: &Form,
    facts: Facts<'_>,
    check: &Check,
) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    for (path, (_, why)) in &form.bad {
        problems.push(Problem {
            path: Some(path.clone()),
            line: document.line(path),
            message: why.clone(),
        });
    }
    if let Some(fault) = document.fault() {
        problems.push(Problem {
            path: None,
            line: Some(fault.line),
            message: fault.message.clone(),
        });
        return problems;
    }
    let all = facts.schedulers.iter().map(|s| s.name.clone()).collect();
    for row in fields::rows(document, facts, &all) {
        let Row::Field(item) = row else { continue };
        let (Kind::Param(param), Some(value)) = (&item.kind, document.get(&item.path)) else {
            continue;
        };
        if let Some(why) = super::fit::misfit(param, value) {
            problems.push(Problem {
                line: document.line(&item.path),
                path: Some(item.path),
                message: why,
            });
        }
    }
    for told in check.checked.iter().flat_map(|checked| &checked.problems) {
        let line = told.line.map(|line| line as usize);
        let path = told.key.clone();
        let path = path.or_else(|| document.key_at(line?));
        // What was said of an older text may have been mended.
        let is_known = problems.iter().any(|known| {
            known.message == told.message || (known.path.is_some() && known.path == path)
        });
        if !is_known {
            problems.push(Problem {
                path,
                line,
                message: told.message.clone(),
            });
        }
    }
    problems
}
