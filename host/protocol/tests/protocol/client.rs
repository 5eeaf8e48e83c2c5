//! The client against a toy daemon: every method, and everything that can go wrong.

use crate::draw::Draw;
use crate::toy::{Heard, Toy, ok, request};
use attune_protocol::client::{Address, Client, ClientError, Notice, Scope};
use attune_protocol::endpoint::{self, Answers, Method, POSTCARD};
use attune_protocol::work::{Exchange, NewWorker};
use attune_protocol::*;
use axum::Router;
use axum::extract::{RawPathParams, Request};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::Instant;

impl Toy {
    /// A daemon that answers each endpoint with the value of seed 1 of its type, or nothing.
    fn with_every_endpoint() -> Self {
        let heard = Heard::default();
        let mut router = Router::new();
        for route in endpoint::ALL {
            let method = match route.method {
                Method::Get => MethodFilter::GET,
                Method::Post => MethodFilter::POST,
                Method::Delete => MethodFilter::DELETE,
            };
            let heard = Arc::clone(&heard);
            let handler = move |ids: RawPathParams, request: Request| async move {
                let ids = ids
                    .iter()
                    .map(|(_, id)| id.to_owned())
                    .collect::<Vec<_>>()
                    .join("|");
                let query = request.uri().query().unwrap_or_default().to_owned();
                let accepts = request.headers()[header::ACCEPT]
                    .to_str()
                    .unwrap()
                    .to_owned();
                let body = axum::body::to_bytes(request.into_body(), 1 << 20)
                    .await
                    .unwrap();
                let asked = (format!("{} {ids}", route.name), query, body.to_vec());
                heard.lock().unwrap().push(asked);
                answer_of(route, &accepts)
            };
            router = router.route(route.path, on(method, handler));
        }
        let toy = Toy {
            folder: tempfile::tempdir().unwrap(),
            heard,
        };
        let listener = UnixListener::bind(toy.socket()).unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        toy
    }
}

/// What the toy answers everywhere: the value of seed 1.
fn answer_of(route: &endpoint::Route, accepts: &str) -> Response {
    fn json<T: Draw + serde::Serialize>() -> Vec<u8> {
        serde_json::to_vec(&T::of(1)).unwrap()
    }
    let (expected, body) = match route.answer {
        Answers::Events(_) => (
            endpoint::EVENT_STREAM,
            format!(
                "id: 1\ndata: {}\n\n",
                String::from_utf8(json::<Event>()).unwrap()
            )
            .into(),
        ),
        Answers::File => (endpoint::OCTETS, b"a model".to_vec()),
        Answers::Text => (endpoint::TEXT, b"attune_studies 1\n".to_vec()),
        Answers::Work(shape) => {
            let body = match &*(shape.name)() {
                "Answer" => postcard::to_allocvec(&work::Answer::of(1)),
                "TrialTable" => postcard::to_allocvec(&TrialTable::of(1)),
                "TrialCurve" => postcard::to_allocvec(&[TrialCurve::of(1)].to_vec()),
                other => panic!("work of {other}"),
            };
            (POSTCARD, body.unwrap())
        }
        Answers::Json(shape) if shape.list => {
            let one = match &*(shape.name)() {
                "StudySummary" => json::<StudySummary>(),
                "PluginInfo" => json::<PluginInfo>(),
                "LogLine" => json::<LogLine>(),
                other => panic!("a list of {other}"),
            };
            (endpoint::JSON, [b"[".as_slice(), &one, b"]"].concat())
        }
        Answers::Json(shape) => {
            let body = match &*(shape.name)() {
                "Brief" => json::<work::Brief>(),
                "Checked" => json::<Checked>(),
                "Created" => json::<Created>(),
                "DataLook" => json::<DataLook>(),
                "Drafted" => json::<Drafted>(),
                "Insight" => json::<Insight>(),
                "Previewed" => json::<Previewed>(),
                "DaemonStatus" => json::<DaemonStatus>(),
                "Forked" => json::<Forked>(),
                "Hired" => json::<work::Hired>(),
                "Nothing" => b"{}".to_vec(),
                "Resumed" => json::<Resumed>(),
                "StepRows" => json::<StepRows>(),
                "StoreReport" => json::<StoreReport>(),
                "StudyDetail" => json::<StudyDetail>(),
                "StudySummary" => json::<StudySummary>(),
                "TrialDetail" => json::<TrialDetail>(),
                "TrialSummary" => json::<TrialSummary>(),
                "Value" => json::<serde_json::Value>(),
                "Zoom" => json::<Zoom>(),
                other => panic!("one {other}"),
            };
            (endpoint::JSON, body)
        }
    };
    assert_eq!(accepts, expected, "{}", route.name);
    ([(header::CONTENT_TYPE, expected)], body).into_response()
}

#[tokio::test]
async fn every_method_asks_its_endpoint_and_reads_its_answer() {
    let toy = Toy::with_every_endpoint();
    let client = toy.client();
    let mut seen = BTreeSet::new();

    /// Values with NaN in them are alike where they look alike.
    fn alike(a: impl Debug, b: impl Debug) {
        assert_eq!(format!("{a:?}"), format!("{b:?}"));
    }
    fn json<T: Draw + serde::Serialize>() -> Vec<u8> {
        serde_json::to_vec(&T::of(2)).unwrap()
    }
    let mut asked = |expected: &str, query: &str, body: Vec<u8>| {
        let heard = toy.heard.lock().unwrap().pop().unwrap();
        let expected = (expected.to_owned(), query.to_owned(), body);
        assert_eq!(heard, expected);
        seen.insert(expected.0.split(' ').next().unwrap().to_owned());
    };
    macro_rules! check {
        ($($method:ident($($argument:expr),*) => $expected:literal $query:literal $body:expr,
            $answer:expr;)*) => { $(
            alike(client.$method($($argument),*).await.unwrap(), $answer);
            asked($expected, $query, $body);
        )* };
    }
    let none = Vec::new;
    let zoom = ZoomQuery {
        column: "a&b=ü c".to_owned(),
        from: Some(3),
        to: None,
        points: Some(500),
    };
    let steps = StepsQuery::default();
    let curves = CurvesQuery {
        metric: "valid_loss".to_owned(),
        trials: Some("3,14".to_owned()),
        ..CurvesQuery::default()
    };
    let page = TrialsQuery {
        from: Some(5000),
        limit: Some(100),
    };
    let good = InsightQuery {
        good_percent: Some(20),
    };
    let log = LogQuery {
        lines: Some(7),
        ..LogQuery::default()
    };
    let odd = "a/b c%?#";
    check! {
        status() => "STATUS " "" none(), DaemonStatus::of(1);
        shutdown() => "SHUTDOWN " "" none(), ();
        studies() => "STUDIES " "" none(), [StudySummary::of(1)];
        create_study(&Draw::of(2)) => "CREATE_STUDY " "" json::<NewStudy>(), Created::of(1);
        study("s1") => "STUDY s1" "" none(), StudyDetail::of(1);
        study(odd) => "STUDY a/b c%?#" "" none(), StudyDetail::of(1);
        delete_study("s1") => "DELETE_STUDY s1" "" none(), ();
        pause_study("s1") => "PAUSE_STUDY s1" "" none(), StudySummary::of(1);
        resume_study("s1", &Draw::of(2)) => "RESUME_STUDY s1" "" json::<ResumeStudy>(),
            Resumed::of(1);
        stop_study("s1") => "STOP_STUDY s1" "" none(), StudySummary::of(1);
        trials("s1", &page) => "TRIALS s1" "from=5000&limit=100" none(), TrialTable::of(1);
        curves("s1", &curves) => "CURVES s1" "metric=valid_loss&trials=3%2C14" none(),
            [TrialCurve::of(1)];
        insight("s1", &good) => "INSIGHT s1" "good_percent=20" none(), Insight::of(1);
        note_study("s1", &Draw::of(2)) => "NOTE_STUDY s1" "" json::<Note>(), StudySummary::of(1);
        trial("s1.2") => "TRIAL s1.2" "" none(), TrialDetail::of(1);
        trial_thinned("s1.2", 400) => "TRIAL s1.2" "points=400" none(), TrialDetail::of(1);
        note_trial("s1.2", &Draw::of(2)) => "NOTE_TRIAL s1.2" "" json::<Note>(),
            TrialSummary::of(1);
        retry_trial("s1.2") => "RETRY_TRIAL s1.2" "" none(), Forked::of(1);
        pause_trial("s1.2") => "PAUSE_TRIAL s1.2" "" none(), TrialSummary::of(1);
        resume_trial("s1.2") => "RESUME_TRIAL s1.2" "" none(), TrialSummary::of(1);
        stop_trial("s1.2") => "STOP_TRIAL s1.2" "" none(), TrialSummary::of(1);
        steer("s1.2", &Draw::of(2)) => "STEER s1.2" "" json::<Steer>(), TrialSummary::of(1);
        fork("s1.2", &Draw::of(2)) => "FORK s1.2" "" json::<Fork>(), Forked::of(1);
        zoom("s1.2", &zoom) => "ZOOM s1.2" "column=a%26b%3D%C3%BC+c&from=3&points=500" none(),
            Zoom::of(1);
        steps("s1.2", &steps) => "STEPS s1.2" "" none(), StepRows::of(1);
        plugins() => "PLUGINS " "" none(), [PluginInfo::of(1)];
        look_for_plugins(&Draw::of(2)) => "LOOK_FOR_PLUGINS " "" json::<LookForPlugins>(), [PluginInfo::of(1)];
        release_plugin(odd) => "RELEASE_PLUGIN a/b c%?#" "" none(), [PluginInfo::of(1)];
        preview(&Draw::of(2)) => "PREVIEW " "" json::<Preview>(), Previewed::of(1);
        check(&Draw::of(2)) => "CHECK " "" json::<NewStudy>(), Checked::of(1);
        draft(&Draw::of(2)) => "DRAFT " "" json::<Draft>(), Drafted::of(1);
        look_at_data(&Draw::of(2)) => "LOOK_AT_DATA " "" json::<LookAtData>(), DataLook::of(1);
        log(&log) => "LOG " "lines=7" none(), [LogLine::of(1)];
        import(&Draw::of(2)) => "IMPORT " "" json::<ImportedStudy>(), StudySummary::of(1);
        verify_store() => "VERIFY_STORE " "" none(), StoreReport::of(1);
        compact_store() => "COMPACT_STORE " "" none(), StoreReport::of(1);
        backup_store(&Draw::of(2)) => "BACKUP_STORE " "" json::<Backup>(), StoreReport::of(1);
        hire(&Draw::of(2)) => "HIRE " "" json::<NewWorker>(), work::Hired::of(1);
        brief("s1") => "BRIEF s1" "" none(), work::Brief::of(1);
        exchange(7, &Draw::of(2)) => "EXCHANGE 7" ""
            postcard::to_allocvec(&Exchange::of(2)).unwrap(), work::Answer::of(1);
        openapi() => "OPENAPI " "" none(), serde_json::Value::of(1);
        metrics() => "METRICS " "" none(), "attune_studies 1\n";
    }

    let mut model = client.model("s1").await.unwrap();
    assert_eq!(model.size(), Some(7));
    assert_eq!(model.next().await.unwrap().unwrap(), "a model");
    assert!(model.next().await.is_none() && model.next().await.is_none());
    asked("MODEL s1", "", none());

    let paced = EventsQuery {
        pace_ms: Some(500),
        studies_only: true,
    };
    let study = || Scope::Study("s1".to_owned());
    for (scope, how, expected, query) in [
        (Scope::All, EventsQuery::default(), "EVENTS ", ""),
        (study(), EventsQuery::default(), "STUDY_EVENTS s1", ""),
        (
            Scope::All,
            paced,
            "EVENTS ",
            "pace_ms=500&studies_only=true",
        ),
    ] {
        let mut events = client.events_told(scope, how).await.unwrap();
        let Some(Ok(Notice::Event { id, event })) = events.next().await else {
            panic!("no event");
        };
        alike((id, event), (1, Event::of(1)));
        asked(expected, query, none());
    }

    assert!(
        endpoint::ALL
            .iter()
            .map(|r| r.name)
            .eq(endpoint::ALL.iter().map(|r| r.name))
    );
    let all: BTreeSet<_> = endpoint::ALL.iter().map(|r| r.name.to_owned()).collect();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn an_id_that_is_another_path_is_not_sent() {
    let toy = Toy::with_every_endpoint();
    for id in ["", ".", ".."] {
        let error = toy.client().delete_study(id).await.unwrap_err();
        assert!(matches!(&error, ClientError::Problem(p) if p.code == ProblemCode::Invalid));
    }
    assert!(toy.heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_refusal_is_a_typed_problem() {
    for code in [
        ProblemCode::NotFound,
        ProblemCode::Conflict,
        ProblemCode::Unavailable,
    ] {
        let problem = Problem::new(code, "there is no study s9: `attune ls` lists them");
        let body = serde_json::to_string(&problem).unwrap();
        let status = code.status();
        let head = format!(
            "HTTP/1.1 {status} No\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let error = Toy::saying(head + &body)
            .client()
            .study("s9")
            .await
            .unwrap_err();
        assert!(
            matches!(&error, ClientError::Problem(p) if *p == problem),
            "{error}"
        );
        assert_eq!(error.to_string(), problem.message);
    }
}

/// What the answer is made of, what kind of error that is, and what its message says.
#[tokio::test]
async fn nothing_that_answers_wrongly_is_believed() {
    let long_head = format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(1 << 20));
    let huge = "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{}";
    let short = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n[";
    let chunk = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n[{\"id\r\n";
    let bad_chunk = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n[]\r\n0\r\n\r\n";
    let error_page = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 6\r\n\r\n<html>";
    let empty_error = "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n";
    let table = [
        ("", "io", "failed"),
        ("HTTP/1.1 200 O", "io", "failed"),
        (short, "io", "failed"),
        (chunk, "io", "failed"),
        (bad_chunk, "io", "failed"),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", "bad", "not HTTP"),
        ("\0\0\0\u{1}garbage\r\n\r\n", "bad", "not HTTP"),
        (&long_head, "bad", "not HTTP"),
        (huge, "bad", "larger than 67108864 bytes"),
        (&ok("{\"id\": 3}"), "bad", "as JSON"),
        (&ok("<html>"), "bad", "<html>"),
        (&ok(""), "bad", "as JSON"),
        (
            error_page,
            "bad",
            "502 Bad Gateway without a reason: \"<html>\"",
        ),
        (
            empty_error,
            "bad",
            "500 Internal Server Error without a reason",
        ),
    ];
    for (said, kind, message) in table {
        let error = Toy::saying(said).client().studies().await.unwrap_err();
        let shown = &said[..said.len().min(60)];
        match &error {
            ClientError::Io { .. } => assert_eq!(kind, "io", "{shown:?}: {error}"),
            ClientError::BadAnswer { .. } => assert_eq!(kind, "bad", "{shown:?}: {error}"),
            other => panic!("{shown:?}: {other}"),
        }
        let text = error.to_string();
        assert!(text.contains(message), "{text}");
        assert!(
            text.contains("GET /v1/studies") && text.contains("attune daemon"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_answer_without_an_end_is_cut_off() {
    let toy = Toy::raw(|_, mut stream| async move {
        request(&mut stream).await;
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let piece = [b"100000\r\n".as_slice(), &vec![b' '; 1 << 20], b"\r\n"].concat();
        while stream.write_all(&piece).await.is_ok() {}
    });
    let error = toy.client().studies().await.unwrap_err();
    assert!(
        error.to_string().contains("larger than 67108864 bytes"),
        "{error}"
    );
}

#[tokio::test]
async fn a_daemon_that_is_not_there_is_not_running() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.sock");
    let stale = folder.path().join("stale.sock");
    drop(UnixListener::bind(&stale).unwrap());
    assert!(stale.exists());
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for address in [missing.to_str().unwrap(), stale.to_str().unwrap(), &closed] {
        let client = Client::new(Address::parse(address, Some("secret"), None).unwrap());
        let error = client.status().await.unwrap_err();
        assert!(matches!(error, ClientError::NotRunning { .. }), "{error}");
        let expected =
            format!("no daemon answers at {address}: start it with `attune daemon start`");
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_hangs_is_given_up_when_the_deadline_is_over() {
    let silent = Toy::raw(|_, stream| async move {
        let _open = stream;
        std::future::pending().await
    });
    let half = Toy::raw(|_, mut stream| async move {
        request(&mut stream).await;
        stream
            .write_all(&ok("[{}]").as_bytes()[..60])
            .await
            .unwrap();
        std::future::pending().await
    });
    for toy in [silent, half] {
        let table = [
            (toy.client(), Duration::from_secs(30)),
            (
                toy.client().within(Duration::from_secs(600)),
                Duration::from_secs(600),
            ),
            (
                toy.client().within(Duration::from_millis(20)),
                Duration::from_millis(20),
            ),
        ];
        for (client, deadline) in table {
            let began = Instant::now();
            let error = client.studies().await.unwrap_err();
            assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
            assert!(error.to_string().contains("try again"), "{error}");
            let waited = began.elapsed();
            assert!(
                waited >= deadline && waited < deadline + Duration::from_secs(1),
                "{waited:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_takes_long_is_waited_for_longer() {
    let toy = Toy::raw(|_, stream| async move {
        let _open = stream;
        std::future::pending().await
    });
    let client = toy.client();
    let waited = async |answer: &mut (dyn Future<Output = bool> + Unpin + Send)| {
        let began = Instant::now();
        assert!(answer.await, "it is a timeout");
        began.elapsed().as_secs()
    };
    let timed_out = |error: ClientError| matches!(error, ClientError::Timeout { .. });
    let study = NewStudy::of(0);
    let mut create = Box::pin(async { timed_out(client.create_study(&study).await.unwrap_err()) });
    assert_eq!(waited(&mut create).await, 900);
    let exchange = Exchange {
        patience_ms: 20_000,
        ..Exchange::default()
    };
    let mut exchange =
        Box::pin(async { timed_out(client.exchange(1, &exchange).await.unwrap_err()) });
    assert_eq!(waited(&mut exchange).await, 50);
}

/// A daemon that answers so many requests on each connection, and what it heard.
fn serving(how_many: usize) -> (Toy, Heard) {
    let heard = Heard::default();
    let log = Arc::clone(&heard);
    let toy = Toy::raw(move |number, mut stream| {
        let heard = Arc::clone(&log);
        async move {
            for _ in 0..how_many {
                if !hears(&mut stream, &heard, number).await {
                    return;
                }
                stream.write_all(ok("[]").as_bytes()).await.unwrap();
            }
        }
    });
    (toy, heard)
}

/// Reads a request, and writes down that it came on this connection. Says whether there was one.
async fn hears(stream: &mut UnixStream, heard: &Heard, number: usize) -> bool {
    let head = request(stream).await;
    let Some(line) = head.lines().next() else {
        return false;
    };
    let line = (line.to_owned(), number.to_string(), Vec::new());
    heard.lock().unwrap().push(line);
    true
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let (toy, heard) = serving(100);
    let client = toy.client();
    for _ in 0..5 {
        client.studies().await.unwrap();
        client
            .clone()
            .within(Duration::from_secs(5))
            .plugins()
            .await
            .unwrap();
    }
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 10);
    assert!(
        heard.iter().all(|(_, connection, _)| connection == "0"),
        "{heard:?}"
    );
}

#[tokio::test]
async fn requests_at_the_same_time_have_connections_of_their_own() {
    let (toy, heard) = serving(100);
    let client = toy.client();
    let (a, b) = tokio::join!(client.studies(), client.plugins());
    assert!(a.is_ok() && b.is_ok());
    assert_eq!(heard.lock().unwrap().len(), 2);
}

/// A daemon that closes each connection after its first answer: when the close is seen before the
/// next request, any request gets a new one.
#[tokio::test]
async fn a_connection_that_was_closed_is_replaced() {
    let (toy, heard) = serving(1);
    let client = toy.client();
    for number in 0..20 {
        // Whether the close is seen in time is left to chance, so only a read is sure to pass.
        client.studies().await.unwrap();
        assert_eq!(heard.lock().unwrap().len(), number + 1);
    }
}

/// A daemon that closes a connection in the middle of its second request, having read it.
#[tokio::test]
async fn only_a_read_is_sent_a_second_time() {
    let heard = Heard::default();
    let log = Arc::clone(&heard);
    let toy = Toy::raw(move |number, mut stream| {
        let heard = Arc::clone(&log);
        async move {
            if hears(&mut stream, &heard, number).await {
                stream.write_all(ok("[]").as_bytes()).await.unwrap();
                hears(&mut stream, &heard, number).await;
            }
        }
    });
    let client = toy.client();
    client.studies().await.unwrap();
    // Read on the first connection, lost there, and answered on the second.
    client.studies().await.unwrap();
    let error = client.release_plugin("greedy").await.unwrap_err();
    assert!(matches!(error, ClientError::Io { .. }), "{error}");
    assert!(error.to_string().contains("try again"), "{error}");
    let heard: Vec<_> = heard
        .lock()
        .unwrap()
        .iter()
        .map(|(l, c, _)| (l.clone(), c.clone()))
        .collect();
    let get = "GET /v1/studies HTTP/1.1".to_owned();
    let post = "POST /v1/plugins/greedy/release HTTP/1.1".to_owned();
    let expected = [
        (get.clone(), "0"),
        (get.clone(), "0"),
        (get, "1"),
        (post, "1"),
    ];
    assert_eq!(heard, expected.map(|(l, c)| (l, c.to_owned())));
}

/// A call that is over, however it ended, leaves nothing behind that the daemon would wait for.
#[tokio::test(start_paused = true)]
async fn what_is_given_up_is_hung_up() {
    let (sender, mut hung_up) = tokio::sync::mpsc::channel(8);
    let toy = Toy::raw(move |_, mut stream| {
        let sender = sender.clone();
        async move {
            request(&mut stream).await;
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            while stream.read_u8().await.is_ok() {}
            sender.send(()).await.unwrap();
        }
    });
    let client = toy.client();
    client.studies().await.unwrap_err();
    hung_up.recv().await.unwrap();
    drop(client.events(Scope::All).await.unwrap());
    hung_up.recv().await.unwrap();
    drop(client.model("s1").await.unwrap());
    hung_up.recv().await.unwrap();
}

/// A daemon may say no before it has read all of a large body, and hang up.
#[tokio::test]
async fn a_refusal_in_the_middle_of_a_large_body_is_heard() {
    let problem = Problem::new(
        ProblemCode::TooLarge,
        "a study file has at most 1 MiB: shorten it",
    );
    let said = problem.clone();
    let toy = Toy::raw(move |_, mut stream| {
        let body = serde_json::to_string(&said).unwrap();
        async move {
            request(&mut stream).await;
            let head = format!("HTTP/1.1 413 No\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all((head + &body).as_bytes()).await.unwrap();
        }
    });
    let study = NewStudy {
        spec: "x".repeat(1 << 20),
        ..NewStudy::of(0)
    };
    for _ in 0..10 {
        let error = toy.client().create_study(&study).await.unwrap_err();
        assert!(
            matches!(&error, ClientError::Problem(p) if *p == problem),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_model_that_breaks_off_is_not_whole() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\nhalf a";
    let mut model = Toy::saying(head).client().model("s1").await.unwrap();
    assert_eq!(model.size(), Some(500));
    assert_eq!(model.next().await.unwrap().unwrap(), "half a");
    let error = model.next().await.unwrap().unwrap_err();
    assert!(matches!(error, ClientError::Io { .. }), "{error}");
    assert!(model.next().await.is_none());
}
