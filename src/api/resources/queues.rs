//! Queues on the wire.

use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use serde_json::json;

use super::link::Link;
use super::shapes::{self, Document};
use crate::api::dispatch::Call;
use crate::api::{Version, respond};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::{Metadata, QueueName, json, patch};
use crate::policy::Rule;
use crate::service::{QueueListRequest, Shown};

/// The one media type of a PATCH, compared as it stands (rest.md 4.7).
const PATCH_TYPE: &str = "application/openstack-messaging-v2.0-json-patch";

/// Parameters of a listing; in v2 all others are filters of metadata.
const LIST_PARAMETERS: &[&str] = &["marker", "limit", "detailed", "name", "with_count"];

/// `GET …/queues`; filters and the count are v2's.
pub(crate) async fn list(call: Call) -> Result<Response<Body>> {
    let (version, query) = (call.version, &call.query);
    let filters = version == Version::V2;
    let (limit, detailed) = (query.integer("limit")?, query.boolean("detailed")?);
    let with_count = if filters { query.boolean("with_count")? } else { None };
    let (marker, name) = (query.text("marker"), query.text("name").filter(|_| filters));
    let request = QueueListRequest {
        marker: marker.map(str::to_owned),
        limit,
        detailed: detailed.unwrap_or(false),
        name: name.map(str::to_owned),
        with_count: with_count.unwrap_or(false),
        metadata: if filters { query.others(LIST_PARAMETERS) } else { Vec::new() },
        shown: shown(version),
    };
    let listing = call.service.list_queues(&call.context, request).await?;
    if version == Version::V1 && listing.queues.is_empty() {
        return Ok(respond::empty(StatusCode::NO_CONTENT));
    }
    let next = listing.queues.last().map(|(last, _)| {
        Link::to(&format!("{}/queues", version.prefix()))
            .with("marker", marker.map(|_| last))
            .with("limit", limit)
            .with("detailed", detailed)
            .with("name", name)
            .with("with_count", with_count)
            .with("marker", marker.is_none().then_some(last))
            .href()
    });
    let document =
        Document::list("queues", &listing.queues, |document, queue| item(document, version, queue));
    let document = document.links(next);
    let document = match listing.count {
        Some(count) => document.number("count", count),
        None => document,
    };
    Ok(respond::json(StatusCode::OK, document.end()))
}

/// What a version shows of a queue's metadata.
pub(super) fn shown(version: Version) -> Shown {
    match version {
        Version::V1 => Shown::Unreserved,
        Version::V1_1 => Shown::Stored,
        Version::V2 => Shown::WithDefaults,
    }
}

fn item(document: &mut Document, version: Version, (name, metadata): &(QueueName, Option<Metadata>)) {
    document.raw("{\"name\":");
    document.string(name.as_str());
    if let Some(metadata) = metadata {
        document.raw(",\"metadata\":");
        document.value(metadata);
    }
    document.raw(",\"href\":");
    document.string(&version.queue(name));
    document.raw("}");
}

/// `PUT …/queues/{queue}`; v1 looks at no body.
pub(crate) async fn create(mut call: Call) -> Result<Response<Body>> {
    let body = if call.version == Version::V1 { None } else { metadata_body(&mut call).await? };
    let metadata = body.filter(|body| !body.is_empty()).map(|body| json::object(&body)).transpose()?;
    let metadata = metadata.unwrap_or_default();
    let queue = call.queue()?;
    let created = call.service.create_queue(&call.context, queue, &metadata).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    Ok(respond::at(respond::empty(status), &call.version.queue(queue)))
}

/// The body of a request that brings metadata, if it has one.
pub(super) async fn metadata_body(call: &mut Call) -> Result<Option<Bytes>> {
    let limit = call.service.limits().max_queue_metadata;
    call.body(limit, || too_large(limit)).await
}

/// `GET …/queues/{queue}` after v1: the metadata.
pub(crate) async fn get(call: Call) -> Result<Response<Body>> {
    let metadata = call.service.shown_metadata(&call.context, call.queue()?, shown(call.version)).await?;
    Ok(respond::json(StatusCode::OK, object(&metadata)))
}

/// `GET` and `HEAD /v1/queues/{queue}`: whether there is such a queue, without a body either way.
pub(crate) async fn exists(call: Call) -> Result<Response<Body>> {
    match call.service.must_exist(&call.context, Rule::QueuesGet, call.queue()?).await {
        Err(Error::QueueMissing(..)) => Ok(respond::empty(StatusCode::NOT_FOUND)),
        found => found.map(|()| respond::empty(StatusCode::NO_CONTENT)),
    }
}

/// `PATCH /v2/queues/{queue}`
pub(crate) async fn update(mut call: Call) -> Result<Response<Body>> {
    let body = metadata_body(&mut call).await?;
    if call.headers().get(CONTENT_TYPE).is_none_or(|value| value.as_bytes() != PATCH_TYPE.as_bytes()) {
        return Err(Error::MediaType(PATCH_TYPE));
    }
    let body = body.ok_or_else(|| Error::body("PATCH body could not be empty for update."))?;
    let operations = patch::parse(&body).map_err(|problem| Error::body(problem.to_string()))?;
    let metadata = call.service.patch_queue(&call.context, call.queue()?, &operations).await?;
    Ok(respond::json(StatusCode::OK, object(&metadata)))
}

/// `DELETE …/queues/{queue}`
pub(crate) async fn delete(call: Call) -> Result<Response<Body>> {
    call.service.delete_queue(&call.context, call.queue()?).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// `GET …/queues/{queue}/stats`; only v1 tells whether the queue is there.
pub(crate) async fn stats(call: Call) -> Result<Response<Body>> {
    let queue = call.queue()?;
    if call.version == Version::V1 {
        call.service.must_exist(&call.context, Rule::QueuesStats, queue).await?;
    }
    let stats = call.service.stats(&call.context, queue).await?;
    let now = call.service.clock().now();
    let mut messages = json!({
        "claimed": stats.claimed,
        "free": stats.free,
        "total": stats.claimed + stats.free,
    });
    for (key, end) in [("oldest", stats.oldest), ("newest", stats.newest)] {
        if let Some((id, created)) = end {
            let href = call.version.message(queue, &id.to_string());
            messages[key] = stamp(&href, created, now);
        }
    }
    Ok(respond::json(StatusCode::OK, json!({ "messages": messages }).to_string()))
}

/// The first or last message of a queue: exactly these three keys (rest.md 4.9).
fn stamp(href: &str, created: Timestamp, now: Timestamp) -> serde_json::Value {
    json!({
        "age": now.seconds_since(created),
        "created": shapes::moment(created),
        "href": href,
    })
}

pub(super) fn object(metadata: &Metadata) -> Vec<u8> {
    serde_json::to_vec(metadata).expect("metadata can be written to memory")
}

fn too_large(limit: u64) -> Error {
    Error::invalid(format!("Queue metadata is too large. Max size: {limit}"))
}
