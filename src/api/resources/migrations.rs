//! Queues on their way from pool to pool, on the wire: an extension of ours.

use axum::body::Body;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::link::Link;
use crate::api::dispatch::Call;
use crate::api::respond;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::model::PoolName;
use crate::service::Migration;

/// `GET /v2/migrations`
pub(crate) async fn list(call: Call) -> Result<Response<Body>> {
    let (marker, limit) = (call.query.text("marker"), call.query.integer("limit")?);
    let page = call.service.migrations(&call.context, marker, limit).await?;
    let next = page.marker.map(|marker| {
        let href = Link::to("/v2/migrations").with("limit", limit).with("marker", Some(marker)).href();
        json!({ "rel": "next", "href": href })
    });
    let migrations: Vec<_> = page.migrations.iter().map(object).collect();
    let links: Vec<_> = next.into_iter().collect();
    Ok(respond::json(StatusCode::OK, json!({ "links": links, "migrations": migrations }).to_string()))
}

/// `left` is null where the source cannot be asked.
fn object(migration: &Migration) -> Value {
    let record = &migration.record;
    json!({
        "queue": record.queue.name.as_str(),
        "project": record.queue.project.as_str(),
        "source": record.motion.source.as_ref().map(PoolName::as_str),
        "target": record.motion.target.as_str(),
        "state": if record.motion.sealed { "draining" } else { "sealing" },
        "moved": record.moved,
        "left": migration.left,
        "started": moment(record.started),
        "touched": moment(record.touched),
    })
}

fn moment(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_second(at.seconds()).unwrap_or_default();
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
