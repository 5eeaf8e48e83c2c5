//! Everything that Attune draws in a terminal.
//!
//! Two kinds of pictures live here. *Pages* are made once, from a study or its trials, and printed
//! to stdout: [`summary`] makes them out of a [`table`] and a [`plot`]. *Progress* is told while a
//! study runs, on stderr: [`live`] redraws a few lines in place on a terminal, [`plain`] writes a
//! line now and then where there is none.
//!
//! Every view is a pure function from protocol types to styled lines
//! ([`ratatui::text::Line`]), so that the same views can be printed, tested as plain strings, or
//! be put into a full-screen program's frame. [`Style`] says what the terminal can show, and every
//! view has a form for a terminal without colours and for one without Unicode. Nothing is ever
//! said by colour alone.
//!
//! What must not live here: reading files, talking to anybody, clocks (elapsed time is passed in),
//! and any type but the protocol's own. Text from outside (names, errors, settings) is stripped of
//! control characters before it reaches the terminal, so that no data file can steer it.

mod axis;
mod canvas;
pub mod chart;
pub mod dashboard;
mod ended;
mod gauge;
pub mod live;
mod number;
mod paint;
pub mod plain;
pub mod plot;
mod style;
pub mod summary;
mod symbols;
pub mod table;
mod text;

pub use number::{bytes, duration, significant};
pub use paint::{screen_text, to_text};
pub use style::{ColorDepth, Style, Theme};
pub use text::clean;
