//! What `fit` and `run` share: handing a study to a daemon, watching it, and fetching its model.

use super::reach::{self, Embedded};
use super::screen::{Audience, audience};
use super::{INTERRUPTED, SOME_FAILED, Screen, control};
use crate::cli::RunningArgs;
use crate::places::Places;
use crate::study::spec::StudySpec;
use anyhow::{Context, bail};
use attune_protocol::client::{Client, ClientError, Notice, Scope};
use attune_protocol::{
    Event, NewStudy, ProblemCode, StudyDetail, StudyState, StudySummary, TrialState,
};
use attune_trainer::artifact::Artifact;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{self, MissedTickBehavior};

/// How often the audience is told that time passes.
const TICK: Duration = Duration::from_millis(100);

/// How long after the daemon is looked for it is looked for again, while it is away, and how often it
/// may fail to start before that is told.
const REVIVE_EVERY: Duration = Duration::from_millis(500);
const MOST_FAILED_STARTS: u32 = 10;

/// How a study is followed to its end.
pub(crate) struct Follow {
    pub(crate) budget: Option<Duration>,
    pub(crate) json: bool,
    /// Where the best model is saved, if it is wanted.
    pub(crate) out: Option<PathBuf>,
}

/// Runs a study, in the daemon that runs or is started for it, or inside this command.
pub(crate) async fn launch(
    client: Client,
    embedded: Option<Embedded>,
    spec: &StudySpec,
    plugins: &[PathBuf],
    running: &RunningArgs,
    places: &Places,
) -> anyhow::Result<ExitCode> {
    let outcome = attended(&client, spec, plugins, running, places).await;
    if let Some(embedded) = embedded {
        // What went wrong with the study is what the user should hear of first.
        let stopped = embedded.stop().await;
        return outcome.and_then(|code| stopped.map(|()| code));
    }
    outcome
}

/// The daemon to run in, and the one inside this command if it is that.
pub(crate) async fn host(
    running: &RunningArgs,
    places: &Places,
) -> anyhow::Result<(Client, Option<Embedded>)> {
    if running.embedded {
        let (client, embedded) = Embedded::boot(places).await?;
        return Ok((client, Some(embedded)));
    }
    Ok((reach::daemon(places).await?, None))
}

async fn attended(
    client: &Client,
    spec: &StudySpec,
    plugins: &[PathBuf],
    running: &RunningArgs,
    places: &Places,
) -> anyhow::Result<ExitCode> {
    let out = model_path(spec, running)?;
    let file = match spec.path.as_os_str().is_empty() {
        true => PathBuf::new(),
        false => absolute(&spec.path)?,
    };
    let study = NewStudy {
        spec: spec.text.clone(),
        file: file.to_string_lossy().into_owned(),
        plugins: super::told_places(plugins)?,
        parallel: running.parallel,
    };
    let created = control::submit(client, &study).await?;
    for warning in &created.warnings {
        say!("warning: {}", attune_tui::clean(warning));
    }
    if !running.json {
        for note in &created.notes {
            say!("{}", attune_tui::clean(note));
        }
    }
    let id = created.study.id;
    if running.detach {
        if running.json {
            let json = serde_json::json!({ "study": id });
            answer!("{json}");
        } else {
            answer!("{id}");
        }
        say!(
            "{id} runs in the background; `attune ls {id}` shows it, `attune pause {id}` holds it"
        );
        return Ok(ExitCode::SUCCESS);
    }
    let how = Follow {
        budget: spec.budget,
        json: running.json,
        out: Some(out),
    };
    follow(client, places, &id, created.event, &how).await
}

/// How following a study ended.
enum Ending {
    /// It is over.
    Over,
    /// It was paused: by Ctrl-C here, or by somebody else.
    Paused(Box<StudySummary>),
}

/// Watches a study to its end, and says what came of it.
pub(crate) async fn follow(
    client: &Client,
    places: &Places,
    id: &str,
    after: u64,
    how: &Follow,
) -> anyhow::Result<ExitCode> {
    let ending = {
        let mut audience = audience(how.json, how.budget);
        watch(client, places, id, after, audience.as_mut()).await?
    };
    if let Ending::Paused(study) = ending {
        let why = study.reason.unwrap_or_default();
        let board = surely(places, || client.study(id)).await?;
        print_board(&board, how.json)?;
        say!(
            "study {id} is paused ({}); everything so far is stored: `attune resume {id}` lets it \
             go on",
            attune_tui::clean(&why)
        );
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let detail = surely(places, || client.study(id)).await?;
    // The leaderboard comes first, so that it is seen even if the model cannot be saved.
    print_board(&detail, how.json)?;
    let model = match &how.out {
        Some(out) if detail.study.best_trial.is_some() => Some(
            surely(places, || fetch_model(client, id, out))
                .await
                .map(|()| out.as_path())?,
        ),
        _ => None,
    };
    conclude(&detail, how, model)
}

/// Asks, and asks again where the daemon died meanwhile: it is started again.
async fn surely<T, E, F>(places: &Places, mut ask: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = Result<T, E>>,
    E: Into<anyhow::Error>,
{
    let mut failures = 0;
    loop {
        let error: anyhow::Error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error.into(),
        };
        failures += 1;
        let is_away = error.chain().any(|cause| {
            let cause: Option<&ClientError> = cause.downcast_ref();
            cause.is_some_and(|cause| !matches!(cause, ClientError::Problem(_)))
        });
        if !is_away || failures == MOST_FAILED_STARTS {
            return Err(error);
        }
        // What is asked next tells whether it worked.
        let _ = reach::daemon(places).await;
    }
}

/// Starts the daemon whenever it does not run, for as long as nobody says that it is enough. Gives up
/// with the reason where it does not start.
async fn revive(places: Places) -> anyhow::Error {
    let mut failures = 0;
    loop {
        match reach::daemon(&places).await {
            // It may die again before the stream of events has reached it.
            Ok(_) => failures = 0,
            Err(error) => {
                failures += 1;
                if failures == MOST_FAILED_STARTS {
                    return error;
                }
            }
        }
        time::sleep(REVIVE_EVERY).await;
    }
}

fn print_board(detail: &StudyDetail, json: bool) -> anyhow::Result<()> {
    Screen::stdout().print(json, detail, |width, style| {
        attune_tui::summary::leaderboard(detail, 20, width, style)
    })
}

/// Passes events on until the study is over or paused. The first Ctrl-C or SIGTERM pauses it; a
/// second one ends this program at once. A daemon that dies is started again, and the study goes on.
async fn watch(
    client: &Client,
    places: &Places,
    id: &str,
    after: u64,
    audience: &mut dyn Audience,
) -> anyhow::Result<Ending> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot hear Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot hear SIGTERM")?;
    // The daemon may die between its answer and this.
    let scope = || Scope::Study(id.to_owned());
    let events = surely(places, || client.events_after(scope(), after)).await;
    let mut events = events.map_err(|error| unless_removed(error, id))?;
    let mut ticks = time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_asked = false;
    let mut revival = JoinSet::new();
    loop {
        let notice = tokio::select! {
            notice = events.next() => notice,
            _ = ticks.tick() => {
                audience.tick();
                continue;
            }
            Some(given_up) = revival.join_next() => {
                let error: anyhow::Error = given_up.unwrap_or_else(anyhow::Error::from);
                return Err(error.context(format!(
                    "the daemon ended and does not start again; once it does, study {id} goes on"
                )));
            }
            () = either(&mut interrupt, &mut terminate) => {
                if is_asked {
                    std::process::exit(INTERRUPTED.into());
                }
                is_asked = true;
                let (client, id) = (client.clone(), id.to_owned());
                // Beside the events: its end is told by one of them.
                tokio::spawn(async move {
                    if let Err(error) = client.pause_study(&id).await {
                        say!("warning: {error}");
                    }
                });
                continue;
            }
        };
        match notice {
            Some(Ok(Notice::Event { event, .. })) => {
                audience.tell(&event);
                match event {
                    Event::StudyEnded { study } if study.id == id => return Ok(Ending::Over),
                    Event::StudyChanged { study } | Event::StudyStarted { study }
                        if study.id == id && study.state == StudyState::Paused =>
                    {
                        return Ok(Ending::Paused(Box::new(study)));
                    }
                    Event::StudyRemoved { id: gone } if gone == id => {
                        return Err(removed(id));
                    }
                    _ => {}
                }
            }
            Some(Ok(Notice::Disconnected(_))) => {
                audience.tell(&Event::Warning {
                    message: "the daemon is away; starting it again".into(),
                });
                if revival.is_empty() {
                    revival.spawn(revive(places.clone()));
                }
            }
            Some(Ok(Notice::Reconnected)) => revival = JoinSet::new(),
            Some(Err(error)) => return Err(unless_removed(error.into(), id)),
            None => bail!(
                "the daemon has closed the stream of events; `attune ls {id}` shows how the study does"
            ),
        }
    }
}

/// A study that is not there any more was there when it was followed.
fn unless_removed(error: anyhow::Error, id: &str) -> anyhow::Error {
    match error.downcast_ref() {
        Some(ClientError::Problem(problem)) if problem.code == ProblemCode::NotFound => removed(id),
        _ => error,
    }
}

fn removed(id: &str) -> anyhow::Error {
    anyhow::anyhow!("study {id} was removed while it ran")
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

/// Where the model goes: a file that is not there yet, or one of ours.
fn model_path(spec: &StudySpec, running: &RunningArgs) -> anyhow::Result<PathBuf> {
    let path = running
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from(format!("{}.safetensors", spec.name)));
    if path.exists() && Artifact::read(&path).is_err() {
        bail!(
            "{} exists and is not a model of Attune's; name another place for the model with --out",
            path.display()
        );
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        bail!(
            "the model cannot be saved as {}: there is no folder {}; make it, or name another \
             place with --out",
            path.display(),
            folder.display()
        );
    }
    card_path(&path)?;
    Ok(path)
}

/// Where the model's configuration goes: likewise.
fn card_path(model: &Path) -> anyhow::Result<PathBuf> {
    let path = Artifact::card_path(model);
    if path.exists() && !Artifact::is_card(&path) {
        bail!(
            "{} exists and is not the configuration of a model of Attune's, which would go there; \
             move it away, or name another place for the model",
            path.display()
        );
    }
    Ok(path)
}

/// Saves the study's best model, and its configuration beside it; whatever is at either place stays
/// until the new files are whole. The configuration comes first, so that it is there once the model
/// is.
pub(crate) async fn fetch_model(client: &Client, id: &str, out: &Path) -> anyhow::Result<()> {
    let card = card_path(out)?;
    let mut model = client.model(id).await?;
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    let aside = out.with_file_name(format!(".{name}.part"));
    let unwritable = || {
        format!(
            "cannot save the model as {}; `attune export {id} --format model --to FILE` fetches it",
            out.display()
        )
    };
    let write = async {
        let mut file = tokio::fs::File::create(&aside).await?;
        while let Some(piece) = model.next().await {
            file.write_all(&piece?).await?;
        }
        file.sync_all().await?;
        Artifact::save_card(&aside, &card)?;
        tokio::fs::rename(&aside, out).await?;
        anyhow::Ok(())
    };
    let written = write.await;
    if written.is_err() {
        // Half a file helps nobody.
        let _ = tokio::fs::remove_file(&aside).await;
    }
    written.with_context(unwritable)
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("cannot tell where {} lies", path.display()))
}

fn all_diverged(detail: &StudyDetail) -> bool {
    let bad = |state| matches!(state, TrialState::Diverged | TrialState::Failed);
    detail.trials.iter().all(|trial| bad(trial.state))
}

/// The best trial against the best one that another scheduler steered.
fn suggested_comparison(detail: &StudyDetail) -> String {
    let best = detail.trials.first();
    let rival = best.and_then(|best| {
        let others = detail.trials.iter().skip(1);
        others
            .filter(|other| other.value.is_some())
            .find(|other| other.scheduler != best.scheduler)
    });
    match (best, rival) {
        (Some(best), Some(rival)) => format!(", attune compare {} {}", best.id, rival.id),
        _ => String::new(),
    }
}

/// Says what came of it, and which exit code that is.
fn conclude(detail: &StudyDetail, how: &Follow, model: Option<&Path>) -> anyhow::Result<ExitCode> {
    let study = &detail.study.id;
    let best = detail.study.best_trial.as_deref();
    if let (Some(path), Some(best), false) = (model, best, how.json) {
        let trial = detail.trials.iter().find(|trial| trial.id == best);
        let test: Vec<String> = trial
            .into_iter()
            .flat_map(|trial| &trial.metrics)
            .filter_map(|(name, value)| Some((name.strip_prefix("test_")?, value)))
            .map(|(name, value)| format!("{name} {}", attune_tui::significant(value.0)))
            .collect();
        if !test.is_empty() {
            say!(
                "best trial {best}, on test rows it never saw: {}",
                test.join(", ")
            );
        }
        say!(
            "saved its model as {}, its configuration as {}",
            path.display(),
            Artifact::card_path(path).display()
        );
        say!(
            "look closer: attune show {best}{}",
            suggested_comparison(detail)
        );
    }
    let failed: Vec<_> = detail
        .trials
        .iter()
        .filter(|trial| trial.state == TrialState::Failed)
        .collect();
    for trial in failed.iter().take(3) {
        let reason = trial.reason.as_deref().unwrap_or("no reason was given");
        say!(
            "error: trial {} failed: {}",
            trial.id,
            attune_tui::clean(reason)
        );
    }
    if failed.len() > 3 {
        say!(
            "error: {} more trials failed; see `attune ls {study}`",
            failed.len() - 3
        );
    }
    if detail.study.state == StudyState::Stopped {
        let why = detail.study.reason.as_deref().unwrap_or("stopped");
        say!(
            "{}; what was done so far is stored: `attune show {study}`",
            attune_tui::clean(why)
        );
        return Ok(ExitCode::from(INTERRUPTED));
    }
    if best.is_none() {
        bail!("no trial of study {study} came to a result");
    }
    if all_diverged(detail) {
        bail!(
            "every trial of study {study} diverged or failed; lower the learning rate, or set \
             `clip_norm`"
        );
    }
    Ok(match failed.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(SOME_FAILED),
    })
}
