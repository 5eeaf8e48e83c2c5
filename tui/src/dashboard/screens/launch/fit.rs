//! Whether a value fits a scheduler's parameter: told at once, and as the daemon would.

use super::typed::{Plain, Said};
use crate::dashboard::screens::plugins::param::{Kind as ParamKind, Param};

/// What is wrong with a scheduler's parameter, by its type and range.
pub(super) fn misfit(param: &Param, value: &toml_edit::Value) -> Option<String> {
    let wrong = || Some(format!("must be: {}", param.takes()));
    if let (ParamKind::PerGroup(_) | ParamKind::Steps, Some(list)) = (&param.kind, value.as_array())
    {
        let numbers: Option<Vec<f64>> = list
            .iter()
            .map(|value| value.as_float().or(value.as_integer().map(|n| n as f64)))
            .collect();
        let fits = numbers.is_some_and(|numbers| param.kind.holds_all(&numbers));
        return if fits { None } else { wrong() };
    }
    let fits = |value: &Plain| accepts(&param.kind, value);
    match Said::of(value) {
        Some(Said::Fixed(value)) if fits(&value) => None,
        Some(Said::Among(values)) if !values.is_empty() && values.iter().all(fits) => None,
        Some(Said::Between { low, high, log }) => {
            if low >= high || (log && low <= 0.0) {
                return Some("the lower end must be below the upper one".to_owned());
            }
            let end = |end: f64| match param.kind {
                ParamKind::Int(..) if end.fract() == 0.0 => Plain::Int(end as i64),
                _ => Plain::Float(end),
            };
            if fits(&end(low)) && fits(&end(high)) {
                None
            } else {
                wrong()
            }
        }
        Some(Said::Proposed) if param.search.is_some() => None,
        Some(Said::Proposed) => {
            Some("has no usual range to search; write such as 1 to 10, or a list".to_owned())
        }
        _ => wrong(),
    }
}

fn accepts(kind: &ParamKind, value: &Plain) -> bool {
    match (kind, value) {
        (ParamKind::Float(range) | ParamKind::PerGroup(range), value) => {
            value.number().is_some_and(|number| range.holds(number))
        }
        (ParamKind::Int(low, high), Plain::Int(number)) => (low..=high).contains(&number),
        (ParamKind::Bool, Plain::Bool(_)) => true,
        (ParamKind::Choice(choices), Plain::Word(word)) => choices.contains(word),
        (ParamKind::Other(_), _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::typed;
    use super::*;
    use crate::dashboard::screens::plugins::describe;
    use attune_protocol::PluginInfo;
    use serde_json::json;

    fn greedy() -> PluginInfo {
        let params = json!([
            {"name": "factor", "kind": {"type": "float", "min": 0.0, "max": 1.0, "above_min": true,
             "below_max": true}, "default": 0.95, "search": null},
            {"name": "patience", "kind": {"type": "int", "min": 0, "max": i64::MAX}, "default": 10,
             "search": {"linear": [1.0, 20.0]}},
            {"name": "mode", "kind": {"type": "choice", "choices": ["a", "b"]}, "default": "a",
             "search": "all"},
            {"name": "decay", "kind": {"type": "per_group", "min": 0.0, "max": 1.0},
             "default": 0.1, "search": null},
            {"name": "at", "kind": {"type": "steps"}, "default": [], "search": null},
            {"name": "new", "kind": {"type": "of another age"}, "default": 1, "search": null},
        ]);
        PluginInfo {
            path: String::new(),
            hash: String::new(),
            library: Some(json!({"schedulers": [{"name": "greedy", "params": params}]})),
            fingerprint: String::new(),
            error: None,
            quarantine: None,
        }
    }

    #[test]
    fn parameters_are_checked_by_type_and_range() {
        for (name, typed, fits) in [
            ("factor", "0.5", true),
            ("factor", "1", false),
            ("factor", "0.5, 0.9", true),
            ("factor", "0.5 to 2", false),
            ("factor", "search", false),
            ("factor", "word", false),
            ("patience", "3", true),
            ("patience", "3.5", false),
            ("patience", "-1", false),
            ("patience", "1 to 5", true),
            ("patience", "5 to 1", false),
            ("patience", "search", true),
            ("mode", "b", true),
            ("mode", "c", false),
            ("at", "[3, 8]", true),
            ("at", "[8, 3]", false),
            ("at", "[]", true),
            ("decay", "[]", false),
            ("decay", "[0.1, 0.2]", true),
            ("decay", "[0.1, 2]", false),
            ("new", "7", true),
        ] {
            let schedulers = describe::schedulers(&[greedy()]);
            let scheduler = &schedulers[0];
            let param = scheduler.params.iter().find(|p| p.name == name).unwrap();
            let value = typed::value(typed).unwrap();
            let wrong = misfit(param, &value);
            assert_eq!(wrong.is_none(), fits, "{name} = {typed}: {wrong:?}");
        }
    }
}
