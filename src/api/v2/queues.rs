//! Queues on the wire.

use axum::body::Body;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use serde_json::json;

use super::link::Link;
use super::shapes::{self, Document};
use crate::api::dispatch::Call;
use crate::api::respond;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::{MessageId, Metadata, QueueName, json, patch};
use crate::service::QueueListRequest;

/// The one media type of a PATCH, compared as it stands (rest.md 4.7).
const PATCH_TYPE: &str = "application/openstack-messaging-v2.0-json-patch";

/// Parameters of a listing; all others are filters of metadata.
const LIST_PARAMETERS: &[&str] = &["marker", "limit", "detailed", "name", "with_count"];

/// `GET /v2/queues`
pub(crate) async fn list(call: Call) -> Result<Response<Body>> {
    let query = &call.query;
    let (limit, detailed) = (query.integer("limit")?, query.boolean("detailed")?);
    let with_count = query.boolean("with_count")?;
    let (marker, name) = (query.text("marker"), query.text("name"));
    let request = QueueListRequest {
        marker: marker.map(str::to_owned),
        limit,
        detailed: detailed.unwrap_or(false),
        name: name.map(str::to_owned),
        with_count: with_count.unwrap_or(false),
        metadata: query.others(LIST_PARAMETERS),
    };
    let listing = call.service.list_queues(&call.context, request).await?;
    let next = listing.queues.last().map(|(last, _)| {
        Link::to("/v2/queues")
            .with("marker", marker.map(|_| last))
            .with("limit", limit)
            .with("detailed", detailed)
            .with("name", name)
            .with("with_count", with_count)
            .with("marker", marker.is_none().then_some(last))
            .href()
    });
    let document = Document::list("queues", &listing.queues, item).links(next);
    let document = match listing.count {
        Some(count) => document.number("count", count),
        None => document,
    };
    Ok(respond::json(StatusCode::OK, document.end()))
}

fn item(document: &mut Document, (name, metadata): &(QueueName, Option<Metadata>)) {
    document.raw("{\"name\":");
    document.string(name.as_str());
    if let Some(metadata) = metadata {
        document.raw(",\"metadata\":");
        document.value(metadata);
    }
    document.raw(",\"href\":");
    document.string(&shapes::queue_path(name));
    document.raw("}");
}

/// `PUT /v2/queues/{queue}`
pub(crate) async fn create(mut call: Call) -> Result<Response<Body>> {
    let limit = call.service.limits().max_queue_metadata;
    let body = call.body(limit, || too_large(limit)).await?.filter(|body| !body.is_empty());
    let metadata = body.map(|body| json::object(&body)).transpose()?.unwrap_or_default();
    let queue = call.queue()?;
    let created = call.service.create_queue(&call.context, queue, &metadata).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    Ok(respond::at(respond::empty(status), &shapes::queue_path(queue)))
}

/// `GET /v2/queues/{queue}`
pub(crate) async fn get(call: Call) -> Result<Response<Body>> {
    let metadata = call.service.queue_metadata(&call.context, call.queue()?).await?;
    Ok(respond::json(StatusCode::OK, object(&metadata)))
}

/// `PATCH /v2/queues/{queue}`
pub(crate) async fn update(mut call: Call) -> Result<Response<Body>> {
    let limit = call.service.limits().max_queue_metadata;
    let body = call.body(limit, || too_large(limit)).await?;
    if call.headers().get(CONTENT_TYPE).is_none_or(|value| value.as_bytes() != PATCH_TYPE.as_bytes()) {
        return Err(Error::MediaType(PATCH_TYPE));
    }
    let body = body.ok_or_else(|| Error::body("PATCH body could not be empty for update."))?;
    let operations = patch::parse(&body).map_err(|problem| Error::body(problem.to_string()))?;
    let metadata = call.service.patch_queue(&call.context, call.queue()?, &operations).await?;
    Ok(respond::json(StatusCode::OK, object(&metadata)))
}

/// `DELETE /v2/queues/{queue}`
pub(crate) async fn delete(call: Call) -> Result<Response<Body>> {
    call.service.delete_queue(&call.context, call.queue()?).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// `GET /v2/queues/{queue}/stats`
pub(crate) async fn stats(call: Call) -> Result<Response<Body>> {
    let queue = call.queue()?;
    let stats = call.service.stats(&call.context, queue).await?;
    let now = call.service.clock().now();
    let mut messages = json!({
        "claimed": stats.claimed,
        "free": stats.free,
        "total": stats.claimed + stats.free,
    });
    for (key, end) in [("oldest", stats.oldest), ("newest", stats.newest)] {
        if let Some((id, created)) = end {
            messages[key] = stamp(queue, id, created, now);
        }
    }
    Ok(respond::json(StatusCode::OK, json!({ "messages": messages }).to_string()))
}

/// The first or last message of a queue: exactly these three keys (rest.md 4.9).
fn stamp(queue: &QueueName, id: MessageId, created: Timestamp, now: Timestamp) -> serde_json::Value {
    json!({
        "age": now.seconds_since(created),
        "created": shapes::moment(created),
        "href": shapes::message_path(queue, &id.to_string()),
    })
}

fn object(metadata: &Metadata) -> Vec<u8> {
    serde_json::to_vec(metadata).expect("metadata can be written to memory")
}

fn too_large(limit: u64) -> Error {
    Error::invalid(format!("Queue metadata is too large. Max size: {limit}"))
}
