//! Purge on the wire.

use axum::body::Body;
use http::{Response, StatusCode};

use crate::api::dispatch::Call;
use crate::api::respond;
use crate::error::Result;
use crate::model::json::{self, PurgeTerms};

/// `POST /v2/queues/{queue}/purge`
pub(crate) async fn purge(mut call: Call) -> Result<Response<Body>> {
    let body = call.small_body().await?.filter(|body| !body.is_empty());
    let terms = match body {
        None => PurgeTerms { messages: true, subscriptions: true },
        Some(body) => json::purge_terms(&body)?,
    };
    call.service.purge(&call.context, call.queue()?, terms).await?;
    Ok(respond::empty(StatusCode::NO_CONTENT))
}
