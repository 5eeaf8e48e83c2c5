//! Writes the study file that `attune fit` runs: one code path, and a file to start from.

use attune_protocol::Draft;
use std::fmt::Write;
use std::path::Path;

/// Updates that a trial makes if nothing stops it: enough for a small table to converge, few
/// enough that many configurations are seen.
const TARGET_STEPS: u64 = 2_000;

/// The study file for what the user said of a table of so many rows.
pub(crate) fn to_toml(draft: &Draft, rows: u64) -> String {
    let batch = match rows {
        0..500 => 16,
        500..5_000 => 32,
        5_000..50_000 => 64,
        _ => 256,
    };
    let steps_per_epoch = (rows * 7 / 10 / batch).max(1);
    let max_epochs = (TARGET_STEPS / steps_per_epoch).clamp(9, 100);

    let mut text = String::from("# Written by `attune fit`; `attune run` takes it as it is.\n\n");
    line(&mut text, "name", quoted(&name(Path::new(&draft.data))));
    line(&mut text, "seed", draft.seed);
    if let Some(trials) = draft.trials {
        line(&mut text, "trials", trials);
    }
    if let Some(budget) = &draft.budget {
        line(&mut text, "budget", quoted(budget));
    }
    text.push_str("\n[data]\n");
    line(&mut text, "path", quoted(&draft.data));
    line(&mut text, "target", quoted(&draft.target));
    if let Some(task) = &draft.task {
        line(&mut text, "task", quoted(task));
    }
    if let Some(metric) = &draft.metric {
        text.push_str("\n[objective]\n");
        line(&mut text, "metric", quoted(metric));
    }
    text.push_str("\n[fidelity]\n");
    line(&mut text, "max_epochs", max_epochs);
    text.push_str("\n[space]\n");
    if !draft.schedulers.is_empty() {
        let names: Vec<String> = draft.schedulers.iter().map(|name| quoted(name)).collect();
        line(&mut text, "scheduler", format!("[{}]", names.join(", ")));
    }
    // Few rows bear little: models down to a linear one, held back more.
    let (lr, layers, width, decay) = match rows {
        0..500 => ([0.001, 0.1], "[0, 1, 2]", "[16, 32, 64, 128]", [1e-4, 0.1]),
        _ => ([0.005, 0.2], "[1, 2]", "[64, 128, 256]", [1e-5, 1e-2]),
    };
    let between =
        |[low, high]: [f64; 2]| format!("{{ low = {low:?}, high = {high:?}, log = true }}");
    line(&mut text, "lr", between(lr));
    line(&mut text, "batch_size", batch);
    line(&mut text, "layers", layers);
    line(&mut text, "width", width);
    line(&mut text, "dropout", "{ low = 0.0, high = 0.4 }");
    line(&mut text, "weight_decay", between(decay));
    text
}

/// The data file's name without its ending, as far as it can be a study's name.
fn name(data: &Path) -> String {
    let stem = data.file_stem().unwrap_or_default().to_string_lossy();
    let plain = stem.chars().filter(|c| !c.is_control() && *c != '\\');
    let mut name: String = plain.take(25).collect();
    if name.is_empty() {
        name.push_str("data");
    }
    name
}

fn line(text: &mut String, key: &str, value: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{key} = {value}");
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::spec::StudySpec;
    use attune_trainer::data::TaskKind;

    fn draft(target: &str) -> Draft {
        Draft {
            data: "/data/a \"b\".csv".into(),
            target: target.into(),
            seed: 7,
            ..Draft::default()
        }
    }

    #[test]
    fn what_is_drafted_is_a_valid_study_whatever_the_names() {
        for target in [
            "y",
            "größe",
            "a \"quoted\" one",
            "line\nbreak",
            "back\\slash",
        ] {
            let text = to_toml(&draft(target), 1797);
            let spec = StudySpec::parse(Path::new("fit.toml"), &text).unwrap();
            assert_eq!(spec.data.target, target);
            assert_eq!(spec.data.path, Path::new("/data/a \"b\".csv"));
            assert_eq!((spec.seed, spec.planned_trials()), (7, 32));
        }
    }

    #[test]
    fn what_the_user_said_is_kept() {
        let draft = Draft {
            task: Some("regression".into()),
            metric: Some("mae".into()),
            schedulers: vec!["greedy".into(), "rex".into()],
            budget: Some("5m".into()),
            ..draft("y")
        };
        let text = to_toml(&draft, 1797);
        let spec = StudySpec::parse(Path::new("fit.toml"), &text).unwrap();
        assert_eq!(spec.data.task, Some(TaskKind::Regression));
        assert_eq!(spec.metric.as_deref(), Some("mae"));
        assert_eq!(spec.budget.unwrap().as_secs(), 300);
        assert!(spec.entry(None, "scheduler").is_some());
    }

    #[test]
    fn epochs_follow_the_amount_of_data() {
        let epochs = |rows| {
            let text = to_toml(&draft("y"), rows);
            let spec = StudySpec::parse(Path::new("fit.toml"), &text).unwrap();
            spec.fidelity.max_epochs
        };
        assert_eq!(epochs(100), 100);
        assert_eq!(epochs(1797), 51);
        assert_eq!(epochs(10_000_000), 9);
    }

    #[test]
    fn few_rows_are_offered_linear_models() {
        for (rows, layers) in [(499, "[0, 1, 2]"), (500, "[1, 2]")] {
            let text = to_toml(&draft("y"), rows);
            assert!(text.contains(&format!("\nlayers = {layers}\n")), "{text}");
        }
    }
}
