//! `/healthcheck` for load balancers and supervisors: without authentication, project or client.
//!
//! * `/healthcheck` (readiness): 200 while requests are welcome; 503 while the message store does not answer, while the
//!   disable file exists, and from the order to stop on (decision 30).
//! * `/healthcheck/live` (liveness): 200 as long as the process can answer at all.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::routing::any;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};

use super::{Api, respond};
use crate::service::Service;

/// Whether load balancers may send requests here.
#[derive(Debug, Default)]
pub struct Readiness {
    stopping: AtomicBool,
    disable_file: Option<PathBuf>,
}

impl Readiness {
    /// Ready until told otherwise, or while that file exists.
    pub fn new(disable_file: Option<PathBuf>) -> Self {
        Self { stopping: AtomicBool::new(false), disable_file }
    }

    /// Not ready from now on: the process is about to stop.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Why no requests are welcome, if they are not.
    fn refusal(&self) -> Option<&'static str> {
        if self.stopping.load(Ordering::Relaxed) {
            return Some("STOPPING");
        }
        self.disable_file.as_ref().is_some_and(|file| file.exists()).then_some("DISABLED BY FILE")
    }
}

/// The router of both checks.
pub(crate) fn router(api: &Api) -> Router {
    let (service, readiness) = (api.service.clone(), api.readiness.clone());
    let ready = move |method| ready(method, service.clone(), readiness.clone());
    Router::new().route("/healthcheck", any(ready)).route("/healthcheck/live", any(live))
}

async fn ready(method: Method, service: Service, readiness: Arc<Readiness>) -> Response<Body> {
    let refusal = match readiness.refusal() {
        None if !service.is_ready().await => Some("STORE UNAVAILABLE"),
        refusal => refusal,
    };
    match refusal {
        None => answer(&method, StatusCode::OK, "OK"),
        Some(reason) => answer(&method, StatusCode::SERVICE_UNAVAILABLE, reason),
    }
}

async fn live(method: Method) -> Response<Body> {
    answer(&method, StatusCode::OK, "OK")
}

fn answer(method: &Method, status: StatusCode, reason: &'static str) -> Response<Body> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        let mut response = respond::empty(StatusCode::METHOD_NOT_ALLOWED);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    let body = if method == Method::HEAD { Body::empty() } else { Body::from(reason) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
