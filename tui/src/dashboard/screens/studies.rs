//! All studies: how each stands, and why it moves or does not.

use super::{Pointer, Screen, Wants};
use crate::dashboard::cx::{Cx, Step};
use crate::dashboard::data::want::{Fresh, Want};
use crate::dashboard::deed::Subject;
use crate::dashboard::filter::{Filter, Thing, Value};
use crate::dashboard::grid::{Grid, Heading, Text};
use crate::dashboard::keys::{Command, Group};
use crate::dashboard::overlay::{Dialog, Entry, Overlay, Purpose};
use crate::dashboard::pen::{Pen, split_top};
use crate::gauge;
use crate::number;
use crate::style::{Ink, Style};
use crate::text::wrap;
use attune_protocol::{DaemonStatus, StudyState, StudySummary};
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use std::time::Duration;

/// The list of studies.
#[derive(Debug)]
pub(crate) struct Studies {
    grid: Grid,
    filter: Option<(String, Filter)>,
    /// The studies that are shown, by id, in their order.
    shown: Vec<String>,
}

/// Lines under the list that tell of the chosen study.
const DETAIL: u16 = 6;

/// What a filter can name.
const NAMES: [&str; 10] = [
    "id", "name", "state", "metric", "best", "trials", "seed", "tag", "seconds", "note",
];

/// Columns, in their order, by which it can be sorted.
const ID: usize = 0;
const NAME: usize = 1;
const STATE: usize = 2;
const BEST: usize = 3;
const TRIALS: usize = 6;
const TOOK: usize = 7;

impl Default for Studies {
    fn default() -> Self {
        Studies {
            grid: Grid::sorted_by(ID),
            filter: None,
            shown: Vec::new(),
        }
    }
}

impl Studies {
    fn chosen<'a>(&self, cx: &Cx<'a>) -> Option<&'a StudySummary> {
        cx.data.study(self.shown.get(self.grid.chosen)?)
    }

    /// Works out which studies are shown, and keeps the chosen one chosen.
    fn refresh(&mut self, cx: &Cx<'_>) {
        let chosen = self.shown.get(self.grid.chosen).cloned();
        let studies = cx.data.studies().unwrap_or_default();
        let mut shown: Vec<&StudySummary> = studies
            .iter()
            .filter(|study| match &self.filter {
                Some((_, filter)) => filter.fits(*study),
                None => true,
            })
            .collect();
        match self.grid.sort {
            NAME => shown.sort_by(|a, b| a.name.cmp(&b.name)),
            STATE => shown.sort_by_key(|study| order(study.state)),
            BEST => shown.sort_by(|a, b| {
                let best = |s: &StudySummary| s.best_value.map_or(f64::NEG_INFINITY, |v| v.0);
                let by_value = || best(a).total_cmp(&best(b));
                a.metric.cmp(&b.metric).then_with(by_value)
            }),
            TRIALS => shown.sort_by_key(|study| std::cmp::Reverse(study.trials.ended())),
            TOOK => shown.sort_by(|a, b| b.seconds.0.total_cmp(&a.seconds.0)),
            // They come with the newest first.
            _ => {}
        }
        if self.grid.reverse {
            shown.reverse();
        }
        self.shown = shown.into_iter().map(|study| study.id.clone()).collect();
        if let Some(place) = chosen.and_then(|id| self.shown.iter().position(|s| *s == id)) {
            self.grid.chosen = place;
        }
    }

    fn detail(&self, pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>) {
        let Some(study) = self.chosen(cx) else {
            return;
        };
        let inside = pen.heading(area, &study.id, &study.name);
        let style = pen.style;
        let room = usize::from(inside.width);
        let mut lines = Vec::new();
        let doing = doing(study, cx.data.status().ready());
        lines.extend(wrap(head("now", style), &doing, room, style));
        lines.push(Line::from(vec![
            head("seed", style),
            Span::raw(format!(" {}  ", study.seed)),
            head("begun", style),
            Span::raw(format!(" {}  ", number::ago(study.created_unix_ms, cx.now))),
            head("metric", style),
            Span::raw(format!(" {}", aim(study))),
        ]));
        if let Some(origin) = &study.origin {
            let text = format!("a fork of {} at step {}", origin.trial, origin.step);
            lines.extend(wrap(head("origin", style), &text, room, style));
        }
        if !study.note.tags.is_empty() {
            lines.extend(wrap(
                head("tags", style),
                &study.note.tags.join(" "),
                room,
                style,
            ));
        }
        if !study.note.text.is_empty() {
            lines.extend(wrap(head("note", style), &study.note.text, room, style));
        }
        pen.lines(inside, &lines);
    }

    fn welcome(&self, pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>) {
        let text = match (&self.filter, cx.data.studies()) {
            (_, None) => "asking the daemon for its studies",
            (Some(_), Some(studies)) if !studies.is_empty() => {
                "no study fits the filter: / changes it"
            }
            _ => "no study yet: N opens a form for the first one, ? shows all keys",
        };
        pen.say(area, text, Ink::Dim);
    }
}

impl Screen for Studies {
    fn groups(&self) -> &'static [Group] {
        &[Group::List, Group::Deeds]
    }

    fn title(&self, cx: &Cx<'_>) -> String {
        match (&self.filter, cx.data.studies()) {
            (Some((text, _)), _) => format!("filter: {text}"),
            (None, Some(studies)) => match studies.len() {
                1 => "1 study".to_owned(),
                count => format!("{count} studies"),
            },
            _ => String::new(),
        }
    }

    fn wants(&mut self, cx: &mut Cx<'_>, wants: &mut Wants) {
        self.refresh(cx);
        let runs = cx.data.studies().is_some_and(|studies| {
            let is_open =
                |s: &StudySummary| matches!(s.state, StudyState::Running | StudyState::Queued);
            studies.iter().any(is_open)
        });
        // Why a study is idle changes without an event; where none is open it hardly does.
        let age = if runs { 2_000 } else { 30_000 };
        wants.answer(Want::Status, Fresh::Within(age));
        if let Some(study) = self.chosen(cx) {
            // For "again, but".
            wants.answer(Want::Study(study.id.clone()), Fresh::Within(60_000));
        }
    }

    fn act(&mut self, command: Command, cx: &mut Cx<'_>) -> bool {
        if self.grid.act(command) {
            return true;
        }
        match command {
            Command::Open => {
                if let Some(study) = self.chosen(cx) {
                    let id = study.id.clone();
                    cx.open_study(&id);
                }
            }
            Command::Mark => match self.chosen(cx).map(|study| study.best_trial.clone()) {
                Some(Some(best)) => {
                    cx.focus.toggle(&best);
                    self.grid.act(Command::Down);
                }
                Some(None) => cx.tell("there is no best trial to mark yet"),
                None => {}
            },
            Command::Unmark => cx.focus.marked.clear(),
            Command::Filter => {
                let text = self.filter.as_ref().map_or("", |(text, _)| text);
                let hint = "state = running, best > 0.9, tag = good, or any word";
                let entry = Entry::text("show", hint, text);
                let dialog = Dialog::new(Purpose::Filter, "Filter the studies", "", vec![entry]);
                cx.step(Step::Show(Overlay::Dialog(dialog)));
            }
            Command::Sort => {
                let order = [ID, NAME, STATE, BEST, TRIALS, TOOK];
                let at = order.iter().position(|column| *column == self.grid.sort);
                self.grid.sort = order[at.map_or(0, |at| (at + 1) % order.len())];
                self.grid.reverse = false;
            }
            Command::Reverse => self.grid.reverse = !self.grid.reverse,
            Command::Columns => cx.tell("the columns of this list are those there is room for"),
            _ => return false,
        }
        true
    }

    fn subjects(&self, cx: &Cx<'_>) -> Vec<Subject> {
        let chosen = self.chosen(cx);
        chosen
            .map(|study| Subject::Study(study.id.clone()))
            .into_iter()
            .collect()
    }

    fn draw(&mut self, pen: &mut Pen<'_>, area: Rect, cx: &Cx<'_>) {
        self.refresh(cx);
        if self.shown.is_empty() {
            self.welcome(pen, area, cx);
            return;
        }
        let detail = if area.height >= 16 { DETAIL } else { 0 };
        let (list, low) = split_top(area, area.height - detail);
        let headings = [
            Heading::word("study"),
            Heading::word("name").most(26),
            Heading::word("state"),
            Heading::number("best"),
            Heading::word("metric").rank(3).still(),
            Heading::word("trend").rank(4).still(),
            Heading::word("trials").most(24),
            Heading::number("took").rank(2),
            Heading::number("left").rank(1).still(),
            Heading::word("tags").rank(6).still(),
            Heading::number("begun").rank(5).still(),
        ];
        let shown = std::mem::take(&mut self.shown);
        let style = pen.style;
        self.grid.draw(pen, list, &headings, shown.len(), |index| {
            let study = cx.data.study(&shown[index]);
            let cells = study.map(|study| cells(study, cx, style));
            let marked = study.is_some_and(|study| {
                study
                    .best_trial
                    .as_ref()
                    .is_some_and(|best| cx.focus.is_marked(best))
            });
            (cells.unwrap_or_default(), marked)
        });
        self.shown = shown;
        self.detail(pen, low, cx);
    }

    fn pointer(&mut self, pointer: Pointer, cx: &mut Cx<'_>) -> bool {
        let (meant, opened) = self.grid.pointer(pointer);
        if opened {
            self.act(Command::Open, cx);
        }
        meant
    }

    fn set_filter(&mut self, text: &str, cx: &mut Cx<'_>) {
        match Filter::parse(text, |name| NAMES.contains(&name)) {
            Ok(filter) if filter.is_empty() => self.filter = None,
            Ok(filter) => self.filter = Some((text.to_owned(), filter)),
            Err(why) => cx.complain(format!("{why}; names here: {}", NAMES.join(", "))),
        }
    }
}

fn head(text: &'static str, style: Style) -> Span<'static> {
    Span::styled(format!("{text:>6}"), style.ink(Ink::Dim))
}

/// What a study does or waits for.
fn doing(study: &StudySummary, status: Option<&DaemonStatus>) -> String {
    let told = status.and_then(|status| status.studies.iter().find(|s| s.id == study.id));
    let state = study.state;
    match (state, told, &study.reason) {
        (StudyState::Running | StudyState::Queued, Some(told), _) => {
            format!("{state}: {}", told.doing)
        }
        (_, _, Some(reason)) => format!("{state}: {reason}"),
        (StudyState::Interrupted, ..) => {
            "interrupted: its process ended without a word; r lets it go on".to_owned()
        }
        (state, ..) => state.to_string(),
    }
}

fn aim(study: &StudySummary) -> String {
    match study.direction {
        attune_protocol::Direction::Minimize => format!("{}, the lower the better", study.metric),
        attune_protocol::Direction::Maximize => format!("{}, the higher the better", study.metric),
    }
}

fn order(state: StudyState) -> u8 {
    use StudyState::*;
    match state {
        Running => 0,
        Queued => 1,
        Paused => 2,
        Interrupted => 3,
        Failed => 4,
        Stopped => 5,
        Done => 6,
    }
}

/// The ink of a study's state; its name always stands there too.
pub(crate) fn state_ink(state: StudyState) -> Ink {
    match state {
        StudyState::Running => Ink::Accent,
        StudyState::Done => Ink::Plain,
        StudyState::Queued | StudyState::Paused | StudyState::Stopped => Ink::Dim,
        StudyState::Interrupted => Ink::Warning,
        StudyState::Failed => Ink::Bad,
    }
}

fn cells(study: &StudySummary, cx: &Cx<'_>, style: Style) -> Vec<Text> {
    let nothing = style.symbols().nothing;
    let value = study.best_value.map(|value| number::metric(value.0));
    let trend = cx.data.trend(&study.id);
    let spark = trend.map_or_else(String::new, |trend| {
        let values: Vec<f64> = trend.iter().copied().collect();
        gauge::spark(&gauge::thinned(&values, 12), 12, style)
    });
    let took = number::duration(number::seconds(study.seconds));
    vec![
        (study.id.clone().into(), Ink::Strong),
        (study.name.clone().into(), Ink::Plain),
        (study.state.to_string().into(), state_ink(study.state)),
        (
            value.unwrap_or_else(|| nothing.to_owned()).into(),
            if study.best_value.is_some() {
                Ink::Best
            } else {
                Ink::Dim
            },
        ),
        (study.metric.clone().into(), Ink::Dim),
        (spark.into(), Ink::Accent),
        (progress(study, style).into(), Ink::Plain),
        (took.into(), Ink::Dim),
        (
            left(study)
                .map_or_else(String::new, number::duration)
                .into(),
            Ink::Plain,
        ),
        (study.note.tags.join(" ").into(), Ink::Accent),
        (number::ago(study.created_unix_ms, cx.now).into(), Ink::Dim),
    ]
}

/// Such as `━━━──── 12/32`.
pub(crate) fn progress(study: &StudySummary, style: Style) -> String {
    let trials = &study.trials;
    let ended = trials.ended();
    if trials.planned == 0 || trials.planned <= ended {
        return ended.to_string();
    }
    let done = f64::from(ended) / f64::from(trials.planned);
    let bar: String = gauge::bar(done, 8, style)
        .into_iter()
        .map(|span| span.content.into_owned())
        .collect();
    format!("{bar} {ended}/{}", trials.planned)
}

/// The time that a running study has left, guessed from its trials so far.
pub(crate) fn left(study: &StudySummary) -> Option<Duration> {
    let trials = &study.trials;
    let ended = trials.ended();
    if study.state != StudyState::Running || ended == 0 || trials.planned <= ended {
        return None;
    }
    // A trial that is under way counts as half done.
    let done = f64::from(ended) + f64::from(trials.running) / 2.0;
    let left = study.seconds.0 * (f64::from(trials.planned) - done).max(0.0) / done;
    Duration::try_from_secs_f64(left).ok()
}

impl Thing for StudySummary {
    fn value(&self, name: &str) -> Option<Value<'_>> {
        Some(match name {
            "id" => Value::Text(&self.id),
            "name" => Value::Text(&self.name),
            "state" => Value::Text(state_name(self.state)),
            "metric" => Value::Text(&self.metric),
            "best" => Value::Number(self.best_value?.0),
            "trials" => Value::Number(f64::from(self.trials.ended())),
            "seed" => Value::Number(self.seed as f64),
            "seconds" => Value::Number(self.seconds.0),
            "note" => Value::Text(&self.note.text),
            "tag" => Value::Words(&self.note.tags),
            _ => return None,
        })
    }

    fn holds(&self, word: &str) -> bool {
        let texts = [
            self.id.as_str(),
            &self.name,
            state_name(self.state),
            &self.metric,
            &self.note.text,
        ];
        let mut texts = texts
            .into_iter()
            .chain(self.note.tags.iter().map(String::as_str));
        texts.any(|text| text.to_lowercase().contains(&word.to_lowercase()))
    }
}

fn state_name(state: StudyState) -> &'static str {
    match state {
        StudyState::Queued => "queued",
        StudyState::Running => "running",
        StudyState::Paused => "paused",
        StudyState::Stopped => "stopped",
        StudyState::Done => "done",
        StudyState::Failed => "failed",
        StudyState::Interrupted => "interrupted",
    }
}
