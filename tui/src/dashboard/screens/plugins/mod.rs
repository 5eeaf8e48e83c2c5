//! Schedulers: what they are, what they take, how they do, and what their schedules look like.

mod about;
pub(crate) mod describe;
mod page;
pub(crate) mod param;
pub(crate) mod preview;
mod values;

use super::picture::Picture;
use super::tabs::{Tabs, beside};
use super::{Pointer, Press, Screen, Wants};
use crate::chart::Unit;
use crate::dashboard::cx::{Cx, Step};
use crate::dashboard::data::want::{Fresh, Loaded, Want};
use crate::dashboard::deed::{Deed, Subject};
use crate::dashboard::grid::Grid;
use crate::dashboard::keys::{Command, Group};
use crate::dashboard::overlay::{Dialog, Entry as Field, Overlay, Purpose};
use crate::dashboard::pen::{Pen, split_left, split_top};
use crate::style::Ink;
use attune_protocol::PluginInfo;
use describe::{Entry, Scheduler};
use param::Param;
use ratatui::layout::Rect;
use values::{Setting, Values};

/// The screen.
#[derive(Debug)]
pub(crate) struct Plugins {
    part: Part,
    list: Grid,
    settings: Grid,
    values: Values,
    picture: Picture,
    entries: Vec<Entry>,
    /// What the entries were made from.
    made_from: Option<(Vec<PluginInfo>, usize, bool)>,
    /// The scheduler whose schedule is shown, and since when it is the chosen one.
    since: (String, u64),
    /// Whether the schedule was in sight beside the list.
    is_beside: bool,
    tabs: Tabs<Part>,
}

/// The parts of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    List,
    Parameters,
    Preview,
}

impl Part {
    const ALL: [Part; 3] = [Part::List, Part::Parameters, Part::Preview];

    fn title(self) -> &'static str {
        match self {
            Part::List => "schedulers",
            Part::Parameters => "parameters",
            Part::Preview => "preview",
        }
    }
}

/// From this size on all parts are in sight at once.
const WIDE: (u16, u16) = (110, 24);

/// Whoever runs through the list with all parts in sight sees the schedule where they stay for so
/// many milliseconds: each is asked of a process of its own.
const STAY: u64 = 250;

/// Questions of this screen.
const PARAMETER: &str = "parameter";
const RELEASE: &str = "release";

/// Columns by which the list can be sorted.
const LIBRARY: usize = 1;
const HEALTH: usize = 3;

impl Default for Plugins {
    fn default() -> Self {
        Plugins {
            part: Part::List,
            list: Grid::default(),
            settings: Grid::fixed(),
            values: Values::default(),
            picture: Picture::new(Unit::Step),
            entries: Vec::new(),
            made_from: None,
            since: (String::new(), 0),
            is_beside: false,
            tabs: Tabs::default(),
        }
    }
}

impl Plugins {
    /// Reads the libraries anew where they changed; the chosen scheduler stays chosen.
    fn refresh(&mut self, cx: &Cx<'_>) {
        let Some(plugins) = cx.data.plugins().ready() else {
            return;
        };
        let (sort, reverse) = (self.list.sort, self.list.reverse);
        let is_same = self.made_from.as_ref().is_some_and(|(before, by, turned)| {
            before == plugins && (*by, *turned) == (sort, reverse)
        });
        if !is_same {
            let chosen = self.chosen().map(|entry| entry.name.clone());
            self.entries = describe::entries(plugins);
            let health =
                |entry: &Entry| plugins.get(entry.plugin).map(|info| about::health(info).0);
            match sort {
                LIBRARY => self.entries.sort_by(|a, b| a.library.cmp(&b.library)),
                // Those that something is wrong with first: `ok` is the last of these words but one.
                HEALTH => self
                    .entries
                    .sort_by_key(|entry| (health(entry) == Some("ok"), health(entry))),
                _ => {}
            }
            if reverse {
                self.entries.reverse();
            }
            let place = self
                .entries
                .iter()
                .position(|entry| chosen.as_ref() == Some(&entry.name));
            self.list.chosen = place.unwrap_or(self.list.chosen);
            self.made_from = Some((plugins.clone(), sort, reverse));
        }
        self.list.chosen = self.list.chosen.min(self.entries.len().saturating_sub(1));
        let name = self.chosen().map_or("", |entry| entry.name.as_str());
        if self.since.0 != name {
            self.since = (name.to_owned(), cx.now);
            self.settings = Grid::fixed();
            self.picture.reset();
        }
    }

    fn chosen(&self) -> Option<&Entry> {
        self.entries.get(self.list.chosen)
    }

    fn scheduler(&self) -> Option<&Scheduler> {
        self.chosen()?.scheduler.as_ref()
    }

    fn info<'a>(&self, cx: &Cx<'a>) -> Option<&'a PluginInfo> {
        cx.data.plugins().ready()?.get(self.chosen()?.plugin)
    }

    /// The parameter that is chosen.
    fn setting(&self) -> Option<Setting> {
        let mut settings = values::params(self.scheduler()?).into_iter();
        settings.nth(self.settings.chosen)
    }

    fn edit(&self, cx: &mut Cx<'_>) {
        let Some(setting) = self.setting() else {
            cx.complain("there is nothing to set: this library has no scheduler that can be read");
            return;
        };
        let (value, _) = self.values.get(&setting);
        let of = match setting.is_own() {
            true => String::new(),
            false => format!(" of {}", setting.of),
        };
        let param = &setting.param;
        let text = format!("{}{of}: {}. {}", param.name, param.takes(), param.doc);
        let dialog = Dialog::new(
            Purpose::Own(PARAMETER),
            "Change a parameter",
            text,
            vec![field(param, values::exact(&value))],
        );
        cx.step(Step::Show(Overlay::Dialog(dialog)));
    }

    fn release(&self, cx: &mut Cx<'_>) {
        let quarantine = self.info(cx).and_then(|info| info.quarantine.as_ref());
        let Some(quarantine) = quarantine else {
            cx.tell("it is not in quarantine: it may run");
            return;
        };
        let text = format!(
            "Let {} run again? It was put in quarantine: {}.",
            quarantine.name,
            quarantine.reason.trim_end_matches('.')
        );
        let dialog = Dialog::new(Purpose::Own(RELEASE), "Release", text, Vec::new());
        cx.step(Step::Show(Overlay::Dialog(dialog)));
    }
}

/// The field in which a parameter is changed.
fn field(param: &Param, value: String) -> Field {
    let choices = param.choices();
    match choices.is_empty() {
        true => Field::text("value", "nothing: the default", value),
        false => Field::choice("value", choices, value),
    }
}

impl Screen for Plugins {
    fn groups(&self) -> &'static [Group] {
        match self.part {
            Part::List | Part::Parameters => &[Group::Plugins],
            Part::Preview => &[Group::Plugins, Group::Chart],
        }
    }

    fn title(&self, _cx: &Cx<'_>) -> String {
        match self.entries.len() {
            0 => String::new(),
            1 => "1 scheduler".to_owned(),
            _ => {
                let broken = self
                    .entries
                    .iter()
                    .filter(|entry| entry.scheduler.is_none());
                let broken = broken.count();
                let told = format!("{} schedulers", self.entries.len() - broken);
                match broken {
                    0 => told,
                    1 => format!("{told}, 1 library that does not load"),
                    _ => format!("{told}, {broken} libraries that do not load"),
                }
            }
        }
    }

    fn wants(&mut self, cx: &mut Cx<'_>, wants: &mut Wants) {
        self.refresh(cx);
        wants.answer(Want::Plugins, Fresh::Within(10_000));
        let stays = cx.now.saturating_sub(self.since.1) >= STAY;
        let is_seen = match self.part {
            Part::Preview => true,
            Part::Parameters => self.is_beside,
            Part::List => self.is_beside && stays,
        };
        if let (true, Some(scheduler)) = (is_seen, self.scheduler()) {
            let name = &scheduler.name;
            let preview = self.values.preview(name, true);
            wants.answer(Want::Preview(preview), Fresh::Once);
            if self.values.has_changed(name) {
                let preview = self.values.preview(name, false);
                wants.answer(Want::Preview(preview), Fresh::Once);
            }
        }
    }

    fn act(&mut self, command: Command, cx: &mut Cx<'_>) -> bool {
        match command {
            Command::NextPart => self.part = beside(&Part::ALL, self.part, 1),
            Command::PreviousPart => self.part = beside(&Part::ALL, self.part, -1),
            Command::Open | Command::Edit if self.part == Part::List => {
                self.part = Part::Parameters
            }
            Command::Open | Command::Edit => self.edit(cx),
            Command::Reload => cx.step(Step::Do(Deed::Reload)),
            Command::Release => self.release(cx),
            Command::Fit => {
                let name = self.scheduler().map(|scheduler| scheduler.name.clone());
                self.values.reset(&name.unwrap_or_default());
                self.picture.reset();
            }
            command => {
                let grid = match self.part {
                    Part::List => &mut self.list,
                    Part::Parameters | Part::Preview => &mut self.settings,
                };
                let moved = grid.act(command);
                return moved || (self.part == Part::Preview && self.picture.act(command));
            }
        }
        true
    }

    fn subjects(&self, _cx: &Cx<'_>) -> Vec<Subject> {
        Vec::new()
    }

    fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>) {
        self.refresh(cx);
        self.is_beside = false;
        let plugins = match cx.data.plugins() {
            Loaded::Ready(plugins) => plugins,
            Loaded::Waiting => {
                about::say(pen, area, "", "asking the daemon for its plugins", Ink::Dim);
                return;
            }
            Loaded::Failed(why) => {
                about::say(pen, area, "no answer:", why, Ink::Bad);
                return;
            }
        };
        if self.entries.is_empty() {
            let text = "no plugin was found: put libraries into the plugins folder, r looks again";
            about::say(pen, area, "", text, Ink::Dim);
            return;
        }
        let (line, rest) = split_top(area, 1);
        let parts = Part::ALL.map(|part| (part, part.title()));
        let left = self.tabs.draw(pen, line, parts, self.part);
        let name = self.chosen().map_or("", |entry| entry.name.as_str());
        pen.say(left, name, Ink::Strong);
        if area.width >= WIDE.0 && area.height >= WIDE.1 {
            self.is_beside = true;
            let (left, right) = split_left(rest, rest.width / 2);
            let left = Rect {
                width: left.width - 2,
                ..left
            };
            let rows = (self.entries.len() as u16 + 1).min(left.height / 3);
            let (list, low) = split_top(left, rows);
            about::list(pen, list, &mut self.list, &self.entries, plugins);
            self.draw_parameters(pen, low);
            let (top, chart) = split_top(right, 10.min(right.height / 3));
            self.draw_about(pen, top, cx);
            self.draw_preview(pen, chart, cx);
            return;
        }
        match self.part {
            Part::List => {
                let rows = (self.entries.len() as u16 + 1).min(rest.height - rest.height.min(10));
                let (list, low) = split_top(rest, rows.max(4));
                about::list(pen, list, &mut self.list, &self.entries, plugins);
                self.draw_about(pen, low, cx);
            }
            Part::Parameters => self.draw_parameters(pen, rest),
            Part::Preview => {
                let (line, chart) = split_top(rest, 1);
                self.draw_param(pen, line);
                self.draw_preview(pen, chart, cx);
            }
        }
    }

    fn pointer(&mut self, pointer: Pointer, cx: &mut Cx<'_>) -> bool {
        let tab = self.tabs.at(pointer.x, pointer.y);
        if let (Some(part), Press::Click | Press::DoubleClick) = (tab, pointer.deed) {
            self.part = part;
            return true;
        }
        // What is clicked is what keys are about from then on.
        let is_all = self.is_beside;
        if is_all || self.part == Part::List {
            let (meant, opened) = self.list.pointer(pointer);
            if meant {
                self.part = if opened { Part::Parameters } else { Part::List };
                return true;
            }
        }
        if is_all || self.part == Part::Parameters {
            let (meant, opened) = self.settings.pointer(pointer);
            if opened {
                self.edit(cx);
            }
            if meant {
                self.part = Part::Parameters;
                return true;
            }
        }
        let meant = (is_all || self.part == Part::Preview) && self.picture.pointer(pointer);
        if meant {
            self.part = Part::Preview;
        }
        meant
    }

    fn answered(&mut self, name: &str, answers: &[String], cx: &mut Cx<'_>) {
        if name == RELEASE {
            let quarantine = self.info(cx).and_then(|info| info.quarantine.as_ref());
            if let Some(quarantine) = quarantine {
                cx.step(Step::Do(Deed::Release(quarantine.name.clone())));
            }
            return;
        }
        let (Some(setting), Some(text)) = (self.setting(), answers.first()) else {
            return;
        };
        let value = match text.as_str() {
            "" => Ok(None),
            text => setting.param.read(text).map(Some),
        };
        match value {
            Ok(value) => self.values.set(&setting, value),
            Err(why) => {
                let dialog = Dialog::again(
                    Purpose::Own(PARAMETER),
                    "Change a parameter",
                    why,
                    vec![field(&setting.param, text.clone())],
                );
                cx.step(Step::Show(Overlay::Dialog(dialog)));
            }
        }
    }
}
