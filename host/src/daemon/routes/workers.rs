//! What workers ask: to be hired, what a study is, and for work.

use super::App;
use super::answer::{Refusal, either};
use super::extract::{Either, In, accepts_compact};
use crate::daemon::engine::Ask;
use crate::daemon::trial::WorkerId;
use attune_protocol::work::{Answer, Brief, Exchange, Hired, NewWorker};
use attune_store::StudyId;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

pub(super) async fn hire(
    State(house): App,
    Either(new, compact): Either<NewWorker>,
) -> Result<Response, Refusal> {
    let hired: Hired = house.engine.ask(|reply| Ask::Hire(new, reply)).await?;
    either(&hired, compact)
}

pub(super) async fn brief(
    State(house): App,
    In(id): In<StudyId>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let brief: Brief = house.engine.ask(|reply| Ask::Brief(id, reply)).await?;
    either(&brief, accepts_compact(&headers))
}

pub(super) async fn exchange(
    State(house): App,
    In(worker): In<WorkerId>,
    Either(exchange, compact): Either<Exchange>,
) -> Result<Response, Refusal> {
    let ask = |reply| Ask::Exchange(worker, Box::new(exchange), reply);
    let answer: Answer = house.engine.ask(ask).await?;
    either(&answer, compact)
}
