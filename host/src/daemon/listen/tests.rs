use super::credentials::make_credentials;
use super::*;
use crate::daemon::config::Listen;
use crate::daemon::lock::{Info, Lock};
use axum::body::{Bytes, HttpBody};
use axum::routing::{get, post};
use hyper::body::Frame;
use std::convert::Infallible;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// What a test waits for at the most before it fails.
const AT_LAST: Duration = Duration::from_secs(20);

/// A served door with its switch.
struct Served {
    dir: TempDir,
    address: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    /// Ends requests to `/slow`.
    go: Arc<Notify>,
    /// Told when one has arrived there.
    arrived: Arc<Notify>,
    /// Tells what `/events` sends, once.
    events: mpsc::Sender<&'static str>,
    serving: JoinHandle<usize>,
}

impl Served {
    async fn unix(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lock = lock(dir.path());
        let door = Door::unix(&dir.path().join("sock"), &lock).await.unwrap();
        Self::serve(dir, door, limits)
    }

    async fn tcp(limits: Limits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listen = with_token(dir.path());
        let door = Door::tcp(&listen).await.unwrap();
        Self::serve(dir, door, limits)
    }

    fn serve(dir: TempDir, door: Door, limits: Limits) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (go, arrived) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (wait, tell) = (go.clone(), arrived.clone());
        let (events, told) = mpsc::channel(8);
        let told = Arc::new(Mutex::new(Some(told)));
        let router = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/echo", post(|body: Bytes| async move { body }))
            .route(
                "/slow",
                get(move || async move {
                    tell.notify_one();
                    wait.notified().await;
                    "at last"
                }),
            )
            .route(
                "/events",
                get(move || async move {
                    let told = told.lock().unwrap().take();
                    Body::new(Events(told.unwrap()))
                }),
            )
            .route("/large", get(|| async { vec![b'x'; 64 << 20] }));
        let address = door.address();
        let serving = tokio::spawn(serve(door, router, limits, stopped));
        Served {
            dir,
            address,
            stop,
            go,
            arrived,
            events,
            serving,
        }
    }

    async fn connect(&self) -> Box<dyn door::Stream> {
        match self.address {
            Some(address) => Box::new(TcpStream::connect(address).await.unwrap()),
            None => {
                let path = self.dir.path().join("sock");
                Box::new(UnixStream::connect(path).await.unwrap())
            }
        }
    }

    /// The whole answer to one request on a connection of its own.
    async fn ask(&self, request: &str) -> String {
        let mut stream = self.connect().await;
        // A server that has answered already need not take the rest.
        let _ = stream.write_all(request.as_bytes()).await;
        read_to_end(&mut stream).await
    }

    async fn end(self) -> usize {
        self.stop.send(true).unwrap();
        timeout(AT_LAST, self.serving).await.unwrap().unwrap()
    }
}

async fn read_to_end(stream: &mut Box<dyn door::Stream>) -> String {
    let mut answer = Vec::new();
    let read = timeout(AT_LAST, stream.read_to_end(&mut answer)).await;
    // However it ended, it did.
    let _ = read.expect("the server lets go");
    String::from_utf8(answer).unwrap()
}

/// A response's body that is sent as it is told.
struct Events(mpsc::Receiver<&'static str>);

impl HttpBody for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let told = self.0.poll_recv(cx);
        told.map(|event| event.map(|text| Ok(Frame::data(Bytes::from(text)))))
    }
}

/// Reads one answer and leaves the connection open.
async fn read_answer(stream: &mut Box<dyn door::Stream>, end: &str) {
    let mut answer = Vec::new();
    while !answer.ends_with(end.as_bytes()) {
        let byte = timeout(AT_LAST, stream.read_u8()).await;
        answer.push(byte.expect("an answer").unwrap());
    }
}

fn lock(dir: &Path) -> Lock {
    let info = Info {
        pid: 1,
        version: "0".into(),
        protocol: 1,
        socket: dir.join("sock"),
        embedded: false,
        started_unix_ms: 0,
    };
    Lock::take(&dir.join("daemon.lock"), &info).unwrap()
}

fn listen(address: &str) -> Listen {
    Listen {
        address: address.parse().unwrap(),
        certificate: None,
        key: None,
        token_file: None,
    }
}

const TOKEN: &str = "a-token-of-the-tests";

fn with_token(dir: &Path) -> Listen {
    let file = dir.join("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    Listen {
        token_file: Some(file),
        ..listen("127.0.0.1:0")
    }
}

fn with_tls(dir: &Path) -> Listen {
    let made = make_credentials(&dir.join("made"), &["localhost".into()]).unwrap();
    Listen {
        certificate: Some(made.certificate),
        key: Some(made.key),
        token_file: Some(made.token_file),
        ..listen("127.0.0.1:0")
    }
}

const GET: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

fn quick() -> Limits {
    Limits {
        drain: Duration::from_secs(10),
        ..Limits::default()
    }
}

fn short() -> Duration {
    Duration::from_millis(50)
}

fn long() -> Duration {
    Duration::from_secs(3600)
}

#[tokio::test]
async fn the_socket_is_for_its_owner_alone_and_goes_with_the_daemon() {
    let served = Served::unix(quick()).await;
    let path = served.dir.path().join("sock");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let answer = served.ask(GET).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("hello"), "{answer}");
    assert_eq!(served.end().await, 0);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_dead_daemons_socket_is_replaced_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (path, lock) = (dir.path().join("sock"), lock(dir.path()));
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "as after kill -9");
    let door = Door::unix(&path, &lock).await.unwrap();

    let error = Door::unix(&path, &lock).await.err().unwrap();
    assert!(matches!(error, ListenError::Answered(_)), "{error}");
    drop(door);

    fs::write(&path, "precious").unwrap();
    let error = Door::unix(&path, &lock).await.err().unwrap();
    assert!(matches!(error, ListenError::NoSocket(_)), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

#[tokio::test]
async fn the_network_is_opened_by_the_rules_only() {
    let dir = tempfile::tempdir().unwrap();
    let (token, tls) = (with_token(dir.path()), with_tls(dir.path()));
    let table: &[(&str, &Listen, &str)] = &[
        ("127.0.0.1:0", &listen("127.0.0.1:0"), "set `token_file`"),
        ("127.0.0.1:0", &token, ""),
        ("127.0.0.1:0", &tls, ""),
        ("[::ffff:127.0.0.1]:0", &token, ""),
        (
            "0.0.0.0:0",
            &listen("0.0.0.0:0"),
            "would let other machines in",
        ),
        ("0.0.0.0:0", &token, "would let other machines in"),
        ("[::]:0", &token, "would let other machines in"),
        ("10.1.2.3:0", &token, "would let other machines in"),
        (
            "0.0.0.0:0",
            &Listen {
                token_file: None,
                ..tls.clone()
            },
            "would let other machines in",
        ),
        (
            "0.0.0.0:0",
            &Listen {
                key: None,
                ..tls.clone()
            },
            "set both, or neither",
        ),
        ("0.0.0.0:0", &tls, ""),
        ("192.0.2.1:0", &tls, "cannot listen on 192.0.2.1:0"),
    ];
    for (address, listen, expected) in table {
        let address = address.parse().unwrap();
        let listen = Listen {
            address,
            ..(*listen).clone()
        };
        let told = Door::tcp(&listen)
            .await
            .err()
            .map(|error| error.to_string());
        match told {
            Some(told) => assert!(!expected.is_empty() && told.contains(expected), "{told}"),
            None => assert!(expected.is_empty(), "{listen:?} was opened"),
        }
    }
}

#[tokio::test]
async fn credentials_that_are_of_no_use_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (token, tls) = (with_token(dir.path()), with_tls(dir.path()));
    let file = |name: &str, text: &str, mode: u32| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        Some(path)
    };
    let other = make_credentials(&dir.path().join("other"), &["x".into()]).unwrap();
    let table: &[(Listen, &str)] = &[
        (
            Listen {
                token_file: file("open", TOKEN, 0o644),
                ..token.clone()
            },
            "others may read it (mode 644); run `chmod 600",
        ),
        (
            Listen {
                token_file: file("short", "abc", 0o600),
                ..token.clone()
            },
            "16 to 1024",
        ),
        (
            Listen {
                token_file: file("empty", "", 0o600),
                ..token.clone()
            },
            "16 to 1024",
        ),
        (
            Listen {
                token_file: file("two", &format!("{TOKEN}\n{TOKEN}"), 0o600),
                ..token.clone()
            },
            "must hold one token",
        ),
        (
            Listen {
                token_file: Some("/none".into()),
                ..token.clone()
            },
            "cannot read /none",
        ),
        (
            Listen {
                certificate: file("cert", "no PEM", 0o600),
                ..tls.clone()
            },
            "no certificate",
        ),
        (
            Listen {
                key: file("key", "no PEM", 0o600),
                ..tls.clone()
            },
            "cannot use",
        ),
        (
            Listen {
                key: Some(other.key),
                ..tls.clone()
            },
            "check that it belongs to the key",
        ),
    ];
    for (listen, expected) in table {
        let told = Door::tcp(listen).await.err().expect(expected).to_string();
        assert!(told.contains(expected), "{told}\nnot {expected}");
    }
}

#[tokio::test]
async fn only_who_carries_the_token_comes_in() {
    let served = Served::tcp(quick()).await;
    let table = [
        (format!("Bearer {TOKEN}"), true),
        (format!("bearer  {TOKEN} "), true),
        (String::new(), false),
        ("Bearer".into(), false),
        ("Bearer ".into(), false),
        (format!("Bearer {TOKEN}x"), false),
        (format!("Bearer {}", &TOKEN[1..]), false),
        (format!("Basic {TOKEN}"), false),
        (TOKEN.into(), false),
    ];
    for (given, comes_in) in table {
        let request = GET.replace("host", &format!("authorization: {given}\r\nhost"));
        let answer = served.ask(&request).await;
        if comes_in {
            assert!(answer.ends_with("hello"), "{given}: {answer}");
        } else {
            assert!(answer.starts_with("HTTP/1.1 401"), "{given}: {answer}");
            assert!(
                answer.contains("www-authenticate: Bearer"),
                "{given}: {answer}"
            );
            let (_, body) = answer.split_once("\r\n\r\n").unwrap();
            let problem: Problem = serde_json::from_str(body).unwrap();
            assert_eq!(problem.code, ProblemCode::Unauthorized, "{given}");
        }
    }
    served.end().await;
}

#[tokio::test]
async fn what_was_made_encrypts() {
    let dir = tempfile::tempdir().unwrap();
    let listen = with_tls(dir.path());
    for path in [&listen.certificate, &listen.key, &listen.token_file] {
        let mode = fs::metadata(path.as_ref().unwrap()).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let certificate = CertificateDer::from_pem_file(listen.certificate.as_ref().unwrap()).unwrap();
    let token = fs::read_to_string(listen.token_file.as_ref().unwrap()).unwrap();
    let door = Door::tcp(&listen).await.unwrap();
    assert!(door.place().starts_with("https://127.0.0.1:"));
    let served = Served::serve(dir, door, quick());

    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = served.connect().await;
    let name = "localhost".try_into().unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream: Box<dyn door::Stream> =
        Box::new(connector.connect(name, stream).await.unwrap());
    let authorization = format!("authorization: Bearer {}\r\nhost", token.trim());
    let request = GET.replace("host", &authorization);
    stream.write_all(request.as_bytes()).await.unwrap();
    assert!(read_to_end(&mut stream).await.ends_with("hello"));

    // Plain HTTP gets no HTTP answer.
    let answer = served.connect().await;
    let mut answer = answer;
    answer.write_all(GET.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let _ = timeout(AT_LAST, answer.read_to_end(&mut bytes))
        .await
        .unwrap();
    assert!(!bytes.starts_with(b"HTTP"), "{bytes:?}");
    served.end().await;
}

#[test]
fn credentials_in_use_are_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let made = make_credentials(dir.path(), &["localhost".into(), "127.0.0.1".into()]).unwrap();
    let before = fs::read(&made.token_file).unwrap();
    fs::remove_file(&made.certificate).unwrap();
    let told = make_credentials(dir.path(), &["x".into()])
        .unwrap_err()
        .to_string();
    assert!(told.contains("it exists already"), "{told}");
    assert_eq!(fs::read(&made.token_file).unwrap(), before);
    assert!(!made.certificate.exists(), "all or none");
}

#[tokio::test]
async fn a_head_that_drips_is_cut_off() {
    let limits = Limits {
        head: short(),
        idle: long(),
        ..quick()
    };
    let served = Served::unix(limits).await;
    for begin in ["", "G", "GET / HTTP/1.1\r\nhost: a\r\nx: "] {
        assert_eq!(served.ask(begin).await, "", "{begin}");
    }
    // Each byte comes in time, the whole head does not.
    let mut stream = served.connect().await;
    let dripped = async {
        while stream.write_all(b"a").await.is_ok() {
            tokio::task::yield_now().await
        }
    };
    timeout(AT_LAST, dripped).await.expect("the server lets go");
    // So does one on a connection that was good before.
    let mut stream = served.connect().await;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    read_answer(&mut stream, "hello").await;
    stream.write_all(b"GET").await.unwrap();
    assert_eq!(read_to_end(&mut stream).await, "");
    served.end().await;
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_after_its_own_time() {
    let limits = Limits {
        head: long(),
        idle: short(),
        ..quick()
    };
    let served = Served::unix(limits).await;
    let mut stream = served.connect().await;
    for _ in 0..3 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            .await
            .unwrap();
        read_answer(&mut stream, "hello").await;
    }
    assert_eq!(read_to_end(&mut stream).await, "");
    served.end().await;
}

#[tokio::test]
async fn a_request_at_hand_is_neither_idle_nor_slow() {
    let limits = Limits {
        head: short(),
        idle: short(),
        ..quick()
    };
    let served = Served::unix(limits).await;
    let mut stream = served.connect().await;
    stream
        .write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    served.arrived.notified().await;
    // Another connection outlives both limits meanwhile.
    assert_eq!(served.ask("GET").await, "");
    served.go.notify_one();
    read_answer(&mut stream, "at last").await;
    served.end().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off() {
    let limits = Limits {
        write: short(),
        connections: 1,
        ..quick()
    };
    let served = Served::unix(limits).await;
    let mut stream = served.connect().await;
    stream
        .write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    // Its place is free again for others, though it still holds its end.
    let free = async {
        while !served.ask(GET).await.ends_with("hello") {
            tokio::task::yield_now().await;
        }
    };
    timeout(AT_LAST, free)
        .await
        .expect("its place becomes free");
    drop(stream);
    served.end().await;
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    for served in [
        Served::unix(Limits {
            connections: 2,
            ..quick()
        })
        .await,
        Served::tcp(Limits {
            connections: 2,
            ..quick()
        })
        .await,
    ] {
        let mut held = [served.connect().await, served.connect().await];
        let answer = served.ask(GET).await;
        assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let problem: Problem = serde_json::from_str(body).unwrap();
        assert_eq!(problem.code, ProblemCode::TooMany);
        assert!(problem.message.contains("2 connections"), "{problem}");
        // Those who are in are served.
        let request = GET.replace("host", &format!("authorization: Bearer {TOKEN}\r\nhost"));
        held[0].write_all(request.as_bytes()).await.unwrap();
        assert!(read_to_end(&mut held[0]).await.ends_with("hello"));
        served.end().await;
    }
}

#[tokio::test]
async fn new_connections_from_the_network_have_a_rate() {
    let served = Served::tcp(Limits {
        new_per_second: 3,
        ..quick()
    })
    .await;
    let request = GET.replace("host", &format!("authorization: Bearer {TOKEN}\r\nhost"));
    let mut refused = 0;
    for _ in 0..50 {
        let answer = served.ask(&request).await;
        refused += usize::from(answer.starts_with("HTTP/1.1 429"));
        assert!(
            answer.ends_with("hello") || answer.contains("3 new connections"),
            "{answer}"
        );
    }
    assert!(refused > 0);
    served.end().await;
}

#[test]
fn a_rate_is_earned_with_time() {
    let start = Instant::now();
    let mut rate = Rate::new(2);
    for (millis, admitted) in [
        (0, true),
        (0, true),
        (0, false),
        (400, false),
        (500, true),
        (500, false),
        (60_000, true),
        (60_000, true),
        (60_000, false),
    ] {
        let now = start + Duration::from_millis(millis);
        assert_eq!(rate.admits(now), admitted, "{millis}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let served = Served::unix(Limits {
        body: 1000,
        ..quick()
    })
    .await;
    let post = |head: &str, body: &str| {
        format!("POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{head}\r\n\r\n{body}")
    };
    let fits = "x".repeat(1000);
    let answer = served.ask(&post("content-length: 1000", &fits)).await;
    assert!(answer.ends_with(&fits), "{answer}");

    // Announced: refused before a byte of it is read.
    let answer = served.ask(&post("content-length: 1001", "")).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("\"too_large\""), "{answer}");

    // Not announced: refused as it comes.
    let chunk = format!("3e9\r\n{fits}x\r\n0\r\n\r\n");
    let answer = served
        .ask(&post("transfer-encoding: chunked", &chunk))
        .await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    served.end().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let served = Served::unix(quick()).await;
    let answer = served.ask(&GET.replace('a', &"a".repeat(1_000_000))).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    served.end().await;
}

#[tokio::test]
async fn a_request_has_a_deadline_that_its_path_sets() {
    let deadline = |path: &str| if path == "/slow" { long() } else { short() };
    let served = Served::unix(Limits {
        deadline,
        ..quick()
    })
    .await;
    // Its body never comes.
    let request = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n";
    let answer = served.ask(request).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(
        answer.contains("POST /echo took longer than 0.05 s"),
        "{answer}"
    );
    // By then a patient path would have been over as well.
    let slow = served.ask("GET /slow HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    let (answer, ()) = tokio::join!(slow, async {
        served.arrived.notified().await;
        assert!(served.ask(request).await.starts_with("HTTP/1.1 408"));
        served.go.notify_one();
    });
    assert!(answer.ends_with("at last"), "{answer}");
    served.end().await;
}

#[tokio::test]
async fn an_event_stream_outlives_every_limit_and_ends_with_its_client() {
    let limits = Limits {
        head: short(),
        idle: short(),
        write: short(),
        deadline: |_| short(),
        ..quick()
    };
    let served = Served::unix(limits).await;
    let mut stream = served.connect().await;
    let request = "GET /events HTTP/1.1\r\nhost: a\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    served.events.send("first").await.unwrap();
    read_answer(&mut stream, "first\r\n").await;
    for _ in 0..3 {
        // By the time that another connection was cut off, each limit is over.
        assert_eq!(served.ask("GET").await, "");
    }
    served.events.send("second").await.unwrap();
    read_answer(&mut stream, "second\r\n").await;
    drop(stream);
    let noticed = timeout(AT_LAST, served.events.closed()).await;
    noticed.expect("a client that is gone is noticed");
    served.end().await;
}

#[tokio::test]
async fn stopping_answers_what_is_at_hand_and_lets_nobody_in() {
    let served = Served::unix(quick()).await;
    let mut idle = served.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    read_answer(&mut idle, "hello").await;
    let mut slow = served.connect().await;
    slow.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    served.arrived.notified().await;

    served.stop.send(true).unwrap();
    assert_eq!(read_to_end(&mut idle).await, "");
    let path = served.dir.path().join("sock");
    assert!(UnixStream::connect(&path).await.is_err());
    assert!(!served.serving.is_finished());

    served.go.notify_one();
    assert!(read_to_end(&mut slow).await.ends_with("at last"));
    assert_eq!(timeout(AT_LAST, served.serving).await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn stopping_cuts_what_does_not_end() {
    let served = Served::unix(Limits {
        drain: short(),
        ..quick()
    })
    .await;
    let mut slow = served.connect().await;
    slow.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    served.arrived.notified().await;
    let dir = served.dir.path().to_owned();
    assert_eq!(served.end().await, 1);
    assert_eq!(read_to_end(&mut slow).await, "");
    assert!(!dir.join("sock").exists());
}

#[tokio::test]
async fn a_door_closes_when_nobody_can_tell_it_to() {
    let Served {
        stop, serving, dir, ..
    } = Served::unix(quick()).await;
    drop(stop);
    assert_eq!(timeout(AT_LAST, serving).await.unwrap().unwrap(), 0);
    drop(dir);
}

#[test]
fn the_limit_of_open_files_is_raised() {
    let limit = raise_file_limit();
    assert_eq!(getrlimit(Resource::Nofile).current, limit);
}
