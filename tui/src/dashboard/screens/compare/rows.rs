//! The rows of a comparison: results with the best marked, and settings.

use super::one::One;
use crate::chart::MarkKind;
use crate::dashboard::screens::study::trials::state_ink;
use crate::number;
use crate::style::{Ink, Style};
use crate::summary::known_direction;
use attune_protocol::{Direction, TrialSummary};
use std::collections::BTreeSet;

/// A row: its name, and a cell a trial. Without cells it is a heading.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) cells: Vec<(String, Ink)>,
    /// Whether it is what the trials are judged by: always shown.
    is_result: bool,
}

impl Row {
    /// Whether it tells trials apart.
    fn says_more(&self) -> bool {
        let mut pairs = self.cells.windows(2);
        self.is_result || pairs.any(|pair| pair[0].0 != pair[1].0)
    }
}

/// The rows of these trials: results, then the settings that differ, or all.
pub(super) fn rows(ones: &[One<'_>], all: bool, style: Style) -> Vec<Row> {
    let table = Maker { ones, style };
    let mut rows = table.results();
    rows.retain(|row| all || row.says_more());
    rows.extend(table.settings(all));
    rows
}

/// The metrics that the trials are judged by, each with its direction, once.
pub(super) fn objectives<'a>(ones: &[One<'a>]) -> Vec<(&'a str, Direction)> {
    let mut objectives = Vec::new();
    for study in ones.iter().filter_map(|one| one.study) {
        let objective = (study.metric.as_str(), study.direction);
        if !objectives.contains(&objective) {
            objectives.push(objective);
        }
    }
    objectives
}

struct Maker<'m, 'a> {
    ones: &'m [One<'a>],
    style: Style,
}

impl<'a> Maker<'_, 'a> {
    fn results(&self) -> Vec<Row> {
        let mut rows = vec![self.row("state", |one| {
            let trial = one.trial()?;
            let mark = self.style.symbols().state(trial.state);
            Some((format!("{mark} {}", trial.state), state_ink(trial.state)))
        })];
        let objectives = objectives(self.ones);
        for (metric, direction) in &objectives {
            let value = |one: &One<'_>| {
                let study = one.study?;
                let is_own = (study.metric.as_str(), study.direction) == (metric, *direction);
                is_own.then_some(one.trial()?.value?.0)
            };
            let aim = match direction {
                Direction::Minimize => "lowest",
                Direction::Maximize => "highest",
            };
            rows.push(Row {
                is_result: true,
                ..self.figures(&format!("{aim} {metric}"), Some(*direction), value)
            });
        }
        rows.push(self.row("at epoch", |one| {
            Some((one.trial()?.best_epoch?.to_string(), Ink::Plain))
        }));
        let trials = || self.ones.iter().filter_map(One::trial);
        let metrics: BTreeSet<&str> = trials()
            .flat_map(|trial| trial.metrics.keys().map(String::as_str))
            .collect();
        for name in metrics {
            let own = name.trim_start_matches("valid_");
            let judged = objectives.iter().find(|(metric, _)| *metric == own);
            let direction = judged.map(|(_, direction)| *direction);
            let value = |one: &One<'_>| Some(one.trial()?.metrics.get(name)?.0);
            let title = format!("last {}", name.replace('_', " "));
            rows.push(self.figures(&title, direction.or_else(|| known_direction(name)), value));
        }
        rows.push(self.row("last rate", |one| {
            Some((number::rate(one.last_rate?), Ink::Plain))
        }));
        rows.push(self.row("epochs", |one| {
            let trial = one.trial()?;
            Some((format!("{}/{}", trial.epochs, trial.max_epochs), Ink::Plain))
        }));
        rows.push(self.row("steps", |one| {
            Some((one.trial()?.steps.to_string(), Ink::Plain))
        }));
        rows.push(self.row("took", |one| {
            let took = number::duration(number::seconds(one.trial()?.seconds));
            Some((took, Ink::Plain))
        }));
        let more = [
            self.row("reason", |one| {
                Some((one.trial()?.reason.clone()?, Ink::Warning))
            }),
            self.row("workers died", |one| {
                let deaths = one.trial()?.deaths.len();
                (deaths > 0).then(|| (deaths.to_string(), Ink::Warning))
            }),
            self.row("by hand", |one| {
                let hands = one.trial()?.interventions.len();
                (hands > 0).then(|| (format!("{hands} times"), Ink::Warning))
            }),
            self.row("tags", |one| {
                let tags = one.trial()?.note.tags.join(" ");
                (!tags.is_empty()).then_some((tags, Ink::Accent))
            }),
            self.row("fork of", |one| {
                let origin = one.study?.origin.as_ref()?;
                let told = format!("{} at {}", origin.trial, origin.step);
                Some((told, Ink::Plain))
            }),
        ];
        let nothing = self.style.symbols().nothing;
        let says = |row: &Row| row.cells.iter().any(|(text, _)| text != nothing);
        rows.extend(more.into_iter().filter(says));
        rows
    }

    fn settings(&self, all: bool) -> Vec<Row> {
        let trials: Vec<&TrialSummary> = self.ones.iter().filter_map(One::trial).collect();
        let keys: BTreeSet<&String> = trials.iter().flat_map(|t| t.config.keys()).collect();
        let differs = |key: &String| {
            let values: Vec<_> = trials.iter().map(|trial| trial.config.get(key)).collect();
            values.windows(2).any(|pair| pair[0] != pair[1])
        };
        // The scheduler first, then settings of all trials, then those of one scheduler.
        let mut keys: Vec<&String> = keys.into_iter().filter(|key| all || differs(key)).collect();
        keys.sort_by_key(|key| (*key != "scheduler", key.contains('.'), *key != "lr"));
        let seeds = trials.windows(2).any(|pair| pair[0].seed != pair[1].seed);
        let heading = match (all, keys.is_empty()) {
            (true, _) => "all settings",
            (false, false) => "settings that differ",
            (false, true) => "no setting differs",
        };
        let mut rows = vec![Row {
            name: heading.to_owned(),
            cells: Vec::new(),
            is_result: false,
        }];
        rows.extend(keys.into_iter().map(|key| {
            self.row(key, |one| {
                let value = one.trial()?.config.get(key)?;
                Some((value.to_string(), Ink::Plain))
            })
        }));
        if all || seeds {
            rows.push(self.row("seed", |one| {
                Some((one.trial()?.seed.to_string(), Ink::Dim))
            }));
        }
        rows
    }

    fn row(&self, name: &str, cell: impl Fn(&One<'a>) -> Option<(String, Ink)>) -> Row {
        let nothing = self.style.symbols().nothing;
        let cells = self
            .ones
            .iter()
            .map(|one| cell(one).unwrap_or_else(|| (nothing.to_owned(), Ink::Dim)));
        Row {
            name: name.to_owned(),
            cells: cells.collect(),
            is_result: false,
        }
    }

    /// A row of numbers, the best of them marked.
    fn figures(
        &self,
        name: &str,
        direction: Option<Direction>,
        value: impl Fn(&One<'_>) -> Option<f64>,
    ) -> Row {
        let symbols = self.style.symbols();
        let values: Vec<Option<f64>> = self.ones.iter().map(value).collect();
        let best = direction.and_then(|direction| best(&values, direction));
        let cells = values.iter().map(|value| match value {
            Some(value) if Some(*value) == best => {
                let star = symbols.mark(MarkKind::Best);
                (format!("{star} {}", number::metric(*value)), Ink::Best)
            }
            Some(value) => (number::metric(*value), Ink::Plain),
            None => (symbols.nothing.to_owned(), Ink::Dim),
        });
        Row {
            name: name.to_owned(),
            cells: cells.collect(),
            is_result: false,
        }
    }
}

/// The best of several values; nothing where there is nothing to compare.
fn best(values: &[Option<f64>], direction: Direction) -> Option<f64> {
    let known = || values.iter().flatten().filter(|value| !value.is_nan());
    let first = known().next()?;
    if known().all(|value| value == first) {
        return None;
    }
    known().copied().reduce(|best, value| {
        if direction.better(value, best) {
            value
        } else {
            best
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_better_than_another_one() {
        let values = [Some(0.5), None, Some(0.9), Some(f64::NAN)];
        assert_eq!(best(&values, Direction::Maximize), Some(0.9));
        assert_eq!(best(&values, Direction::Minimize), Some(0.5));
        assert_eq!(best(&values[..2], Direction::Minimize), None);
        assert_eq!(best(&[Some(0.5); 3], Direction::Minimize), None);
    }
}
