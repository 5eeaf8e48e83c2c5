//! The side that speaks with the daemon: one exchange after another.

use super::desk::{Desk, Job, Was};
use super::report;
use super::warm::Warm;
use super::workshop::study_of;
use crate::breakpoint;
use crate::study::settings::name;
use attune_protocol::work::{
    Answer, Brief, Do, End, Exchange, Hired, Lease, LeaseId, NewWorker, News, Order, Report,
};
use attune_protocol::{Client, ClientError, ProblemCode, Scalar, Steer};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{self, Instant};

/// How long the daemon may be away before its workers go too.
const AWAY: Duration = Duration::from_secs(10);

/// Between two tries to reach it, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// The longest silence in training, however long the daemon would wait: orders come with answers, and
/// are to be obeyed within a second.
const SILENCE: Duration = Duration::from_millis(500);

/// Studies whose briefs are kept.
const BRIEFS: usize = 8;

/// The most reports and the most steps of one exchange: their bodies are bounded, and so is what the
/// daemon stores at once.
const REPORTS: usize = 512;
const STEPS: usize = 1 << 15;

/// Why a worker ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Farewell {
    /// It was told to, and has laid everything down.
    #[error("told to end")]
    Told,
    /// The daemon does not know it, or does not understand it.
    #[error("the daemon refused: {0}")]
    Refused(ClientError),
    /// It is not there.
    #[error("the daemon has been away for too long: {0}")]
    Away(ClientError),
}

/// A worker's half of the conversation.
pub(crate) struct Comms {
    client: Client,
    id: u64,
    heartbeat: Duration,
    desk: Arc<Desk>,
    reports: mpsc::Receiver<Report>,
    /// Whether everything is to be laid down.
    closing: watch::Receiver<bool>,
    /// Reports that are in order to be sent.
    outgoing: Vec<Report>,
    /// Leases whose end was not sent yet, in the order in which they are trained.
    holds: Vec<LeaseId>,
    briefs: Warm<String, Arc<Brief>>,
}

impl Comms {
    /// Takes service.
    pub(crate) async fn hire(
        client: Client,
        worker: NewWorker,
        desk: Arc<Desk>,
        reports: mpsc::Receiver<Report>,
        closing: watch::Receiver<bool>,
    ) -> Result<Self, Farewell> {
        let hasty = client.within(AWAY);
        let hired: Hired = patiently(|| hasty.hire(&worker)).await?;
        Ok(Comms {
            client,
            id: hired.id,
            heartbeat: Duration::from_millis(hired.heartbeat_ms.max(1)),
            desk,
            reports,
            closing,
            outgoing: Vec::new(),
            holds: Vec::new(),
            briefs: Warm::new(BRIEFS, u64::MAX),
        })
    }

    /// Speaks with the daemon until there is nothing left to say.
    pub(crate) async fn run(mut self) -> Farewell {
        loop {
            let exchange = match self.next_exchange().await {
                Ok(exchange) => exchange,
                Err(farewell) => return farewell,
            };
            let has_news = !exchange.reports.is_empty();
            if has_news {
                breakpoint::pass("worker-before-exchange");
            }
            let client = self.client.within(AWAY);
            let (asked, patience) = (Instant::now(), Duration::from_millis(exchange.patience_ms));
            let mut closing = self.closing.clone();
            let answered = tokio::select! {
                answered = patiently(|| client.exchange(self.id, &exchange)) => answered,
                // Who waits for work with nothing to tell need not wait for the answer.
                _ = closing.wait_for(|closing| *closing), if exchange.patience_ms > 0 => continue,
            };
            if has_news {
                breakpoint::pass("worker-after-exchange");
            }
            let taken = match answered {
                Ok(answer) if answer == Answer::default() => {
                    // A daemon that does not let wait is not to be asked without end.
                    if asked.elapsed() < patience / 2 {
                        time::sleep(FIRST_PAUSE).await;
                    }
                    Ok(())
                }
                Ok(answer) => self.take(answer).await,
                Err(farewell) => Err(farewell),
            };
            if let Err(farewell) = taken {
                return farewell;
            }
        }
    }

    /// Waits until there is something to say, or it is time to.
    async fn next_exchange(&mut self) -> Result<Exchange, Farewell> {
        if *self.closing.borrow() {
            self.lay_all_down();
        }
        self.gather();
        let idle = self.holds.is_empty();
        if self.outgoing.is_empty() && !idle {
            let mut closing = self.closing.clone();
            let was_closing = *closing.borrow_and_update();
            tokio::select! {
                report = self.reports.recv() => self.outgoing.extend(report.filter(|r| self.holds(r))),
                () = time::sleep(SILENCE.min(self.heartbeat / 2)) => {}
                _ = closing.wait_for(|closing| *closing), if !was_closing => self.lay_all_down(),
            }
            self.gather();
        }
        let closing = *self.closing.borrow();
        if closing && self.outgoing.is_empty() && self.holds.is_empty() {
            return Err(Farewell::Told);
        }
        let reports = std::mem::take(&mut self.outgoing);
        for report in &reports {
            if matches!(report.news, News::Ended(_)) {
                self.holds.retain(|held| *held != report.lease);
            }
        }
        let waits = reports.is_empty() && self.holds.is_empty();
        let patience = if waits {
            self.heartbeat / 2
        } else {
            Duration::ZERO
        };
        Ok(Exchange {
            reports,
            holds: self.holds.clone(),
            want: if closing { 0 } else { self.desk.want() },
            patience_ms: u64::try_from(patience.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Takes what the training side has reported so far, as much as one exchange may hold.
    fn gather(&mut self) {
        let size = |report: &Report| match &report.news {
            News::Piece(piece) => piece.losses.len(),
            _ => 0,
        };
        let mut steps: usize = self.outgoing.iter().map(size).sum();
        while self.outgoing.len() < REPORTS && steps < STEPS {
            let Ok(report) = self.reports.try_recv() else {
                break;
            };
            steps += size(&report);
            if self.holds(&report) {
                self.outgoing.push(report);
            }
        }
    }

    /// Whether anybody wants to know of this report's lease.
    fn holds(&self, report: &Report) -> bool {
        self.holds.contains(&report.lease)
    }

    async fn take(&mut self, answer: Answer) -> Result<(), Farewell> {
        if answer.threads > 0 {
            attune_trainer::use_threads(answer.threads.into());
        }
        for lease in &answer.void {
            self.let_go(lease);
        }
        for lease in answer.leases {
            // One that is here already was answered again since the daemon could not know.
            if !self.holds.contains(&lease.id) {
                self.begin(lease).await?;
            }
        }
        for Order { lease, what } in answer.orders {
            match what {
                Do::LayDown => self.lay_down(&lease),
                Do::Drop => self.let_go(&lease),
                Do::Steer(steer) => self.steer(lease, steer).await?,
            }
        }
        Ok(())
    }

    async fn begin(&mut self, lease: Lease) -> Result<(), Farewell> {
        let scheduler = match lease.config.get(name::SCHEDULER) {
            Some(Scalar::Text(name)) => Some(name.as_str()),
            _ => None,
        };
        let swapped = lease
            .interventions
            .iter()
            .map(|one| schedulers_of(&one.steer));
        let needed: Vec<&str> = swapped.flatten().chain(scheduler).collect();
        let id = lease.id.clone();
        self.holds.push(id.clone());
        match self.brief(&study_of(&id.trial), &needed).await {
            Ok(brief) => self.desk.push(Job { lease, brief }),
            Err(Farewell::Refused(error)) => {
                let reason = report::sentence(error.to_string());
                self.report(id, News::Ended(End::Failed { reason }));
            }
            Err(farewell) => return Err(farewell),
        }
        Ok(())
    }

    async fn steer(&mut self, lease: LeaseId, steer: Steer) -> Result<(), Farewell> {
        let needed = schedulers_of(&steer);
        let study = study_of(&lease.trial);
        let refused = match self.brief(&study, needed.as_slice()).await {
            Ok(brief) => match self.desk.steer(&lease, steer, brief) {
                true => return Ok(()),
                false => "it is not in training, or too much is asked of it at once".into(),
            },
            Err(Farewell::Refused(error)) => error.to_string(),
            Err(farewell) => return Err(farewell),
        };
        if self.holds.contains(&lease) {
            self.report(lease, News::NotSteered(report::sentence(refused)));
        }
        Ok(())
    }

    /// What must be known of a study, libraries of these schedulers among it where there are any.
    async fn brief(&mut self, study: &str, schedulers: &[&str]) -> Result<Arc<Brief>, Farewell> {
        let key = study.to_owned();
        let known = self.briefs.take(&key).filter(|brief| {
            let mut needed = schedulers.iter();
            needed.all(|needed| brief.libraries.contains_key(*needed))
        });
        let brief = match known {
            Some(brief) => brief,
            None => {
                let hasty = self.client.within(AWAY);
                Arc::new(patiently(|| hasty.brief(study)).await?)
            }
        };
        self.briefs.put(key, 1, Arc::clone(&brief));
        Ok(brief)
    }

    fn lay_down(&mut self, lease: &LeaseId) {
        if self.desk.lay_down(lease) == Was::Waiting {
            self.report(lease.clone(), News::Ended(End::LaidDown { model: None }));
        }
    }

    fn lay_all_down(&mut self) {
        for lease in self.holds.clone() {
            self.lay_down(&lease);
        }
    }

    /// Nothing more is said of a lease.
    fn let_go(&mut self, lease: &LeaseId) {
        self.holds.retain(|held| held != lease);
        self.outgoing.retain(|report| report.lease != *lease);
        self.desk.drop_lease(lease);
    }

    fn report(&mut self, lease: LeaseId, news: News) {
        self.outgoing.push(Report { lease, news });
    }
}

/// The schedulers that it takes.
fn schedulers_of(steer: &Steer) -> Option<&str> {
    match steer {
        Steer::Swap { scheduler, .. } => Some(scheduler),
        Steer::SetRate(_) => None,
    }
}

/// Asks again and again until there is an answer, or the daemon has been away for too long.
async fn patiently<T, F>(mut ask: impl FnMut() -> F) -> Result<T, Farewell>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let mut away_since = None;
    let mut pause = FIRST_PAUSE;
    loop {
        let asked = Instant::now();
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) if is_final(&error) => return Err(Farewell::Refused(error)),
            Err(error) => error,
        };
        if away_since.get_or_insert(asked).elapsed() >= AWAY {
            return Err(Farewell::Away(error));
        }
        time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether asking again would be answered the same.
fn is_final(error: &ClientError) -> bool {
    use ProblemCode::*;
    match error {
        ClientError::Problem(problem) => {
            !matches!(problem.code, Timeout | TooMany | Internal | Unavailable)
        }
        _ => false,
    }
}
