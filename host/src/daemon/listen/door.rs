//! Opens a socket to listen on, by the rules: the Unix socket only for its owner, the network only
//! with a token, and other machines only with TLS too.

use super::ListenError;
use super::credentials::{Token, acceptor};
use crate::daemon::config::Listen;
use crate::daemon::lock::Lock;
use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_rustls::TlsAcceptor;

/// A socket that is listened on; nobody is answered until it is served.
pub(crate) struct Door {
    listener: Listener,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) token: Option<Token>,
}

enum Listener {
    Unix {
        listener: UnixListener,
        _file: SocketFile,
    },
    Tcp(TcpListener),
}

/// A byte stream, of whichever kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Door {
    /// Listens on a Unix socket that only its owner may use. Its folder must be private already.
    ///
    /// The lock shows that no other daemon of this state folder can live: a socket that a killed
    /// one left behind is replaced.
    ///
    /// # Errors
    /// Where something answers at that path, or lies there that is no socket.
    pub(crate) async fn unix(path: &Path, _ours: &Lock) -> Result<Self, ListenError> {
        let failed = |why| ListenError::Socket {
            path: path.to_owned(),
            why,
        };
        match fs::symlink_metadata(path) {
            Ok(meta) if !meta.file_type().is_socket() => {
                return Err(ListenError::NoSocket(path.to_owned()));
            }
            Ok(_) => match UnixStream::connect(path).await {
                // Nobody listens any more.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    fs::remove_file(path).map_err(failed)?;
                }
                // Connected, or so many wait that it cannot be told.
                _ => return Err(ListenError::Answered(path.to_owned())),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        let file = SocketFile::of(path).map_err(failed)?;
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Door {
            listener: Listener::Unix {
                listener,
                _file: file,
            },
            tls: None,
            token: None,
        })
    }

    /// Listens on the network.
    ///
    /// # Errors
    /// Without a token; beyond this machine, without TLS; and where the address is taken.
    pub(crate) async fn tcp(listen: &Listen) -> Result<Self, ListenError> {
        let address = listen.address;
        let tls = match (&listen.certificate, &listen.key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(ListenError::HalfTls),
        };
        let beyond_this_machine = !address.ip().to_canonical().is_loopback();
        if beyond_this_machine && (tls.is_none() || listen.token_file.is_none()) {
            return Err(ListenError::Unprotected(address));
        }
        let Some(token_file) = &listen.token_file else {
            return Err(ListenError::NoToken(address));
        };
        let token = Token::read(token_file)?;
        let tls = tls
            .map(|(certificate, key)| acceptor(certificate, key))
            .transpose()?;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|why| ListenError::Address { address, why })?;
        Ok(Door {
            listener: Listener::Tcp(listener),
            tls,
            token: Some(token),
        })
    }

    /// Where it listens, for people.
    pub(crate) fn place(&self) -> String {
        match &self.listener {
            Listener::Unix { _file: file, .. } => file.path.display().to_string(),
            Listener::Tcp(_) => {
                let scheme = if self.tls.is_some() { "https" } else { "http" };
                self.address()
                    .map_or_else(|| scheme.to_owned(), |at| format!("{scheme}://{at}"))
            }
        }
    }

    /// The address with the port that was found for port 0; none for a Unix socket.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match &self.listener {
            Listener::Unix { .. } => None,
            Listener::Tcp(listener) => listener.local_addr().ok(),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<Box<dyn Stream>> {
        match &self.listener {
            Listener::Unix { listener, .. } => Ok(Box::new(listener.accept().await?.0)),
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Small answers should not wait for more to send; where they must, no harm is done.
                let _ = stream.set_nodelay(true);
                Ok(Box::new(stream))
            }
        }
    }
}

/// A socket's file, removed when nobody listens any more.
struct SocketFile {
    path: PathBuf,
    id: (u64, u64),
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        let meta = fs::symlink_metadata(path)?;
        Ok(SocketFile {
            path: path.to_owned(),
            id: (meta.dev(), meta.ino()),
        })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Not one that somebody else has put in its place.
        let there = fs::symlink_metadata(&self.path).map(|meta| (meta.dev(), meta.ino()));
        if there.ok() == Some(self.id) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
