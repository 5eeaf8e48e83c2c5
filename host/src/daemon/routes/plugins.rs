//! What is asked about plugins.

use super::App;
use super::answer::Answered;
use super::extract::{Body, In};
use attune_protocol::{LookForPlugins, PluginInfo, Preview, Previewed};
use axum::Json;
use axum::extract::State;

pub(super) async fn plugins(State(house): App) -> Answered<Vec<PluginInfo>> {
    Ok(Json(house.reception.plugins(&[]).await?))
}

pub(super) async fn look_for_plugins(
    State(house): App,
    Body(look): Body<LookForPlugins>,
) -> Answered<Vec<PluginInfo>> {
    Ok(Json(house.reception.plugins(&look.places).await?))
}

pub(super) async fn release(State(house): App, In(which): In<String>) -> Answered<Vec<PluginInfo>> {
    Ok(Json(house.reception.release(&which).await?))
}

pub(super) async fn preview(
    State(house): App,
    Body(preview): Body<Preview>,
) -> Answered<Previewed> {
    Ok(Json(house.reception.preview(preview).await?))
}
