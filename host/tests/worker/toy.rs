//! A toy daemon: it answers one worker what a test has written down, and remembers what it heard.

use crate::flight::{self, Flight};
use crate::support::{Home, library_name, plugins_dir, product_threads, test_library};
use attune_protocol::endpoint::{JSON, POSTCARD};
use attune_protocol::work::*;
use attune_protocol::{Number, Scalar, Steer};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path as Ids, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

/// Nothing in these tests takes longer, however busy the machine is.
const DEADLINE: Duration = Duration::from_secs(60);

/// The longest silence between two exchanges; short, so that idle workers are soon told something.
const HEARTBEAT_MS: u64 = 200;

/// The epochs of a whole trial: enough that there is time to be told something in its middle.
pub const EPOCHS: u32 = 60;

/// Answers once this has been heard.
type Rule = (Box<dyn Fn(&[Report]) -> bool + Send>, Answer);

/// A daemon with one worker at a time.
pub struct Toy {
    pub home: Home,
    shared: Arc<Shared>,
    worker: Option<Worker>,
    workers: u64,
    _runtime: tokio::runtime::Runtime,
}

struct Worker {
    child: Child,
    /// The worker ends with it.
    stdin: Option<ChildStdin>,
    flight: PathBuf,
}

#[derive(Default)]
struct Shared {
    state: Mutex<Heard>,
    changed: Condvar,
}

#[derive(Default)]
struct Heard {
    briefs: BTreeMap<String, Brief>,
    rules: Vec<Rule>,
    reports: Vec<Report>,
    /// Leases that are the worker's no longer, and what it said of them all the same.
    void: Vec<LeaseId>,
    of_void: Vec<Report>,
    holds: Vec<LeaseId>,
    most_wanted: u16,
    exchanges: usize,
    /// So many exchanges are refused before they are read.
    refuse: usize,
    /// The worker that is employed. One that was dismissed may still wait for an answer.
    worker: u64,
}

impl Toy {
    pub fn new() -> Self {
        let home = Home::new();
        let shared = Arc::new(Shared::default());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let router = Router::new()
            .route("/v1/workers", post(hire))
            .route("/v1/workers/brief/{study}", get(brief))
            .route("/v1/workers/{worker}/exchange", post(exchange))
            .with_state(Arc::clone(&shared));
        let socket = home.path().join("attune.sock");
        let listener = runtime.block_on(async { tokio::net::UnixListener::bind(socket).unwrap() });
        runtime.spawn(async move { axum::serve(listener, router).await });
        Toy {
            home,
            shared,
            worker: None,
            workers: 0,
            _runtime: runtime,
        }
    }

    /// A daemon with a study `s1` over the example's digits, and a worker.
    pub fn with_study() -> Self {
        let mut toy = Toy::new();
        toy.study("s1", |_| {});
        toy.employ(&[]);
        toy
    }

    /// A study, changed as the test wants it.
    pub fn study(&self, name: &str, change: impl FnOnce(&mut Brief)) {
        let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/digits.csv");
        let mut brief = Brief {
            spec: format!(
                "[data]\npath = '{}'\ntarget = 'digit'\n[fidelity]\nmax_epochs = {EPOCHS}\n",
                data.display()
            ),
            file: self.home.path().join("digits.toml").display().to_string(),
            data_hash: hash(&data),
            metric: "accuracy".into(),
            libraries: shipped().clone(),
            folder: self.folder(name).display().to_string(),
            checkpoint_seconds: Number(1e9),
        };
        change(&mut brief);
        self.state().briefs.insert(name.into(), brief);
    }

    /// Where a study's checkpoints and models lie.
    pub fn folder(&self, study: &str) -> PathBuf {
        self.home.path().join(study)
    }

    /// Starts a worker in place of the one before, whose leases it does not know.
    pub fn employ(&mut self, args: &[&str]) {
        self.employ_with(args, &[]);
    }

    pub fn employ_with(&mut self, args: &[&str], environment: &[(&str, &str)]) {
        self.dismiss();
        self.workers += 1;
        self.state().worker = self.workers;
        let flight = self.home.path().join(format!("w{}.box", self.workers));
        let mut command = Command::new(env!("CARGO_BIN_EXE_attune"));
        command
            .arg("worker")
            .arg("--socket")
            .arg(self.home.path().join("attune.sock"))
            .args(["--id", &self.workers.to_string()])
            .arg("--box")
            .arg(&flight)
            .args(args)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        self.worker = Some(Worker {
            stdin: child.stdin.take(),
            child,
            flight,
        });
    }

    /// Ends the worker by ending its stdin.
    pub fn dismiss(&mut self) -> Option<ExitStatus> {
        let worker = self.worker.as_mut()?;
        drop(worker.stdin.take());
        let status = worker.child.wait().unwrap();
        self.worker = None;
        let mut state = self.state();
        state.worker = 0;
        state.holds.clear();
        drop(state);
        Some(status)
    }

    pub fn kill(&mut self) {
        let worker = self.worker.as_mut().unwrap();
        worker.child.kill().unwrap();
        self.dismiss();
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let worker = self.worker.as_ref().unwrap();
        rustix::process::kill_process(pid(&worker.child), signal).unwrap();
    }

    /// Waits until the worker ends by itself, and reads what it wrote down.
    pub fn post_mortem(&mut self) -> (ExitStatus, Flight) {
        let worker = self.worker.as_mut().unwrap();
        let (over, waits) = std::sync::mpsc::channel::<()>();
        let pid = pid(&worker.child);
        let rescue = std::thread::spawn(move || {
            let lives_on = waits.recv_timeout(DEADLINE).is_err();
            if lives_on {
                rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            }
            lives_on
        });
        // Its stdin stays open: it is not to end for that.
        let stdin = worker.stdin.take();
        let status = worker.child.wait().unwrap();
        worker.stdin = stdin;
        over.send(()).unwrap();
        assert!(!rescue.join().unwrap(), "the worker lived on");
        (status, flight::read(&worker.flight).unwrap())
    }

    pub fn is_alive(&mut self) -> bool {
        let worker = self.worker.as_mut().unwrap();
        worker.child.try_wait().unwrap().is_none()
    }

    /// How many threads the worker has that trials share products out to.
    pub fn product_threads(&self) -> usize {
        product_threads(self.worker.as_ref().unwrap().child.id())
    }

    /// Answers this now.
    pub fn give(&self, answer: Answer) {
        self.when(|_| true, answer);
    }

    /// Answers this in the exchange in which all reports so far are such.
    pub fn when(&self, rule: impl Fn(&[Report]) -> bool + Send + 'static, answer: Answer) {
        self.state().rules.push((Box::new(rule), answer));
        self.shared.changed.notify_all();
    }

    /// The next so many exchanges fail.
    pub fn refuse(&self, exchanges: usize) {
        self.state().refuse = exchanges;
    }

    pub fn lease(&self, lease: Lease) {
        self.give(Answer {
            leases: vec![lease],
            ..Answer::default()
        });
    }

    /// Waits until all reports so far are such.
    pub fn until<T>(&self, condition: impl Fn(&[Report]) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.state();
        loop {
            if let Some(found) = condition(&state.reports) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited in vain; heard {:?}",
                brief_of(&state.reports)
            );
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits for the end of an attempt.
    pub fn end(&self, trial: &str, attempt: u64) -> End {
        self.until(|reports| {
            of(reports, trial, attempt).find_map(|news| match news {
                News::Ended(end) => Some(end.clone()),
                _ => None,
            })
        })
    }

    /// Waits for an exchange that begins after now.
    pub fn next_exchange(&self) {
        let mut state = self.state();
        // One may be under way.
        let next = state.exchanges + 2;
        while state.exchanges < next {
            let (locked, waited) = self.shared.changed.wait_timeout(state, DEADLINE).unwrap();
            assert!(!waited.timed_out());
            state = locked;
        }
    }

    pub fn reports(&self) -> Vec<Report> {
        self.state().reports.clone()
    }

    pub fn holds(&self) -> Vec<LeaseId> {
        self.state().holds.clone()
    }

    /// What was said of leases that were void.
    pub fn of_void(&self) -> Vec<Report> {
        self.state().of_void.clone()
    }

    pub fn most_wanted(&self) -> u16 {
        self.state().most_wanted
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.shared.state.lock().unwrap()
    }
}

impl Drop for Toy {
    fn drop(&mut self) {
        if let Some(mut worker) = self.worker.take() {
            let _ = worker.child.kill();
            let _ = worker.child.wait();
        }
    }
}

fn pid(child: &Child) -> rustix::process::Pid {
    rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}

async fn hire(body: Bytes) -> impl IntoResponse {
    let worker: NewWorker = serde_json::from_slice(&body).unwrap();
    let hired = Hired {
        id: worker.id.unwrap(),
        heartbeat_ms: HEARTBEAT_MS,
    };
    ([(CONTENT_TYPE, JSON)], serde_json::to_vec(&hired).unwrap())
}

async fn brief(State(shared): State<Arc<Shared>>, Ids(study): Ids<String>) -> impl IntoResponse {
    let brief = shared.state.lock().unwrap().briefs[&study].clone();
    ([(CONTENT_TYPE, JSON)], serde_json::to_vec(&brief).unwrap())
}

async fn exchange(
    State(shared): State<Arc<Shared>>,
    Ids(worker): Ids<u64>,
    body: Bytes,
) -> impl IntoResponse {
    let exchange: Exchange = postcard::from_bytes(&body).unwrap();
    let patience = Instant::now() + Duration::from_millis(exchange.patience_ms);
    let answer = loop {
        let answer = {
            let mut state = shared.state.lock().unwrap();
            if state.worker != worker {
                return axum::http::StatusCode::NOT_FOUND.into_response();
            }
            if state.refuse > 0 {
                state.refuse -= 1;
                return axum::http::StatusCode::SERVICE_UNAVAILABLE.into_response();
            }
            state.hear(&exchange)
        };
        shared.changed.notify_all();
        if answer != Answer::default() || Instant::now() >= patience {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    let answer = postcard::to_allocvec(&answer).unwrap();
    ([(CONTENT_TYPE, POSTCARD)], answer).into_response()
}

impl Heard {
    /// Takes in an exchange, and gives what is to be answered. Asked again it takes in nothing.
    fn hear(&mut self, exchange: &Exchange) -> Answer {
        let of_void = exchange.reports.iter();
        let of_void = of_void.filter(|report| self.void.contains(&report.lease));
        self.of_void.extend(of_void.cloned());
        self.reports.extend(exchange.reports.iter().cloned());
        self.holds.clone_from(&exchange.holds);
        self.most_wanted = self.most_wanted.max(exchange.want);
        self.exchanges += 1;
        let mut answer = Answer::default();
        let reports = &self.reports;
        self.rules.retain(|(rule, more)| {
            let holds = rule(reports);
            if holds {
                answer.leases.extend(more.leases.iter().cloned());
                answer.orders.extend(more.orders.iter().cloned());
                answer.void.extend(more.void.iter().cloned());
                answer.threads = more.threads;
            }
            !holds
        });
        self.void.extend(answer.void.iter().cloned());
        answer
    }
}

/// The libraries of every shipped scheduler, as a probe describes them, and of `misbehave`.
pub fn shipped() -> &'static BTreeMap<String, LibraryFile> {
    static SHIPPED: OnceLock<BTreeMap<String, LibraryFile>> = OnceLock::new();
    SHIPPED.get_or_init(|| {
        let shipped = ["cosine", "greedy", "hypergradient"]
            .map(|plugin| plugins_dir().join(library_name(&format!("attune-plugin-{plugin}"))));
        let mut libraries = BTreeMap::new();
        for path in shipped {
            let file = library(&path);
            let question = serde_json::json!({ "describe": file });
            let described: serde_json::Value = probe(&question.to_string());
            for scheduler in described["library"]["schedulers"].as_array().unwrap() {
                let name = scheduler["name"].as_str().unwrap().to_owned();
                libraries.insert(name, file.clone());
            }
        }
        libraries
    })
}

/// The test plugin, and the wish that it is to obey.
pub fn misbehave(brief: &mut Brief) {
    let file = library(&test_library("attune-misbehave"));
    brief.libraries.insert("misbehave".into(), file);
}

/// Asks a probe.
pub fn probe(question: &str) -> serde_json::Value {
    let (code, answer) = run_probe(question);
    assert_eq!(code, Some(0), "{answer}");
    serde_json::from_str(&answer).unwrap()
}

pub fn run_probe(question: &str) -> (Option<i32>, String) {
    use std::io::Write;
    let mut child = Command::new(env!("CARGO_BIN_EXE_attune"))
        .arg("probe")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(question.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), answer)
}

pub fn hash(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    blake3::hash(&bytes).to_hex().to_string()
}

fn library(path: &Path) -> LibraryFile {
    LibraryFile {
        path: path.display().to_string(),
        copy: path.display().to_string(),
        hash: hash(path),
    }
}

/// A trial's configuration, with changes.
pub fn config(scheduler: &str, changes: &[(&str, Scalar)]) -> BTreeMap<String, Scalar> {
    let text = |text: &str| Scalar::Text(text.into());
    let mut config: BTreeMap<String, Scalar> = [
        ("scheduler", text(scheduler)),
        ("lr", Scalar::Float(Number(0.05))),
        ("optimizer", text("nesterov")),
        ("momentum", Scalar::Float(Number(0.9))),
        ("weight_decay", Scalar::Float(Number(1e-4))),
        ("clip_norm", Scalar::Float(Number(0.0))),
        ("batch_size", Scalar::Int(32)),
        ("layers", Scalar::Int(1)),
        ("width", Scalar::Int(48)),
        ("activation", text("relu")),
        ("dropout", Scalar::Float(Number(0.1))),
        ("label_smoothing", Scalar::Float(Number(0.0))),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (name, value) in changes {
        config.insert((*name).to_owned(), value.clone());
    }
    config
}

pub fn id(trial: &str, attempt: u64) -> LeaseId {
    LeaseId {
        trial: trial.into(),
        attempt,
    }
}

/// A trial from its beginning.
pub fn lease(trial: &str, attempt: u64, scheduler: &str, until_epoch: u32) -> Lease {
    Lease {
        id: id(trial, attempt),
        config: config(scheduler, &[]),
        seed: 7,
        until_epoch,
        from: None,
        interventions: Vec::new(),
        beat: None,
    }
}

pub fn order(trial: &str, attempt: u64, what: Do) -> Answer {
    Answer {
        orders: vec![Order {
            lease: id(trial, attempt),
            what,
        }],
        ..Answer::default()
    }
}

pub fn set_rate(rate: f64) -> Do {
    Do::Steer(Steer::SetRate(Number(rate)))
}

/// What was told of an attempt.
pub fn of<'r>(
    reports: &'r [Report],
    trial: &str,
    attempt: u64,
) -> impl Iterator<Item = &'r News> + Clone {
    let id = id(trial, attempt);
    let reports = reports.iter().filter(move |report| report.lease == id);
    reports.map(|report| &report.news)
}

/// Steps that were reported of a trial so far.
pub fn steps(reports: &[Report], trial: &str) -> u64 {
    let of_trial = reports.iter().filter(|report| report.lease.trial == trial);
    let ends = of_trial.filter_map(|report| match &report.news {
        News::Piece(piece) => Some(piece.first_step + piece.losses.len() as u64),
        _ => None,
    });
    ends.max().unwrap_or(0)
}

/// All that is exactly reproducible in what was told of a trial.
#[derive(Debug, PartialEq, Default)]
pub struct History {
    pub losses: BTreeMap<u64, u32>,
    pub rates: BTreeMap<u64, Vec<u64>>,
    pub epochs: BTreeMap<u32, Epoch>,
}

/// Its last step, whether it was the best so far, and its metrics.
type Epoch = (u64, bool, Vec<(String, u64)>);

/// Put together from all attempts, where a later one speaks of the same step in place of the
/// earlier.
pub fn history(reports: &[Report], trial: &str) -> History {
    let mut history = History::default();
    for report in reports.iter().filter(|report| report.lease.trial == trial) {
        let News::Piece(piece) = &report.news else {
            continue;
        };
        for (row, loss) in piece.losses.iter().enumerate() {
            let step = piece.first_step + row as u64;
            let rates = piece.rates.iter().map(|rates| rates[row].0.to_bits());
            history.losses.insert(step, loss.0.to_bits());
            history.rates.insert(step, rates.collect());
        }
        for epoch in &piece.epochs {
            let metrics = epoch.metrics.iter();
            let metrics = metrics.map(|(name, value)| (name.clone(), value.0.to_bits()));
            let told = (epoch.step, epoch.best, metrics.collect());
            history.epochs.insert(epoch.epoch, told);
        }
    }
    history
}

/// The last checkpoint of a trial.
pub fn last_checkpoint(reports: &[Report], trial: &str) -> Option<Checkpoint> {
    let mut of_trial = reports
        .iter()
        .rev()
        .filter(|report| report.lease.trial == trial);
    of_trial.find_map(|report| match &report.news {
        News::Checkpoint(checkpoint) => Some(*checkpoint),
        _ => None,
    })
}

fn brief_of(reports: &[Report]) -> Vec<String> {
    let told = reports.iter().map(|report| match &report.news {
        News::Piece(piece) => format!(
            "{} {}: steps {}..{}, {} epochs",
            report.lease.trial,
            report.lease.attempt,
            piece.first_step,
            piece.first_step + piece.losses.len() as u64,
            piece.epochs.len()
        ),
        news => format!("{} {}: {news:?}", report.lease.trial, report.lease.attempt),
    });
    told.collect()
}
