//! Writes the study file that `attune fit` runs: one code path, and a file to start from.

use attune_protocol::Draft;
use std::fmt::Write;
use std::path::Path;

/// Updates that a trial makes if nothing stops it: enough for a small table to converge, few
/// enough that many configurations are seen.
const TARGET_STEPS: u64 = 2_000;

/// What kind of data a study is drafted for, and how much of it there is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    Table {
        rows: u64,
    },
    Pictures {
        rows: u64,
        /// Height and width that they are to be brought to.
        size: (u32, u32),
    },
    Text {
        bytes: u64,
    },
}

impl Form {
    /// How much of it is learned from at once.
    fn rows(self) -> u64 {
        match self {
            Form::Table { rows } | Form::Pictures { rows, .. } => rows,
            // The usual context.
            Form::Text { bytes } => bytes / 64,
        }
    }
}

/// The study file for what the user said of some data.
pub(crate) fn to_toml(draft: &Draft, form: Form) -> String {
    let rows = form.rows();
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
    if !draft.target.is_empty() {
        line(&mut text, "target", quoted(&draft.target));
    }
    if let Some(task) = &draft.task {
        line(&mut text, "task", quoted(task));
    }
    if let Some(column) = &draft.protected {
        line(&mut text, "protected", quoted(column));
    }
    match (&draft.base, form) {
        // It knows what it brings pictures to.
        (Some(base), _) => line(&mut text, "base", quoted(base)),
        (
            None,
            Form::Pictures {
                size: (height, width),
                ..
            },
        ) => line(&mut text, "size", format!("[{height}, {width}]")),
        (None, Form::Table { .. } | Form::Text { .. }) => {}
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
    line(&mut text, "batch_size", batch);
    space(&mut text, draft, form);
    text
}

/// What suits the data and the kinds of models that are tried.
fn space(text: &mut String, draft: &Draft, form: Form) {
    // Few rows bear little: models down to a linear one, held back more.
    let is_small = matches!(form, Form::Table { rows: 0..500 });
    let chosen: Vec<&str> = match (draft.models.is_empty(), form) {
        (false, _) => draft.models.iter().map(String::as_str).collect(),
        (true, _) if draft.base.is_some() => vec!["adapter"],
        (true, Form::Text { .. }) => vec!["transformer"],
        // Two stages, each of which halves the picture.
        (true, Form::Pictures { size, .. }) if size.0.min(size.1) >= 4 => vec!["cnn"],
        (true, Form::Table { .. } | Form::Pictures { .. }) => vec!["mlp"],
    };
    let names: Vec<String> = chosen.iter().map(|name| quoted(name)).collect();
    line(text, "model", format!("[{}]", names.join(", ")));
    let between =
        |[low, high]: [f64; 2]| format!("{{ low = {low:?}, high = {high:?}, log = true }}");
    let lr = match chosen[..] {
        ["transformer"] => {
            line(text, "optimizer", quoted("adamw"));
            [0.001, 0.01]
        }
        ["adapter"] => {
            line(text, "optimizer", quoted("adamw"));
            [0.0005, 0.05]
        }
        _ if is_small => [0.001, 0.1],
        _ => [0.005, 0.2],
    };
    line(text, "lr", between(lr));
    if chosen.contains(&"adapter") {
        line(text, "rank", "{ low = 1, high = 16, log = true }");
    }
    // A linear model has neither layers nor units to leave out, and an adapter has its base's.
    let has_layers = |name: &&&str| !matches!(**name, "linear" | "adapter");
    let with_layers = || chosen.iter().filter(has_layers);
    let widths = |name: &&str| match *name {
        "cnn" => "[8, 16, 32]",
        "transformer" => "[32, 64, 128]",
        _ if is_small => "[16, 32, 64, 128]",
        _ => "[64, 128, 256]",
    };
    let mut widths: Vec<&str> = with_layers().map(widths).collect();
    widths.dedup();
    if !widths.is_empty() {
        // Others than a perceptron need a layer.
        let layers = match is_small && with_layers().all(|name| *name == "mlp") {
            true => "[0, 1, 2]",
            false => "[1, 2]",
        };
        line(text, "layers", layers);
        line(text, "dropout", "{ low = 0.0, high = 0.4 }");
    }
    // It helps most where classes are told apart, and does harm to some regressions.
    if !is_small && chosen.contains(&"mlp") {
        line(text, "norm", r#"["none", "batch"]"#);
    }
    // Where kinds mean something else by it, each has its usual one.
    if let [widths] = widths[..] {
        line(text, "width", widths);
    }
    let decay = match is_small {
        true => [1e-4, 0.1],
        false => [1e-5, 1e-2],
    };
    line(text, "weight_decay", between(decay));
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
    use crate::study::space::StudySpace;
    use crate::study::spec::StudySpec;
    use attune_plugin_api::Description;
    use attune_trainer::data::TaskKind;

    fn table(rows: u64) -> Form {
        Form::Table { rows }
    }

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
            let text = to_toml(&draft(target), table(1797));
            let spec = StudySpec::parse(Path::new("fit.toml"), &text).unwrap();
            assert_eq!(spec.task.data().target, target);
            assert_eq!(spec.task.data().path, Path::new("/data/a \"b\".csv"));
            assert_eq!((spec.seed, spec.planned_trials()), (7, 32));
        }
    }

    #[test]
    fn what_the_user_said_is_kept() {
        let draft = Draft {
            task: Some("regression".into()),
            protected: Some("who".into()),
            metric: Some("mae".into()),
            schedulers: vec!["greedy".into(), "rex".into()],
            budget: Some("5m".into()),
            ..draft("y")
        };
        let text = to_toml(&draft, table(1797));
        let spec = StudySpec::parse(Path::new("fit.toml"), &text).unwrap();
        assert_eq!(spec.task.data().task, Some(TaskKind::Regression));
        assert_eq!(spec.task.data().protected.as_deref(), Some("who"));
        assert_eq!(spec.metric.as_deref(), Some("mae"));
        assert_eq!(spec.budget.unwrap().as_secs(), 300);
        assert!(spec.entry(None, "scheduler").is_some());
    }

    #[test]
    fn the_kinds_of_models_suit_the_data_or_are_those_that_were_said() {
        let pictures = Form::Pictures {
            rows: 500,
            size: (40, 64),
        };
        let text = Form::Text { bytes: 100_000 };
        let draft = |target: &str, task: Option<&str>, models: &[&str]| Draft {
            task: task.map(str::to_owned),
            models: models.iter().map(|name| (*name).to_owned()).collect(),
            ..draft(target)
        };
        let adapting = |draft: Draft| Draft {
            base: Some("/models/base.safetensors".into()),
            ..draft
        };
        let table: [(Draft, Form, &[&str]); 9] = [
            (adapting(draft("y", None, &[])), table(100), &["adapter"]),
            (
                adapting(draft("label", None, &["cnn", "adapter"])),
                pictures,
                &["cnn", "adapter"],
            ),
            (adapting(draft("", Some("text"), &[])), text, &["adapter"]),
            (draft("y", None, &[]), table(500), &["mlp"]),
            (draft("label", None, &[]), pictures, &["cnn"]),
            (draft("", Some("text"), &[]), text, &["transformer"]),
            (draft("y", None, &["linear"]), table(100), &["linear"]),
            (
                draft("y", None, &["linear", "mlp", "tabular-resnet"]),
                table(100),
                &["linear", "mlp", "tabular-resnet"],
            ),
            (
                draft("label", None, &["mlp", "cnn"]),
                pictures,
                &["mlp", "cnn"],
            ),
        ];
        let cosine = Description::new("cosine", "");
        for (mut draft, form, expected) in table {
            draft.schedulers = vec!["cosine".into()];
            let text = to_toml(&draft, form);
            let spec = StudySpec::parse(Path::new("fit.toml"), &text).unwrap();
            let space = StudySpace::resolve(&spec, &[&cosine]).unwrap();
            let kinds: Vec<&str> = space.kinds.iter().map(|kind| kind.name()).collect();
            assert_eq!(kinds, expected, "{text}");
        }
    }

    #[test]
    fn epochs_follow_the_amount_of_data() {
        let epochs = |rows| {
            let text = to_toml(&draft("y"), table(rows));
            let spec = StudySpec::parse(Path::new("fit.toml"), &text).unwrap();
            spec.fidelity.max_epochs
        };
        assert_eq!(epochs(100), 100);
        assert_eq!(epochs(1797), 51);
        assert_eq!(epochs(10_000_000), 9);
    }

    #[test]
    fn few_rows_are_offered_linear_models_and_more_are_offered_norms() {
        for (rows, layers, has_norm) in [(499, "[0, 1, 2]", false), (500, "[1, 2]", true)] {
            let text = to_toml(&draft("y"), table(rows));
            assert!(text.contains(&format!("\nlayers = {layers}\n")), "{text}");
            let norms = "\nnorm = [\"none\", \"batch\"]\n";
            assert_eq!(text.contains(norms), has_norm, "{text}");
        }
    }
}
