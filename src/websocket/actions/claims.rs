//! `claim_*`.

use http::StatusCode;
use serde_json::json;

use super::Call;
use crate::api::resources::shapes::Document;
use crate::error::Result;
use crate::model::{ClaimId, QueueName};
use crate::service::{ClaimAnswer, ClaimRequested, Won};
use crate::websocket::reply::Reply;

/// `claim_create`: 201, or 204 where there is nothing to claim.
pub(super) async fn create(call: &Call<'_>, queue: &QueueName) -> Result<Reply> {
    let request = call.request;
    let (ttl, grace, limit) = (request.integer("ttl"), request.integer("grace"), request.integer("limit"));
    let requested = ClaimRequested { ttl, grace, limit, wait: call.wait()? };
    let won = call.service.claim(&call.context, queue, requested).await?;
    let Some(Won { id, messages, hold }) = won else { return Ok(nothing_claimed(call)) };
    let document = Document::open(&format!("{{\"claim_id\":\"{id}\""));
    let document =
        document.and_list("messages", &messages, |document, message| document.plain(message, Some(id)));
    Ok(call.json(StatusCode::CREATED, document.end()).with_hold(hold))
}

/// The answer where there is nothing to claim.
pub(super) fn nothing_claimed(call: &Call<'_>) -> Reply {
    call.json(StatusCode::NO_CONTENT, json!({ "claim_id": null }).to_string())
}

/// `claim_get`
pub(super) async fn get(call: &Call<'_>, queue: &QueueName) -> Result<Reply> {
    let id = call.text("claim_id");
    let claim = call.service.claimed(&call.context, queue, &id).await?;
    let ClaimAnswer { age, ttl, messages } = &claim;
    let id = ClaimId::parse(&id);
    let document = Document::open(&format!("{{\"age\":{age},\"ttl\":{ttl}"));
    let document = document.and_list("messages", messages, |document, message| document.plain(message, id));
    Ok(call.json(StatusCode::OK, document.end()))
}

/// `claim_update`
pub(super) async fn update(call: &Call<'_>, queue: &QueueName) -> Result<Reply> {
    let (id, ttl) = (call.text("claim_id"), call.request.integer("ttl"));
    call.service.renew(&call.context, queue, &id, ttl, call.lenient_integer("grace")?).await?;
    Ok(call.sentence(StatusCode::NO_CONTENT, &format!("Claim {id} updated.")))
}

/// `claim_delete`
pub(super) async fn delete(call: &Call<'_>, queue: &QueueName) -> Result<Reply> {
    call.service.release(&call.context, queue, &call.text("claim_id")).await?;
    Ok(deleted(call))
}

/// The answer for a claim that is gone, or never was.
pub(super) fn deleted(call: &Call<'_>) -> Reply {
    call.sentence(StatusCode::NO_CONTENT, &format!("Claim {} deleted.", call.text("claim_id")))
}
