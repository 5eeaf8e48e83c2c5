//! Workers that are the test itself: hired before there is a study, so that the daemon starts none of
//! its own.

use crate::support::{Home, wait_for};
use crate::wire::{exchange, request};
use attune_protocol::work::{Answer, End, Exchange, Hired, LeaseId, NewWorker, News, Report};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A worker that takes one lease at a time, and trains nothing.
pub struct Hand<'h> {
    home: &'h Home,
    id: u64,
    held: Option<LeaseId>,
}

impl<'h> Hand<'h> {
    /// So many of them, of a daemon that is started for them if none runs.
    #[track_caller]
    pub fn hired(home: &'h Home, count: usize) -> Vec<Self> {
        home.run(&["ls"]).ok();
        let new = NewWorker {
            pid: std::process::id(),
            id: None,
        };
        let hand = |hired: Hired| Hand {
            home,
            id: hired.id,
            held: None,
        };
        (0..count)
            .map(|_| hand(post(home, "/v1/workers", &new)))
            .collect()
    }

    /// Asks for a lease, again and again until there is one, and takes it.
    #[track_caller]
    pub fn take(&mut self) -> Answer {
        let has_work = |answer: &Answer| !answer.leases.is_empty();
        let ask = || Some(self.exchange(Vec::new(), 1)).filter(has_work);
        let answer = wait_for(ask, "there is a lease");
        let [lease] = &answer.leases[..] else {
            panic!("{answer:?}");
        };
        self.held = Some(lease.id.clone());
        answer
    }

    /// Tells this of its trial.
    #[track_caller]
    pub fn tell(&mut self, news: News) -> Answer {
        let is_end = matches!(news, News::Ended(_));
        let lease = self.held.clone().expect("a lease");
        let report = Report { lease, news };
        if is_end {
            self.held = None;
        }
        self.exchange(vec![report], 0)
    }

    /// Ends its trial.
    #[track_caller]
    pub fn fail(&mut self) -> Answer {
        let reason = "it trains nothing".into();
        self.tell(News::Ended(End::Failed { reason }))
    }

    /// Has nothing to tell.
    #[track_caller]
    pub fn ask(&self) -> Answer {
        self.exchange(Vec::new(), 0)
    }

    #[track_caller]
    fn exchange(&self, reports: Vec<Report>, want: u16) -> Answer {
        let said = Exchange {
            reports,
            holds: self.held.iter().cloned().collect(),
            want,
            patience_ms: 0,
        };
        let path = format!("/v1/workers/{}/exchange", self.id);
        post(self.home, &path, &said)
    }
}

#[track_caller]
fn post<T: DeserializeOwned>(home: &Home, path: &str, body: &impl Serialize) -> T {
    let body = serde_json::to_vec(body).expect("JSON");
    let request = request("POST", path, "content-type: application/json\r\n", &body);
    let answer = exchange(home, &request).expect("an answer");
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    serde_json::from_slice(&answer.body).expect("what was asked for")
}
