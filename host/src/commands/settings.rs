//! `attune settings`: what kinds of models there are and what each can be told.

use super::params;
use crate::cli::SettingsArgs;
use crate::study::kinds::ModelKind;
use crate::study::settings::name;
use anyhow::{Context, anyhow};
use attune_plugin_api::Param;
use std::io::Write;
use std::process::ExitCode;

pub(crate) fn run(args: &SettingsArgs) -> anyhow::Result<ExitCode> {
    let kind = args.kind.as_deref().map(named).transpose()?;
    let mut out = std::io::stdout().lock();
    match (kind, args.json) {
        (None, false) => list(&mut out)?,
        (None, true) => {
            let all = ModelKind::ALL.map(as_json);
            writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
        }
        (Some(kind), false) => page(kind, &mut out)?,
        (Some(kind), true) => {
            writeln!(out, "{}", serde_json::to_string_pretty(&as_json(kind))?)?;
        }
    }
    out.flush().context("cannot write to stdout")?;
    if (kind, args.json) == (None, false) {
        say!("`attune settings mlp` shows those of mlp: defaults, ranges, and what each does");
    }
    Ok(ExitCode::SUCCESS)
}

fn named(name: &str) -> anyhow::Result<ModelKind> {
    ModelKind::of(name).ok_or_else(|| anyhow!(ModelKind::unknown(name, &ModelKind::ALL)))
}

/// What can be told to a model of this kind; that it is of this kind is said already.
fn settings(kind: ModelKind) -> Vec<Param> {
    let all = kind.settings().into_iter();
    all.filter(|param| param.name != name::MODEL).collect()
}

fn list(out: &mut impl Write) -> std::io::Result<()> {
    let names = ModelKind::ALL.map(|kind| kind.name().len());
    let width = names.into_iter().max().unwrap_or(0);
    for kind in ModelKind::ALL {
        let count = settings(kind).len();
        writeln!(
            out,
            "{:width$}  {count} settings  {}",
            kind.name(),
            kind.summary()
        )?;
    }
    Ok(())
}

fn page(kind: ModelKind, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "{kind}: {}", kind.summary())?;
    // A scheduler's own are searched by themselves; these where a study says so.
    params::write(&settings(kind), "\"search\" looks", out)
}

fn as_json(kind: ModelKind) -> serde_json::Value {
    serde_json::json!({
        "name": kind.name(),
        "summary": kind.summary(),
        "params": settings(kind),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Vec<u8>) -> std::io::Result<()>) -> String {
        let mut out = Vec::new();
        write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_page_tells_of_each_setting_as_its_kind_means_it() {
        let cnn = written(|out| page(ModelKind::Cnn, out));
        let start = "cnn: convolutions over pictures\n\n  \
                     lr = 0.05\n      \
                     number in (0, 1000]; \"search\" looks from 0.01 to 0.3, evenly in the logarithm\n      \
                     The starting learning rate; what a schedule calls its base or peak.\n\n";
        assert!(cnn.starts_with(start), "{cnn}");
        for lines in [
            "\n  norm = batch\n      word, one of none, batch; \"search\" looks over all values\n",
            "\n  width = 16\n      whole number in [1, 8192]; \"search\" looks from 8 to 64,",
            "\n  kernel = 3\n      whole number in [1, 15]; not searched unless a study says so\n",
        ] {
            assert!(cnn.contains(lines), "{lines} is not in\n{cnn}");
        }
        assert!(!cnn.contains("\n  heads = ") && !cnn.contains("\n  model = "));
    }

    #[test]
    fn the_list_has_a_line_for_each_kind() {
        let list = written(list);
        let lines: Vec<&str> = list.lines().collect();
        assert_eq!(lines.len(), ModelKind::ALL.len());
        for (line, kind) in lines.into_iter().zip(ModelKind::ALL) {
            let count = settings(kind).len();
            assert!(line.starts_with(kind.name()), "{line}");
            assert!(line.contains(&format!(" {count} settings  ")), "{line}");
        }
    }
}
