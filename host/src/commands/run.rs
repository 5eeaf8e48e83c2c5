//! `attune run`: a study file.

use super::launch::launch;
use crate::cli::RunArgs;
use crate::places::Places;
use crate::study::spec::StudySpec;
use attune_loader::Plugins;
use attune_trainer::data::Table;
use std::process::ExitCode;

pub(crate) fn run(args: &RunArgs, places: &Places, plugins: Plugins) -> anyhow::Result<ExitCode> {
    let spec = StudySpec::read(&args.study)?;
    let table = Table::read(&spec.data.path)?;
    let holder = format!("attune run {}", args.study.display());
    launch(spec, &table, plugins, &args.running, places, &holder)
}
