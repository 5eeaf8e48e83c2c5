//! The dashboard as a pure machine: what comes in changes its state and asks for effects, and it can
//! be drawn at any moment. It reads no clock, no file and no socket.

mod acts;
mod draw;

use super::cx::{Cx, Focus, Step};
use super::data::want::{Answer, Fresh, Want};
use super::data::{Data, Link};
use super::deed::{Deed, Done};
use super::keys::{self, Command, Place};
use super::overlay::{Help, Overlay, Palette, Verdict};
use super::screens::compare::Compare;
use super::screens::insight::Insight;
use super::screens::launch::Launch;
use super::screens::plugins::Plugins;
use super::screens::studies::Studies;
use super::screens::study::Study;
use super::screens::system::System;
use super::screens::trial::Trial;
use super::screens::{Pointer, Press, Screen, Wants};
use crate::style::Style;
use attune_protocol::Event;
use ratatui::crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::layout::Rect;
use std::collections::HashMap;

/// Something that comes in.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A key was pressed.
    Key(KeyEvent),
    /// The mouse did something.
    Mouse(MouseEvent),
    /// Text was pasted.
    Paste(String),
    /// The terminal has another size.
    Resize,
    /// Time passed.
    Tick,
    /// Something wanted came, or the reason why it does not.
    Answer(Want, Result<Answer, String>),
    /// The daemon went away before it answered.
    Unanswered(Want),
    /// Something happened.
    Event(Event),
    /// The daemon is there, for the first time or again.
    Linked,
    /// The daemon is away, for this reason.
    Unlinked(String),
    /// A deed was done, or could not be.
    Done(u64, Result<Done, String>),
    /// The program is asked to end.
    Quit,
}

/// Something to be done by whoever runs the dashboard.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the daemon.
    Ask(Want),
    /// Do this, and say what came of it under this number.
    Do(u64, Deed),
    /// Leave, once everything that is being done is done.
    Quit,
}

/// A sentence at the foot of the screen.
#[derive(Debug)]
struct Told {
    text: String,
    is_bad: bool,
    until: u64,
}

/// A deed under way.
#[derive(Debug)]
struct Doing {
    deed: Deed,
    undo: Option<Deed>,
}

/// The dashboard.
pub struct App {
    pub(super) data: Data,
    pub(super) focus: Focus,
    style: Style,
    screens: Screens,
    place: Place,
    trail: Vec<Place>,
    overlay: Option<Overlay>,
    told: Option<Told>,
    undo: Vec<Deed>,
    doing: HashMap<u64, Doing>,
    deeds: u64,
    /// Studies that will be deleted at this moment unless that is taken back.
    doomed: Vec<(String, u64)>,
    now: u64,
    folder: String,
    dirty: bool,
    /// Where things were drawn last.
    tabs: Vec<(Rect, Place)>,
    body: Rect,
    pressed: Option<(u16, u16)>,
    clicked: Option<(u16, u16, u64)>,
    drawn: Rect,
}

#[derive(Default)]
struct Screens {
    studies: Studies,
    study: Study,
    trial: Trial,
    compare: Compare,
    launch: Launch,
    plugins: Plugins,
    insight: Insight,
    system: System,
}

/// How long a sentence stands at the foot of the screen, in milliseconds.
const TOLD: u64 = 6_000;

/// How long a deletion can be taken back, in milliseconds.
const GRACE: u64 = 8_000;

/// Two clicks within these milliseconds are one double click.
const DOUBLE: u64 = 400;

/// Deeds that can be taken back are remembered, so many.
const UNDOABLE: usize = 20;

/// How often the lists that have no events of their own are asked for, in milliseconds.
const SLOWLY: u64 = 60_000;

impl App {
    /// A dashboard that knows nothing yet; `folder` is where files are written to and looked for.
    pub fn new(style: Style, folder: impl Into<String>) -> Self {
        App {
            data: Data::new(),
            focus: Focus::default(),
            style,
            screens: Screens::default(),
            place: Place::Studies,
            trail: Vec::new(),
            overlay: None,
            told: None,
            undo: Vec::new(),
            doing: HashMap::new(),
            deeds: 0,
            doomed: Vec::new(),
            now: 0,
            folder: folder.into(),
            dirty: true,
            tabs: Vec::new(),
            body: Rect::ZERO,
            pressed: None,
            clicked: None,
            drawn: Rect::ZERO,
        }
    }

    /// Opens with this study or trial, such as `s12` or `s12.3`.
    pub fn open(&mut self, id: &str) {
        self.focus.study = Some(super::data::rows::study_of(id).to_owned());
        self.place = Place::Study;
        if id.contains('.') {
            self.focus.trial = Some(id.to_owned());
            self.place = Place::Trial;
        }
        self.trail = vec![Place::Studies];
    }

    /// Whether something looks different since it was drawn last.
    pub fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Whether the screen waits for a moment to pass, as for a text to rest that is being typed.
    pub fn is_waiting(&mut self) -> bool {
        let (screen, cx) = self.screen();
        screen.is_waiting(&cx)
    }

    /// The study whose events are wanted, beside what is told of all studies.
    pub fn followed(&self) -> Option<&str> {
        match self.place {
            Place::Study | Place::Trial | Place::Insight => self.focus.study.as_deref(),
            _ => None,
        }
    }

    /// Takes in what came, at this moment (milliseconds since 1970).
    pub fn handle(&mut self, inputs: impl IntoIterator<Item = Input>, now: u64) -> Vec<Effect> {
        self.now = now;
        let mut effects = Vec::new();
        for input in inputs {
            self.take(input, &mut effects);
        }
        self.gather(&mut effects);
        effects
    }

    fn take(&mut self, input: Input, effects: &mut Vec<Effect>) {
        let now = self.now;
        match input {
            Input::Key(key) if key.kind == KeyEventKind::Release => {}
            Input::Key(key) => {
                self.dirty = true;
                self.key(&key, effects);
            }
            Input::Mouse(mouse) => self.mouse(mouse, effects),
            Input::Paste(text) => {
                self.dirty = true;
                match &mut self.overlay {
                    Some(overlay) => overlay.paste(&text),
                    None => self.at_screen(effects, |screen, cx| screen.paste(&text, cx)),
                }
            }
            Input::Resize => self.dirty = true,
            Input::Tick => self.tick(effects),
            Input::Answer(want, answer) => self.dirty |= self.data.answer(&want, answer, now),
            Input::Unanswered(want) => self.data.unanswered(&want),
            Input::Event(event) => {
                self.data.event(&event, now);
                self.dirty = true;
            }
            Input::Linked => {
                if matches!(self.data.link, Link::Away(..)) {
                    self.tell("the daemon is back; everything is being looked at anew");
                }
                self.data.link = Link::Live;
                self.data.expire();
                self.dirty = true;
            }
            Input::Unlinked(why) => {
                if !matches!(self.data.link, Link::Away(..)) {
                    self.data.link = Link::Away(now, why);
                }
                self.dirty = true;
            }
            Input::Done(number, done) => self.done(number, done),
            Input::Quit => self.quit(effects),
        }
    }

    /// Asks for what is wanted and not here.
    fn gather(&mut self, effects: &mut Vec<Effect>) {
        let now = self.now;
        let mut wants = Wants::default();
        // The list is kept up to date by events; it is looked through now and then all the same.
        wants.answer(Want::Studies, Fresh::Within(SLOWLY));
        wants.answer(Want::Plugins, Fresh::Within(SLOWLY));
        if let Some(Overlay::Dialog(dialog)) = &self.overlay
            && let Some(trial) = dialog.trial()
        {
            // What was looked at a moment ago may have come to another checkpoint since.
            wants.answer(Want::Trial(trial.to_owned()), Fresh::Within(1_000));
        }
        let (screen, mut cx) = self.screen();
        screen.wants(&mut cx, &mut wants);
        let steps = cx.into_steps();
        self.walk(steps, effects);
        if self.data.link == Link::Connecting || matches!(self.data.link, Link::Away(..)) {
            return;
        }
        for (want, fresh) in wants.answers {
            if self.data.must_ask(&want, fresh, now) {
                effects.push(Effect::Ask(want));
            }
        }
        for study in wants.tables {
            effects.extend(self.data.missing_rows(&study, now).map(Effect::Ask));
        }
        for (study, metric, trials) in wants.curves {
            effects.extend(
                self.data
                    .missing_curves(&study, &metric, &trials, now)
                    .map(Effect::Ask),
            );
        }
        self.data.cache.tidy(now);
    }

    fn tick(&mut self, effects: &mut Vec<Effect>) {
        if self
            .told
            .as_ref()
            .is_some_and(|told| told.until <= self.now)
        {
            self.told = None;
            self.dirty = true;
        }
        let (due, waiting): (Vec<_>, Vec<_>) =
            self.doomed.drain(..).partition(|(_, at)| *at <= self.now);
        self.doomed = waiting;
        for (study, _) in due {
            self.perform(Deed::DeleteStudy(study), effects);
        }
        // Ages and clocks move while something runs, or while the daemon is away.
        let moves = self.data.studies().is_some_and(|studies| {
            studies
                .iter()
                .any(|study| study.state == attune_protocol::StudyState::Running)
        });
        self.dirty |= moves || !self.doomed.is_empty() || self.data.link != Link::Live;
    }

    fn quit(&mut self, effects: &mut Vec<Effect>) {
        for (study, _) in std::mem::take(&mut self.doomed) {
            self.perform(Deed::DeleteStudy(study), effects);
        }
        effects.push(Effect::Quit);
    }

    fn key(&mut self, key: &KeyEvent, effects: &mut Vec<Effect>) {
        if let Some(overlay) = &mut self.overlay {
            let is_interrupt =
                key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            let verdict = match is_interrupt {
                true => Verdict::Close,
                false => overlay.key(key),
            };
            self.judge(verdict, effects);
            return;
        }
        let (screen, _) = self.screen();
        let groups = screen.groups();
        let typed = screen.is_typing() && keys::Key::of(key).is_text();
        match keys::command(groups, key).filter(|_| !typed) {
            Some(command) => self.command(command, effects),
            None => self.at_screen(effects, |screen, cx| screen.key(key, cx)),
        }
    }

    fn judge(&mut self, verdict: Verdict, effects: &mut Vec<Effect>) {
        match verdict {
            Verdict::Stay => {}
            Verdict::Close => self.overlay = None,
            Verdict::Run(command) => {
                self.overlay = None;
                self.command(command, effects);
            }
            Verdict::Answer(purpose, answers) => {
                self.overlay = None;
                self.answered(purpose, answers, effects);
            }
        }
    }

    fn command(&mut self, command: Command, effects: &mut Vec<Effect>) {
        let mut taken = false;
        if !matches!(command, Command::Go(_)) {
            self.at_screen(effects, |screen, cx| taken = screen.act(command, cx));
        }
        if taken {
            return;
        }
        match command {
            Command::Quit => self.quit(effects),
            Command::Help => {
                let groups = self.screen().0.groups();
                self.overlay = Some(Overlay::Help(Help::new(groups)));
            }
            Command::Palette => {
                let groups = self.screen().0.groups();
                self.overlay = Some(Overlay::Palette(Palette::new(groups)));
            }
            Command::Screenshot => self.screenshot(effects),
            Command::Theme => {
                self.style.theme = self.style.theme.next();
                self.tell(format!("theme: {}", self.style.theme));
            }
            Command::Redraw => self.data.expire(),
            Command::Undo => self.take_back(effects),
            Command::Back => {
                let back = self.trail.pop().unwrap_or(Place::Studies);
                self.place = back;
            }
            Command::Go(place) => self.go(place),
            Command::NextPlace => self.go(self.place.beside(1)),
            Command::PreviousPlace => self.go(self.place.beside(-1)),
            command => self.act(command, effects),
        }
    }

    /// To another screen, from which one can go back.
    fn go(&mut self, place: Place) {
        if place != self.place {
            self.trail.retain(|&before| before != place);
            self.trail.push(self.place);
        }
        self.place = place;
    }

    /// The screen that is shown, and what it sees.
    fn screen(&mut self) -> (&mut dyn Screen, Cx<'_>) {
        let cx = Cx::new(&self.data, &mut self.focus, self.now, &self.folder);
        (self.screens.at(self.place), cx)
    }

    fn at_screen(
        &mut self,
        effects: &mut Vec<Effect>,
        what: impl FnOnce(&mut dyn Screen, &mut Cx<'_>),
    ) {
        let (screen, mut cx) = self.screen();
        what(screen, &mut cx);
        let steps = cx.into_steps();
        self.walk(steps, effects);
    }

    fn walk(&mut self, steps: Vec<Step>, effects: &mut Vec<Effect>) {
        for step in steps {
            self.dirty = true;
            match step {
                Step::Go(place) => self.go(place),
                Step::Do(deed) => self.perform(deed, effects),
                Step::Show(overlay) => self.overlay = Some(overlay),
                Step::Tell(text) => self.tell(text),
                Step::Complain(text) => self.complain(text),
                Step::Filter(text) => {
                    self.at_screen(effects, |screen, cx| screen.set_filter(&text, cx));
                }
            }
        }
    }

    fn mouse(&mut self, mouse: MouseEvent, effects: &mut Vec<Effect>) {
        let (x, y) = (mouse.column, mouse.row);
        let press = match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                self.pressed = Some((x, y));
                return;
            }
            MouseEventKind::Drag(MouseButton::Left) => match self.pressed {
                Some(from) if from != (x, y) => Press::Drag(from.0, from.1),
                _ => return,
            },
            MouseEventKind::Up(MouseButton::Left) => match self.pressed.take() {
                Some(from) if from != (x, y) => Press::Drop(from.0, from.1),
                _ => {
                    let again = self.clicked.take().is_some_and(|(before_x, before_y, at)| {
                        (before_x, before_y) == (x, y) && self.now.saturating_sub(at) < DOUBLE
                    });
                    match again {
                        true => Press::DoubleClick,
                        false => {
                            self.clicked = Some((x, y, self.now));
                            Press::Click
                        }
                    }
                }
            },
            MouseEventKind::ScrollDown => Press::WheelDown,
            MouseEventKind::ScrollUp => Press::WheelUp,
            _ => return,
        };
        self.dirty = true;
        if let Some(overlay) = &mut self.overlay {
            let verdict = overlay.pointer(x, y, press);
            self.judge(verdict, effects);
            return;
        }
        let tab = self
            .tabs
            .iter()
            .find(|(area, _)| area.contains((x, y).into()));
        if let (Some(&(_, place)), Press::Click) = (tab, press) {
            self.go(place);
        } else if self.body.contains((x, y).into())
            || matches!(press, Press::Drag(..) | Press::Drop(..))
        {
            let pointer = Pointer { x, y, deed: press };
            self.at_screen(effects, |screen, cx| {
                screen.pointer(pointer, cx);
            });
        }
    }

    pub(super) fn tell(&mut self, text: impl Into<String>) {
        self.told = Some(Told {
            text: text.into(),
            is_bad: false,
            until: self.now + TOLD,
        });
    }

    pub(super) fn complain(&mut self, text: impl Into<String>) {
        self.told = Some(Told {
            text: text.into(),
            is_bad: true,
            until: self.now + 2 * TOLD,
        });
    }

    /// Has a deed done.
    fn perform(&mut self, deed: Deed, effects: &mut Vec<Effect>) {
        let noted = deed.noted();
        let before = noted.and_then(|subject| self.note_of(&subject).cloned());
        let number = self.deeds;
        self.deeds += 1;
        let undo = deed.undo(before);
        effects.push(Effect::Do(number, deed.clone()));
        self.doing.insert(number, Doing { deed, undo });
    }

    fn done(&mut self, number: u64, done: Result<Done, String>) {
        self.dirty = true;
        let Some(doing) = self.doing.remove(&number) else {
            return;
        };
        if let Some(id) = doing.deed.about() {
            self.data.touched(id);
        }
        match done {
            Ok(done) => {
                if let Some(study) = &done.study {
                    self.data.take_study(study);
                }
                if let Some(trial) = &done.trial {
                    self.data.take_trial(trial, self.now);
                }
                if matches!(doing.deed, Deed::Reload | Deed::Release(_)) {
                    self.data.cache.expire_one(&Want::Plugins);
                }
                let is_new = matches!(
                    doing.deed,
                    Deed::Launch(_) | Deed::Fork(..) | Deed::RetryTrial(_)
                );
                if let (true, Some(study)) = (is_new, &done.study) {
                    self.focus.study = Some(study.id.clone());
                    self.trail.push(self.place);
                    self.place = Place::Study;
                }
                let mut text = done.message;
                if let Some(undo) = doing.undo {
                    text.push_str(" (u takes it back)");
                    self.undo.push(undo);
                    if self.undo.len() > UNDOABLE {
                        self.undo.remove(0);
                    }
                }
                if !text.is_empty() {
                    self.tell(text);
                }
            }
            Err(why) => self.complain(why),
        }
    }
}

impl Screens {
    fn at(&mut self, place: Place) -> &mut dyn Screen {
        match place {
            Place::Studies => &mut self.studies,
            Place::Study => &mut self.study,
            Place::Trial => &mut self.trial,
            Place::Compare => &mut self.compare,
            Place::Launch => &mut self.launch,
            Place::Plugins => &mut self.plugins,
            Place::Insight => &mut self.insight,
            Place::System => &mut self.system,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_a_screen_no_key_has_two_meanings() {
        let mut screens = Screens::default();
        for place in Place::ALL {
            let mut taken: HashMap<keys::Key, Command> = HashMap::new();
            for binding in keys::of(screens.at(place).groups()) {
                for key in binding.keys {
                    let other = taken.insert(*key, binding.command);
                    let is_one = other.is_none_or(|other| other == binding.command);
                    assert!(
                        is_one,
                        "{place:?}: {key} is {other:?} and {:?}",
                        binding.command
                    );
                }
            }
        }
    }
}
