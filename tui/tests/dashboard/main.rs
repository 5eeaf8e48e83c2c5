//! The dashboard before a made-up daemon: how every screen looks, and what keys lead to.

#[path = "../made_up/mod.rs"]
mod made_up;

mod desk;
mod frame;
mod insight;
mod plugins;
mod studies;
mod study;
mod system;
mod toy;
