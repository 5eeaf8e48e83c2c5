//! Streams of events that break in every way.

use crate::draw::Draw;
use crate::toy::{Toy, ok, request};
use attune_protocol::client::{ClientError, EventStream, Notice, Scope};
use attune_protocol::{Event, Number, Problem, ProblemCode, Progress};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout};

const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
                    transfer-encoding: chunked\r\n\r\n";

fn frame(id: u64, event: &Event) -> String {
    let data = serde_json::to_string(event).unwrap();
    format!("id: {id}\nevent: {}\ndata: {data}\n\n", event.tag())
}

fn warning(message: &str) -> Event {
    Event::Warning {
        message: message.to_owned(),
    }
}

fn not_a_number() -> Event {
    Event::Epoch(Progress {
        trial: "s1.1".to_owned(),
        epoch: 3,
        step: 90,
        metrics: [("valid_loss".to_owned(), Number(f64::NAN))].into(),
        rate: Number(f64::INFINITY),
    })
}

async fn send(stream: &mut UnixStream, text: impl AsRef<[u8]>) {
    let text = text.as_ref();
    let chunk = [format!("{:x}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat();
    // A client that had enough hangs up.
    let _ = stream.write_all(&chunk).await;
}

/// A daemon that answers its connections with these, in turn, each closed behind its last byte,
/// and from then on says nothing. It keeps what it was asked.
fn daemon(answers: Vec<Vec<u8>>) -> (Toy, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let answers = Arc::new(answers);
    let toy = Toy::raw(move |number, mut stream| {
        let (asked, answers) = (Arc::clone(&log), Arc::clone(&answers));
        async move {
            let head = request(&mut stream).await;
            asked.lock().unwrap().push(head.to_lowercase());
            match answers.get(number) {
                Some(answer) => drop(stream.write_all(answer).await),
                None => std::future::pending().await,
            }
        }
    });
    (toy, asked)
}

fn chunked(text: &str) -> Vec<u8> {
    format!("{HEAD}{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

async fn told(stream: &mut EventStream) -> String {
    match stream.next().await {
        None => "over".to_owned(),
        Some(Err(error)) => format!("error: {error}"),
        Some(Ok(Notice::Disconnected(_))) => "away".to_owned(),
        Some(Ok(Notice::Reconnected)) => "back".to_owned(),
        Some(Ok(Notice::Event { id, event })) => format!("{id} {event:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn it_comes_back_from_where_it_was() {
    let (a, b, c) = (not_a_number(), warning("b"), warning("c"));
    let newer = "id: 8\nevent: comet\ndata: {\"event\": \"comet\", \"tail\": 3}\n\n";
    let first = format!(
        "{}{newer}{}id: 10\ndata: {{\"event\"",
        frame(7, &a),
        frame(9, &b)
    );
    let busy = serde_json::to_string(&Problem::new(ProblemCode::Unavailable, "it stops")).unwrap();
    let busy = format!(
        "HTTP/1.1 503 No\r\ncontent-length: {}\r\n\r\n{busy}",
        busy.len()
    );
    let (toy, asked) = daemon(vec![
        chunked(&first),
        busy.into(),
        Vec::new(),
        b"\0garbage\r\n\r\n".to_vec(),
        ok("[]").into(),
        chunked(&frame(10, &c)),
    ]);
    let mut stream = toy
        .client()
        .events(Scope::Study("s1".to_owned()))
        .await
        .unwrap();
    let mut notices = Vec::new();
    for _ in 0..6 {
        notices.push(told(&mut stream).await);
    }
    let expected = [
        format!("7 {a:?}"),
        format!("9 {b:?}"),
        "away".to_owned(),
        "back".to_owned(),
        format!("10 {c:?}"),
        "away".to_owned(),
    ];
    assert_eq!(notices, expected);
    assert_eq!(stream.last(), Some(10));
    let asked = asked.lock().unwrap();
    assert!(!asked[0].contains("last-event-id"));
    for head in &asked[1..] {
        assert!(head.starts_with("get /v1/studies/s1/events "), "{head}");
        assert!(head.contains("last-event-id: 9\r\n"), "{head}");
    }
    assert_eq!(asked.len(), 6);
}

#[tokio::test]
async fn events_may_come_byte_by_byte() {
    let event = Event::of(5);
    let text = format!(": beat\r\n\r\n{}", frame(1, &event).replace('\n', "\r\n"));
    let toy = Toy::raw(move |_, mut stream| {
        let text = text.clone();
        async move {
            request(&mut stream).await;
            stream.write_all(HEAD.as_bytes()).await.unwrap();
            for byte in text.bytes() {
                send(&mut stream, [byte]).await;
                tokio::task::yield_now().await;
            }
        }
    });
    let mut stream = toy.client().events(Scope::All).await.unwrap();
    assert_eq!(told(&mut stream).await, format!("1 {event:?}"));
}

#[tokio::test(start_paused = true)]
async fn a_study_that_is_gone_ends_the_stream() {
    let problem = Problem::new(ProblemCode::NotFound, "there is no study s1");
    let json = serde_json::to_string(&problem).unwrap();
    let gone = format!(
        "HTTP/1.1 404 No\r\ncontent-length: {}\r\n\r\n{json}",
        json.len()
    );
    let (toy, _) = daemon(vec![chunked(""), gone.into()]);
    let mut stream = toy
        .client()
        .events(Scope::Study("s1".to_owned()))
        .await
        .unwrap();
    for expected in ["away", "error: there is no study s1", "over", "over"] {
        assert_eq!(told(&mut stream).await, expected);
    }
}

#[tokio::test]
async fn what_is_refused_at_first_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let address = attune_protocol::Address::Unix(folder.path().join("none"));
    let error = attune_protocol::Client::new(address)
        .events(Scope::All)
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::NotRunning { .. }), "{error}");
    let (toy, _) = daemon(vec![ok("[]").into()]);
    let error = toy.client().events(Scope::All).await.unwrap_err();
    assert!(
        error.to_string().contains("not a stream of events"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_read_costs_no_other() {
    let wrong = "data: {\"event\": \"warning\", \"message\": 3}\n\n";
    let garbage = "data: <html>\n\n";
    let last = warning("last");
    let (toy, _) = daemon(vec![chunked(&format!(
        "{wrong}{garbage}{}",
        frame(3, &last)
    ))]);
    let mut stream = toy.client().events(Scope::All).await.unwrap();
    for _ in 0..2 {
        let said = told(&mut stream).await;
        assert!(
            said.contains("error: the answer of") && said.contains("as JSON"),
            "{said}"
        );
    }
    assert_eq!(told(&mut stream).await, format!("3 {last:?}"));
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_text_break_the_stream() {
    let bytes = [HEAD.as_bytes(), b"6\r\n\xff\xfe\xfd\n\n\n\r\n"].concat();
    let (toy, _) = daemon(vec![bytes, chunked(&frame(1, &warning("a")))]);
    let mut stream = toy.client().events(Scope::All).await.unwrap();
    let notice = stream.next().await.unwrap().unwrap();
    let Notice::Disconnected(ClientError::BadAnswer { why, .. }) = notice else {
        panic!("{notice:?}");
    };
    assert_eq!(why, "an event is not UTF-8");
    assert_eq!(told(&mut stream).await, "back");
    assert!(told(&mut stream).await.starts_with("1 "));
}

#[tokio::test(start_paused = true)]
async fn a_daemon_without_a_heartbeat_is_away() {
    let toy = Toy::raw(|_, mut stream| async move {
        request(&mut stream).await;
        stream.write_all(HEAD.as_bytes()).await.unwrap();
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_secs(15)).await;
            send(&mut stream, ": beat\n\n").await;
        }
        std::future::pending().await
    });
    let mut stream = toy.client().events(Scope::All).await.unwrap();
    let began = Instant::now();
    let notice = stream.next().await.unwrap().unwrap();
    assert!(
        matches!(notice, Notice::Disconnected(ClientError::Timeout { .. })),
        "{notice:?}"
    );
    assert_eq!(began.elapsed().as_secs(), 150 + 45);
}

/// Waits of 0.1, 0.2, … seconds, then of five seconds each: a minute has 6 + 10 of them.
#[tokio::test(start_paused = true)]
async fn a_daemon_that_is_away_is_not_besieged() {
    let mut answers = vec![Vec::new(); 1000];
    answers[0] = chunked("");
    let (toy, asked) = daemon(answers);
    let mut stream = toy.client().events(Scope::All).await.unwrap();
    assert_eq!(told(&mut stream).await, "away");
    assert!(
        timeout(Duration::from_secs(60), stream.next())
            .await
            .is_err()
    );
    let attempts = asked.lock().unwrap().len() - 1;
    assert!((15..=17).contains(&attempts), "{attempts}");
}

/// A caller that looks at other things every millisecond, as a dashboard does, misses nothing and
/// does not keep the stream from connecting.
#[tokio::test(start_paused = true)]
async fn to_stop_waiting_loses_nothing() {
    let toy = Toy::raw(|number, mut stream| async move {
        request(&mut stream).await;
        // Slower than the caller's patience.
        tokio::time::sleep(Duration::from_millis(300)).await;
        stream.write_all(HEAD.as_bytes()).await.unwrap();
        for i in 0..3 {
            let text = frame(10 * number as u64 + i, &warning("a"));
            for half in text.as_bytes().chunks(20) {
                tokio::time::sleep(Duration::from_millis(3)).await;
                send(&mut stream, half).await;
            }
        }
    });
    let mut stream = toy.client().events(Scope::All).await.unwrap();
    let mut notices = Vec::new();
    let mut turns = 0;
    while notices.len() < 8 {
        turns += 1;
        assert!(turns < 5000, "{notices:?}");
        if let Ok(notice) = timeout(Duration::from_millis(1), told(&mut stream)).await {
            notices.push(notice.split(' ').next().unwrap().to_owned());
        }
    }
    assert_eq!(notices, ["0", "1", "2", "away", "back", "10", "11", "12"]);
}
