//! The line to the daemon: questions, deeds, and the streams of events.

use super::Helper;
use crate::dashboard::app::Input;
use crate::dashboard::data::want::{Answer, Want};
use crate::dashboard::deed::{Deed, Done};
use attune_protocol::client::{Notice, Scope};
use attune_protocol::{
    Client, ClientError, CurvesQuery, EventsQuery, InsightQuery, LogQuery, LookAtData,
    LookForPlugins, ProblemCode, Steer, StudyState, StudySummary, TrialsQuery,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

/// Events are told so many milliseconds apart: those of ten trials are then some 8 kB a second.
const PACE: u32 = 1_000;

/// Questions under way at the same time.
const QUESTIONS: usize = 6;

/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// Trials in one page of a table.
const PAGE: u32 = 5_000;

/// Points of a curve: no terminal shows more side by side.
const POINTS: u32 = 400;

/// The line.
pub(super) struct Line {
    client: Client,
    helper: Arc<dyn Helper>,
    inputs: Sender<Input>,
    questions: Arc<Semaphore>,
    deeds: JoinSet<()>,
    followed: Option<(String, AbortHandle)>,
}

impl Line {
    pub(super) fn new(client: Client, helper: Arc<dyn Helper>, inputs: Sender<Input>) -> Self {
        Line {
            client,
            helper,
            inputs,
            questions: Arc::new(Semaphore::new(QUESTIONS)),
            deeds: JoinSet::new(),
            followed: None,
        }
    }

    /// Passes on what happens to studies, for as long as the dashboard lives. A daemon that goes
    /// away is started again where that can be done from here.
    pub(super) fn listen(&self) {
        let (client, inputs) = (self.client.clone(), self.inputs.clone());
        let helper = Arc::clone(&self.helper);
        tokio::spawn(async move {
            let how = EventsQuery {
                pace_ms: Some(PACE),
                studies_only: true,
            };
            loop {
                let opened = client.events_told(Scope::All, how).await;
                let mut events = match opened {
                    Ok(events) => events,
                    Err(error) => {
                        if inputs
                            .send(Input::Unlinked(error.to_string()))
                            .await
                            .is_err()
                        {
                            return;
                        }
                        // What comes of it is seen at the next attempt.
                        let _ = helper.revive().await;
                        sleep(AGAIN).await;
                        continue;
                    }
                };
                if inputs.send(Input::Linked).await.is_err() {
                    return;
                }
                let mut revival: Option<tokio::task::JoinHandle<()>> = None;
                while let Some(notice) = events.next().await {
                    let input = match notice {
                        Ok(Notice::Event { event, .. }) => Input::Event(event),
                        Ok(Notice::Disconnected(error)) => {
                            let helper = Arc::clone(&helper);
                            revival = Some(tokio::spawn(async move {
                                while helper.revive().await.is_err() {
                                    sleep(AGAIN).await;
                                }
                            }));
                            Input::Unlinked(error.to_string())
                        }
                        Ok(Notice::Reconnected) => {
                            if let Some(revival) = revival.take() {
                                revival.abort();
                            }
                            Input::Linked
                        }
                        // An event that cannot be read: the next ones may be.
                        Err(_) => continue,
                    };
                    if inputs.send(input).await.is_err() {
                        return;
                    }
                }
                sleep(AGAIN).await;
            }
        });
    }

    /// Passes on what happens in this study, and no longer in another one.
    pub(super) fn follow(&mut self, study: Option<&str>) {
        if self.followed.as_ref().map(|(study, _)| study.as_str()) == study {
            return;
        }
        if let Some((_, task)) = self.followed.take() {
            task.abort();
        }
        let Some(study) = study else {
            return;
        };
        let (client, inputs) = (self.client.clone(), self.inputs.clone());
        let scope = Scope::Study(study.to_owned());
        let task = tokio::spawn(async move {
            let how = EventsQuery {
                pace_ms: Some(PACE),
                studies_only: false,
            };
            let mut events = loop {
                match client.events_told(scope.clone(), how).await {
                    Ok(events) => break events,
                    Err(ClientError::Problem(problem)) if problem.code == ProblemCode::NotFound => {
                        return;
                    }
                    Err(_) => sleep(AGAIN).await,
                }
            };
            while let Some(notice) = events.next().await {
                if let Ok(Notice::Event { event, .. }) = notice
                    && inputs.send(Input::Event(event)).await.is_err()
                {
                    return;
                }
            }
        });
        self.followed = Some((study.to_owned(), task.abort_handle()));
    }

    /// Asks, and passes the answer on.
    pub(super) fn ask(&self, want: Want) {
        let (client, inputs) = (self.client.clone(), self.inputs.clone());
        let questions = Arc::clone(&self.questions);
        tokio::spawn(async move {
            let _turn = questions.acquire().await;
            let input = match answer(&client, &want).await {
                Ok(answer) => Input::Answer(want, Ok(answer)),
                Err(ClientError::Problem(problem)) => Input::Answer(want, Err(problem.message)),
                Err(_) => {
                    // The stream of events tells that the daemon is away; this only keeps the same
                    // question from being asked again at once.
                    sleep(AGAIN).await;
                    Input::Unanswered(want)
                }
            };
            // Whoever has left wants no answer.
            let _ = inputs.send(input).await;
        });
    }

    /// Does something, and tells what came of it.
    pub(super) fn perform(&mut self, number: u64, deed: Deed) {
        let (client, inputs) = (self.client.clone(), self.inputs.clone());
        let helper = Arc::clone(&self.helper);
        self.deeds.spawn(async move {
            let done = perform(&client, helper.as_ref(), deed).await;
            // Whoever has left is told nothing; it is done all the same.
            let _ = inputs.send(Input::Done(number, done)).await;
        });
        // Those that are done need not be waited for at the end.
        while self.deeds.try_join_next().is_some() {}
    }

    /// Waits for what is being done.
    pub(super) async fn finish(mut self, patience: Duration) {
        // Nobody takes answers any more: what waits to give one must not wait for ever.
        let all = async { while self.deeds.join_next().await.is_some() {} };
        let _ = timeout(patience, all).await;
    }
}

async fn answer(client: &Client, want: &Want) -> Result<Answer, ClientError> {
    Ok(match want {
        Want::Studies => Answer::Studies(client.studies().await?),
        Want::Status => Answer::Status(client.status().await?),
        Want::Plugins => Answer::Plugins(client.plugins().await?),
        Want::Log(level) => {
            let which = LogQuery {
                lines: None,
                level: level.clone(),
            };
            Answer::Log(client.log(&which).await?)
        }
        Want::Study(study) => Answer::Study(client.study_alone(study).await?),
        Want::Trials(study, from) => {
            let which = TrialsQuery {
                from: Some(*from),
                limit: Some(PAGE),
            };
            Answer::Trials(client.trials(study, &which).await?)
        }
        Want::Curves {
            study,
            metric,
            trials,
        } => {
            let trials: Vec<String> = trials.iter().map(u32::to_string).collect();
            let which = CurvesQuery {
                metric: metric.clone(),
                trials: Some(trials.join(",")),
                count: None,
                points: Some(POINTS),
            };
            Answer::Curves(client.curves(study, &which).await?)
        }
        Want::Trial(trial) => Answer::Trial(client.trial_thinned(trial, POINTS).await?),
        Want::Zoom(trial, query) => Answer::Zoom(client.zoom(trial, query).await?),
        Want::Steps(trial, query) => Answer::Steps(client.steps(trial, query).await?),
        Want::Insight(study) => {
            let how = InsightQuery::default();
            Answer::Insight(client.insight(study, &how).await?)
        }
        Want::Check(study) => Answer::Check(client.check(study).await?),
        Want::Draft(draft) => Answer::Draft(client.draft(draft).await?),
        Want::Look(path) => {
            let look = LookAtData { path: path.clone() };
            Answer::Look(client.look_at_data(&look).await?)
        }
        Want::Preview(preview) => Answer::Preview(client.preview(preview).await?),
    })
}

async fn perform(client: &Client, helper: &dyn Helper, deed: Deed) -> Result<Done, String> {
    let told = |error: ClientError| error.to_string();
    Ok(match deed {
        Deed::PauseStudy(id) => {
            let study = client.pause_study(&id).await.map_err(told)?;
            of_study(halted(&study, "paused"), study)
        }
        Deed::ResumeStudy(id, more) => {
            let resumed = client.resume_study(&id, &more).await.map_err(told)?;
            let mut text = format!("{id} goes on");
            if !resumed.changes.is_empty() {
                text = format!("{text}: {}", resumed.changes.join("; "));
            }
            of_study(text, resumed.study)
        }
        Deed::StopStudy(id) => {
            let study = client.stop_study(&id).await.map_err(told)?;
            of_study(halted(&study, "stopped"), study)
        }
        Deed::DeleteStudy(id) => {
            client.delete_study(&id).await.map_err(told)?;
            said(format!("{id} is gone"))
        }
        Deed::NoteStudy(id, note) => {
            let study = client.note_study(&id, &note).await.map_err(told)?;
            of_study(format!("{id}: noted"), study)
        }
        Deed::PauseTrial(id) => {
            let trial = client.pause_trial(&id).await.map_err(told)?;
            of_trial(format!("{id} is being paused"), trial)
        }
        Deed::ResumeTrial(id) => {
            let trial = client.resume_trial(&id).await.map_err(told)?;
            of_trial(format!("{id} goes on"), trial)
        }
        Deed::StopTrial(id) => {
            let trial = client.stop_trial(&id).await.map_err(told)?;
            of_trial(format!("{id} is being stopped"), trial)
        }
        Deed::RetryTrial(id) => {
            let forked = client.retry_trial(&id).await.map_err(told)?;
            let text = format!("{id} is trained once more, as study {}", forked.study.id);
            of_study(text, forked.study)
        }
        Deed::Steer(id, steer) => {
            let trial = client.steer(&id, &steer).await.map_err(told)?;
            let what = match steer {
                Steer::SetRate(rate) => format!("its rate becomes {}", rate.0),
                Steer::Swap { scheduler, .. } => format!("{scheduler} takes the wheel"),
            };
            of_trial(format!("{id}: {what}"), trial)
        }
        Deed::Fork(id, fork) => {
            let forked = client.fork(&id, &fork).await.map_err(told)?;
            let study = forked.study;
            let text = format!("{} forks {id} at step {}", study.id, forked.step);
            of_study(text, study)
        }
        Deed::NoteTrial(id, note) => {
            let trial = client.note_trial(&id, &note).await.map_err(told)?;
            of_trial(format!("{id}: noted"), trial)
        }
        Deed::Launch(study) => {
            let created = client.create_study(&study).await.map_err(told)?;
            let mut text = format!("{} begins", created.study.id);
            if let Some(warning) = created.warnings.first() {
                text = format!("{text}; {warning}");
            }
            of_study(text, created.study)
        }
        Deed::Reload => {
            let look = LookForPlugins::default();
            let plugins = client.look_for_plugins(&look).await.map_err(told)?;
            said(format!("{} plugin libraries were looked at", plugins.len()))
        }
        Deed::Release(name) => {
            client.release_plugin(&name).await.map_err(told)?;
            said(format!("{name} may run again"))
        }
        Deed::Export {
            study,
            format,
            path,
        } => said(helper.export(study, format, path).await?),
        Deed::Save { path, text } => {
            helper.save(path.clone(), text).await?;
            said(format!("saved as {path}"))
        }
    })
}

fn halted(study: &StudySummary, what: &str) -> String {
    match study.state {
        StudyState::Running => format!("{} comes to a halt", study.id),
        _ => format!("{} is {what}", study.id),
    }
}

fn said(message: String) -> Done {
    Done {
        message,
        ..Done::default()
    }
}

fn of_study(message: String, study: StudySummary) -> Done {
    Done {
        message,
        study: Some(study),
        trial: None,
    }
}

fn of_trial(message: String, trial: attune_protocol::TrialSummary) -> Done {
    Done {
        message,
        study: None,
        trial: Some(trial),
    }
}
