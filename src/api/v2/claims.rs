//! Claims on the wire.

use axum::body::Body;
use http::{Response, StatusCode};

use super::shapes::{self, Document};
use crate::api::dispatch::Call;
use crate::api::respond;
use crate::error::{Error, Result};
use crate::model::ClaimId;
use crate::model::json::{self, ClaimTerms};

/// `POST …/claims[?limit=…]`
pub(crate) async fn create(mut call: Call) -> Result<Response<Body>> {
    let limit = call.query.integer("limit")?;
    let body = call.small_body().await?.filter(|body| !body.is_empty());
    let ClaimTerms { ttl, grace } =
        body.map(|body| json::claim_terms(&body)).transpose()?.unwrap_or_default();
    let queue = call.queue()?;
    let claimed = call.service.claim(&call.context, queue, ttl, grace, limit).await?;
    let Some((id, messages)) = claimed else { return Ok(respond::empty(StatusCode::NO_CONTENT)) };
    let messages =
        Document::list("messages", &messages, |document, message| document.message(queue, message));
    let response = respond::json(StatusCode::CREATED, messages.end());
    Ok(respond::at(response, &shapes::claim_path(queue, id)))
}

/// `GET …/claims/{id}`
pub(crate) async fn get(call: Call) -> Result<Response<Body>> {
    let queue = call.queue()?;
    let claim = call.service.claimed(&call.context, queue, call.id()).await?;
    let href = ClaimId::parse(call.id()).map_or_else(String::new, |id| shapes::claim_path(queue, id));
    let document =
        Document::list("messages", &claim.messages, |document, message| document.message(queue, message))
            .number("age", claim.age)
            .number("ttl", claim.ttl)
            .text("href", &href);
    Ok(respond::json(StatusCode::OK, document.end()))
}

/// `PATCH …/claims/{id}`
pub(crate) async fn update(mut call: Call) -> Result<Response<Body>> {
    let body = call.small_body().await?.ok_or(Error::BodyMissing)?;
    let ClaimTerms { ttl, grace } = json::claim_terms(&body)?;
    call.service.renew(&call.context, call.queue()?, call.id(), ttl, grace).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// `DELETE …/claims/{id}`
pub(crate) async fn delete(call: Call) -> Result<Response<Body>> {
    call.service.release(&call.context, call.queue()?, call.id()).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}
