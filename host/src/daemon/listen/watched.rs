//! A connection's bytes under watch: a peer that is slow on purpose, has vanished or has nothing to
//! say does not hold a place for ever.
//!
//! hyper has one time limit for both, a request's head and the wait for the next request. Here they
//! are two, so that a client may keep its connection without getting time to drip a head.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// How long a connection may wait for its peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// From the first byte of a request, or from the start, to the end of its head.
    pub(super) head: Duration,
    /// Between requests.
    pub(super) idle: Duration,
    /// For the peer to take what is written.
    pub(super) write: Duration,
}

/// What the service tells the bytes: that a request is being answered. One at a time, as HTTP/1 has
/// it.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    requests: AtomicU64,
    busy: AtomicBool,
    /// Who reads, to be woken when the answer is over: from then on the peer's time runs.
    reader: Mutex<Option<Waker>>,
}

/// A request is being answered until this is dropped.
pub(super) struct Busy(Arc<Pulse>);

impl Pulse {
    pub(super) fn request(self: &Arc<Self>) -> Busy {
        self.busy.store(true, Ordering::Release);
        self.requests.fetch_add(1, Ordering::AcqRel);
        Busy(self.clone())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.store(false, Ordering::Release);
        let reader = self.0.reader.lock();
        let reader = reader.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

/// A stream whose reads and writes fail when the peer takes longer than it may.
pub(super) struct Watched<S> {
    stream: S,
    patience: Patience,
    pulse: Arc<Pulse>,
    /// The requests that were there when `head_begun` was last known to be right.
    requests: u64,
    /// Something of a head has come, or must come because nothing has yet.
    head_begun: bool,
    reading: Option<(Awaited, Pin<Box<Sleep>>)>,
    writing: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Head,
    Request,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, patience: Patience, pulse: Arc<Pulse>) -> Self {
        Watched {
            stream,
            patience,
            pulse,
            requests: 0,
            head_begun: true,
            reading: None,
            writing: None,
        }
    }

    /// Fails when what is awaited from the peer is overdue.
    fn overdue_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let reader = self.pulse.reader.lock();
        *reader.unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        if self.pulse.busy.load(Ordering::Acquire) {
            // The request's own deadline holds.
            self.reading = None;
            return Poll::Pending;
        }
        let (awaited, patience) = if self.head_begun {
            (Awaited::Head, self.patience.head)
        } else {
            (Awaited::Request, self.patience.idle)
        };
        // More bytes of the same head do not earn more time.
        let running = self.reading.take().filter(|(since, _)| *since == awaited);
        let (_, timer) = self
            .reading
            .insert(running.unwrap_or_else(|| (awaited, timer(patience))));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Passes a write's result on, and fails one that waits for too long.
    fn watch_write<T>(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing = None;
            return written;
        }
        let patience = self.patience.write;
        let timer = self.writing.get_or_insert_with(|| timer(patience));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

fn timer(patience: Duration) -> Pin<Box<Sleep>> {
    Box::pin(sleep_until(Instant::now() + patience))
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let requests = self.pulse.requests.load(Ordering::Acquire);
        if requests != self.requests {
            self.requests = requests;
            self.head_begun = false;
            self.reading = None;
        }
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Ready(result) => {
                let busy = self.pulse.busy.load(Ordering::Acquire);
                self.head_begun |= !busy && buf.filled().len() > before;
                Poll::Ready(result)
            }
            Poll::Pending => self.overdue_read(cx),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch_write(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch_write(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.watch_write(cx, shut)
    }
}
