//! The parts of a trial's page.

/// A part of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Curves,
    Decisions,
    Settings,
    Log,
}

impl Part {
    pub(super) const ALL: [Part; 4] = [Part::Curves, Part::Decisions, Part::Settings, Part::Log];

    pub(super) fn title(self) -> &'static str {
        match self {
            Part::Curves => "Curves",
            Part::Decisions => "Decisions",
            Part::Settings => "Settings",
            Part::Log => "Log",
        }
    }
}
