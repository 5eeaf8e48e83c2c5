//! The domains that a study's configurations were drawn from, as far as they can be told.
//!
//! What the study searches states most of them. What it does not state, because it ran elsewhere or
//! its schedulers are gone, is told by what its trials have; and every value of every trial is in its
//! domain, also where the study file was changed on the way.

use super::space::stated;
use super::spec::StudySpec;
use attune_search::{Domain, Space, Value};
use attune_store::Scalar;
use std::collections::{BTreeMap, BTreeSet};

/// A setting with more different values than this is no choice among them.
const MOST_CHOICES: usize = 64;

/// Numbers that were seen this many times as large as others were drawn on a logarithmic scale.
const WIDE: f64 = 100.0;

/// What is known of domains, while a study's trials are looked at.
#[derive(Default)]
pub(crate) struct Domains {
    stated: BTreeMap<String, Domain>,
    seen: BTreeMap<String, Seen>,
}

/// What the trials have of one setting.
struct Seen {
    numbers: Option<(f64, f64)>,
    /// Whether all were whole numbers, or at least numbers.
    is_whole: bool,
    is_number: bool,
    /// Each value once; one more than are a choice, where there are too many.
    values: BTreeSet<Value>,
}

impl Domains {
    /// Those of a whole space.
    pub(crate) fn of_space(space: &Space) -> Self {
        let parameters = space.parameters().iter();
        Domains {
            stated: parameters
                .map(|parameter| (parameter.name.clone(), parameter.domain.clone()))
                .collect(),
            seen: BTreeMap::new(),
        }
    }

    /// Those that a study file states by itself.
    pub(crate) fn of_spec(spec: &StudySpec) -> Self {
        Domains {
            stated: stated(spec),
            seen: BTreeMap::new(),
        }
    }

    /// Takes note of a setting's value in one of the trials.
    pub(crate) fn see(&mut self, name: &str, value: &Scalar) {
        let Some(value) = searchable(value) else {
            return;
        };
        if let Some(seen) = self.seen.get_mut(name) {
            seen.add(value);
        } else {
            let mut seen = Seen {
                numbers: None,
                is_whole: true,
                is_number: true,
                values: BTreeSet::new(),
            };
            seen.add(value);
            self.seen.insert(name.to_owned(), seen);
        }
    }

    /// The domains of all settings in which trials differ, or could have.
    pub(crate) fn found(mut self) -> Vec<(String, Domain)> {
        let seen = self.seen.into_iter();
        let found = seen.filter_map(|(name, seen)| {
            let domain = seen.domain(self.stated.remove(&name))?;
            Some((name, domain))
        });
        found.collect()
    }
}

impl Seen {
    fn add(&mut self, value: Value) {
        let number = match value {
            Value::Int(whole) => Some(whole as f64),
            Value::Float(number) => {
                self.is_whole = false;
                Some(number)
            }
            Value::Bool(_) | Value::Text(_) => None,
        };
        match number {
            Some(number) => {
                let (low, high) = self.numbers.unwrap_or((number, number));
                self.numbers = Some((low.min(number), high.max(number)));
            }
            None => (self.is_whole, self.is_number) = (false, false),
        }
        if self.values.len() <= MOST_CHOICES {
            self.values.insert(value);
        }
    }

    fn domain(self, stated: Option<Domain>) -> Option<Domain> {
        let mut ends = self.numbers.filter(|_| self.is_number);
        let mut log = ends.is_some_and(|(low, high)| low > 0.0 && high / low >= WIDE);
        match stated {
            Some(Domain::Choice(mut values)) => {
                values.extend(self.values);
                return choice(values);
            }
            Some(Domain::Float {
                low,
                high,
                log: is_log,
                ..
            }) => {
                ends = ends.map(|(least, most)| (least.min(low), most.max(high)));
                log = is_log;
            }
            Some(Domain::Int {
                low,
                high,
                log: is_log,
            }) => {
                ends = ends.map(|(least, most)| (least.min(low as f64), most.max(high as f64)));
                log = is_log;
            }
            None => {}
        }
        let Some((low, high)) = ends else {
            return choice(self.values.into_iter().collect());
        };
        let log = log && low > 0.0;
        match self.is_whole {
            // Whole numbers from a file's range of plain ones are those of a plugin's parameter.
            true => (low < high).then_some(Domain::Int {
                low: low as i64,
                high: high as i64,
                log,
            }),
            false => (low < high).then_some(Domain::Float {
                low,
                high,
                log,
                step: None,
            }),
        }
    }
}

/// A choice among these, each once, if there is one to make.
fn choice(values: Vec<Value>) -> Option<Domain> {
    let mut once: Vec<Value> = Vec::with_capacity(values.len());
    for value in values {
        if !once.contains(&value) {
            once.push(value);
        }
    }
    (2..=MOST_CHOICES)
        .contains(&once.len())
        .then_some(Domain::Choice(once))
}

/// A stored value as one of a search space; lists are none, and what is not a finite number neither.
pub(crate) fn searchable(value: &Scalar) -> Option<Value> {
    match value {
        Scalar::Float(number) => number.is_finite().then_some(Value::Float(*number)),
        Scalar::Int(whole) => Some(Value::Int(*whole)),
        Scalar::Bool(switch) => Some(Value::Bool(*switch)),
        Scalar::Text(word) => Some(Value::Text(word.clone())),
        Scalar::List(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn found(space: &str, name: &str, values: &[Scalar]) -> Option<Domain> {
        let text = format!("[data]\npath = 'd.csv'\ntarget = 'y'\n[space]\n{space}");
        let spec = StudySpec::parse(Path::new("s.toml"), &text).unwrap();
        let mut domains = Domains::of_spec(&spec);
        values.iter().for_each(|value| domains.see(name, value));
        let mut found = domains.found();
        assert!(found.len() <= 1);
        found.pop().map(|(_, domain)| domain)
    }

    fn float(low: f64, high: f64, log: bool) -> Domain {
        Domain::Float {
            low,
            high,
            log,
            step: None,
        }
    }

    fn int(low: i64, high: i64, log: bool) -> Domain {
        Domain::Int { low, high, log }
    }

    #[test]
    fn a_domain_is_what_the_file_says_and_whatever_was_seen() {
        use Scalar::{Bool, Float, Int, List, Text};
        let words = |words: &[&str]| Domain::Choice(words.iter().map(|w| (*w).into()).collect());
        let table = [
            (
                "lr = 'search'",
                "lr",
                vec![Float(0.05)],
                Some(float(0.01, 0.3, true)),
            ),
            (
                "lr = 'search'",
                "lr",
                vec![Float(0.5)],
                Some(float(0.01, 0.5, true)),
            ),
            (
                "dropout = { low = 0.1, high = 0.2 }",
                "dropout",
                vec![Float(0.15)],
                Some(float(0.1, 0.2, false)),
            ),
            (
                "width = [8, 16]",
                "width",
                vec![Int(8)],
                Some(Domain::Choice(vec![8.into(), 16.into()])),
            ),
            (
                "width = [8, 16]",
                "width",
                vec![Int(32), Int(8)],
                Some(Domain::Choice(vec![8.into(), 16.into(), 32.into()])),
            ),
            (
                "layers = 'search'",
                "layers",
                vec![Int(2)],
                Some(int(1, 3, false)),
            ),
            (
                "activation = 'search'",
                "activation",
                vec![Text("gelu".into())],
                Some(words(&["relu", "gelu", "tanh"])),
            ),
            // Of a scheduler that is not there a range says neither of what, nor all.
            (
                "greedy.patience = { low = 1, high = 20, log = true }",
                "greedy.patience",
                vec![Int(3)],
                Some(int(1, 20, true)),
            ),
            (
                "greedy.x = ['a', 'b']",
                "greedy.x",
                vec![Text("b".into())],
                Some(words(&["a", "b"])),
            ),
            // What is not stated.
            ("", "a.b", vec![Int(3), Int(9)], Some(int(3, 9, false))),
            (
                "",
                "a.b",
                vec![Int(3), Float(0.5)],
                Some(float(0.5, 3.0, false)),
            ),
            (
                "",
                "a.b",
                vec![Float(0.001), Float(0.5)],
                Some(float(0.001, 0.5, true)),
            ),
            (
                "",
                "a.b",
                vec![Float(-1.0), Float(500.0)],
                Some(float(-1.0, 500.0, false)),
            ),
            (
                "",
                "a.b",
                vec![Text("z".into()), Text("y".into())],
                Some(words(&["y", "z"])),
            ),
            (
                "",
                "a.b",
                vec![Bool(true), Bool(false)],
                Some(Domain::Choice(vec![false.into(), true.into()])),
            ),
            // No choice at all.
            ("lr = 0.1", "lr", vec![Float(0.1)], None),
            ("", "a.b", vec![Int(3), Int(3)], None),
            (
                "",
                "a.b",
                vec![List(vec![Int(1)]), List(vec![Int(2)])],
                None,
            ),
            ("", "a.b", vec![Float(f64::NAN), Float(1.0)], None),
            (
                "",
                "a.b",
                (0..100).map(|number| Text(number.to_string())).collect(),
                None,
            ),
        ];
        for (space, name, values, expected) in table {
            assert_eq!(found(space, name, &values), expected, "{space}: {values:?}");
        }
    }
}
