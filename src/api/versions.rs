//! The versions document at `/` (rest.md 3.1): the versions that are enabled.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::any;
use http::{Method, Response, StatusCode};
use serde_json::json;

use super::{extract, respond};
use crate::error::{Error, Result};

/// The router of the document at that path.
pub(crate) fn router_at(path: &str) -> Router {
    Router::new().route(path, any(document))
}

async fn document(request: Request) -> Response<Body> {
    let headers = request.headers();
    let checked: Result<()> = extract::not_a_form(headers).and_then(|()| extract::takes_json(headers));
    match (request.method(), checked) {
        (&Method::OPTIONS, _) => respond::empty(StatusCode::OK),
        (_, Err(error)) => respond::error(&error, headers),
        (&Method::GET, Ok(())) => respond::json(StatusCode::MULTIPLE_CHOICES, versions().to_string()),
        _ => respond::error(&Error::MethodNotAllowed(vec![Method::GET]), headers),
    }
}

fn versions() -> serde_json::Value {
    json!({ "versions": [{
        "id": "2",
        "status": "CURRENT",
        "updated": "2014-9-24T04:06:47Z",
        "media-types": [{
            "base": "application/json",
            "type": "application/vnd.openstack.messaging-v2+json",
        }],
        "links": [{ "href": "/v2/", "rel": "self" }],
    }] })
}
