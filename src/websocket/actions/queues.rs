//! `queue_*`.

use http::StatusCode;

use super::Call;
use crate::api::v2::shapes::Document;
use crate::error::Result;
use crate::service::QueueListRequest;
use crate::websocket::reply::Reply;

/// `queue_list`
pub(super) async fn list(call: Call<'_>) -> Result<Reply> {
    let request = QueueListRequest {
        marker: call.request.text("marker").map(String::from),
        limit: call.request.integer("limit"),
        detailed: call.request.boolean("detailed").unwrap_or(false),
        ..QueueListRequest::default()
    };
    let listing = call.service.list_queues(&call.context, request).await?;
    let document = Document::list("queues", &listing.queues, |document, (name, metadata)| {
        document.raw("{\"name\":");
        document.string(name.as_str());
        if let Some(metadata) = metadata {
            document.raw(",\"metadata\":");
            document.value(metadata);
        }
        document.raw("}");
    });
    call.json(StatusCode::OK, document.end())
}
