//! `queue_*`.

use http::StatusCode;
use serde_json::json;

use super::Call;
use crate::api::resources::shapes::Document;
use crate::error::{Error, Result};
use crate::model::json::{self, Kind, PurgeTerms};
use crate::model::{Metadata, QueueName};
use crate::service::{QueueListRequest, Shown};
use crate::websocket::reply::Reply;

/// `queue_list`: names, and with `detailed` the metadata that was stored. There is no marker in the answer: the last
/// name is one.
pub(super) async fn list(call: &Call<'_>) -> Result<Reply> {
    let request = QueueListRequest {
        marker: call.request.text("marker").map(String::from),
        limit: call.request.integer("limit"),
        detailed: call.is_detailed(),
        shown: Shown::Stored,
        ..QueueListRequest::default()
    };
    let listing = call.service.list_queues(&call.context, request).await?;
    Ok(call.json(StatusCode::OK, Document::list("queues", &listing.queues, item).end()))
}

fn item(document: &mut Document, (name, metadata): &(QueueName, Option<Metadata>)) {
    document.raw("{\"name\":");
    document.string(name.as_str());
    if let Some(metadata) = metadata {
        document.raw(",\"metadata\":");
        document.value(metadata);
    }
    document.raw("}");
}

/// `queue_create`: 201, or 204 where the queue is there already, whose metadata stays.
pub(super) async fn create(call: &Call<'_>) -> Result<Reply> {
    let queue = call.new_queue()?;
    let created = call.service.create_queue(&call.context, queue, &metadata(call)?).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    Ok(call.sentence(status, &format!("Queue {queue} created.")))
}

/// The metadata of a new queue. Unlike the reference, which fails on what is neither an object nor null.
fn metadata(call: &Call<'_>) -> Result<Metadata> {
    let limit = call.service.limits().max_queue_metadata;
    if call.request.size("metadata") > limit {
        return Err(Error::invalid(format!("Queue metadata is too large. Max size: {limit}")));
    }
    match call.request.value("metadata") {
        None | Some((Kind::Null, _)) => Ok(Metadata::new()),
        Some((Kind::Object, text)) => Ok(json::object(text)?),
        Some(_) => Err(Error::invalid("Queue metadata must be an object.")),
    }
}

/// `queue_get`: the metadata as it was stored; of a missing queue there is none.
pub(super) async fn get(call: &Call<'_>, queue: &QueueName) -> Result<Reply> {
    let metadata = call.service.shown_metadata(&call.context, queue, Shown::Stored).await?;
    Ok(call.json(StatusCode::OK, serde_json::Value::Object(metadata).to_string()))
}

/// `queue_get_stats`: the numbers, with the first and the last message whole; 404 where the queue is missing.
pub(super) async fn stats(call: &Call<'_>, queue: &QueueName) -> Result<Reply> {
    let Some((stats, ends)) = call.service.stats_with_ends(&call.context, queue).await? else {
        return Ok(no_stats(call));
    };
    let (claimed, free) = (stats.claimed, stats.free);
    let mut document = Document::open(&format!(
        "{{\"messages\":{{\"claimed\":{claimed},\"free\":{free},\"total\":{}",
        claimed + free
    ));
    for (name, end) in [("newest", stats.newest), ("oldest", stats.oldest)] {
        let Some((id, created)) = end else { continue };
        if let Some(message) = ends.iter().find(|message| message.id == id) {
            document.raw(&format!(",\"{name}\":"));
            document.record(message, created);
        }
    }
    document.raw("}");
    Ok(call.json(StatusCode::OK, document.end()))
}

/// The answer for a queue that is missing: zeros, and yet 404.
pub(super) fn no_stats(call: &Call<'_>) -> Reply {
    let zeros = json!({ "messages": { "claimed": 0, "free": 0, "total": 0 } });
    call.json(StatusCode::NOT_FOUND, zeros.to_string())
}

/// `queue_purge`: whatever `resource_types` names and exists.
pub(super) async fn purge(call: &Call<'_>, queue: &QueueName) -> Result<Reply> {
    let what = match call.request.texts("resource_types") {
        None => PurgeTerms { messages: true, subscriptions: true },
        Some(types) => {
            let named = |name: &str| types.iter().any(|found| found == name);
            PurgeTerms { messages: named("messages"), subscriptions: named("subscriptions") }
        }
    };
    call.service.purge(&call.context, queue, what).await?;
    Ok(call.empty(StatusCode::NO_CONTENT))
}

/// `queue_delete`
pub(super) async fn delete(call: &Call<'_>, queue: &QueueName) -> Result<Reply> {
    call.service.delete_queue(&call.context, queue).await?;
    Ok(deleted(call))
}

/// The answer for a queue that is gone, or never was.
pub(super) fn deleted(call: &Call<'_>) -> Reply {
    call.sentence(StatusCode::NO_CONTENT, &format!("Queue {} removed.", call.text("queue_name")))
}
