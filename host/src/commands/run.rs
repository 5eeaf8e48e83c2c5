//! `attune run`: a study file.

use super::launch::{host, launch};
use crate::cli::RunArgs;
use crate::places::Places;
use crate::study::spec::StudySpec;
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) async fn run(
    args: &RunArgs,
    places: &Places,
    plugins: &[PathBuf],
) -> anyhow::Result<ExitCode> {
    let spec = StudySpec::read(&args.study)?;
    let (client, embedded) = host(&args.running, places).await?;
    launch(client, embedded, &spec, plugins, &args.running, places).await
}
