//! What is asked before a study runs: what it would be, and what could be in it.

use super::App;
use super::answer::Answered;
use super::extract::Body;
use attune_protocol::{Checked, NewStudy};
use axum::Json;
use axum::extract::State;

pub(super) async fn check(State(house): App, Body(new): Body<NewStudy>) -> Answered<Checked> {
    Ok(Json(house.reception.check(new).await?))
}
