//! `message_*`.

use http::StatusCode;

use super::Call;
use crate::api::v2::shapes::Document;
use crate::error::{Error, Result};
use crate::model::json;
use crate::service::PostTerms;
use crate::websocket::reply::Reply;

/// `message_post`
pub(super) async fn post(call: Call<'_>) -> Result<Reply> {
    let queue = call.named_queue()?;
    let PostTerms { max_size, delays } = call.service.post_terms(&call.context, queue).await?;
    if call.request.size("messages") > max_size {
        return Err(Error::invalid(format!("Message collection size is too large. Max size {max_size}")));
    }
    let posted = json::message_list(&call.request.share("messages").unwrap_or_default(), delays)?;
    let ids = call.service.post(&call.context, queue, &posted).await?;
    let ids = Document::list("message_ids", &ids, |document, id| document.string(&id.to_string()));
    call.json(StatusCode::CREATED, ids.end())
}
