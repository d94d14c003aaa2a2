//! Flavors on the wire.

use axum::body::Body;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::link::{Link, segment};
use crate::api::dispatch::Call;
use crate::api::respond;
use crate::error::Result;
use crate::model::PoolName;
use crate::service::FlavorView;

/// `GET /v2/flavors`
pub(crate) async fn list(call: Call) -> Result<Response<Body>> {
    let query = &call.query;
    let (marker, limit) = (query.text("marker"), query.integer("limit")?);
    let detailed = query.boolean("detailed")?;
    let flavors = call.service.list_flavors(&call.context, marker, limit).await?;
    let next = flavors.last().map(|last| {
        let href = Link::to("/v2/flavors")
            .with("marker", marker.map(|_| &last.name))
            .with("limit", limit)
            .with("marker", marker.is_none().then_some(&last.name))
            .with("detailed", detailed)
            .href();
        json!({ "rel": "next", "href": href })
    });
    let flavors: Vec<_> = flavors.iter().map(|flavor| item(flavor, detailed.unwrap_or(false))).collect();
    let links: Vec<_> = next.into_iter().collect();
    Ok(respond::json(StatusCode::OK, json!({ "links": links, "flavors": flavors }).to_string()))
}

/// `PUT /v2/flavors/{flavor}`
pub(crate) async fn put(mut call: Call) -> Result<Response<Body>> {
    let body = call.json().await?;
    call.service.put_flavor(&call.context, call.id(), &body).await?;
    Ok(respond::at(respond::empty(StatusCode::CREATED), &path(call.id())))
}

/// `GET /v2/flavors/{flavor}`
pub(crate) async fn get(call: Call) -> Result<Response<Body>> {
    let flavor = call.service.flavor(&call.context, call.id()).await?;
    Ok(respond::json(StatusCode::OK, object(&flavor).to_string()))
}

/// `PATCH /v2/flavors/{flavor}`
pub(crate) async fn patch(mut call: Call) -> Result<Response<Body>> {
    let body = call.json().await?;
    let flavor = call.service.patch_flavor(&call.context, call.id(), &body).await?;
    Ok(respond::json(StatusCode::OK, object(&flavor).to_string()))
}

/// `DELETE /v2/flavors/{flavor}`
pub(crate) async fn delete(call: Call) -> Result<Response<Body>> {
    call.service.delete_flavor(&call.context, call.id()).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// A flavor by itself.
fn object(flavor: &FlavorView) -> Value {
    json!({
        "name": flavor.name,
        "capabilities": capabilities(flavor),
        "pool_list": pools(flavor),
        "href": path(&flavor.name),
    })
}

/// A flavor in a list: its pools where there are any, what it can do where that was asked for.
fn item(flavor: &FlavorView, detailed: bool) -> Value {
    let mut item = json!({ "name": flavor.name, "href": path(&flavor.name) });
    if !flavor.pools.is_empty() {
        item["pool_list"] = json!(pools(flavor));
    }
    if detailed {
        item["capabilities"] = json!(capabilities(flavor));
    }
    item
}

fn pools(flavor: &FlavorView) -> Vec<&str> {
    flavor.pools.iter().map(PoolName::as_str).collect()
}

fn capabilities(flavor: &FlavorView) -> Vec<&'static str> {
    flavor.capabilities.iter().map(|capability| capability.name()).collect()
}

fn path(name: &str) -> String {
    format!("/v2/flavors/{}", segment(name))
}
