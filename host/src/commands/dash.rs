//! `attune`, and `attune dash`: the dashboard.

use super::{Screen, exchange, reach};
use crate::cli::{DashArgs, ExportArgs, FormatArg};
use crate::places::Places;
use anyhow::{Context, bail};
use attune_protocol::client::Client;
use attune_store::Id;
use attune_tui::dashboard::{Helper, Session, Soon};
use clap::ValueEnum;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

pub(crate) async fn run(args: &DashArgs, places: &Places) -> anyhow::Result<ExitCode> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        bail!(
            "the dashboard needs a terminal; `attune ls` and `attune watch STUDY` tell in lines how \
             studies go, and `attune --help` lists all commands"
        );
    }
    let open = args.id.as_deref().map(str::parse::<Id>).transpose()?;
    let client = reach::daemon(places).await?;
    let mut style = Screen::stdout().style();
    style.theme = args.theme.unwrap_or(style.theme);
    style.unicode &= !args.ascii;
    let folder = std::env::current_dir().context("cannot tell which folder this is")?;
    let helper = Hands {
        client: client.clone(),
        places: places.clone(),
    };
    let session = Session {
        client,
        helper: Arc::new(helper),
        style,
        folder: folder.to_string_lossy().into_owned(),
        open: open.map(|id| id.to_string()),
    };
    attune_tui::dashboard::run(session)
        .await
        .context("the dashboard cannot go on")?;
    Ok(ExitCode::SUCCESS)
}

/// What the dashboard has done for it here.
struct Hands {
    client: Client,
    places: Places,
}

impl Helper for Hands {
    fn revive(&self) -> Soon<'_, Result<(), String>> {
        Box::pin(async {
            let started = reach::daemon(&self.places).await;
            started.map(drop).map_err(|error| crate::told(&error))
        })
    }

    fn export(
        &self,
        study: String,
        format: String,
        path: String,
    ) -> Soon<'_, Result<String, String>> {
        Box::pin(async move {
            let format = FormatArg::from_str(&format, true)?;
            let client = self.client.clone();
            let args = ExportArgs {
                study,
                format,
                to: Some(PathBuf::from(path)),
                force: false,
            };
            // Files are written between the answers: on a thread that may wait.
            let written =
                spawn_blocking(move || Handle::current().block_on(exchange::write(&client, &args)));
            let told = written.await.map_err(|error| error.to_string())?;
            let told = told.map_err(|error| crate::told(&error))?;
            Ok(told.join("; "))
        })
    }

    fn save(&self, path: String, text: String) -> Soon<'_, Result<(), String>> {
        Box::pin(async move {
            let saved = spawn_blocking(move || save(Path::new(&path), &text));
            saved.await.map_err(|error| error.to_string())?
        })
    }
}

/// Writes a file that is not there yet.
fn save(path: &Path, text: &str) -> Result<(), String> {
    let mut file = std::fs::File::create_new(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            format!("{} is there already; give another name", path.display())
        }
        _ => format!("cannot write {}: {error}", path.display()),
    })?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all());
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}
