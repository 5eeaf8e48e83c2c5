//! The dashboard before a made-up daemon: how every screen looks, and what keys lead to.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test fail as its tests do"
)]

#[path = "../approved/mod.rs"]
mod approved;
#[path = "../made_up/mod.rs"]
mod made_up;

mod compare;
mod desk;
mod frame;
mod history;
mod insight;
mod launch;
mod plugins;
mod studies;
mod study;
mod system;
mod toy;
mod trial;
