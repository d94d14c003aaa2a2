//! `pool_*`, with the objects of REST v2.

use http::StatusCode;
use serde_json::{Value, json};

use super::Call;
use crate::api::Version;
use crate::api::resources::pools::object;
use crate::error::Result;
use crate::websocket::reply::Reply;

/// What a pool is made of.
const FIELDS: &[&str] = &["uri", "weight", "flavor", "options"];

/// `pool_list`. Its schema demands a `pool_name`, which means nothing.
pub(super) async fn list(call: &Call<'_>) -> Result<Reply> {
    let (marker, limit) = (call.request.text("marker"), call.request.integer("limit"));
    let pools = call.service.list_pools(&call.context, marker.as_deref(), limit).await?;
    let pools: Vec<_> = pools.iter().map(|pool| object(Version::V2, pool, call.is_detailed())).collect();
    Ok(call.json(StatusCode::OK, json!({ "pools": pools }).to_string()))
}

/// `pool_create`
pub(super) async fn create(call: &Call<'_>) -> Result<Reply> {
    let name = call.text("pool_name");
    call.service.put_pool(&call.context, &name, &Value::Object(call.document(FIELDS)?)).await?;
    Ok(call.sentence(StatusCode::CREATED, &format!("Pool {name} created.")))
}

/// `pool_get`
pub(super) async fn get(call: &Call<'_>) -> Result<Reply> {
    let pool = call.service.pool(&call.context, &call.text("pool_name")).await?;
    Ok(call.json(StatusCode::OK, object(Version::V2, &pool, call.is_detailed()).to_string()))
}

/// `pool_update`: the pool then.
pub(super) async fn update(call: &Call<'_>) -> Result<Reply> {
    let (name, change) = (call.text("pool_name"), Value::Object(call.document(FIELDS)?));
    let pool = call.service.patch_pool(&call.context, &name, &change).await?;
    Ok(call.json(StatusCode::OK, object(Version::V2, &pool, false).to_string()))
}

/// `pool_delete`
pub(super) async fn delete(call: &Call<'_>) -> Result<Reply> {
    let name = call.text("pool_name");
    call.service.delete_pool(&call.context, &name).await?;
    Ok(call.sentence(StatusCode::NO_CONTENT, &format!("Pool {name} removed.")))
}
