//! Messages on the wire.

use axum::body::Body;
use http::{Response, StatusCode};

use super::link::Link;
use super::shapes::{self, Document};
use crate::api::dispatch::Call;
use crate::api::{Version, respond};
use crate::error::{Error, Result};
use crate::model::json;
use crate::service::{ListRequest, Removal};

/// `POST …/messages`
pub(crate) async fn post(mut call: Call) -> Result<Response<Body>> {
    call.needs_client()?;
    let (version, queue) = (call.version, call.queue()?.clone());
    let terms = call.service.post_terms(&call.context, &queue).await?;
    let body = call.body(terms.max_size, || terms.too_large()).await?.ok_or(Error::BodyMissing)?;
    let ids = if version == Version::V1 {
        call.service.post_to_existing(&call.context, &queue, &json::message_array(&body)?).await?
    } else {
        let posted = json::messages(&body, terms.delays && version == Version::V2)?;
        call.service.post(&call.context, &queue, &posted).await?
    };
    let location = format!("{}/messages?ids=", version.queue(&queue));
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    let resources = Document::list("resources", &ids, |document, id| {
        document.string(&version.message(&queue, id));
    });
    // What v1 promised, and no store does: that some of the messages may be missing.
    let resources = if version == Version::V1 { resources.denial("partial") } else { resources };
    Ok(respond::at(respond::json(StatusCode::CREATED, resources.end()), &(location + &ids.join(","))))
}

/// `GET …/messages` and `GET …/messages?ids=…`
pub(crate) async fn list_or_get(call: Call) -> Result<Response<Body>> {
    match call.query.list("ids") {
        Some(ids) => get_by_ids(call, ids).await,
        None => list(call).await,
    }
}

async fn list(call: Call) -> Result<Response<Body>> {
    call.needs_client()?;
    let (version, queue, query) = (call.version, call.queue()?, &call.query);
    let knows_delays = version == Version::V2;
    let (limit, echo) = (query.integer("limit")?, query.boolean("echo")?);
    let include_claimed = query.boolean("include_claimed")?;
    let request = ListRequest {
        marker: query.text("marker").map(str::to_owned),
        limit,
        echo: echo.unwrap_or(false),
        include_claimed: include_claimed.unwrap_or(false),
        include_delayed: if knows_delays { query.boolean("include_delayed")? } else { None },
        wait: call.wait()?,
    };
    let listing = call.service.list(&call.context, queue, &request).await?;
    if version == Version::V1 && listing.messages.is_empty() {
        return Ok(respond::empty(StatusCode::NO_CONTENT));
    }
    let next = listing.marker.map(|marker| {
        let given = request.marker.is_some();
        Link::to(&format!("{}/messages", version.queue(queue)))
            .with("marker", given.then_some(&marker))
            .with("limit", limit)
            .with("echo", echo)
            .with("include_claimed", include_claimed)
            .with("include_delayed", listing.include_delayed.filter(|_| knows_delays))
            .with("marker", (!given).then_some(&marker))
            .href()
    });
    let messages = Document::list("messages", &listing.messages, |document, message| {
        document.message(version, queue, message);
    });
    Ok(respond::json(StatusCode::OK, messages.links(next).end()))
}

async fn get_by_ids(call: Call, ids: Vec<String>) -> Result<Response<Body>> {
    let (version, queue) = (call.version, call.queue()?);
    let found = match call.service.messages(&call.context, queue, ids).await {
        Err(Error::MessagesMissing(..)) if version == Version::V1 => {
            return Ok(respond::empty(StatusCode::NO_CONTENT));
        }
        found => found?,
    };
    let messages = Document::listing(version, "messages", &found, |document, message| {
        document.message(version, queue, message);
    });
    Ok(respond::json(StatusCode::OK, messages))
}

/// `GET …/messages/{id}`
pub(crate) async fn get(call: Call) -> Result<Response<Body>> {
    let queue = call.queue()?;
    let message = call.service.message(&call.context, queue, call.id()).await?;
    Ok(respond::json(StatusCode::OK, shapes::message(call.version, queue, &message)))
}

/// `DELETE …/messages/{id}[?claim_id=…]`
pub(crate) async fn delete(call: Call) -> Result<Response<Body>> {
    let claim = call.query.text("claim_id");
    call.service.delete_message(&call.context, call.queue()?, call.id(), claim).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}

/// `DELETE …/messages?ids=…` and, after v1, `DELETE …/messages?pop=…`
pub(crate) async fn delete_or_pop(call: Call) -> Result<Response<Body>> {
    let (service, context, queue) = (&call.service, &call.context, call.queue()?);
    let (ids, claims) = (call.query.list("ids"), call.query.list("claim_ids"));
    let pop = match call.version {
        Version::V1 if ids.is_none() => return Err(Error::ParameterMissing("ids")),
        Version::V1 => None,
        Version::V1_1 | Version::V2 => call.query.integer("pop")?,
    };
    match service.removal(ids, pop, claims.as_deref())? {
        Removal::Ids(ids) => {
            service.delete_messages(context, queue, &ids, claims.as_deref()).await?;
            Ok(respond::empty(StatusCode::NO_CONTENT))
        }
        Removal::Pop(limit) => {
            let popped = service.pop(context, queue, limit, call.wait()?).await?;
            let messages = Document::list("messages", &popped, Document::popped);
            Ok(respond::json(StatusCode::OK, messages.end()))
        }
    }
}
