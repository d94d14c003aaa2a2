//! `message_*`.

use http::StatusCode;
use serde_json::json;

use super::{Call, bad_request};
use crate::api::resources::shapes::Document;
use crate::error::{Error, Result};
use crate::model::QueueName;
use crate::model::json::{self, Kind};
use crate::service::{ListRequest, MessageView, Removal};
use crate::websocket::envelope::Request;
use crate::websocket::reply::Reply;

/// `message_post`
pub(super) async fn post(call: &Call<'_>) -> Result<Reply> {
    let queue = call.new_queue()?;
    let terms = call.service.post_terms(&call.context, queue).await?;
    if call.request.size("messages") > terms.max_size {
        return Err(terms.too_large());
    }
    let list = call.request.share("messages").unwrap_or_default();
    let posted = json::message_list(&list, terms.delays).map_err(bad_request)?;
    call.check_client()?;
    let ids = call.service.post(&call.context, queue, &posted).await?;
    let ids = Document::list("message_ids", &ids, |document, id| document.string(&id.to_string()));
    Ok(call.json(StatusCode::CREATED, ids.end()))
}

/// `message_list`: with a `marker` of the next page, unlike the reference, unless this one is empty.
pub(super) async fn list(call: &Call<'_>, queue: &QueueName) -> Result<Reply> {
    call.check_client()?;
    let request = call.request;
    let listing = ListRequest {
        marker: request.text("marker").map(String::from),
        limit: request.integer("limit"),
        echo: request.boolean("echo").unwrap_or(false),
        include_claimed: request.boolean("include_claimed").unwrap_or(false),
        include_delayed: truth(request, "include_delayed"),
        wait: call.wait()?,
    };
    let listing = call.service.list(&call.context, queue, &listing).await?;
    let document = plain_list(&listing.messages);
    let document = match &listing.marker {
        Some(marker) => document.text("marker", marker),
        None => document,
    };
    Ok(call.json(StatusCode::OK, document.end()))
}

/// Whether the reference takes the member for true, of whatever type it is; `None` where it is null or missing.
fn truth(request: &Request, name: &str) -> Option<bool> {
    match request.value(name)?.0 {
        Kind::Null => None,
        Kind::Bool(value) => Some(value),
        Kind::Integer(value) => Some(value == 1),
        _ => {
            let text = request.text(name).unwrap_or_default().trim().to_ascii_lowercase();
            Some(matches!(&*text, "1" | "t" | "true" | "on" | "y" | "yes"))
        }
    }
}

/// `message_get`: an object, not a list.
pub(super) async fn get(call: &Call<'_>, queue: &QueueName) -> Result<Reply> {
    let message = call.service.message(&call.context, queue, &call.text("message_id")).await?;
    let mut document = Document::open("{\"messages\":");
    document.plain(&message, None);
    Ok(call.json(StatusCode::OK, document.end()))
}

/// `message_get_many`: those that exist.
pub(super) async fn get_many(call: &Call<'_>, queue: &QueueName) -> Result<Reply> {
    let ids = call.request.texts("message_ids").unwrap_or_default();
    let found = match call.service.messages(&call.context, queue, ids).await {
        Err(Error::MessagesMissing(..)) => Vec::new(),
        found => found?,
    };
    Ok(call.json(StatusCode::OK, plain_list(&found).end()))
}

/// `{"messages":[…]`, not closed yet.
pub(super) fn plain_list(messages: &[MessageView]) -> Document {
    Document::list("messages", messages, |document, message| document.plain(message, None))
}

/// `message_delete`
pub(super) async fn delete(call: &Call<'_>, queue: &QueueName) -> Result<Reply> {
    let (id, claim) = (call.text("message_id"), call.request.text("claim_id"));
    let deleted = call.service.delete_message(&call.context, queue, &id, claim.as_deref()).await;
    let exception = match &deleted {
        Err(Error::MessageClaimed) => match &claim {
            None => format!("Message {id} is claimed"),
            Some(claim) => format!("Message {id} is not claimed by {claim}"),
        },
        Err(Error::MessageNotClaimed) => format!("Message {id} is no longer claimed"),
        Err(Error::ClaimGone) => {
            let (claim, project) = (claim.unwrap_or_default(), &call.context.project);
            format!("Claim {claim} does not exist in queue {queue} for project {project}")
        }
        _ => return deleted.map(|()| call.empty(StatusCode::NO_CONTENT)),
    };
    let Err(error) = deleted else { return Err(Error::Internal) };
    let headline = error.description();
    Ok(Reply::failure_in_words(call.request, &error, &exception, headline.as_deref()))
}

/// `message_delete_many`, by ids or by their number from the head.
pub(super) async fn delete_many(call: &Call<'_>, queue: Option<&QueueName>) -> Result<Reply> {
    let request = call.request;
    let claims = request.texts("claim_ids");
    let removal =
        call.service.removal(request.texts("message_ids"), request.integer("pop"), claims.as_deref())?;
    match (removal, queue) {
        (Removal::Ids(ids), Some(queue)) => {
            call.service.delete_messages(&call.context, queue, &ids, claims.as_deref()).await?;
            Ok(call.empty(StatusCode::NO_CONTENT))
        }
        (Removal::Ids(_), None) => Ok(call.empty(StatusCode::NO_CONTENT)),
        (Removal::Pop(limit), Some(queue)) => {
            let popped = call.service.pop(&call.context, queue, limit, call.wait()?).await?;
            let document = Document::list("messages", &popped, Document::popped);
            Ok(call.json(StatusCode::OK, document.end()))
        }
        (Removal::Pop(_), None) => Ok(call.json(StatusCode::OK, json!({ "messages": [] }).to_string())),
    }
}
