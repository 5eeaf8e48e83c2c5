//! What the environment or the parameters ask for, checked.

use attune_plugin_api::prelude::*;
use std::env::{self, VarError};

const CALLS: &[&str] = &[
    "open",
    "describe",
    "configure",
    "step",
    "metric",
    "save",
    "load",
    "drop",
];

/// Each action with the calls in which it can happen.
const ACTIONS: &[(&str, &[&str])] = &[
    ("panic", CALLS),
    ("error", &["configure", "step", "metric", "save", "load"]),
    ("nan", &["step", "metric"]),
    ("negative", &["step", "metric"]),
    ("infinite", &["step", "metric"]),
    ("hang", CALLS),
    ("allocate", CALLS),
    ("segfault", CALLS),
    ("abort", CALLS),
    ("exit", CALLS),
];

/// What to do, in which call, from which step on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wish {
    /// One of [`ACTIONS`], or `none`.
    pub(crate) action: String,
    call: String,
    at_step: u64,
}

impl Wish {
    /// To behave.
    pub(crate) fn nothing() -> Self {
        Wish {
            action: "none".into(),
            call: "step".into(),
            at_step: 0,
        }
    }

    /// What the parameters ask for.
    pub(crate) fn of_parameters(action: &str, call: &str, at_step: u64) -> Result<Self, Error> {
        if action == "none" {
            return Ok(Wish::nothing());
        }
        Self::new(action, call, at_step)
            .map_err(|problem| Error::new(format!("`{action}` in `{call}`: {problem}")))
    }

    /// What the environment asks for, if anything.
    pub(crate) fn of_environment() -> Result<Option<Self>, Error> {
        Self::of_variables(|name| match env::var(name) {
            Err(VarError::NotUnicode(raw)) => Some(raw.to_string_lossy().into_owned()),
            value => value.ok(),
        })
    }

    fn of_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, Error> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let Some(text) = set("ATTUNE_MISBEHAVE") else {
            return Ok(None);
        };
        let at_step = set("ATTUNE_MISBEHAVE_AT").map_or(Ok(0), |at| {
            at.parse().map_err(|_| {
                Error::new(format!(
                    "ATTUNE_MISBEHAVE_AT is `{at}`; it must be a step, a whole number from 0"
                ))
            })
        })?;
        let (action, call) = text.split_once('@').unwrap_or((&text, ""));
        Self::new(action, call, at_step)
            .map(Some)
            .map_err(|problem| {
                Error::new(format!(
                    "ATTUNE_MISBEHAVE is `{text}`; it must be ACTION@CALL: {problem}"
                ))
            })
    }

    fn new(action: &str, call: &str, at_step: u64) -> Result<Self, String> {
        let Some((_, calls)) = ACTIONS.iter().find(|(known, _)| *known == action) else {
            let known: Vec<&str> = ACTIONS.iter().map(|(known, _)| *known).collect();
            return Err(format!("the actions are {}", known.join(", ")));
        };
        if !calls.contains(&call) {
            return Err(format!("`{action}` can happen in {}", calls.join(", ")));
        }
        Ok(Wish {
            action: action.into(),
            call: call.into(),
            at_step,
        })
    }

    /// Whether it is meant for this call; those at no step are never too early.
    pub(crate) fn is_for(&self, call: &str, step: Option<u64>) -> bool {
        self.action != "none" && self.call == call && step.is_none_or(|step| step >= self.at_step)
    }
}

/// The words that the parameter `action` takes.
pub(crate) fn parameter_actions() -> Vec<&'static str> {
    let actions = ACTIONS.iter().map(|(action, _)| *action);
    std::iter::once("none").chain(actions).collect()
}

/// The words that the parameter `call` takes: the calls that come after the parameters are known.
pub(crate) fn parameter_calls() -> Vec<&'static str> {
    let early = ["open", "describe"];
    let calls = CALLS.iter().copied();
    calls.filter(|call| !early.contains(call)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Result<Option<Wish>, String> {
        let found = Wish::of_variables(|name| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        found.map_err(|e| e.to_string())
    }

    #[test]
    fn a_wish_is_an_action_a_call_and_a_first_step() {
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&[("ATTUNE_MISBEHAVE", "")]), Ok(None));
        assert_eq!(of(&[("ATTUNE_MISBEHAVE_AT", "3")]), Ok(None));
        let wish = of(&[
            ("ATTUNE_MISBEHAVE", "nan@step"),
            ("ATTUNE_MISBEHAVE_AT", "3"),
        ]);
        let wish = wish.unwrap().unwrap();
        assert!(!wish.is_for("step", Some(2)));
        assert!(wish.is_for("step", Some(3)) && wish.is_for("step", Some(4)));
        assert!(!wish.is_for("metric", Some(3)));
        let early = of(&[
            ("ATTUNE_MISBEHAVE", "hang@open"),
            ("ATTUNE_MISBEHAVE_AT", "3"),
        ]);
        assert!(early.unwrap().unwrap().is_for("open", None));
    }

    #[test]
    fn a_slip_of_the_pen_is_an_error() {
        let table: &[(&[(&str, &str)], &str)] = &[
            (&[("ATTUNE_MISBEHAVE", "hang")], "`hang` can happen in open"),
            (&[("ATTUNE_MISBEHAVE", "hangs@step")], "the actions are"),
            (&[("ATTUNE_MISBEHAVE", "none@step")], "the actions are"),
            (
                &[("ATTUNE_MISBEHAVE", "nan@configure")],
                "`nan` can happen in step",
            ),
            (
                &[("ATTUNE_MISBEHAVE", "error@open")],
                "`error` can happen in configure",
            ),
            (
                &[
                    ("ATTUNE_MISBEHAVE", "nan@step"),
                    ("ATTUNE_MISBEHAVE_AT", "-1"),
                ],
                "must be a step",
            ),
        ];
        for (variables, expected) in table {
            let error = of(variables).unwrap_err();
            assert!(error.contains(expected), "{variables:?}: {error}");
        }
        let error = Wish::of_parameters("infinite", "save", 0).unwrap_err();
        assert!(error.to_string().contains("can happen in step"), "{error}");
        assert_eq!(
            Wish::of_parameters("none", "save", 7).unwrap(),
            Wish::nothing()
        );
    }
}
