//! The dashboard before a made-up daemon: how every screen looks, and what keys lead to.

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
