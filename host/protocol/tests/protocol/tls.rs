//! Over TCP: with TLS and one trusted certificate, or on the loopback, always with a token.

use attune_protocol::client::{Address, Client, ClientError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

struct Daemon {
    folder: TempDir,
    at: SocketAddr,
}

impl Daemon {
    /// A daemon with a certificate of its own that names `localhost`.
    async fn with_tls() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join("own.pem"), own.cert.pem()).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(folder.path().join("other.pem"), other.cert.pem()).unwrap();
        std::fs::write(folder.path().join("empty.pem"), "nothing").unwrap();
        std::fs::write(folder.path().join("large.pem"), vec![b'x'; 2 << 20]).unwrap();
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        answer(stream).await;
                    }
                });
            }
        });
        Daemon { folder, at }
    }

    async fn without_tls() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(answer(stream));
            }
        });
        Daemon {
            folder: tempfile::tempdir().unwrap(),
            at,
        }
    }

    fn pem(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Answers with what stood in the headers that matter.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut head = Vec::new();
    // A greeting in TLS is no HTTP, and refused like any other nonsense.
    while !head.ends_with(b"\r\n\r\n") && !head.starts_with(b"\x16") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head);
    let told = |line: &&str| line.starts_with("authorization:") || line.starts_with("host:");
    let mut told: Vec<&str> = head.lines().filter(told).collect();
    told.sort_unstable();
    let body = told.join("\n");
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn client(address: &str, trust: Option<&Path>) -> Client {
    Client::new(Address::parse(address, Some("secret"), trust).unwrap())
}

#[tokio::test]
async fn the_daemon_with_the_right_certificate_is_told_the_token() {
    let daemon = Daemon::with_tls().await;
    let address = format!("https://localhost:{}", daemon.at.port());
    let client = client(&address, Some(&daemon.pem("own.pem")));
    let told = client.metrics().await.unwrap();
    let host = format!("host: localhost:{}", daemon.at.port());
    assert_eq!(told, format!("authorization: Bearer secret\n{host}"));
}

#[tokio::test]
async fn nobody_else_is_told_anything() {
    let daemon = Daemon::with_tls().await;
    let plain = Daemon::without_tls().await;
    let port = daemon.at.port();
    let table = [
        (
            format!("https://localhost:{port}"),
            "other.pem",
            "certificate",
        ),
        (
            format!("https://127.0.0.1:{port}"),
            "own.pem",
            "not valid for name",
        ),
        (
            format!("https://localhost:{}", plain.at.port()),
            "own.pem",
            "failed",
        ),
        (
            format!("https://localhost:{port}"),
            "missing.pem",
            "missing.pem: No such file",
        ),
        (
            format!("https://localhost:{port}"),
            "empty.pem",
            "there is no certificate in it",
        ),
        (
            format!("https://localhost:{port}"),
            "large.pem",
            "larger than 1 MiB",
        ),
    ];
    for (address, pem, message) in table {
        let client = client(&address, Some(&daemon.pem(pem)));
        let error = client.metrics().await.unwrap_err();
        assert!(matches!(error, ClientError::Io { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(message), "{address} {pem}: {text}");
        assert!(
            text.contains("copy the") && !text.contains("secret"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn the_loopback_takes_the_token_without_tls() {
    let daemon = Daemon::without_tls().await;
    let client = client(&format!("http://{}", daemon.at), None);
    let told = client.metrics().await.unwrap();
    assert_eq!(
        told,
        format!("authorization: Bearer secret\nhost: {}", daemon.at)
    );
}
