//! What a screen sees of the rest of the dashboard, and what it may ask of it.

use super::data::Data;
use super::deed::Deed;
use super::keys::Place;
use super::overlay::Overlay;

/// What all screens share: what is being looked at.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Focus {
    /// The study that was opened last.
    pub(crate) study: Option<String>,
    /// The trial that was opened last.
    pub(crate) trial: Option<String>,
    /// Trials that are marked, across studies, in the order in which they were.
    pub(crate) marked: Vec<String>,
}

/// The rest of the dashboard, as a screen sees it.
pub(crate) struct Cx<'a> {
    pub(crate) data: &'a Data,
    pub(crate) focus: &'a mut Focus,
    /// Milliseconds since 1970.
    pub(crate) now: u64,
    /// The folder that the program was started in, for files.
    pub(crate) folder: &'a str,
    steps: Vec<Step>,
}

/// What a screen asks of the dashboard.
#[derive(Debug)]
pub(crate) enum Step {
    /// To go to another screen.
    Go(Place),
    /// To do something.
    Do(Deed),
    /// To show something above the screen.
    Show(Overlay),
    /// To say a sentence at the foot of the screen.
    Tell(String),
    /// To say what went wrong.
    Complain(String),
    /// To show only what fits, on the screen that is gone to.
    Filter(String),
}

impl<'a> Cx<'a> {
    pub(crate) fn new(data: &'a Data, focus: &'a mut Focus, now: u64, folder: &'a str) -> Self {
        Cx {
            data,
            focus,
            now,
            folder,
            steps: Vec::new(),
        }
    }

    pub(crate) fn step(&mut self, step: Step) {
        self.steps.push(step);
    }

    pub(crate) fn go(&mut self, place: Place) {
        self.step(Step::Go(place));
    }

    pub(crate) fn tell(&mut self, text: impl Into<String>) {
        self.step(Step::Tell(text.into()));
    }

    pub(crate) fn complain(&mut self, text: impl Into<String>) {
        self.step(Step::Complain(text.into()));
    }

    /// Opens a study.
    pub(crate) fn open_study(&mut self, study: &str) {
        self.focus.study = Some(study.to_owned());
        self.go(Place::Study);
    }

    /// Opens a study, with those of its trials that fit.
    pub(crate) fn open_filtered(&mut self, study: &str, filter: String) {
        self.open_study(study);
        self.step(Step::Filter(filter));
    }

    /// Opens a trial, and its study with it.
    pub(crate) fn open_trial(&mut self, trial: &str) {
        self.focus.study = Some(super::data::rows::study_of(trial).to_owned());
        self.focus.trial = Some(trial.to_owned());
        self.go(Place::Trial);
    }

    /// The study that was opened last, by its name too where that is known.
    pub(crate) fn study_title(&self) -> String {
        let study = self.focus.study.as_deref();
        match study.and_then(|study| self.data.study(study)) {
            Some(study) => format!("{} {}", study.id, study.name),
            None => study.unwrap_or_default().to_owned(),
        }
    }

    /// Opens the newest study for whoever comes to one before any was opened.
    pub(crate) fn newest_study(&mut self) {
        if self.focus.study.is_none() {
            let newest = self.data.studies().and_then(|studies| studies.first());
            self.focus.study = newest.map(|study| study.id.clone());
        }
    }

    pub(crate) fn into_steps(self) -> Vec<Step> {
        self.steps
    }
}

impl Focus {
    /// Marks a trial, or takes its mark away.
    pub(crate) fn toggle(&mut self, trial: &str) {
        match self.marked.iter().position(|marked| marked == trial) {
            Some(place) => drop(self.marked.remove(place)),
            None => self.marked.push(trial.to_owned()),
        }
    }

    pub(crate) fn is_marked(&self, trial: &str) -> bool {
        self.marked.iter().any(|marked| marked == trial)
    }
}
