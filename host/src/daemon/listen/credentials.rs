//! What a door to the network needs: a certificate with its key, and a token.

use super::ListenError;
use rustix::rand::{GetRandomFlags, getrandom};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Longer than any certificate chain, key or token.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A shorter token could be guessed.
const MIN_TOKEN: usize = 16;
const MAX_TOKEN: usize = 1024;

/// Where [`make_credentials`] put what it made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) token_file: PathBuf,
}

/// Makes a certificate that signs itself, its key and a random token, each in a file of `folder`
/// that only its owner can read. `hosts` are the names and addresses under which clients reach the
/// daemon.
///
/// # Errors
/// Where a host is no name, or a file exists already: what is in use is not replaced.
pub(crate) fn make_credentials(
    folder: &Path,
    hosts: &[String],
) -> Result<Credentials, ListenError> {
    let cannot = |path: &Path, why: String| ListenError::Credentials {
        doing: "make",
        path: path.to_owned(),
        why,
    };
    let made = rcgen::generate_simple_self_signed(hosts)
        .map_err(|error| cannot(folder, format!("{error}; the hosts are {hosts:?}")))?;
    let mut random = [0; 32];
    let length = getrandom(&mut random, GetRandomFlags::empty())
        .map_err(|error| cannot(folder, error.to_string()))?;
    if length < random.len() {
        return Err(cannot(folder, "the system gave no random bytes".into()));
    }
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();

    let credentials = Credentials {
        certificate: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
        token_file: folder.join("token"),
    };
    let files = [
        (&credentials.certificate, made.cert.pem()),
        (&credentials.key, made.signing_key.serialize_pem()),
        (&credentials.token_file, token + "\n"),
    ];
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| cannot(folder, error.to_string()))?;
    for (path, _) in &files {
        if path.exists() {
            let why = "it exists already; remove it if clients may lose it";
            return Err(cannot(path, why.into()));
        }
    }
    for (path, text) in files {
        let write = |path: &Path| -> io::Result<()> {
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write(path).map_err(|error| cannot(path, error.to_string()))?;
    }
    Ok(credentials)
}

/// What every request over the network must carry. Only its hash is kept, and hashes are compared
/// in constant time.
#[derive(Clone)]
pub(super) struct Token(blake3::Hash);

impl Token {
    pub(super) fn read(path: &Path) -> Result<Self, ListenError> {
        let cannot = |why: String| ListenError::Credentials {
            doing: "use",
            path: path.to_owned(),
            why,
        };
        let text = String::from_utf8(read_secret(path)?)
            .map_err(|_| cannot("it is not text; write the token in one line".into()))?;
        let token = text.trim();
        if !(MIN_TOKEN..=MAX_TOKEN).contains(&token.len())
            || !token.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(cannot(format!(
                "it must hold one token of {MIN_TOKEN} to {MAX_TOKEN} letters, digits and signs; \
                 `openssl rand -hex 32` makes one"
            )));
        }
        Ok(Token(blake3::hash(token.as_bytes())))
    }

    pub(super) fn is(&self, given: &[u8]) -> bool {
        // blake3 compares its hashes in constant time.
        given.len() <= MAX_TOKEN && self.0 == blake3::hash(given)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// What encrypts connections.
pub(super) fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, ListenError> {
    let cannot = |path: &Path, why: String| ListenError::Credentials {
        doing: "use",
        path: path.to_owned(),
        why,
    };
    let pem = read(certificate)?;
    let chain = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| cannot(certificate, error.to_string()))?;
    if chain.is_empty() {
        let why = "it holds no certificate in PEM";
        return Err(cannot(certificate, why.into()));
    }
    let secret = PrivateKeyDer::from_pem_slice(&read_secret(key)?)
        .map_err(|error| cannot(key, error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, secret))
        .map_err(|error| {
            cannot(
                certificate,
                format!(
                    "{error}; check that it belongs to the key {}",
                    key.display()
                ),
            )
        })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A file that only its owner may read.
fn read_secret(path: &Path) -> Result<Vec<u8>, ListenError> {
    let mode = fs::metadata(path).map(|meta| meta.mode() & 0o777);
    if let Ok(mode) = mode
        && mode & 0o077 != 0
    {
        return Err(ListenError::Credentials {
            doing: "use",
            path: path.to_owned(),
            why: format!(
                "others may read it (mode {mode:o}); run `chmod 600 {}`",
                path.display()
            ),
        });
    }
    read(path)
}

fn read(path: &Path) -> Result<Vec<u8>, ListenError> {
    let cannot = |why: String| ListenError::Credentials {
        doing: "read",
        path: path.to_owned(),
        why,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| cannot(error.to_string()))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(cannot(format!("it is longer than {MAX_FILE_BYTES} bytes")));
    }
    Ok(bytes)
}
