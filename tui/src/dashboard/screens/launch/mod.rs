//! The launch screen: a study file, as a form and as text, and what it comes to.
//!
//! `document` is the text and its keys, the one truth. `fields` says which fields the form has
//! (`plain` those that are always the same), `form` and `filling` fill them in, `sheet` and `offers`
//! draw them; `typed`, `complete` and `fit` read what people type. `editor` is the text itself.
//! `knowledge` and `check` hold what the daemon says of it, `drafting` has it write a first one,
//! `preview` and `summary` show what it comes to. `acts` is what is done with it, `view` puts all on
//! the screen. `searched` reads a study file for other screens.

mod acts;
mod check;
mod complete;
mod document;
mod drafting;
mod editor;
mod fields;
mod filling;
mod fit;
mod form;
mod knowledge;
mod offers;
mod plain;
mod preview;
mod searched;
mod sheet;
mod summary;
mod trained;
mod typed;
mod view;

use super::{Pointer, Screen, Wants};
use crate::dashboard::cx::Cx;
use crate::dashboard::deed::Subject;
use crate::dashboard::keys::{Command, Group};
use crate::dashboard::pen::Pen;
use attune_protocol::NewStudy;
use check::Problem;
use complete::folder_of;
use document::Document;
use drafting::Drafting;
use editor::Editor;
use fields::{Facts, START};
use form::{Around, Form, Outcome};
use knowledge::Knowledge;
pub(crate) use knowledge::study_file;
use preview::Schedule;
use ratatui::crossterm::event::KeyEvent;
use ratatui::layout::Rect;
pub(crate) use searched::Searched;
use trained::Trained;

/// The screen.
#[derive(Debug)]
pub(crate) struct Launch {
    document: Document,
    /// Where the study file came from; empty where it is new.
    file: String,
    /// The text that the form was filled with last.
    filled: String,
    is_text: bool,
    form: Form,
    editor: Editor,
    knowledge: Knowledge,
    drafting: Drafting,
    schedule: Schedule,
    /// The study that is being fetched to begin with.
    fetched: Option<String>,
    /// Paths that were saved to, or could not be: not offered again.
    saved: Vec<String>,
    /// The first line in sight of what it comes to, and where that was drawn last.
    side_top: usize,
    side: Rect,
    body: Rect,
}

/// Dialogs of this screen.
const SAVE: &str = "save";
const REPLACE: &str = "replace";

impl Default for Launch {
    fn default() -> Self {
        Launch {
            document: Document::new(""),
            file: String::new(),
            filled: String::new(),
            is_text: false,
            form: Form::default(),
            editor: Editor::default(),
            knowledge: Knowledge::default(),
            drafting: Drafting::from_nothing(),
            schedule: Schedule::default(),
            fetched: None,
            saved: Vec::new(),
            side_top: 0,
            side: Rect::ZERO,
            body: Rect::ZERO,
        }
    }
}

impl Launch {
    fn path(&self, cx: &Cx<'_>) -> String {
        knowledge::file(&self.file, &self.document, cx.folder)
    }

    /// The folder that paths in the study file begin at.
    fn folder(&self, cx: &Cx<'_>) -> String {
        folder_of(&self.path(cx)).to_owned()
    }

    fn facts(&self, cx: &Cx<'_>) -> Facts<'_> {
        self.knowledge.facts(&self.document, &self.folder(cx))
    }

    fn new_study(&self, cx: &Cx<'_>) -> NewStudy {
        NewStudy {
            spec: self.document.text().to_owned(),
            file: self.path(cx),
            plugins: Vec::new(),
            parallel: None,
        }
    }

    /// Whether there is enough of a study to have it checked.
    fn has_data(&self) -> bool {
        self.lacks().is_none()
    }

    /// The key that has to be filled in first, and how that is said.
    fn lacks(&self) -> Option<(&'static str, &'static str)> {
        let is_written = self.is_text && !self.document.text().trim().is_empty();
        match is_written || self.document.fault().is_some() {
            true => None,
            false => Trained::of(&self.document).lacks(&self.document),
        }
    }

    fn problems(&self, cx: &Cx<'_>) -> Vec<Problem> {
        if !self.has_data() && self.form.bad.is_empty() {
            return Vec::new();
        }
        let facts = self.facts(cx);
        check::problems(&self.document, &self.form, facts, &self.knowledge.check)
    }

    /// Has the form do something that may change the study file.
    fn edit(
        &mut self,
        cx: &mut Cx<'_>,
        what: impl FnOnce(&mut Form, &mut Document, Around<'_>) -> Outcome,
    ) {
        let before = self.document.text().to_owned();
        let folder = self.folder(cx);
        let studies = cx.data.studies().unwrap_or_default();
        let studies: Vec<String> = studies.iter().map(|study| study.id.clone()).collect();
        // Facts are of the text before: what is changed here is told of in the next round.
        let snapshot = self.document.clone();
        let around = Around {
            facts: self.knowledge.facts(&snapshot, &folder),
            entries: self.knowledge.entries(),
            folder: &folder,
            studies: &studies,
        };
        match what(&mut self.form, &mut self.document, around) {
            Outcome::Nothing => {}
            Outcome::Edited(path) => {
                self.drafting.edited(&path, &before, &self.document);
                self.knowledge.check.touch(cx.now);
            }
            Outcome::Begin(study) => self.begin(study, cx),
        }
    }

    fn choose(&mut self, id: &str, cx: &Cx<'_>) {
        let folder = self.folder(cx);
        let facts = self.knowledge.facts(&self.document, &folder);
        self.form.choose(id, &self.document, facts);
    }

    /// The text was changed in the editor.
    fn rewritten(&mut self, cx: &Cx<'_>) {
        let text = self.editor.text();
        if text != self.document.text() {
            self.document = Document::new(text);
            self.knowledge.check.touch(cx.now);
        }
    }

    /// The scheduler whose schedule is shown: the one that is looked at, or the first.
    fn previewed(&self, facts: Facts<'_>) -> Option<String> {
        let at = fields::scheduler_of(&self.form.chosen).map(str::to_owned);
        let is_known = |name: &String| facts.schedulers.iter().any(|s| s.name == *name);
        let looked_at = at.filter(|name| is_known(name) && !self.is_text);
        let mut chosen = fields::chosen(&self.document, facts).into_iter();
        looked_at.or_else(|| chosen.find(is_known))
    }
}

impl Screen for Launch {
    fn groups(&self) -> &'static [Group] {
        &[Group::Launch]
    }

    fn title(&self, cx: &Cx<'_>) -> String {
        let path = self.path(cx);
        path.rsplit('/').next().unwrap_or_default().to_owned()
    }

    fn wants(&mut self, cx: &mut Cx<'_>, wants: &mut Wants) {
        self.fetch(cx, wants);
        let folder = self.folder(cx);
        self.knowledge
            .follow(&self.document, &folder, cx.data, cx.now, wants);
        let is_drafted = self.draft(cx, wants);
        if self.has_data() && !is_drafted {
            let study = self.new_study(cx);
            self.knowledge.check.follow(&study, cx.data, cx.now, wants);
        }
        self.launch(cx);
        let facts = self.knowledge.facts(&self.document, &folder);
        let question = self
            .previewed(facts)
            .map(|scheduler| preview::question(&self.document, facts, &scheduler));
        let rests = self.knowledge.check.rests(cx.now);
        self.schedule.follow(question, rests, cx.data, wants);
    }

    fn act(&mut self, command: Command, cx: &mut Cx<'_>) -> bool {
        match command {
            Command::SwitchView => self.switch(cx),
            Command::Launch => self.ask_launch(cx),
            Command::Export => self.ask_path(cx),
            Command::Back => return self.editor.leave_search(),
            _ => return false,
        }
        true
    }

    fn subjects(&self, _cx: &Cx<'_>) -> Vec<Subject> {
        Vec::new()
    }

    fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>) {
        self.paint(pen, area, cx);
    }

    fn pointer(&mut self, pointer: Pointer, cx: &mut Cx<'_>) -> bool {
        self.point(pointer, cx)
    }

    fn is_typing(&self) -> bool {
        true
    }

    fn is_waiting(&self, cx: &Cx<'_>) -> bool {
        !self.knowledge.check.rests(cx.now)
    }

    fn key(&mut self, event: &KeyEvent, cx: &mut Cx<'_>) {
        if self.is_text {
            if self.editor.key(event) {
                self.rewritten(cx);
            }
            return;
        }
        self.edit(cx, |form, document, around| {
            form.key(event, document, around)
        });
    }

    fn paste(&mut self, text: &str, cx: &mut Cx<'_>) {
        if self.is_text {
            if self.editor.paste(text) {
                self.rewritten(cx);
            }
            return;
        }
        self.edit(cx, |form, document, around| {
            form.paste(text, document, around.facts)
        });
    }

    fn fill(&mut self, spec: String, file: String, cx: &mut Cx<'_>) {
        self.fetched = None;
        self.is_text = false;
        self.replace(spec, file, Drafting::never(), cx);
        self.choose(START, cx);
    }

    fn answered(&mut self, name: &str, answers: &[String], cx: &mut Cx<'_>) {
        match (name, answers.first()) {
            (REPLACE, _) => self.fetched = Some(self.form.start.clone()),
            (SAVE, Some(path)) if !path.is_empty() => self.save(path, cx),
            (SAVE, _) => cx.complain("nothing is saved: there is no path"),
            _ => {}
        }
    }
}
