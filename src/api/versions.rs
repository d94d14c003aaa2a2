//! The versions document at `/` (rest.md 3.1): the versions that are enabled.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::any;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::{Api, Version, extract, respond};
use crate::error::{Error, Result};

/// The router of the document at that path.
pub(crate) fn router_at(path: &str, api: &Api) -> Router {
    let document: Arc<str> = document(api.versions()).into();
    let handler = move |request: Request| {
        let response = answer(&document, &request);
        async move { response }
    };
    Router::new().route(path, any(handler))
}

fn answer(document: &str, request: &Request) -> Response<Body> {
    let headers = request.headers();
    let checked: Result<()> =
        extract::not_a_form(headers).and_then(|()| extract::takes_answer(headers, false));
    match (request.method(), checked) {
        (&Method::OPTIONS, _) => respond::empty(StatusCode::OK),
        (_, Err(error)) => respond::error(&error, headers),
        (&Method::GET, Ok(())) => respond::json(StatusCode::MULTIPLE_CHOICES, document.to_owned()),
        _ => respond::error(&Error::MethodNotAllowed(vec![Method::GET]), headers),
    }
}

fn document(versions: impl Iterator<Item = Version>) -> String {
    json!({ "versions": versions.map(entry).collect::<Vec<_>>() }).to_string()
}

fn entry(version: Version) -> Value {
    let (status, updated) = match version {
        Version::V1 => ("DEPRECATED", "2014-9-11T17:47:05Z"),
        Version::V1_1 => ("DEPRECATED", "2016-7-29T02:22:47Z"),
        Version::V2 => ("CURRENT", "2014-9-24T04:06:47Z"),
    };
    let name = version.id().replace('.', "_");
    json!({
        "id": version.id(),
        "status": status,
        "updated": updated,
        "media-types": [{
            "base": "application/json",
            "type": format!("application/vnd.openstack.messaging-v{name}+json"),
        }],
        "links": [{ "href": format!("{}/", version.prefix()), "rel": "self" }],
    })
}
