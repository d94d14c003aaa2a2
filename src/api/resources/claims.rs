//! Claims on the wire.

use axum::body::Body;
use http::{Response, StatusCode};

use super::shapes::Document;
use crate::api::dispatch::Call;
use crate::api::{Version, respond, taken};
use crate::error::{Error, Result};
use crate::model::ClaimId;
use crate::model::json::{self, BodyError, ClaimTerms};
use crate::service::{ClaimRequested, Won};

/// `POST …/claims[?limit=…&wait=…]`
pub(crate) async fn create(mut call: Call) -> Result<Response<Body>> {
    let (limit, wait) = (call.query.integer("limit")?, call.wait()?);
    let ClaimTerms { ttl, grace } = new_terms(&mut call).await?;
    let queue = call.queue()?;
    let requested = ClaimRequested { ttl, grace, limit, wait };
    let won = call.service.claim(&call.context, queue, requested).await?;
    let Some(Won { id, messages, hold }) = won else { return Ok(respond::empty(StatusCode::NO_CONTENT)) };
    let messages = Document::listing(call.version, "messages", &messages, |document, message| {
        document.claimed(call.version, queue, message);
    });
    let response = respond::json(StatusCode::CREATED, messages);
    let response =
        if wait.is_zero() { response } else { response.map(|body| taken::then(body, || hold.keep())) };
    Ok(respond::at(response, &call.version.claim(queue, id)))
}

/// The terms of a new claim. v1 needs both of them, the others nothing at all.
async fn new_terms(call: &mut Call) -> Result<ClaimTerms> {
    let body = call.small_body().await?;
    if call.version > Version::V1 {
        let body = body.filter(|body| !body.is_empty());
        return Ok(body.map(|body| json::claim_terms(&body)).transpose()?.unwrap_or_default());
    }
    let terms = json::claim_terms(&body.ok_or(Error::BodyMissing)?)?;
    terms.ttl.ok_or(BodyError::Missing("ttl"))?;
    terms.grace.ok_or(BodyError::Missing("grace"))?;
    Ok(terms)
}

/// `GET …/claims/{id}`
pub(crate) async fn get(call: Call) -> Result<Response<Body>> {
    let queue = call.queue()?;
    let claim = call.service.claimed(&call.context, queue, call.id()).await?;
    let href = ClaimId::parse(call.id()).map_or_else(String::new, |id| call.version.claim(queue, id));
    let messages = Document::list("messages", &claim.messages, |document, message| {
        document.claimed(call.version, queue, message);
    });
    let document = messages.number("age", claim.age).number("ttl", claim.ttl).text("href", &href);
    Ok(respond::json(StatusCode::OK, document.end()))
}

/// `PATCH …/claims/{id}`
pub(crate) async fn update(mut call: Call) -> Result<Response<Body>> {
    let body = call.small_body().await?.ok_or(Error::BodyMissing)?;
    let ClaimTerms { ttl, mut grace } = json::claim_terms(&body)?;
    if call.version == Version::V1 {
        ttl.ok_or(BodyError::Missing("ttl"))?;
        grace.get_or_insert(0);
    }
    call.service.renew(&call.context, call.queue()?, call.id(), ttl, grace).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// `DELETE …/claims/{id}`
pub(crate) async fn delete(call: Call) -> Result<Response<Body>> {
    call.service.release(&call.context, call.queue()?, call.id()).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}
