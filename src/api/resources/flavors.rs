//! Flavors on the wire.

use axum::body::Body;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::link::{Link, segment};
use super::pools::page_size;
use crate::api::dispatch::Call;
use crate::api::{Version, respond};
use crate::error::Result;
use crate::model::PoolName;
use crate::service::FlavorView;

/// `GET …/flavors`
pub(crate) async fn list(call: Call) -> Result<Response<Body>> {
    let query = &call.query;
    let (marker, limit) = (query.text("marker"), query.integer("limit")?);
    let detailed = query.boolean("detailed")?;
    let most = page_size(call.version, limit, call.service.limits().max_flavors_per_page);
    let flavors = call.service.list_flavors(&call.context, marker, most).await?;
    let collection = format!("{}/flavors", call.version.prefix());
    // v2 of the reference adds what it was asked for last, v1.1 the marker, as everything else does.
    let (early, late) = if call.version == Version::V2 { (None, detailed) } else { (detailed, None) };
    let next = flavors.last().map(|last| {
        let href = Link::to(&collection)
            .with("marker", marker.map(|_| &last.name))
            .with("limit", limit)
            .with("detailed", early)
            .with("marker", marker.is_none().then_some(&last.name))
            .with("detailed", late)
            .href();
        json!({ "rel": "next", "href": href })
    });
    let flavors: Vec<_> =
        flavors.iter().map(|flavor| item(call.version, flavor, detailed.unwrap_or(false))).collect();
    let links: Vec<_> = next.into_iter().collect();
    Ok(respond::json(StatusCode::OK, json!({ "links": links, "flavors": flavors }).to_string()))
}

/// `PUT …/flavors/{flavor}`
pub(crate) async fn put(mut call: Call) -> Result<Response<Body>> {
    let body = body(&mut call).await?;
    let needs_pools = call.version == Version::V2;
    call.service.put_flavor(&call.context, call.id(), &body, needs_pools).await?;
    Ok(respond::at(respond::empty(StatusCode::CREATED), &path(call.version, call.id())))
}

/// `GET …/flavors/{flavor}`; v1.1 shows what it shows in a list.
pub(crate) async fn get(call: Call) -> Result<Response<Body>> {
    let flavor = call.service.flavor(&call.context, call.id()).await?;
    let shown = match call.version {
        Version::V2 => object(&flavor),
        old => item(old, &flavor, call.query.boolean("detailed")?.unwrap_or(false)),
    };
    Ok(respond::json(StatusCode::OK, shown.to_string()))
}

/// `PATCH …/flavors/{flavor}`; only v2 shows the flavor then.
pub(crate) async fn patch(mut call: Call) -> Result<Response<Body>> {
    let body = body(&mut call).await?;
    let flavor = call.service.patch_flavor(&call.context, call.id(), &body).await?;
    if call.version < Version::V2 {
        return Ok(respond::empty(StatusCode::OK));
    }
    Ok(respond::json(StatusCode::OK, object(&flavor).to_string()))
}

/// The body as v2 has it. In v1.1 a flavor may be without a list of pools, since pools can name it, or have just one
/// `pool`; and whatever else stands there means nothing.
async fn body(call: &mut Call) -> Result<Value> {
    let mut body = call.json().await?;
    if call.version < Version::V2
        && let Some(fields) = body.as_object_mut()
    {
        let pool = fields.remove("pool").map(|pool| json!([pool]));
        fields.retain(|name, _| matches!(name.as_str(), "pool_list" | "capabilities"));
        if let Some(pools) = pool {
            fields.entry("pool_list").or_insert(pools);
        }
    }
    Ok(body)
}

/// `DELETE …/flavors/{flavor}`
pub(crate) async fn delete(call: Call) -> Result<Response<Body>> {
    call.service.delete_flavor(&call.context, call.id()).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// A flavor by itself, as v2 shows it.
pub(crate) fn object(flavor: &FlavorView) -> Value {
    json!({
        "name": flavor.name,
        "capabilities": capabilities(flavor),
        "pool_list": pools(flavor),
        "href": path(Version::V2, &flavor.name),
    })
}

/// A flavor in a list: its pools where there are any, what it can do where that was asked for.
pub(crate) fn item(version: Version, flavor: &FlavorView, detailed: bool) -> Value {
    let mut item = json!({ "name": flavor.name, "href": path(version, &flavor.name) });
    if version == Version::V2 && !flavor.pools.is_empty() {
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

fn path(version: Version, name: &str) -> String {
    format!("{}/flavors/{}", version.prefix(), segment(name))
}
