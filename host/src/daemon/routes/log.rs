//! The end of the daemon's log.

use super::App;
use super::answer::{Answered, Refusal};
use super::extract::Asked;
use crate::daemon::log::{Level, latest};
use crate::daemon::{internal, invalid, unavailable};
use attune_protocol::{LogLine, LogQuery};
use axum::Json;
use axum::extract::State;

/// The most lines in one answer, and how many where nobody says how many.
const MAX_LINES: u32 = 5_000;
const USUAL_LINES: u32 = 200;

pub(super) async fn log(
    State(house): App,
    Asked(LogQuery { lines, level }): Asked<LogQuery>,
) -> Answered<Vec<LogLine>> {
    let lines = lines.unwrap_or(USUAL_LINES);
    if !(1..=MAX_LINES).contains(&lines) {
        return Err(Refusal(invalid(format!(
            "`lines` is {lines}, but must be a whole number from 1 to {MAX_LINES}"
        ))));
    }
    let least = match level {
        None => None,
        Some(word) => {
            let known = Level::ALL.into_iter().find(|level| level.name() == word);
            let names = Level::ALL.map(Level::name).join(", ");
            Some(known.ok_or_else(|| {
                invalid(format!("`level` is {word:?}, but must be one of {names}"))
            })?)
        }
    };
    let folder = house.places.logs();
    let read = tokio::task::spawn_blocking(move || latest(&folder, lines as usize, least));
    let read = read.await.map_err(|error| internal(&error.into()))?;
    let lines = read.map_err(|error| unavailable(format!("the log cannot be read: {error}")))?;
    Ok(Json(lines))
}
