//! What is asked before a study runs: what it would be, and what could be in it.

use super::App;
use super::answer::Answered;
use super::extract::Body;
use attune_protocol::{Checked, DataLook, Draft, Drafted, LookAtData, NewStudy};
use axum::Json;
use axum::extract::State;

pub(super) async fn check(State(house): App, Body(new): Body<NewStudy>) -> Answered<Checked> {
    Ok(Json(house.reception.check(new).await?))
}

pub(super) async fn draft(State(house): App, Body(draft): Body<Draft>) -> Answered<Drafted> {
    Ok(Json(house.reception.draft(draft).await?))
}

pub(super) async fn look_at_data(
    State(house): App,
    Body(look): Body<LookAtData>,
) -> Answered<DataLook> {
    Ok(Json(house.reception.look_at_data(look).await?))
}
