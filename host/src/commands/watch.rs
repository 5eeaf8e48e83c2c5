//! `attune watch`: how a study goes, a line an event, wherever it was begun.

use super::{Screen, reach};
use crate::cli::WatchArgs;
use crate::places::Places;
use anyhow::bail;
use attune_protocol::client::{Notice, Scope};
use attune_protocol::{Event, StudyState};
use attune_store::Id;
use attune_tui::plain::PlainState;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The longest silence while trials move.
const SILENCE: Duration = Duration::from_secs(10);

pub(crate) async fn run(args: &WatchArgs, places: &Places) -> anyhow::Result<ExitCode> {
    let client = reach::daemon(places).await?;
    let Id::Study(id) = args.study.parse()? else {
        bail!(
            "`{}` is a trial; its study is watched as a whole",
            args.study
        );
    };
    let id = id.to_string();
    let mut events = client.events(Scope::Study(id.clone())).await?;
    let study = client.study_alone(&id).await?.study;
    let mut plain = PlainState::new(Screen::stdout().style().without_color(), None, SILENCE);
    let begun = Instant::now();
    while let Some(notice) = events.next().await {
        let event = match notice? {
            Notice::Event { event, .. } => event,
            Notice::Disconnected(_) => {
                say!("the daemon is away; starting it again");
                // Where that fails it may be started by somebody else: the stream finds it.
                let _ = reach::daemon(places).await;
                continue;
            }
            Notice::Reconnected => continue,
        };
        let lines = match args.json {
            true => vec![serde_json::to_string(&event)?],
            false => plain.lines(&event, elapsed(study.seconds.0, begun)),
        };
        for line in lines {
            // With nobody who reads, as after `head`, nobody watches any more.
            if writeln!(io::stdout(), "{line}").is_err() {
                return Ok(ExitCode::SUCCESS);
            }
        }
        match event {
            Event::StudyEnded { study } if study.id == id => return Ok(ExitCode::SUCCESS),
            Event::StudyStarted { study } | Event::StudyChanged { study }
                if study.id == id && study.state == StudyState::Paused =>
            {
                say!("{id} is paused; `attune resume {id}` lets it go on");
                return Ok(ExitCode::SUCCESS);
            }
            Event::StudyRemoved { id: removed } if removed == id => {
                bail!("study {id} was deleted");
            }
            _ => {}
        }
    }
    bail!("the daemon has closed the stream of events; `attune ls {id}` shows how the study does")
}

/// How long the study has been under way.
fn elapsed(before: f64, since: Instant) -> Duration {
    Duration::try_from_secs_f64(before).unwrap_or_default() + since.elapsed()
}
