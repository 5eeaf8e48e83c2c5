//! What a study came to, as far as its seed decides it: every record and every step, times left out.

use crate::ground::{ID, all_files, seed, wait};
use attune_store::{Error, Id, Store};
use std::collections::BTreeMap;
use std::path::Path;

/// What came of a study, under names for people. Floats are written so that no two are alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    parts: BTreeMap<String, String>,
    /// The files of models that are left of the study: that of the best trial.
    models: BTreeMap<String, Vec<u8>>,
    /// The attempts of each trial's last lease.
    pub attempts: Vec<u64>,
    pub deaths: usize,
}

impl Outcome {
    /// Opens the store of a daemon that has stopped.
    pub fn read(state: &Path) -> Self {
        let files = all_files(&state.join("state/checkpoints").join(ID));
        let models = files
            .into_iter()
            .filter(|file| file.ends_with("model.safetensors"));
        let models: BTreeMap<String, Vec<u8>> = models
            .map(|file| (file.display().to_string(), std::fs::read(file).unwrap()))
            .map(|(file, bytes)| (file[state.as_os_str().len()..].to_owned(), bytes))
            .collect();
        // A process that ends has lost its name before it lets go of its files.
        let (store, report) = wait("the daemon lets go of the store", || {
            match Store::open(state.join("state/store"), "a test") {
                Err(Error::InUse { .. }) => None,
                opened => Some(opened.unwrap()),
            }
        });
        assert!(report.is_clean(), "{report}");
        let Id::Study(id) = ID.parse().unwrap() else {
            panic!("a study");
        };
        let study = store.study(id).unwrap();
        let mut parts = BTreeMap::new();
        let mut put = |name: String, value: String| drop(parts.insert(name, value));
        put(
            "study".into(),
            format!(
                "{:?} {:?} {}",
                study.state, study.reason, study.planned_trials
            ),
        );
        let (mut attempts, mut deaths) = (Vec::new(), 0);
        for (id, trial) in store.list_trials(id).unwrap() {
            attempts.push(trial.attempt);
            deaths += trial.deaths.len();
            let outcomes = trial.outcomes.iter();
            let outcomes: Vec<_> = outcomes.map(|o| (o.kind, o.epoch, o.value)).collect();
            // Whether a model that was beaten was ever written depends on who trained beside it.
            let left = models
                .keys()
                .any(|file| file.contains(&format!("/{}/model", id.number)));
            let test = trial.model.as_ref().filter(|_| left);
            let test = test.map(|model| (&model.test, model.bytes));
            put(
                format!("{id} record"),
                format!(
                    "{:?} {:?} {:?} {:?} {} {} {} {:?} {:?} {:?} {:?} {outcomes:?} {test:?} {:?}",
                    trial.state,
                    trial.config,
                    trial.seed,
                    trial.plugin,
                    trial.epochs,
                    trial.max_epochs,
                    trial.steps,
                    trial.reason,
                    trial.final_metrics,
                    trial.best_metrics,
                    trial.warnings,
                    trial.interventions,
                ),
            );
            put(
                format!("{id} epochs"),
                format!("{:?}", store.epochs(id).unwrap()),
            );
            let steps = store.read_steps(id, ..).unwrap();
            put(format!("{id} step numbers"), format!("{:?}", steps.steps));
            for column in steps.columns {
                put(
                    format!("{id} {}", column.name),
                    format!("{:?}", column.values),
                );
            }
        }
        Outcome {
            parts,
            models,
            attempts,
            deaths,
        }
    }

    /// Whether there is enough in it to be told apart.
    pub fn is_worth_it(&self) {
        let all: String = self.parts.values().map(String::as_str).collect();
        assert!(self.models.len() == 1 && self.parts.len() > 100);
        assert!(
            all.contains("Stopped") && all.contains("Done"),
            "rungs decide"
        );
    }

    /// Without what was warned of a damage: each warning, quoted as it is, that contains these words.
    pub fn without_warnings_of(mut self, damage: &str) -> Self {
        for text in self.parts.values_mut() {
            while let Some(at) = text.find(damage) {
                // A quote within a warning is escaped.
                let is_end = |at: &usize| {
                    text[..*at].chars().rev().take_while(|c| *c == '\\').count() % 2 == 0
                };
                let quotes: Vec<usize> = text.match_indices('"').map(|(at, _)| at).collect();
                let mut ends = quotes.into_iter().filter(is_end);
                let begin = ends.clone().take_while(|quote| *quote < at).last().unwrap();
                let mut end = ends.find(|quote| *quote > at).unwrap() + 1;
                if text[end..].starts_with(", ") {
                    end += 2;
                }
                text.replace_range(begin..end, "");
                *text = text.replace(", ]", "]");
            }
        }
        self
    }

    /// The names of the parts that are not the same.
    pub fn differences(&self, other: &Outcome) -> Vec<String> {
        let names = self.parts.keys().chain(other.parts.keys());
        let mut names: Vec<String> = names
            .filter(|name| self.parts.get(*name) != other.parts.get(*name))
            .cloned()
            .collect();
        names.dedup();
        names
    }

    /// As [`Outcome::is`], whatever became of the best model's file.
    #[track_caller]
    pub fn is_but_for_the_model(&self, expected: &Outcome) {
        let models = expected.models.clone();
        let with_model = Outcome {
            models,
            ..self.clone()
        };
        with_model.is(expected);
    }

    /// The other is the same, bit for bit, whatever happened on the way.
    #[track_caller]
    pub fn is(&self, expected: &Outcome) {
        let names = expected.parts.keys().chain(self.parts.keys());
        for name in names {
            let (found, wanted) = (self.parts.get(name), expected.parts.get(name));
            if found == wanted {
                continue;
            }
            let (found, wanted) = (
                found.map_or("nothing", String::as_str),
                wanted.map_or("nothing", String::as_str),
            );
            let same = found.bytes().zip(wanted.bytes());
            let at = same.take_while(|(a, b)| a == b).count();
            let around = |text: &str| {
                let bytes = text.as_bytes();
                let range = at.saturating_sub(80)..(at + 200).min(bytes.len());
                String::from_utf8_lossy(&bytes[range]).into_owned()
            };
            panic!(
                "{name} differs at byte {at} (lengths {}, {}); seed {}\nfound:  {}\nwanted: {}",
                found.len(),
                wanted.len(),
                seed(),
                around(found),
                around(wanted)
            );
        }
        let files = |outcome: &Outcome| outcome.models.keys().cloned().collect::<Vec<_>>();
        assert_eq!(
            files(self),
            files(expected),
            "models are left; seed {}",
            seed()
        );
        assert!(
            self.models == expected.models,
            "the model differs; seed {}",
            seed()
        );
    }

    /// Where the best model lies, in the home.
    pub fn best_model(&self) -> &str {
        self.models.keys().next().map_or("", String::as_str)
    }

    /// The bytes of the best model.
    pub fn model(&self) -> &[u8] {
        self.models.values().next().map_or(&[], Vec::as_slice)
    }
}
