//! The dashboard: a full-screen program that launches, watches, compares and steers.
//!
//! It is two things. [`App`] is a pure machine: keys, events and answers come in ([`Input`]), the
//! wish to ask or to do something goes out ([`Effect`]), and it can be drawn into a buffer at any
//! moment. [`shell`] is what surrounds it: the terminal, the connection to the daemon, the clock.
//!
//! Knowledge flows one way. `data` keeps what is known; the `screens` say what they want to know
//! and draw what there is; what they ask for goes through `cx` back to the `app`. `keys` is the one
//! table of bindings that dispatch, hints, help and palette are made from; `overlay` is what lies
//! above a screen and asks a question; `pen`, `grid` and `field` draw.

mod app;
mod cx;
mod data;
mod deed;
mod field;
mod filter;
mod grid;
mod keys;
mod overlay;
mod pen;
mod screens;
pub mod shell;
mod shot;

pub use app::{App, Effect, Input};
pub use data::want::{Answer, Want};
pub use deed::{Deed, Done};
pub use shell::{Helper, Session, Soon, run};
