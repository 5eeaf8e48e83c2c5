//! The one table of key bindings. Dispatch, the hints at the foot of the screen, the help and the
//! palette all read it, so that none of them can say something else than another.

use super::screens::tabs::beside;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::fmt;

/// What a key, an entry of the palette or a click asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Command {
    Quit,
    Help,
    Palette,
    Screenshot,
    Theme,
    Redraw,
    Undo,
    Back,
    Go(Place),
    NextPlace,
    PreviousPlace,

    Up,
    Down,
    PageUp,
    PageDown,
    Top,
    Bottom,
    Open,
    Mark,
    Unmark,
    Filter,
    Sort,
    Reverse,
    Columns,

    ZoomIn,
    ZoomOut,
    CursorLeft,
    CursorRight,
    PanLeft,
    PanRight,
    Fit,
    LogY,
    LogX,
    Smoother,
    Rougher,
    Axis,
    Metric,
    NextPart,
    PreviousPart,
    NextTrial,
    PreviousTrial,
    Recent,
    AllSettings,
    FromFork,

    Compare,
    Pause,
    Resume,
    Stop,
    Retry,
    Fork,
    Swap,
    SetRate,
    Extend,
    Delete,
    Export,
    Note,
    Tag,
    Launch,
    Again,

    Release,
    Reload,
    Edit,
    SwitchView,
    Level,
}

impl Command {
    /// Where a command of lists leads from a place in one, up to its last; nothing for others.
    pub(crate) fn moved(self, at: usize, last: usize, page: usize) -> Option<usize> {
        let page = page.max(1);
        let to = match self {
            Command::Down => at + 1,
            Command::Up => at.saturating_sub(1),
            Command::PageDown => at + page,
            Command::PageUp => at.saturating_sub(page),
            Command::Top => 0,
            Command::Bottom => last,
            _ => return None,
        };
        Some(to.min(last))
    }
}

/// The screens, in the order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    Studies,
    Study,
    Trial,
    Compare,
    Launch,
    Plugins,
    Insight,
    System,
}

impl Place {
    pub(crate) const ALL: [Place; 8] = [
        Place::Studies,
        Place::Study,
        Place::Trial,
        Place::Compare,
        Place::Launch,
        Place::Plugins,
        Place::Insight,
        Place::System,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Place::Studies => "Studies",
            Place::Study => "Study",
            Place::Trial => "Trial",
            Place::Compare => "Compare",
            Place::Launch => "Launch",
            Place::Plugins => "Plugins",
            Place::Insight => "Insight",
            Place::System => "System",
        }
    }

    /// The screen so many further on, around the end.
    pub(crate) fn beside(self, step: isize) -> Place {
        beside(&Place::ALL, self, step)
    }
}

/// Where bindings hold. A screen names the groups that it takes part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Anywhere,
    List,
    Chart,
    /// What is done to studies and trials.
    Deeds,
    Trial,
    Compare,
    Launch,
    Plugins,
    Insight,
    System,
}

impl Group {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Group::Anywhere => "Anywhere",
            Group::List => "In lists",
            Group::Chart => "In charts",
            Group::Deeds => "What you can do with studies and trials",
            Group::Trial => "Trial",
            Group::Compare => "Comparison",
            Group::Launch => "Launch",
            Group::Plugins => "Plugins",
            Group::Insight => "Insight",
            Group::System => "System",
        }
    }
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) code: KeyCode,
    pub(crate) ctrl: bool,
}

/// A command with its keys.
#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) group: Group,
    pub(crate) command: Command,
    pub(crate) keys: &'static [Key],
    /// Two words at most, for the foot of the screen and the palette.
    pub(crate) name: &'static str,
    /// What it does, for the help.
    pub(crate) help: &'static str,
    /// Whether it is worth a place at the foot of the screen.
    pub(crate) hint: bool,
}

const fn key(c: char) -> Key {
    Key {
        code: KeyCode::Char(c),
        ctrl: false,
    }
}

const fn ctrl(c: char) -> Key {
    Key {
        code: KeyCode::Char(c),
        ctrl: true,
    }
}

const fn named(code: KeyCode) -> Key {
    Key { code, ctrl: false }
}

const fn bind(
    group: Group,
    command: Command,
    keys: &'static [Key],
    name: &'static str,
    help: &'static str,
) -> Binding {
    Binding {
        group,
        command,
        keys,
        name,
        help,
        hint: false,
    }
}

/// The same binding, shown at the foot of the screen.
const fn shown(binding: Binding) -> Binding {
    Binding {
        hint: true,
        ..binding
    }
}

use Command as C;
use Group as G;
use KeyCode as K;

/// All bindings. Within the groups of a screen no key has two meanings; a test holds that.
#[rustfmt::skip]
pub(crate) static BINDINGS: &[Binding] = &[
    shown(bind(G::List, C::Open, &[named(K::Enter)], "open", "Open what is chosen")),
    bind(G::List, C::Down, &[key('j'), named(K::Down)], "down", "One further down"),
    bind(G::List, C::Up, &[key('k'), named(K::Up)], "up", "One further up"),
    bind(G::List, C::PageDown, &[named(K::PageDown), ctrl('d')], "page down", "A page further down"),
    bind(G::List, C::PageUp, &[named(K::PageUp), ctrl('u')], "page up", "A page further up"),
    bind(G::List, C::Top, &[key('g'), named(K::Home)], "top", "To the first one"),
    bind(G::List, C::Bottom, &[key('G'), named(K::End)], "bottom", "To the last one"),
    shown(bind(G::List, C::Mark, &[key(' ')], "mark", "Mark it, to compare it or to do something with all that are marked")),
    bind(G::List, C::Unmark, &[key('*')], "unmark all", "Take all marks away"),
    shown(bind(G::List, C::Filter, &[key('/')], "filter", "Show only what fits, such as `lr < 0.05 and state = done`")),
    shown(bind(G::List, C::Sort, &[key('s')], "sort", "Sort by the next column")),
    bind(G::List, C::Reverse, &[key('S')], "reverse", "Sort the other way round")
    ,
    bind(G::List, C::Columns, &[key('o')], "columns", "Choose the columns"),

    shown(bind(G::Trial, C::NextPart, &[named(K::Tab)], "next part", "The next part of the page")),
    bind(G::Trial, C::PreviousPart, &[named(K::BackTab)], "previous part", "The part of the page before"),
    shown(bind(G::Trial, C::Recent, &[key('v')], "recent steps", "Look at the last tenth of the steps, and stay with it while the trial runs; or at all")),
    bind(G::Trial, C::NextTrial, &[key(')')], "next trial", "The study's next trial"),
    bind(G::Trial, C::PreviousTrial, &[key('(')], "previous trial", "The study's trial before"),
    bind(G::Trial, C::Mark, &[key(' ')], "mark", "Mark the trial, to compare it"),
    bind(G::Trial, C::Open, &[named(K::Enter)], "open", "See the decision in the curves, or open the trial or study that is named"),
    bind(G::Trial, C::Down, &[key('j'), named(K::Down)], "down", "One further down"),
    bind(G::Trial, C::Up, &[key('k'), named(K::Up)], "up", "One further up"),
    bind(G::Trial, C::PageDown, &[named(K::PageDown), ctrl('d')], "page down", "A page further down"),
    bind(G::Trial, C::PageUp, &[named(K::PageUp), ctrl('u')], "page up", "A page further up"),
    bind(G::Trial, C::Top, &[key('g'), named(K::Home)], "top", "To the first one"),
    bind(G::Trial, C::Bottom, &[key('G'), named(K::End)], "bottom", "To the last one"),

    shown(bind(G::Compare, C::NextTrial, &[named(K::Tab), key(')')], "next trial", "Choose the trial to the right")),
    bind(G::Compare, C::PreviousTrial, &[named(K::BackTab), key('(')], "previous trial", "Choose the trial to the left"),
    shown(bind(G::Compare, C::Open, &[named(K::Enter)], "open", "Open the chosen trial")),
    shown(bind(G::Compare, C::Mark, &[key(' ')], "take out", "Take the chosen trial out of the comparison")),
    bind(G::Compare, C::Unmark, &[key('*')], "take all out", "Take all trials out of the comparison"),
    shown(bind(G::Compare, C::AllSettings, &[key('o')], "all settings", "Show all settings, or only those that differ")),
    bind(G::Compare, C::FromFork, &[key('v')], "from the fork", "Count the steps of forks and of what they come from from the fork on, or from the beginning"),
    bind(G::Compare, C::Down, &[key('j'), named(K::Down)], "down", "Scroll down"),
    bind(G::Compare, C::Up, &[key('k'), named(K::Up)], "up", "Scroll up"),
    bind(G::Compare, C::PageDown, &[named(K::PageDown), ctrl('d')], "page down", "A page further down"),
    bind(G::Compare, C::PageUp, &[named(K::PageUp), ctrl('u')], "page up", "A page further up"),
    bind(G::Compare, C::Top, &[key('g'), named(K::Home)], "top", "To the first line"),
    bind(G::Compare, C::Bottom, &[key('G'), named(K::End)], "bottom", "To the last line"),

    bind(G::Chart, C::CursorLeft, &[key('h'), named(K::Left)], "cursor left", "Move the cross-hair to the left"),
    bind(G::Chart, C::CursorRight, &[key('l'), named(K::Right)], "cursor right", "Move the cross-hair to the right"),
    shown(bind(G::Chart, C::ZoomIn, &[key('+')], "zoom in", "Zoom in around the cross-hair")),
    bind(G::Chart, C::ZoomOut, &[key('-')], "zoom out", "Zoom out"),
    bind(G::Chart, C::PanLeft, &[key('H'), key('<')], "pan left", "Move the picture to earlier steps"),
    bind(G::Chart, C::PanRight, &[key('L'), key('>')], "pan right", "Move the picture to later steps"),
    bind(G::Chart, C::Fit, &[key('0')], "fit", "Show everything again"),
    shown(bind(G::Chart, C::LogY, &[key('y')], "log y", "Logarithmic or linear values")),
    bind(G::Chart, C::LogX, &[key('X')], "log x", "Logarithmic or linear steps")
    ,
    bind(G::Chart, C::Smoother, &[key('z')], "smoother", "Smooth the curves more")
    ,
    bind(G::Chart, C::Rougher, &[key('Z')], "less smooth", "Smooth the curves less"),
    bind(G::Chart, C::Axis, &[key('a')], "axis", "By step, by epoch or by time"),
    shown(bind(G::Chart, C::Metric, &[key('m')], "metric", "Draw the next metric")),

    bind(G::Deeds, C::Compare, &[key('c')], "compare", "Compare the marked trials; without marks, the best with the chosen one"),
    shown(bind(G::Deeds, C::Pause, &[key('p')], "pause", "Pause it: checkpointed, to go on later")),
    bind(G::Deeds, C::Resume, &[key('r')], "resume", "Let it go on"),
    bind(G::Deeds, C::Stop, &[key('x')], "stop", "End it; what it has is kept"),
    bind(G::Deeds, C::Retry, &[key('R')], "retry", "Train the trial once more from its beginning, in a study of its own"),
    shown(bind(G::Deeds, C::Fork, &[key('f')], "fork", "Go on from one of its checkpoints with another scheduler or setting")),
    bind(G::Deeds, C::Swap, &[key('w')], "swap scheduler", "Put another scheduler at the wheel of the running trial"),
    bind(G::Deeds, C::SetRate, &[key('e')], "set rate", "Set the running trial's learning rate by hand"),
    bind(G::Deeds, C::Extend, &[key('b')], "extend", "Give the study more trials or more time"),
    bind(G::Deeds, C::Delete, &[key('d'), named(K::Delete)], "delete", "Delete the study with all that it has"),
    bind(G::Deeds, C::Export, &[key('E')], "export", "Write the study to a file: JSON lines, CSV, TensorBoard, Optuna, or its model"),
    bind(G::Deeds, C::Note, &[key('n')], "note", "Write a note about it"),
    bind(G::Deeds, C::Tag, &[key('t')], "tag", "Give it tags, to find it by"),
    shown(bind(G::Deeds, C::Launch, &[key('N')], "new study", "Launch a new study")),
    bind(G::Deeds, C::Again, &[key('A')], "again, but", "Launch a study like this one, changed"),

    shown(bind(G::Launch, C::Launch, &[ctrl('r')], "launch", "Run the study")),
    shown(bind(G::Launch, C::SwitchView, &[ctrl('e')], "form or text", "Between the form and the study file's text")),
    shown(bind(G::Launch, C::Export, &[ctrl('s')], "save", "Save the study file")),

    shown(bind(G::Plugins, C::Edit, &[key('e')], "parameters", "Change a parameter, and see what the schedule becomes")),
    shown(bind(G::Plugins, C::Reload, &[key('r')], "look again", "Look for plugins again: new and rebuilt ones are loaded")),
    bind(G::Plugins, C::Release, &[key('x')], "release", "Let a plugin run again that is in quarantine"),
    bind(G::Plugins, C::Fit, &[key('0')], "defaults", "All parameters at their defaults again"),
    bind(G::Plugins, C::Open, &[named(K::Enter)], "open", "From a scheduler to its parameters; of a parameter, change it"),
    bind(G::Plugins, C::Down, &[key('j'), named(K::Down)], "down", "One further down"),
    bind(G::Plugins, C::Up, &[key('k'), named(K::Up)], "up", "One further up"),
    bind(G::Plugins, C::PageDown, &[named(K::PageDown), ctrl('d')], "page down", "A page further down"),
    bind(G::Plugins, C::PageUp, &[named(K::PageUp), ctrl('u')], "page up", "A page further up"),
    bind(G::Plugins, C::Top, &[key('g'), named(K::Home)], "top", "To the first one"),
    bind(G::Plugins, C::Bottom, &[key('G'), named(K::End)], "bottom", "To the last one"),
    shown(bind(G::Plugins, C::NextPart, &[named(K::Tab)], "next part", "The next part of the page")),
    bind(G::Plugins, C::PreviousPart, &[named(K::BackTab)], "previous part", "The part of the page before"),

    shown(bind(G::Insight, C::NextPart, &[named(K::Tab)], "next plot", "The next plot")),
    bind(G::Insight, C::PreviousPart, &[named(K::BackTab)], "previous plot", "The plot before"),
    bind(G::Insight, C::CursorLeft, &[key('h'), named(K::Left)], "to the left", "The setting to the left; in the timeline, earlier"),
    bind(G::Insight, C::CursorRight, &[key('l'), named(K::Right)], "to the right", "The setting to the right; in the timeline, later"),
    bind(G::Insight, C::Up, &[key('k'), named(K::Up)], "up", "Move the brush up; elsewhere, the line above"),
    bind(G::Insight, C::Down, &[key('j'), named(K::Down)], "down", "Move the brush down; elsewhere, the line below"),
    bind(G::Insight, C::ZoomIn, &[key('+')], "narrower", "A narrower brush; in the timeline, zoom in"),
    bind(G::Insight, C::ZoomOut, &[key('-')], "wider", "A wider brush; in the timeline, zoom out"),
    shown(bind(G::Insight, C::Mark, &[key(' ')], "brush", "Show only the trials in this part of the setting, or all of them again; in the timeline, mark the trial")),
    bind(G::Insight, C::Fit, &[key('0')], "no brush", "Take all brushes away; in the timeline, show all of it"),
    shown(bind(G::Insight, C::Open, &[named(K::Enter)], "see trials", "Show the brushed trials in the study; of a bar, its slice; in the timeline, the trial")),

    shown(bind(G::System, C::Level, &[key('v')], "log level", "Show only graver lines of the log")),
    shown(bind(G::System, C::Filter, &[key('/')], "find in log", "Show only the lines of the log that hold a word")),
    bind(G::System, C::Down, &[key('j'), named(K::Down)], "down", "The log: one line further down"),
    bind(G::System, C::Up, &[key('k'), named(K::Up)], "up", "The log: one line further up"),
    bind(G::System, C::PageDown, &[named(K::PageDown), ctrl('d')], "page down", "The log: a page further down"),
    bind(G::System, C::PageUp, &[named(K::PageUp), ctrl('u')], "page up", "The log: a page further up"),
    bind(G::System, C::Top, &[key('g'), named(K::Home)], "top", "The log: to the oldest line"),
    bind(G::System, C::Bottom, &[key('G'), named(K::End)], "follow", "The log: to the newest line, and stay there"),

    shown(bind(G::Anywhere, C::Help, &[key('?'), named(K::F(1))], "help", "This page")),
    shown(bind(G::Anywhere, C::Palette, &[key(':'), ctrl('p')], "commands", "Find a command by its name")),
    bind(G::Anywhere, C::Go(Place::Studies), &[key('1')], "studies", "All studies"),
    bind(G::Anywhere, C::Go(Place::Study), &[key('2')], "study", "The study that was opened last"),
    bind(G::Anywhere, C::Go(Place::Trial), &[key('3')], "trial", "The trial that was opened last"),
    bind(G::Anywhere, C::Go(Place::Compare), &[key('4')], "comparison", "The trials that are compared"),
    bind(G::Anywhere, C::Go(Place::Launch), &[key('5')], "launch a study", "The form for a new study"),
    bind(G::Anywhere, C::Go(Place::Plugins), &[key('6')], "plugins", "Schedulers, their parameters and their health"),
    bind(G::Anywhere, C::Go(Place::Insight), &[key('7')], "insight", "What the study teaches about its settings"),
    bind(G::Anywhere, C::Go(Place::System), &[key('8')], "system", "Workers, machine, store and log"),
    bind(G::Anywhere, C::NextPlace, &[key(']')], "next screen", "The screen to the right"),
    bind(G::Anywhere, C::PreviousPlace, &[key('[')], "previous screen", "The screen to the left"),
    bind(G::Anywhere, C::Back, &[named(K::Esc), named(K::Backspace)], "back", "Back to where you came from"),
    bind(G::Anywhere, C::Undo, &[key('u')], "undo", "Take the last thing back that can be taken back"),
    bind(G::Anywhere, C::Screenshot, &[named(K::F(12)), key('!')], "screenshot", "Save the screen as a picture (SVG) and as text"),
    bind(G::Anywhere, C::Theme, &[key('T')], "theme", "The next theme"),
    bind(G::Anywhere, C::Redraw, &[ctrl('l')], "redraw", "Draw the screen anew, and ask the daemon for everything again"),
    shown(bind(G::Anywhere, C::Quit, &[key('q'), ctrl('c')], "quit", "Leave; studies go on")),
];

impl Key {
    /// The key of an event. Shift is part of the character that it makes.
    pub(crate) fn of(event: &KeyEvent) -> Key {
        Key {
            code: event.code,
            ctrl: event.modifiers.contains(KeyModifiers::CONTROL),
        }
    }

    /// Whether it is text where text is typed: commands there are control and function keys, and
    /// escape.
    pub(crate) fn is_text(self) -> bool {
        !self.ctrl && !matches!(self.code, KeyCode::F(_) | KeyCode::Esc)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.ctrl {
            f.write_str("ctrl-")?;
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("space"),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::F(n) => write!(f, "F{n}"),
            KeyCode::PageDown => f.write_str("page-down"),
            KeyCode::PageUp => f.write_str("page-up"),
            KeyCode::BackTab => f.write_str("shift-tab"),
            code => f.write_str(&format!("{code:?}").to_lowercase()),
        }
    }
}

impl Binding {
    /// Its keys, as `j or down`.
    pub(crate) fn keys(&self) -> String {
        let keys: Vec<String> = self.keys.iter().map(Key::to_string).collect();
        keys.join(" or ")
    }
}

/// The bindings that hold where these groups do, and everywhere.
pub(crate) fn of(groups: &[Group]) -> impl Iterator<Item = &'static Binding> {
    BINDINGS
        .iter()
        .filter(move |b| b.group == Group::Anywhere || groups.contains(&b.group))
}

/// What a key asks for where these groups of bindings hold.
pub(crate) fn command(groups: &[Group], event: &KeyEvent) -> Option<Command> {
    let key = Key::of(event);
    let found = of(groups).find(|binding| binding.keys.contains(&key));
    found.map(|binding| binding.command)
}
