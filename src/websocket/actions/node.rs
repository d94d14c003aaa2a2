//! The service about itself. The reference has these actions in its schema, and fails on them.

use http::StatusCode;

use super::{Call, Offer};
use crate::api::resources::{health, home};
use crate::api::{Mounted, Version};
use crate::error::Result;
use crate::websocket::reply::Reply;

/// `get_home_doc`: the home document of REST v2.
pub(super) fn home(call: &Call<'_>, offer: Offer) -> Reply {
    let (pools, admin) = (offer.mounts(Mounted::Pools), offer.mounts(Mounted::Admin));
    call.json(StatusCode::OK, home::document(Version::V2, pools, admin).to_string())
}

/// `check_node_health`: every operation tried, for administrators.
pub(super) async fn health(call: &Call<'_>) -> Result<Reply> {
    let report = call.service.health(&call.context).await?;
    Ok(call.json(StatusCode::OK, health::document(&report).to_string()))
}

/// `ping_node`: whether the stores answer.
pub(super) async fn ping(call: &Call<'_>) -> Reply {
    let alive = call.service.ping().await;
    call.empty(if alive { StatusCode::NO_CONTENT } else { StatusCode::SERVICE_UNAVAILABLE })
}
