//! Pools on the wire.

use axum::body::Body;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::link::{Link, segment};
use crate::api::dispatch::Call;
use crate::api::{Version, respond};
use crate::error::Result;
use crate::model::Pool;

/// `GET …/pools`
pub(crate) async fn list(call: Call) -> Result<Response<Body>> {
    let query = &call.query;
    let (marker, limit) = (query.text("marker"), query.integer("limit")?);
    let detailed = query.boolean("detailed")?;
    let most = page_size(call.version, limit, call.service.limits().max_pools_per_page);
    let pools = call.service.list_pools(&call.context, marker, most).await?;
    let collection = format!("{}/pools", call.version.prefix());
    let next = pools.last().map(|last| {
        let last = last.name.as_str();
        let href = Link::to(&collection)
            .with("marker", marker.map(|_| last))
            .with("limit", limit)
            .with("detailed", detailed)
            .with("marker", marker.is_none().then_some(last))
            .href();
        json!({ "rel": "next", "href": href })
    });
    let pools: Vec<_> =
        pools.iter().map(|pool| object(call.version, pool, detailed.unwrap_or(false))).collect();
    let links: Vec<_> = next.into_iter().collect();
    Ok(respond::json(StatusCode::OK, json!({ "links": links, "pools": pools }).to_string()))
}

/// The limit of a page of pools or flavors. v1 and v1.1 refuse none: what is out of range there means as many as may be.
pub(super) fn page_size(version: Version, asked: Option<i64>, most: usize) -> Option<i64> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let kept = |asked: &i64| version == Version::V2 || (1..=most).contains(asked);
    asked.map(|asked| if kept(&asked) { asked } else { most })
}

/// `PUT …/pools/{pool}`
pub(crate) async fn put(mut call: Call) -> Result<Response<Body>> {
    let body = call.json().await?;
    call.service.put_pool(&call.context, call.id(), &body).await?;
    Ok(respond::at(respond::empty(StatusCode::CREATED), &path(call.version, call.id())))
}

/// `GET …/pools/{pool}`
pub(crate) async fn get(call: Call) -> Result<Response<Body>> {
    let detailed = call.query.boolean("detailed")?.unwrap_or(false);
    let pool = call.service.pool(&call.context, call.id()).await?;
    Ok(respond::json(StatusCode::OK, object(call.version, &pool, detailed).to_string()))
}

/// `PATCH …/pools/{pool}`; only v2 shows the pool then.
pub(crate) async fn patch(mut call: Call) -> Result<Response<Body>> {
    let body = call.json().await?;
    let pool = call.service.patch_pool(&call.context, call.id(), &body).await?;
    if call.version < Version::V2 {
        return Ok(respond::empty(StatusCode::OK));
    }
    Ok(respond::json(StatusCode::OK, object(call.version, &pool, false).to_string()))
}

/// `DELETE …/pools/{pool}`
pub(crate) async fn delete(call: Call) -> Result<Response<Body>> {
    call.service.delete_pool(&call.context, call.id()).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// A pool, with its options where details are wanted.
pub(crate) fn object(version: Version, pool: &Pool, detailed: bool) -> Value {
    let mut object = json!({
        "name": pool.name.as_str(),
        "uri": pool.uri,
        "weight": pool.weight,
        "flavor": pool.flavor,
    });
    if detailed {
        object["options"] = pool.options.clone().into();
    }
    object["href"] = path(version, pool.name.as_str()).into();
    object
}

fn path(version: Version, name: &str) -> String {
    format!("{}/pools/{}", version.prefix(), segment(name))
}
