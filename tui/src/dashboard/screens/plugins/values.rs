//! What the parameters of a preview are set to.

use super::describe::Scheduler;
use super::param::{Kind, Param, Range};
use attune_protocol::{Number, Preview, Scalar};
use std::collections::BTreeMap;

/// What was changed, by scheduler and by parameter; of the preview itself under no scheduler.
#[derive(Debug, Default)]
pub(super) struct Values {
    changed: BTreeMap<(String, String), Scalar>,
}

/// What a preview itself takes, beside its scheduler.
pub(super) const RATE: &str = "first rate";
pub(super) const STEPS: &str = "steps";
pub(super) const EPOCH: &str = "steps per epoch";

/// The most steps that a preview may have.
const MOST_STEPS: i64 = 1_000_000;

/// The parameters of a preview itself.
fn own() -> [Param; 3] {
    let steps = Kind::Int(1, MOST_STEPS);
    let param = |name: &str, kind: &Kind, default, doc: &str| Param {
        name: name.to_owned(),
        kind: kind.clone(),
        default,
        search: None,
        doc: doc.to_owned(),
    };
    let rate = Kind::Float(Range::above(0.0));
    [
        param(
            RATE,
            &rate,
            Scalar::Float(Number(0.1)),
            "Of the preview: the learning rate that it begins with.",
        ),
        param(
            STEPS,
            &steps,
            Scalar::Int(1_000),
            "Of the preview: how long it is.",
        ),
        param(
            EPOCH,
            &steps,
            Scalar::Int(100),
            "Of the preview: how many steps make an epoch.",
        ),
    ]
}

/// Something that can be set in a preview.
pub(super) struct Setting {
    /// The scheduler that it is a parameter of; empty where it is the preview's own.
    pub(super) of: String,
    pub(super) param: Param,
}

impl Setting {
    pub(super) fn is_own(&self) -> bool {
        self.of.is_empty()
    }

    fn key(&self) -> (String, String) {
        (self.of.clone(), self.param.name.clone())
    }
}

/// Everything that can be set in the preview of a scheduler: its parameters, then the preview's own.
pub(super) fn params(scheduler: &Scheduler) -> Vec<Setting> {
    let setting = |of: &str, param| Setting {
        of: of.to_owned(),
        param,
    };
    let params = scheduler.params.iter().cloned();
    let params = params.map(|param| setting(&scheduler.name, param));
    params
        .chain(own().map(|param| setting("", param)))
        .collect()
}

impl Values {
    /// What a parameter is set to, and whether that was changed.
    pub(super) fn get(&self, setting: &Setting) -> (Scalar, bool) {
        let changed = self.changed.get(&setting.key());
        let value = changed.unwrap_or(&setting.param.default).clone();
        (value, changed.is_some())
    }

    /// Sets a parameter; nothing sets it to its default.
    pub(super) fn set(&mut self, setting: &Setting, value: Option<Scalar>) {
        match value.filter(|value| *value != setting.param.default) {
            Some(value) => drop(self.changed.insert(setting.key(), value)),
            None => drop(self.changed.remove(&setting.key())),
        }
    }

    /// All parameters of a scheduler, and the preview's own, at their defaults again.
    pub(super) fn reset(&mut self, scheduler: &str) {
        self.changed
            .retain(|(of, _), _| !of.is_empty() && of != scheduler);
    }

    /// Whether a parameter of this scheduler was changed.
    pub(super) fn has_changed(&self, scheduler: &str) -> bool {
        self.changed.keys().any(|(of, _)| of == scheduler)
    }

    /// The question for a schedule; with the defaults where `changed` is false.
    pub(super) fn preview(&self, scheduler: &str, changed: bool) -> Preview {
        let of_scheduler = self
            .changed
            .iter()
            .filter(|((of, _), _)| changed && of == scheduler);
        let own = |name: &str| {
            let set = self.changed.get(&(String::new(), name.to_owned()));
            let mut defaults = own().into_iter().filter(|param| param.name == name);
            set.cloned()
                .or_else(|| defaults.next().map(|param| param.default))
        };
        let steps = |name: &str| match own(name) {
            Some(Scalar::Int(steps)) => steps.max(1) as u64,
            _ => 1,
        };
        Preview {
            scheduler: scheduler.to_owned(),
            params: of_scheduler
                .map(|((_, name), value)| (name.clone(), value.clone()))
                .collect(),
            rate: match own(RATE) {
                Some(Scalar::Float(rate)) => rate,
                _ => Number(0.1),
            },
            steps: steps(STEPS),
            steps_per_epoch: steps(EPOCH),
        }
    }
}

/// A value as it is typed, with all its digits.
pub(super) fn exact(value: &Scalar) -> String {
    let number = |value: &Number| format!("{:?}", value.0);
    match value {
        Scalar::Float(value) => number(value),
        Scalar::List(values) => {
            let values: Vec<String> = values.iter().map(number).collect();
            format!("[{}]", values.join(", "))
        }
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_has_what_was_changed_and_the_defaults_otherwise() {
        let patience = Param {
            name: "patience".into(),
            kind: Kind::Int(0, 20),
            default: Scalar::Int(10),
            search: None,
            doc: String::new(),
        };
        let scheduler = Scheduler {
            name: "greedy".to_owned(),
            summary: String::new(),
            reference: String::new(),
            params: vec![patience],
            reads: Vec::new(),
        };
        let params = params(&scheduler);
        let mut values = Values::default();
        let set = |values: &mut Values, index: usize, text: &str| {
            let value = params[index].param.read(text).unwrap();
            values.set(&params[index], Some(value));
        };
        set(&mut values, 0, "5");
        set(&mut values, 1, "0.5");
        set(&mut values, 2, "2000");
        let preview = values.preview("greedy", true);
        assert_eq!(preview.params["patience"], Scalar::Int(5));
        assert_eq!(
            (preview.rate, preview.steps, preview.steps_per_epoch),
            (Number(0.5), 2000, 100)
        );
        assert!(values.preview("greedy", false).params.is_empty());
        let other = values.preview("cosine", true);
        assert!(other.params.is_empty());
        assert_eq!(other.steps, 2000, "the preview's own are the same for all");
        assert_eq!(
            exact(&Scalar::Float(Number(0.00012345678))),
            "0.00012345678"
        );
        set(&mut values, 0, "10");
        assert!(!values.has_changed("greedy"), "the default is no change");
        set(&mut values, 0, "7");
        values.reset("greedy");
        assert_eq!(
            values.preview("greedy", true),
            Values::default().preview("greedy", true)
        );
    }
}
