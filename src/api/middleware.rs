//! The layers around every route, outermost last in the code and first for a request.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate as _, SizeAbove};
use tracing::Instrument as _;
use uuid::Uuid;

use super::cors::Asked;
use super::deprecation::{Deprecation, announce};
use super::{Api, Cors, respond};
use crate::error::Error;
use crate::telemetry;

/// Answers below this size are not compressed: gzip would hardly shrink them.
const COMPRESS_FROM: u64 = 1_024;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");

/// Puts the layers around the routes.
pub(crate) fn around(routes: Router, api: &Api) -> Router {
    // A defect in a handler is answered 500 and costs no other request of its connection.
    let routes = routes.layer(CatchPanicLayer::custom(panicked));
    // Any OPTIONS becomes 200, and other origins learn what they may.
    let mut routes = routes.layer(from_fn_with_state(api.cors.clone(), cross_origin));
    // Older versions, where they are served, say so in every answer.
    if let Some(deprecation) = Deprecation::of(api) {
        routes = routes.layer(from_fn_with_state(deprecation, announce));
    }
    // Every request has an id, a span around all it logs, and is counted and timed by its route.
    let routes = routes.layer(from_fn(observe));
    // gzip for clients that ask for it.
    if api.compress {
        // Events must not wait in a compressor until there are enough of them.
        let worthwhile = SizeAbove::new(COMPRESS_FROM).and(NotForContentType::SSE);
        return routes.layer(CompressionLayer::new().compress_when(worthwhile));
    }
    routes
}

async fn observe(request: Request, next: Next) -> Response<Body> {
    let start = Instant::now();
    let id = telemetry::request_id();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(telemetry::UNMATCHED, MatchedPath::as_str);
    let span = telemetry::request_span(&id, method.as_str());
    span.record(telemetry::HTTP_ROUTE, route);
    if let Some(global) = global_id(request.headers()) {
        span.record(telemetry::GLOBAL_ID, global);
    }
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, elapsed) = (response.status(), start.elapsed());
    telemetry::http_request(&method, route, status, elapsed);
    span.in_scope(|| {
        tracing::debug!(http.status = status.as_u16(), elapsed.us = elapsed.as_micros(), "answered");
    });
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    // The framework gives the answer to a HEAD the length of its empty body, also where a GET has none.
    if method == Method::HEAD {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response
}

/// The id that the caller's own service gave the request, if it has the form of one.
fn global_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get("x-openstack-request-id")?.to_str().ok()?;
    let uuid = id.strip_prefix("req-")?;
    (uuid.len() == 36 && Uuid::try_parse(uuid).is_ok()).then_some(id)
}

async fn cross_origin(State(cors): State<Arc<Cors>>, request: Request, next: Next) -> Response<Body> {
    let asked = Asked::by(request.method(), request.headers());
    let options = request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    if options && !response.status().is_success() {
        response = respond::empty(StatusCode::OK);
    }
    if let Some(asked) = asked {
        cors.apply(&asked, &mut response);
    }
    response
}

fn panicked(_: Box<dyn Any + Send + 'static>) -> Response<Body> {
    respond::error(&Error::Internal, &HeaderMap::new())
}
