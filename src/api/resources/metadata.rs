//! The metadata of a queue as a resource of its own, as v1 has it (rest.md 4.6).

use axum::body::Body;
use http::{Response, StatusCode};

use super::queues;
use crate::api::dispatch::Call;
use crate::api::respond;
use crate::error::{Error, Result};
use crate::model::json;
use crate::policy::Rule;

/// `GET /v1/queues/{queue}/metadata`
pub(crate) async fn get(call: Call) -> Result<Response<Body>> {
    let queue = call.queue()?;
    call.service.must_exist(&call.context, Rule::QueuesGet, queue).await?;
    let metadata = call.service.shown_metadata(&call.context, queue, queues::shown(call.version)).await?;
    Ok(respond::json(StatusCode::OK, queues::object(&metadata)))
}

/// `PUT /v1/queues/{queue}/metadata`
pub(crate) async fn replace(mut call: Call) -> Result<Response<Body>> {
    let body = queues::metadata_body(&mut call).await?.ok_or(Error::BodyMissing)?;
    let metadata = json::object(&body)?;
    let queue = call.queue()?;
    call.service.replace_metadata(&call.context, queue, &metadata).await?;
    let location = format!("{}/metadata", call.version.queue(queue));
    Ok(respond::at(respond::empty(StatusCode::NO_CONTENT), &location))
}
