//! The crate as its users see it.

#![allow(clippy::unwrap_used, clippy::panic)] // The helpers serve tests alone.

mod client;
mod document;
mod draw;
mod events;
mod round_trip;
mod tls;
mod toy;
