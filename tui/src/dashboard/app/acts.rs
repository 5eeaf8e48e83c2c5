//! What is done to studies and trials: which questions are asked before, and what follows from the
//! answers.

use super::{App, Effect, GRACE};
use crate::dashboard::data::rows::study_of;
use crate::dashboard::data::want::{Fresh, Want};
use crate::dashboard::deed::{self, Deed, Subject};
use crate::dashboard::keys::{Command, Place};
use crate::dashboard::overlay::{Dialog, Entry, Overlay, Purpose};
use crate::dashboard::screens::launch::study_file;
use crate::dashboard::screens::plugins::describe;
use attune_protocol::{Fork, Note, Number, ResumeStudy, Steer, StudyState};

/// The forms that a study can be written in.
const FORMATS: [&str; 5] = ["jsonl", "csv", "tensorboard", "optuna", "model"];

/// The same scheduler as before.
const SAME: &str = "(the same)";

impl App {
    /// A command of [`Group::Deeds`](crate::dashboard::keys::Group::Deeds) that the screen left to us.
    pub(super) fn act(&mut self, command: Command, effects: &mut Vec<Effect>) {
        if command == Command::Launch {
            self.go(Place::Launch);
            return;
        }
        let subjects = {
            let (screen, cx) = self.screen();
            screen.subjects(&cx)
        };
        let Some(first) = subjects.first().cloned() else {
            self.complain("nothing is chosen: move to a study or a trial first");
            return;
        };
        let study = study_of(first.id()).to_owned();
        match command {
            Command::Pause => self.ask_which(subjects, Purpose::Pause, "Pause", effects),
            Command::Stop => self.ask_which(subjects, Purpose::Stop, "Stop", effects),
            Command::Resume => self.resume(&subjects, effects),
            Command::Retry => self.confirm_retry(subjects),
            Command::Fork => self.trial_only(&first, App::ask_fork),
            Command::Swap => self.trial_only(&first, App::ask_swap),
            Command::SetRate => self.trial_only(&first, App::ask_rate),
            Command::Extend => self.ask_extend(study),
            Command::Delete => self.ask_delete(&subjects),
            Command::Export => self.ask_export(study),
            Command::Note => self.ask_note(first, effects),
            Command::Tag => self.ask_tags(first, effects),
            Command::Compare => self.compare(&subjects),
            Command::Again => self.again(&study, effects),
            _ => {}
        }
    }

    /// Where a trial is chosen it may be the whole study that is meant.
    fn ask_which(
        &mut self,
        subjects: Vec<Subject>,
        purpose: fn(Vec<Subject>) -> Purpose,
        title: &'static str,
        effects: &mut Vec<Effect>,
    ) {
        let mut entries = Vec::new();
        if let ([Subject::Trial(trial)], Place::Study) = (subjects.as_slice(), self.place) {
            let study = study_of(trial).to_owned();
            entries.push(Entry::choice(
                "what",
                vec![study.clone(), trial.clone()],
                study,
            ));
        } else if title == "Pause" && subjects.len() == 1 {
            // It can be taken back.
            self.answered(purpose(subjects), Vec::new(), effects);
            return;
        }
        let text = format!("{title} {}?", told(&subjects));
        let text = if entries.is_empty() {
            text
        } else {
            String::new()
        };
        self.show(Dialog::new(purpose(subjects), title, text, entries));
    }

    fn show(&mut self, dialog: Dialog) {
        self.overlay = Some(Overlay::Dialog(dialog));
    }

    fn trial_only(&mut self, subject: &Subject, ask: fn(&mut App, String)) {
        match subject {
            Subject::Trial(trial) => ask(self, trial.clone()),
            Subject::Study(study) => match self.data.study(study) {
                // Of a study the best trial is meant.
                Some(summary) if summary.best_trial.is_some() => {
                    let best = summary.best_trial.clone().unwrap_or_default();
                    ask(self, best);
                }
                _ => self.complain("choose a trial first: enter opens the study"),
            },
        }
    }

    fn resume(&mut self, subjects: &[Subject], effects: &mut Vec<Effect>) {
        for subject in subjects {
            let deed = match subject {
                Subject::Study(id) => Deed::ResumeStudy(id.clone(), ResumeStudy::default()),
                Subject::Trial(id) => {
                    let study = study_of(id);
                    let waits = self.data.study(study).is_some_and(|study| {
                        matches!(study.state, StudyState::Paused | StudyState::Interrupted)
                    });
                    match waits {
                        true => Deed::ResumeStudy(study.to_owned(), ResumeStudy::default()),
                        false => Deed::ResumeTrial(id.clone()),
                    }
                }
            };
            self.perform(deed, effects);
        }
    }

    fn confirm_retry(&mut self, subjects: Vec<Subject>) {
        let trials: Vec<Subject> = subjects
            .into_iter()
            .filter(|subject| matches!(subject, Subject::Trial(_)))
            .collect();
        if trials.is_empty() {
            self.complain("choose a trial first: enter opens the study");
            return;
        }
        let text = format!(
            "Train {} once more from the beginning, with the same settings and seed, in a study of \
             its own?",
            told(&trials)
        );
        self.show(Dialog::new(
            Purpose::Retry(trials),
            "Retry",
            text,
            Vec::new(),
        ));
    }

    fn schedulers(&self) -> Vec<String> {
        let plugins = self.data.plugins().ready().map_or(&[][..], Vec::as_slice);
        let entries = describe::entries(plugins).into_iter();
        let mut names: Vec<String> = entries.filter_map(|e| Some(e.scheduler?.name)).collect();
        names.dedup();
        names
    }

    fn ask_fork(&mut self, trial: String) {
        let mut schedulers = vec![SAME.to_owned()];
        schedulers.extend(self.schedulers());
        let text = format!(
            "Goes on from the last checkpoint of {trial} at or before a step, in a study of its own."
        );
        let entries = vec![
            Entry::choice("scheduler", schedulers, SAME),
            Entry::text("at step", "nothing: the last checkpoint", ""),
            Entry::text("settings", "such as lr=0.01 weight_decay=0.001", ""),
        ];
        self.show(Dialog::new(Purpose::Fork(trial), "Fork", text, entries));
    }

    fn ask_swap(&mut self, trial: String) {
        let schedulers = self.schedulers();
        let first = schedulers.first().cloned().unwrap_or_default();
        let text = format!("Another scheduler steers {trial} from now on, from the rate in force.");
        let entries = vec![
            Entry::choice("scheduler", schedulers, first),
            Entry::text("parameters", "such as patience=5 factor=0.9", ""),
        ];
        self.show(Dialog::new(
            Purpose::Swap(trial),
            "Swap the scheduler",
            text,
            entries,
        ));
    }

    fn ask_rate(&mut self, trial: String) {
        let rate = self.rate_of(&trial).map(crate::number::significant);
        let text =
            format!("The learning rate of {trial} from now on; its scheduler is scaled by it.");
        let entries = vec![Entry::text(
            "rate",
            "a number above 0",
            rate.unwrap_or_default(),
        )];
        self.show(Dialog::new(
            Purpose::SetRate(trial),
            "Set the rate",
            text,
            entries,
        ));
    }

    fn rate_of(&self, trial: &str) -> Option<f64> {
        let number = crate::dashboard::data::rows::number_of(trial)?;
        let rate = self.data.rows(study_of(trial))?.get(number)?.rate;
        rate.is_finite().then_some(rate)
    }

    fn ask_extend(&mut self, study: String) {
        let planned = self.data.study(&study).map(|study| study.trials.planned);
        let trials = planned.filter(|&planned| planned > 0);
        let hint = "in all, not on top";
        let trials = trials.map(|planned| planned.saturating_mul(2).to_string());
        let entries = vec![
            Entry::text("trials", hint, trials.unwrap_or_default()),
            Entry::text("more time", "such as 10m", ""),
        ];
        let text = format!("Study {study} goes on with more.");
        self.show(Dialog::new(Purpose::Extend(study), "Extend", text, entries));
    }

    fn ask_delete(&mut self, subjects: &[Subject]) {
        let mut studies: Vec<Subject> = Vec::new();
        for subject in subjects {
            let study = Subject::Study(study_of(subject.id()).to_owned());
            if !studies.contains(&study) {
                studies.push(study);
            }
        }
        let text = format!(
            "Delete {}, with all trials, histories, checkpoints and models?",
            told(&studies)
        );
        let dialog = Dialog::new(Purpose::Delete(studies), "Delete", text, Vec::new());
        self.show(dialog);
    }

    fn ask_export(&mut self, study: String) {
        let formats = FORMATS.map(str::to_owned).to_vec();
        let path = format!("{}/{study}.jsonl", self.folder);
        let entries = vec![
            Entry::choice("form", formats, FORMATS[0]),
            Entry::text("to", "a file, or a folder for csv and tensorboard", path),
        ];
        let text = format!("Write study {study} to a file. What is there already is not touched.");
        self.show(Dialog::new(Purpose::Export(study), "Export", text, entries));
    }

    /// What was written about it; nothing while that is not known.
    pub(super) fn note_of(&self, subject: &Subject) -> Option<&Note> {
        match subject {
            Subject::Study(id) => self.data.study(id).map(|study| &study.note),
            Subject::Trial(id) => self.data.trial(id).ready().map(|trial| &trial.trial.note),
        }
    }

    /// The note that is about to be changed. One that is not known would be written over: it is
    /// asked for first.
    fn note_to_change(&mut self, subject: &Subject, effects: &mut Vec<Effect>) -> Option<Note> {
        let note = self.note_of(subject).cloned();
        if note.is_none() {
            let want = match subject {
                Subject::Study(_) => Want::Studies,
                Subject::Trial(id) => Want::Trial(id.clone()),
            };
            if self.data.must_ask(&want, Fresh::Once, self.now) {
                effects.push(Effect::Ask(want));
            }
            self.tell("the note is on its way; press it once more");
        }
        note
    }

    fn ask_note(&mut self, subject: Subject, effects: &mut Vec<Effect>) {
        let Some(note) = self.note_to_change(&subject, effects) else {
            return;
        };
        let text = format!("About {}.", subject.id());
        let hint = "what you want to remember";
        let entries = vec![Entry::text("note", hint, note.text.clone())];
        let purpose = Purpose::Note(subject, note);
        self.show(Dialog::new(purpose, "Note", text, entries));
    }

    fn ask_tags(&mut self, subject: Subject, effects: &mut Vec<Effect>) {
        let Some(note) = self.note_to_change(&subject, effects) else {
            return;
        };
        let entries = vec![Entry::text(
            "tags",
            "words, separated by spaces; a filter finds them: tag = good",
            note.tags.join(" "),
        )];
        let text = format!("Tags of {}.", subject.id());
        let purpose = Purpose::Tag(subject, note);
        self.show(Dialog::new(purpose, "Tags", text, entries));
    }

    fn compare(&mut self, subjects: &[Subject]) {
        if self.focus.marked.len() < 2 {
            // The best one is what the chosen one is held against.
            for subject in subjects {
                let study = study_of(subject.id());
                let best = self.data.study(study).and_then(|s| s.best_trial.clone());
                let chosen = match subject {
                    Subject::Trial(id) => Some(id.clone()),
                    Subject::Study(_) => None,
                };
                for trial in best.into_iter().chain(chosen) {
                    if !self.focus.is_marked(&trial) {
                        self.focus.toggle(&trial);
                    }
                }
            }
        }
        if self.focus.marked.len() < 2 {
            self.tell("marked; mark one more (space) to compare");
            return;
        }
        self.go(Place::Compare);
    }

    fn again(&mut self, study: &str, effects: &mut Vec<Effect>) {
        match self.data.detail(study).ready() {
            Some(detail) => {
                let spec = detail.spec.clone();
                let file = study_file(detail, &self.folder);
                self.draft(spec, file, effects);
            }
            None => self.tell("the study file is on its way; press it once more"),
        }
    }

    /// Fills the launch form.
    pub(super) fn draft(&mut self, spec: String, file: String, effects: &mut Vec<Effect>) {
        self.go(Place::Launch);
        self.at_screen(effects, |screen, cx| screen.fill(spec, file, cx));
    }

    /// A question was answered.
    pub(super) fn answered(
        &mut self,
        purpose: Purpose,
        answers: Vec<String>,
        effects: &mut Vec<Effect>,
    ) {
        let answer = |index: usize| answers.get(index).map_or("", String::as_str);
        match purpose {
            Purpose::Filter => {
                let text = answer(0).to_owned();
                self.at_screen(effects, |screen, cx| screen.set_filter(&text, cx));
            }
            Purpose::Columns => {
                let columns: Vec<String> =
                    answer(0).split_whitespace().map(str::to_owned).collect();
                self.at_screen(effects, |screen, cx| screen.set_columns(&columns, cx));
            }
            Purpose::Pause(subjects) => {
                for subject in meant(subjects, answer(0)) {
                    let deed = match subject {
                        Subject::Study(id) => Deed::PauseStudy(id),
                        Subject::Trial(id) => Deed::PauseTrial(id),
                    };
                    self.perform(deed, effects);
                }
            }
            Purpose::Stop(subjects) => {
                for subject in meant(subjects, answer(0)) {
                    let deed = match subject {
                        Subject::Study(id) => Deed::StopStudy(id),
                        Subject::Trial(id) => Deed::StopTrial(id),
                    };
                    self.perform(deed, effects);
                }
            }
            Purpose::Retry(subjects) => {
                for subject in subjects {
                    self.perform(Deed::RetryTrial(subject.id().to_owned()), effects);
                }
            }
            Purpose::Delete(subjects) => {
                let at = self.now + GRACE;
                for subject in subjects {
                    let id = subject.id();
                    self.doomed.retain(|(doomed, _)| doomed != id);
                    self.doomed.push((id.to_owned(), at));
                }
            }
            Purpose::Fork(trial) => self.fork(trial, answer(0), answer(1), answer(2), effects),
            Purpose::Swap(trial) => match deed::settings(answer(1)) {
                Ok(params) => {
                    let params = params
                        .into_iter()
                        .map(|(name, value)| (name, deed::scalar(&value)));
                    let steer = Steer::Swap {
                        scheduler: answer(0).to_owned(),
                        params: params.collect(),
                    };
                    self.perform(Deed::Steer(trial, steer), effects);
                }
                Err(why) => self.complain(why),
            },
            Purpose::SetRate(trial) => match answer(0).parse::<f64>() {
                Ok(rate) if rate > 0.0 && rate.is_finite() => {
                    let steer = Steer::SetRate(Number(rate));
                    self.perform(Deed::Steer(trial, steer), effects);
                }
                _ => self.complain(format!("`{}` is not a rate: a number above 0", answer(0))),
            },
            Purpose::Extend(study) => self.extend(study, answer(0), answer(1), effects),
            Purpose::Export(study) => {
                let deed = Deed::Export {
                    study,
                    format: answer(0).to_owned(),
                    path: answer(1).to_owned(),
                };
                self.perform(deed, effects);
            }
            Purpose::Note(subject, before) => {
                let note = Note {
                    text: answer(0).to_owned(),
                    ..before
                };
                self.write_note(subject, note, effects);
            }
            Purpose::Tag(subject, before) => {
                let note = Note {
                    tags: answer(0).split_whitespace().map(str::to_owned).collect(),
                    ..before
                };
                self.write_note(subject, note, effects);
            }
            Purpose::Own(name) => {
                self.at_screen(effects, |screen, cx| screen.answered(name, &answers, cx));
            }
        }
    }

    fn fork(
        &mut self,
        trial: String,
        scheduler: &str,
        at: &str,
        set: &str,
        effects: &mut Vec<Effect>,
    ) {
        let at = match at {
            "" => None,
            at => match at.parse::<u64>() {
                Ok(at) => Some(at),
                Err(_) => {
                    self.complain(format!("`{at}` is not a step: a whole number, or nothing"));
                    return;
                }
            },
        };
        let set = match deed::settings(set) {
            Ok(set) => set,
            Err(why) => {
                self.complain(why);
                return;
            }
        };
        let fork = Fork {
            at,
            scheduler: (scheduler != SAME).then(|| scheduler.to_owned()),
            set,
        };
        self.perform(Deed::Fork(trial, fork), effects);
    }

    fn extend(&mut self, study: String, trials: &str, time: &str, effects: &mut Vec<Effect>) {
        let trials = match trials {
            "" => None,
            text => match text.parse::<u32>() {
                Ok(trials) => Some(trials),
                Err(_) => {
                    self.complain(format!("`{text}` is not a number of trials"));
                    return;
                }
            },
        };
        let more = ResumeStudy {
            trials,
            budget: (!time.is_empty()).then(|| time.to_owned()),
            ..ResumeStudy::default()
        };
        self.perform(Deed::ResumeStudy(study, more), effects);
    }

    fn write_note(&mut self, subject: Subject, note: Note, effects: &mut Vec<Effect>) {
        let deed = match subject {
            Subject::Study(id) => Deed::NoteStudy(id, note),
            Subject::Trial(id) => Deed::NoteTrial(id, note),
        };
        self.perform(deed, effects);
    }

    /// Takes back what was done last, where that can be.
    pub(super) fn take_back(&mut self, effects: &mut Vec<Effect>) {
        if !self.doomed.is_empty() {
            self.doomed.clear();
            self.tell("nothing is deleted");
            return;
        }
        match self.undo.pop() {
            Some(deed) => self.perform(deed, effects),
            None => self.tell("there is nothing to take back"),
        }
    }
}

/// The subjects, or what was chosen in their place.
fn meant(subjects: Vec<Subject>, chosen: &str) -> Vec<Subject> {
    match chosen {
        "" => subjects,
        id if id.contains('.') => vec![Subject::Trial(id.to_owned())],
        id => vec![Subject::Study(id.to_owned())],
    }
}

/// Subjects as they are named in a sentence.
fn told(subjects: &[Subject]) -> String {
    let names: Vec<&str> = subjects.iter().map(Subject::id).collect();
    match names.as_slice() {
        [one] => (*one).to_owned(),
        names if names.len() <= 4 => names.join(", "),
        names => format!("{} and {} more", names[..3].join(", "), names.len() - 3),
    }
}
