//! Pools on the wire.

use axum::body::Body;
use http::header::CONTENT_LOCATION;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::link::{Link, segment};
use crate::api::dispatch::Call;
use crate::api::respond;
use crate::error::Result;
use crate::model::Pool;

/// `GET /v2/pools`
pub(crate) async fn list(call: Call) -> Result<Response<Body>> {
    let query = &call.query;
    let (marker, limit) = (query.text("marker"), query.integer("limit")?);
    let detailed = query.boolean("detailed")?;
    let pools = call.service.list_pools(&call.context, marker, limit).await?;
    let next = pools.last().map(|last| {
        let last = last.name.as_str();
        let href = Link::to("/v2/pools")
            .with("marker", marker.map(|_| last))
            .with("limit", limit)
            .with("detailed", detailed)
            .with("marker", marker.is_none().then_some(last))
            .href();
        json!({ "rel": "next", "href": href })
    });
    let pools: Vec<_> = pools.iter().map(|pool| object(pool, detailed.unwrap_or(false))).collect();
    let links: Vec<_> = next.into_iter().collect();
    let mut response = respond::json(StatusCode::OK, json!({ "links": links, "pools": pools }).to_string());
    if let Ok(target) = HeaderValue::from_str(call.target()) {
        response.headers_mut().insert(CONTENT_LOCATION, target);
    }
    Ok(response)
}

/// `PUT /v2/pools/{pool}`
pub(crate) async fn put(mut call: Call) -> Result<Response<Body>> {
    let body = call.json().await?;
    call.service.put_pool(&call.context, call.id(), &body).await?;
    Ok(respond::at(respond::empty(StatusCode::CREATED), &path(call.id())))
}

/// `GET /v2/pools/{pool}`
pub(crate) async fn get(call: Call) -> Result<Response<Body>> {
    let detailed = call.query.boolean("detailed")?.unwrap_or(false);
    let pool = call.service.pool(&call.context, call.id()).await?;
    Ok(respond::json(StatusCode::OK, object(&pool, detailed).to_string()))
}

/// `PATCH /v2/pools/{pool}`
pub(crate) async fn patch(mut call: Call) -> Result<Response<Body>> {
    let body = call.json().await?;
    let pool = call.service.patch_pool(&call.context, call.id(), &body).await?;
    Ok(respond::json(StatusCode::OK, object(&pool, false).to_string()))
}

/// `DELETE /v2/pools/{pool}`
pub(crate) async fn delete(call: Call) -> Result<Response<Body>> {
    call.service.delete_pool(&call.context, call.id()).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

fn object(pool: &Pool, detailed: bool) -> Value {
    let mut object = json!({
        "name": pool.name.as_str(),
        "uri": pool.uri,
        "weight": pool.weight,
        "flavor": pool.flavor,
    });
    if detailed {
        object["options"] = pool.options.clone().into();
    }
    object["href"] = path(pool.name.as_str()).into();
    object
}

fn path(name: &str) -> String {
    format!("/v2/pools/{}", segment(name))
}
