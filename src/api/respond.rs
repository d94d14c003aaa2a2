//! Answers: the few shapes that every handler uses, and error documents.

use axum::body::Body;
use http::header::{ALLOW, CONTENT_LOCATION, CONTENT_TYPE, LOCATION, VARY, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;

use super::accept::{self, Preference};
use crate::error::Error;

/// The media type of nearly every answer.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// 200 or 201 with a JSON document.
pub(crate) fn json(status: StatusCode, document: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(document.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The answer with that `Location`; a path that our own names and ids make is always a legal header.
pub(crate) fn at(response: Response<Body>, location: &str) -> Response<Body> {
    with(response, LOCATION, location)
}

/// The answer with that `Content-Location`.
pub(crate) fn located(response: Response<Body>, here: &str) -> Response<Body> {
    with(response, CONTENT_LOCATION, here)
}

fn with(mut response: Response<Body>, name: HeaderName, value: &str) -> Response<Body> {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}

/// The document of an error, in the form that the client prefers, and the log of its cause.
pub(crate) fn error(error: &Error, headers: &HeaderMap) -> Response<Body> {
    log(error);
    if let Error::Unauthorized(at) = error {
        return unauthorized(error, at);
    }
    let (body, media_type) = match accept::preference(headers) {
        Preference::Json => (document(error), Some(JSON)),
        Preference::Xml => (xml(error), Some(HeaderValue::from_static("application/xml"))),
        Preference::Neither => (String::new(), None),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = error.status();
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    if let Some(media_type) = media_type {
        headers.insert(CONTENT_TYPE, media_type);
    }
    if let Error::MethodNotAllowed(methods) = error {
        headers.insert(ALLOW, allow(methods, true));
    }
    response
}

/// 401, in the form that clients of the identity service know, whatever they accept (storage-and-operations.md 14.2).
fn unauthorized(error: &Error, authenticate_at: &str) -> Response<Body> {
    let (code, title, message) = (error.status().as_u16(), error.title(), error.description());
    let document = json!({ "error": { "code": code, "title": title, "message": message } });
    let mut response = json(error.status(), document.to_string());
    let challenge = HeaderValue::from_str(&format!("Keystone uri=\"{authenticate_at}\""));
    let challenge = challenge.unwrap_or(HeaderValue::from_static("Keystone"));
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

/// The methods of an `Allow` header, `OPTIONS` last where it is wanted.
pub(crate) fn allow(methods: &[http::Method], options: bool) -> HeaderValue {
    let names = methods.iter().map(http::Method::as_str).chain(options.then_some("OPTIONS"));
    HeaderValue::from_str(&names.collect::<Vec<_>>().join(", ")).unwrap_or(HeaderValue::from_static(""))
}

/// Logs an error, and where it is one of ours, its cause.
pub(crate) fn log(error: &Error) {
    match error {
        Error::Unavailable(sentence, cause) => tracing::error!(error.cause = ?cause, "{sentence}"),
        Error::Sealed(cause) => tracing::error!(error.cause = ?cause, "an encrypted body cannot be read"),
        Error::Internal => tracing::error!("a request met a defect"),
        other => tracing::debug!(error.cause = %other, "a request was refused"),
    }
}

fn document(error: &Error) -> String {
    let mut document = json!({ "title": error.title() });
    if let Some(description) = error.description() {
        document["description"] = description.into();
    }
    if matches!(error, Error::NotAcceptable) {
        document["link"] = json!({ "text": HELP_TEXT, "href": HELP_HREF, "rel": "help" });
    }
    document.to_string()
}

fn xml(error: &Error) -> String {
    let element = |name: &str, text: &str| format!("<{name}>{}</{name}>", escaped(text));
    let description = error.description().map(|text| element("description", &text)).unwrap_or_default();
    let link =
        [("text", HELP_TEXT), ("href", HELP_HREF), ("rel", "help")].map(|(name, text)| element(name, text));
    let link = match error {
        Error::NotAcceptable => format!("<link>{}</link>", link.concat()),
        _ => String::new(),
    };
    let title = element("title", error.title());
    format!(r#"<?xml version="1.0" encoding="UTF-8"?><error>{title}{description}{link}</error>"#)
}

const HELP_TEXT: &str = "14.1 Accept, Hypertext Transfer Protocol -- HTTP/1.1";
const HELP_HREF: &str = "http://www.w3.org/Protocols/rfc2616/rfc2616-sec14.html";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
