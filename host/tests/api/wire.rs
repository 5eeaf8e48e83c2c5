//! A client that sends bytes as they are, and reads whatever comes.

use crate::support::Home;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// No answer takes longer, however busy the machine is.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A connection to a home's daemon.
pub fn connect(home: &Home) -> UnixStream {
    let stream = UnixStream::connect(home.socket()).expect("the daemon listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    stream
        .set_write_timeout(Some(DEADLINE))
        .expect("a deadline");
    stream
}

/// An answer in its parts.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
        Some(Answer {
            status: head.split(' ').nth(1)?.parse().ok()?,
            body: bytes[end + 4..].to_vec(),
            head: head.to_ascii_lowercase(),
        })
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// Sends a request on a connection of its own, and reads to the end. None where the daemon closes
/// without an answer.
pub fn exchange(home: &Home, bytes: &[u8]) -> Option<Answer> {
    let mut stream = connect(home);
    // A daemon that has refused it already need not take the rest.
    let _ = stream.write_all(bytes);
    read(stream)
}

/// The same with what is no whole request, after which nothing follows. To the daemon a client that
/// says so is gone, so it may be left without an answer even where it was one.
pub fn break_off(home: &Home, bytes: &[u8]) -> Option<Answer> {
    let mut stream = connect(home);
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    read(stream)
}

fn read(mut stream: UnixStream) -> Option<Answer> {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            panic!("no answer within {DEADLINE:?}")
        }
        // Closed with bytes of ours unread: what was answered before counts.
        Err(_) => {}
    }
    Answer::parse(&answer)
}

/// A whole request.
pub fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "{method} {path} HTTP/1.1\r\nhost: attune\r\nconnection: close\r\n{headers}\
         content-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Asks for something as a client in its right mind.
pub fn get(home: &Home, path: &str) -> Answer {
    exchange(home, &request("GET", path, "", b"")).expect("an answer")
}

/// What is told of something that there is.
#[track_caller]
pub fn told<T: DeserializeOwned>(home: &Home, path: &str) -> T {
    let answer = get(home, path);
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_slice(&answer.body).expect("what was asked for")
}
