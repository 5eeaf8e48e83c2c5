//! Stands between the dashboard and the daemon, as a slow line would, and counts what passes.

use crate::support::Home;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Relay {
    path: PathBuf,
    /// Bytes from the daemon.
    from: Arc<AtomicU64>,
    /// Bytes to it.
    to: Arc<AtomicU64>,
}

impl Relay {
    /// Before the daemon of a home, which runs. It lives as long as this program.
    pub fn before(home: &Home) -> Self {
        let path = home.path().join("relay");
        let listener = UnixListener::bind(&path).unwrap();
        let daemon = home.socket();
        let relay = Relay {
            path,
            from: Arc::default(),
            to: Arc::default(),
        };
        let (from, to) = (Arc::clone(&relay.from), Arc::clone(&relay.to));
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let near = near.unwrap();
                let far = UnixStream::connect(&daemon).unwrap();
                pass(far.try_clone().unwrap(), near.try_clone().unwrap(), &from);
                pass(near, far, &to);
            }
        });
        relay
    }

    /// What the program is told of where its daemon is.
    pub fn address(&self) -> String {
        format!("unix:{}", self.path.display())
    }

    /// Bytes that came from the daemon, and that went to it.
    pub fn passed(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.from), read(&self.to))
    }
}

/// Passes on what comes, until one side has had enough.
fn pass(mut from: UnixStream, mut to: UnixStream, count: &Arc<AtomicU64>) {
    let count = Arc::clone(count);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            count.fetch_add(length as u64, Ordering::Relaxed);
            if to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        // The other side may be gone already.
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    });
}
