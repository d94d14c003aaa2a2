//! From an HTTP request to a WebSocket: the opening handshake of RFC 6455.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use http::header::{
    CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{Door, Hub, authenticate, connection, origin};
use crate::server::{Peer, Phase};

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Why a request does not become a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// It does not ask for one.
    Plain,
    /// No version but 13 is spoken.
    Version,
    /// It is no handshake, in these words.
    Malformed(&'static str),
    /// Its page may not connect.
    Origin,
    /// There are too many.
    Full,
    /// The service is about to stop.
    Stopping,
}

/// Answers a request at that door: with the upgrade, or with the reason why not.
pub(super) async fn answer(hub: Arc<Hub>, door: Door, request: Request) -> Response<Body> {
    let accept = match key(&hub, door, &request) {
        Ok(key) => derive_accept_key(key.as_bytes()),
        Err(refusal) => return refused(refusal, door),
    };
    let Some(seat) = hub.seat() else { return refused(Refusal::Full, door) };
    let proven = match authenticate::by_headers(&hub, request.headers()).await {
        Ok(proven) => proven,
        Err(error) => return crate::api::refused(&error, request.headers()),
    };
    let peer = request.extensions().get::<Peer>().copied();
    let upgrade = hyper::upgrade::on(request);
    let tasks = hub.tasks.clone();
    tasks.spawn(async move {
        match timeout(hub.settings.open, upgrade).await {
            Ok(Ok(upgraded)) => connection::run(hub, TokioIo::new(upgraded), peer, proven, seat).await,
            Ok(Err(error)) => tracing::debug!(error.cause = %error, "a handshake was not completed"),
            Err(_) => tracing::debug!("a handshake was not completed in time"),
        }
    });
    switching(&accept)
}

/// The key of a handshake that may be accepted.
fn key(hub: &Hub, door: Door, request: &Request) -> Result<String, Refusal> {
    let headers = request.headers();
    if !has_token(headers, &UPGRADE, "websocket") || request.version() > Version::HTTP_11 {
        return Err(Refusal::Plain);
    }
    if request.method() != Method::GET || request.version() < Version::HTTP_11 {
        return Err(Refusal::Malformed("a WebSocket is opened by GET in HTTP/1.1"));
    }
    if !has_token(headers, &CONNECTION, "upgrade") {
        return Err(Refusal::Malformed("the header Connection does not say Upgrade"));
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Refusal::Version);
    }
    let key = the_key(headers).ok_or(Refusal::Malformed("Sec-WebSocket-Key is not 16 bytes in base64"))?;
    if door == Door::Own && !origin::names_port(headers, hub.settings.external_port) {
        return Err(Refusal::Malformed("the port of the header Host is not the one that clients use"));
    }
    if !hub.settings.origins.permit(headers) {
        return Err(Refusal::Origin);
    }
    if hub.stage.phase() > Phase::Running {
        return Err(Refusal::Stopping);
    }
    Ok(key)
}

/// The one key, of 16 bytes in base64.
fn the_key(headers: &HeaderMap) -> Option<String> {
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else { return None };
    let key = key.to_str().ok()?.trim();
    let alphabet = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/';
    let (digits, padding) = key.split_at_checked(22)?;
    (padding == "==" && digits.bytes().all(alphabet)).then(|| key.to_owned())
}

/// Whether a header that lists words holds that one.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case(token))
}

fn switching(accept: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, WEBSOCKET);
    if let Ok(accept) = HeaderValue::from_str(accept) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

fn refused(refusal: Refusal, door: Door) -> Response<Body> {
    let (status, words) = match (refusal, door) {
        (Refusal::Plain, Door::Own) => return page(),
        (Refusal::Plain, Door::Rest) => (StatusCode::UPGRADE_REQUIRED, "This is a WebSocket."),
        (Refusal::Version, _) => (StatusCode::UPGRADE_REQUIRED, "Only version 13 is spoken."),
        (Refusal::Malformed(words), _) => (StatusCode::BAD_REQUEST, words),
        (Refusal::Origin, _) => (StatusCode::FORBIDDEN, "This origin may not connect."),
        (Refusal::Full, _) => (StatusCode::SERVICE_UNAVAILABLE, "There are too many connections."),
        (Refusal::Stopping, _) => (StatusCode::SERVICE_UNAVAILABLE, "The service is stopping."),
    };
    let mut response = Response::new(Body::from(words));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
    if status == StatusCode::UPGRADE_REQUIRED {
        headers.insert(UPGRADE, WEBSOCKET);
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    response
}

/// What a browser shows whose user follows a link here, as the Python service does.
fn page() -> Response<Body> {
    const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Zaqar WebSocket</title></head>\
                        <body><h1>Zaqar WebSocket</h1><p>This address speaks WebSocket.</p></body></html>\n";
    let mut response = Response::new(Body::from(PAGE));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=UTF-8"));
    response
}
