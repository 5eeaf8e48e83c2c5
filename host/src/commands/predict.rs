//! `attune predict`: a saved model over the rows of a table, or over pictures.

use crate::cli::PredictArgs;
use attune_trainer::artifact::{Answers, Model};
use std::io::{self, Write};
use std::process::ExitCode;

pub(crate) fn run(args: &PredictArgs) -> anyhow::Result<ExitCode> {
    attune_trainer::use_one_thread()?;
    let mut model = Model::load(&args.model)?;
    let table = model.read(&args.data)?;
    let predictions = model.predict(&table)?;
    for note in table.notes().iter().chain(&predictions.notes) {
        say!("{}", attune_tui::clean(note));
    }
    let mut out = csv::Writer::from_writer(io::stdout().lock());
    match &predictions.answers {
        Answers::Classes {
            classes,
            chosen,
            probabilities,
        } => {
            let header = classes.iter().map(|class| format!("p_{class}"));
            out.write_record(std::iter::once("prediction".to_owned()).chain(header))?;
            for (chosen, row) in chosen.iter().zip(probabilities.chunks(classes.len())) {
                let label = classes.get(*chosen).cloned().unwrap_or_default();
                let row = row.iter().map(|probability| format!("{probability}"));
                out.write_record(std::iter::once(label).chain(row))?;
            }
        }
        Answers::Numbers(values) => {
            out.write_record(["prediction"])?;
            for value in values {
                out.write_record([format!("{value}")])?;
            }
        }
    }
    out.flush()?;
    io::stdout().flush()?;
    Ok(ExitCode::SUCCESS)
}
