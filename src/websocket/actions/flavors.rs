//! `flavor_*`, with the objects of REST v2. The schema of the reference knows one pool, `pool_name`; `pool_list`, as in
//! REST, goes before it.

use http::StatusCode;
use serde_json::{Value, json};

use super::Call;
use crate::api::Version;
use crate::api::resources::flavors::{item, object};
use crate::error::Result;
use crate::websocket::reply::Reply;

/// `flavor_list`. Its schema demands a `flavor_name`, which means nothing.
pub(super) async fn list(call: &Call<'_>) -> Result<Reply> {
    let (marker, limit) = (call.request.text("marker"), call.request.integer("limit"));
    let flavors = call.service.list_flavors(&call.context, marker.as_deref(), limit).await?;
    let item = |flavor| item(Version::V2, flavor, call.is_detailed());
    let flavors: Vec<_> = flavors.iter().map(item).collect();
    Ok(call.json(StatusCode::OK, json!({ "flavors": flavors }).to_string()))
}

/// `flavor_create`
pub(super) async fn create(call: &Call<'_>) -> Result<Reply> {
    let name = call.text("flavor_name");
    call.service.put_flavor(&call.context, &name, &document(call)?, true).await?;
    Ok(call.sentence(StatusCode::CREATED, &format!("Flavor {name} created.")))
}

/// `flavor_get`
pub(super) async fn get(call: &Call<'_>) -> Result<Reply> {
    let flavor = call.service.flavor(&call.context, &call.text("flavor_name")).await?;
    Ok(call.json(StatusCode::OK, object(&flavor).to_string()))
}

/// `flavor_update`: the flavor then.
pub(super) async fn update(call: &Call<'_>) -> Result<Reply> {
    let (name, change) = (call.text("flavor_name"), document(call)?);
    let flavor = call.service.patch_flavor(&call.context, &name, &change).await?;
    Ok(call.json(StatusCode::OK, object(&flavor).to_string()))
}

/// `flavor_delete`
pub(super) async fn delete(call: &Call<'_>) -> Result<Reply> {
    let name = call.text("flavor_name");
    call.service.delete_flavor(&call.context, &name).await?;
    Ok(call.sentence(StatusCode::NO_CONTENT, &format!("Flavor {name} removed.")))
}

/// What the service needs to know of a flavor.
fn document(call: &Call<'_>) -> Result<Value> {
    let mut document = call.document(&["pool_list", "capabilities"])?;
    if let Some(pool) = call.request.text("pool_name") {
        document.entry("pool_list").or_insert_with(|| json!([pool]));
    }
    Ok(Value::Object(document))
}
