//! Where a daemon is reached.

use std::fmt;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Where a daemon is reached, and by what right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A socket on this machine; whoever may open it may do everything.
    Unix(PathBuf),
    /// Over the network.
    Tls {
        /// A name or address that stands in the daemon's certificate.
        host: String,
        /// Its port.
        port: u16,
        /// What it asks for.
        token: Token,
        /// The daemon's own certificate, a PEM file: no other is trusted.
        trust: PathBuf,
    },
    /// On this machine over TCP, without TLS: `127.0.0.1` alone.
    Loopback {
        /// Its port.
        port: u16,
        /// What it asks for.
        token: Token,
    },
}

/// A secret that opens the daemon's door. It is not shown, not even for debugging.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// It has none of the forms.
    #[error(
        "no daemon can be at {text:?}: {why}; give a socket's path, `unix:PATH`, \
         `https://HOST:PORT` or `http://127.0.0.1:PORT`"
    )]
    Form {
        /// What was given.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// It takes a token.
    #[error(
        "the daemon at {text} asks for a token and none was given: give the one it was started with"
    )]
    NoToken {
        /// What was given.
        text: String,
    },
    /// The token has characters that no token has.
    #[error("the token is empty, too long or has spaces or other odd characters: copy it anew")]
    BadToken,
    /// It takes a certificate.
    #[error(
        "it is not known which certificate the daemon at {text} has: copy its PEM file here and \
         name it"
    )]
    NoTrust {
        /// What was given.
        text: String,
    },
}

impl Address {
    /// Reads an address: a path, `unix:PATH`, `https://HOST:PORT` (with token and certificate) or
    /// `http://127.0.0.1:PORT` (with token).
    ///
    /// # Errors
    ///
    /// Any other form, or a token or certificate that is missing.
    pub fn parse(
        text: &str,
        token: Option<&str>,
        trust: Option<&Path>,
    ) -> Result<Address, AddressError> {
        let form = |why| AddressError::Form {
            text: text.to_owned(),
            why,
        };
        let token = || {
            let token = token.ok_or_else(|| AddressError::NoToken {
                text: text.to_owned(),
            })?;
            Token::new(token)
        };
        if let Some(rest) = text.strip_prefix("https://") {
            let (host, port) = host_and_port(rest).map_err(form)?;
            return Ok(Address::Tls {
                host: host.to_owned(),
                port,
                token: token()?,
                trust: trust
                    .ok_or_else(|| AddressError::NoTrust {
                        text: text.to_owned(),
                    })?
                    .to_owned(),
            });
        }
        if let Some(rest) = text.strip_prefix("http://") {
            return match host_and_port(rest).map_err(form)? {
                ("127.0.0.1", port) => Ok(Address::Loopback {
                    port,
                    token: token()?,
                }),
                _ => Err(form("without TLS only 127.0.0.1 is spoken to")),
            };
        }
        let path = text.strip_prefix("unix:").unwrap_or(text);
        if path.is_empty() {
            return Err(form("it is empty"));
        }
        if path.contains("://") {
            return Err(form("its scheme is unknown"));
        }
        Ok(Address::Unix(path.into()))
    }

    pub(super) fn token(&self) -> Option<&Token> {
        match self {
            Address::Unix(_) => None,
            Address::Tls { token, .. } | Address::Loopback { token, .. } => Some(token),
        }
    }

    /// What stands in the `Host` header.
    pub(super) fn authority(&self) -> String {
        match self {
            Address::Unix(_) => "localhost".to_owned(),
            Address::Tls { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Address::Tls { host, port, .. } => format!("{host}:{port}"),
            Address::Loopback { port, .. } => format!("127.0.0.1:{port}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "{}", path.display()),
            Address::Tls { .. } => write!(f, "https://{}", self.authority()),
            Address::Loopback { .. } => write!(f, "http://{}", self.authority()),
        }
    }
}

impl Token {
    /// A token: 1 to 1024 printing ASCII characters; spaces around it do not count.
    ///
    /// # Errors
    ///
    /// [`AddressError::BadToken`] for anything else.
    pub fn new(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let fits = (1..=1024).contains(&text.len());
        if fits && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Token(text.to_owned()))
        } else {
            Err(AddressError::BadToken)
        }
    }

    /// The secret itself.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// `HOST:PORT` or `[IPV6]:PORT`, with at most a slash behind it.
fn host_and_port(text: &str) -> Result<(&str, u16), &'static str> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let (host, port) = text.rsplit_once(':').ok_or("its port is missing")?;
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = Some(port).filter(|_| digits).and_then(|p| p.parse().ok());
    let port = port
        .filter(|port| *port != 0)
        .ok_or("its port is not a number from 1 to 65535")?;
    let host = match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(inner) if inner.parse::<std::net::Ipv6Addr>().is_ok() => inner,
        None if is_name(host) => host,
        _ => return Err("its host is neither a name nor an address"),
    };
    Ok((host, port))
}

fn is_name(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    !host.is_empty() && host.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Address, AddressError> {
        Address::parse(text, Some("secret"), Some(Path::new("cert.pem")))
    }

    #[test]
    fn addresses_are_read_and_shown() {
        let token = || Token::new("secret").unwrap();
        let tls = |host: &str, port| Address::Tls {
            host: host.to_owned(),
            port,
            token: token(),
            trust: "cert.pem".into(),
        };
        let loopback = Address::Loopback {
            port: 80,
            token: token(),
        };
        let table = [
            (
                "/run/attune.sock",
                Address::Unix("/run/attune.sock".into()),
                "/run/attune.sock",
            ),
            ("unix:a b", Address::Unix("a b".into()), "a b"),
            ("https://box:7000", tls("box", 7000), "https://box:7000"),
            (
                "https://[::1]:7000/",
                tls("::1", 7000),
                "https://[::1]:7000",
            ),
            (
                "https://10.0.0.7:443",
                tls("10.0.0.7", 443),
                "https://10.0.0.7:443",
            ),
            ("http://127.0.0.1:80", loopback, "http://127.0.0.1:80"),
        ];
        for (text, address, shown) in table {
            assert_eq!(parsed(text).unwrap(), address, "{text}");
            assert_eq!(address.to_string(), shown);
        }
    }

    #[test]
    fn nothing_else_is_an_address() {
        for text in [
            "",
            "unix:",
            "https://box",
            "https://box:0",
            "https://box:+5",
            "https://box:70000",
            "https://:7000",
            "https://a/b:7000",
            "https://user@box:7000",
            "https://::1:7000",
            "https://[box]:7000",
            "https://box:7000/v1",
            "http://localhost:80",
            "http://10.0.0.7:80",
            "http://127.0.0.1.evil.org:80",
            "ftp://box:21",
        ] {
            let error = parsed(text).unwrap_err();
            assert!(
                matches!(error, AddressError::Form { .. }),
                "{text}: {error}"
            );
            assert!(error.to_string().contains("; give "), "{error}");
        }
    }

    #[test]
    fn a_door_to_the_network_takes_token_and_certificate() {
        let table = [
            ("https://box:7000", None, "asks for a token"),
            ("https://box:7000", Some("secret"), "which certificate"),
            ("https://box:7000", Some("se cret"), "odd characters"),
            ("http://127.0.0.1:80", None, "asks for a token"),
            ("http://127.0.0.1:80", Some("a\nb"), "odd characters"),
        ];
        for (text, token, message) in table {
            let error = Address::parse(text, token, None).unwrap_err().to_string();
            assert!(error.contains(message), "{text}: {error}");
        }
    }

    #[test]
    fn a_token_is_never_shown() {
        let address = parsed("https://box:7000").unwrap();
        assert!(!format!("{address:?} {address}").contains("secret"));
    }
}
