//! Daemons that are not, on sockets in folders of their own.

use attune_protocol::client::{Address, Client};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// What a toy daemon was asked: method, path, query and body.
pub(crate) type Heard = Arc<Mutex<Vec<(String, String, Vec<u8>)>>>;

pub(crate) struct Toy {
    pub(crate) folder: TempDir,
    pub(crate) heard: Heard,
}

impl Toy {
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("attune.sock")
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(Address::Unix(self.socket()))
    }

    /// A daemon that does to the so-many-th connection whatever is given.
    pub(crate) fn raw<F>(on_connection: impl Fn(usize, UnixStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let toy = Toy {
            folder: tempfile::tempdir().unwrap(),
            heard: Heard::default(),
        };
        let listener = UnixListener::bind(toy.socket()).unwrap();
        tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(on_connection(number, stream));
            }
        });
        toy
    }

    /// A daemon that answers every request on every connection with these bytes, then closes.
    pub(crate) fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes: Arc<Vec<u8>> = Arc::new(bytes.into());
        Self::raw(move |_, mut stream| {
            let bytes = Arc::clone(&bytes);
            async move {
                request(&mut stream).await;
                // The client may hang up in the middle of it.
                let _ = stream.write_all(&bytes).await;
            }
        })
    }
}

/// Reads one request without a body.
pub(crate) async fn request(stream: &mut UnixStream) -> String {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => text.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(text).unwrap()
}

pub(crate) fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}
