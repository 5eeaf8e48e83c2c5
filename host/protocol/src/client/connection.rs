//! One connection to a daemon.

use super::address::Address;
use super::error::{Asked, ClientError};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A daemon that is there answers at once, and one over a network within a few round trips.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A PEM file with more than this is not a certificate.
const LONGEST_PEM: u64 = 1024 * 1024;
/// How soon a daemon whose queue of new connections is full is asked again.
const QUEUE_PAUSE: Duration = Duration::from_millis(10);

/// A connection for one request at a time. It is closed when this is dropped, with whatever is
/// still under way on it.
#[derive(Debug)]
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: AbortHandle,
}

/// Why a request on a connection has no answer.
pub(super) struct NotSent {
    pub(super) error: hyper::Error,
    /// Whether certainly not a byte of it was sent.
    pub(super) unsent: bool,
}

impl Connection {
    /// Connects within five seconds.
    pub(super) async fn open(address: &Address, asked: &Asked) -> Result<Self, ClientError> {
        timeout(CONNECT_WITHIN, connected(address, asked))
            .await
            .unwrap_or_else(|_| Err(asked.timeout(CONNECT_WITHIN)))
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, NotSent> {
        // An earlier answer may just have been read to its end.
        if let Err(error) = self.sender.ready().await {
            return Err(NotSent {
                error,
                unsent: true,
            });
        }
        let sent = self.sender.try_send_request(request).await;
        sent.map_err(|failed| NotSent {
            unsent: failed.message().is_some(),
            error: failed.into_error(),
        })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    async fn over<S>(stream: S, asked: &Asked) -> Result<Self, ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|e| asked.http(e))?;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer on it is told as well.
            let _ = connection.await;
        });
        Ok(Connection {
            sender,
            driver: driver.abort_handle(),
        })
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

async fn connected(address: &Address, asked: &Asked) -> Result<Connection, ClientError> {
    match address {
        Address::Unix(path) => {
            let stream = loop {
                match UnixStream::connect(path).await {
                    // The queue of connections is full: nothing to wait on is given for that.
                    Err(e) if e.kind() == ErrorKind::WouldBlock => sleep(QUEUE_PAUSE).await,
                    other => break other.map_err(|e| refused(asked, e))?,
                }
            };
            Connection::over(stream, asked).await
        }
        Address::Loopback { port, .. } => {
            let stream = tcp((Ipv4Addr::LOCALHOST, *port), asked).await?;
            Connection::over(stream, asked).await
        }
        Address::Tls {
            host, port, trust, ..
        } => {
            let connector = TlsConnector::from(tls_config(trust, asked)?);
            let name = ServerName::try_from(host.clone())
                .map_err(|e| asked.io(io::Error::new(ErrorKind::InvalidInput, e)))?;
            let stream = tcp((host.as_str(), *port), asked).await?;
            let stream = connector.connect(name, stream).await.map_err(|e| {
                let hint = "where the certificate is the reason, copy the daemon's PEM file here \
                            anew and use a host name that stands in it";
                asked.io_with(e, hint)
            })?;
            Connection::over(stream, asked).await
        }
    }
}

async fn tcp(to: impl tokio::net::ToSocketAddrs, asked: &Asked) -> Result<TcpStream, ClientError> {
    let stream = TcpStream::connect(to)
        .await
        .map_err(|e| refused(asked, e))?;
    // Requests are small and waited for.
    stream.set_nodelay(true).map_err(|e| asked.io(e))?;
    Ok(stream)
}

fn refused(asked: &Asked, error: io::Error) -> ClientError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => asked.not_running(),
        ErrorKind::PermissionDenied => {
            asked.io_with(error, "run the command as the user whose daemon it is")
        }
        ErrorKind::InvalidInput => asked.io_with(
            error,
            "a socket's path has at most 107 bytes: set ATTUNE_HOME to a shorter folder",
        ),
        _ => asked.io(error),
    }
}

/// Trusts the certificates of one file and nobody else's.
fn tls_config(trust: &Path, asked: &Asked) -> Result<Arc<ClientConfig>, ClientError> {
    let hint = "copy the PEM file of the daemon's certificate there anew";
    let unusable = |why: String| {
        let text = format!("the certificate {}: {why}", trust.display());
        asked.io_with(io::Error::new(ErrorKind::InvalidData, text), hint)
    };
    let mut pem = Vec::new();
    let read = File::open(trust).and_then(|f| f.take(LONGEST_PEM + 1).read_to_end(&mut pem));
    let size = read.map_err(|e| unusable(e.to_string()))?;
    if size as u64 > LONGEST_PEM {
        return Err(unusable("it is larger than 1 MiB".to_owned()));
    }
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|e| unusable(e.to_string()))?;
        let added = roots.add(certificate);
        added.map_err(|e| unusable(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("there is no certificate in it".to_owned()));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable(e.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
