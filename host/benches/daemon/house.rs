//! A home with a daemon in it, and studies that are run there.

use crate::support::Home;
use attune_protocol::client::{Address, Client, Notice, Scope};
use attune_protocol::{Event, NewStudy, StudyDetail};
use std::time::{Duration, Instant};

/// A daemon of its own.
pub struct House {
    pub home: Home,
    pub client: Client,
    runtime: tokio::runtime::Runtime,
}

/// A study that has ended.
pub struct Ran {
    pub id: String,
    /// From handing it in until its end was told.
    pub took: Duration,
    /// From its first trial's begin to its last one's end.
    pub trained: Duration,
    pub detail: StudyDetail,
}

impl House {
    /// With these files in its folder, and its daemon started.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let home = Home::new();
        for (name, content) in files {
            home.file(name, content);
        }
        home.run(&["daemon", "start"]).ok();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        House {
            client: Client::new(Address::Unix(home.socket())).within(Duration::from_secs(120)),
            home,
            runtime,
        }
    }

    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    fn new_study(&self, spec: &str, parallel: u16) -> NewStudy {
        NewStudy {
            spec: spec.to_owned(),
            file: self.home.path().join("study.toml").display().to_string(),
            plugins: Vec::new(),
            parallel: Some(parallel),
        }
    }

    /// Runs a study to its end with nobody watching, and tells how long it took. All of its trials
    /// must end well.
    pub fn run_unseen(&self, spec: &str, parallel: u16) -> Duration {
        self.block_on(async {
            let began = Instant::now();
            let study = self.new_study(spec, parallel);
            let id = self.client.create_study(&study).await.unwrap().study.id;
            while !self.client.status().await.unwrap().studies.is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let took = began.elapsed();
            let study = self.client.study(&id).await.unwrap().study;
            assert_eq!(study.trials.done, study.trials.planned);
            took
        })
    }

    /// Runs a study to its end, and watches it.
    pub fn run(&self, spec: &str, parallel: u16) -> Ran {
        self.block_on(async {
            let study = self.new_study(spec, parallel);
            let began = Instant::now();
            let created = self.client.create_study(&study).await.unwrap();
            let id = created.study.id;
            let scope = Scope::Study(id.clone());
            let mut events = self
                .client
                .events_after(scope, created.event)
                .await
                .unwrap();
            let (mut first, mut last) = (None, None);
            loop {
                let Notice::Event { event, .. } = events.next().await.unwrap().unwrap() else {
                    panic!("the daemon went away");
                };
                match event {
                    Event::TrialStarted { .. } => _ = first.get_or_insert_with(Instant::now),
                    Event::TrialEnded { .. } => last = Some(Instant::now()),
                    Event::StudyEnded { .. } => break,
                    _ => {}
                }
            }
            let took = began.elapsed();
            let trained = last.zip(first).map(|(last, first)| last - first);
            Ran {
                detail: self.client.study(&id).await.unwrap(),
                id,
                took,
                trained: trained.unwrap_or_default(),
            }
        })
    }
}

/// The middle of some figures.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
