//! Pre-signed URLs on the wire (rest.md 9.1).

use axum::body::Body;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::api::dispatch::Call;
use crate::api::respond;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::{Metadata, iso8601, json};
use crate::service::{ShareTerms, Shared};

/// What the document may hold.
const KEYS: [&str; 3] = ["methods", "expires", "paths"];

/// `POST /v2/queues/{queue}/share`
pub(crate) async fn share(mut call: Call) -> Result<Response<Body>> {
    let body = call.small_body().await?.ok_or(Error::BodyMissing)?;
    let terms = terms(&json::object(&body)?)?;
    let url = call.service.share(&call.context, call.queue()?, terms)?;
    let document = json!({
        "paths": url.paths,
        "methods": url.methods,
        "project": call.context.project.as_str(),
        "expires": url.expires,
        "signature": url.signature,
    });
    Ok(respond::json(StatusCode::OK, document.to_string()))
}

fn terms(document: &Metadata) -> Result<ShareTerms> {
    let unknown: Vec<_> = document.keys().filter(|key| !KEYS.contains(&key.as_str())).collect();
    if !unknown.is_empty() {
        return Err(Error::invalid(format!("Unknown keys: {}", set(unknown))));
    }
    let given = |key| document.get(key).filter(|value| !value.is_null());
    Ok(ShareTerms {
        paths: given("paths").map_or(Ok(Vec::new()), paths)?,
        methods: given("methods").map_or(Ok(Vec::new()), methods)?,
        expires: given("expires").map(expires).transpose()?,
    })
}

fn paths(value: &Value) -> Result<Vec<Shared>> {
    let named = |item: &&Value| Shared::ALL.into_iter().find(|part| item.as_str() == Some(part.name()));
    let items = list("paths", value)?;
    let unknown: Vec<_> = items.iter().filter(|item| named(item).is_none()).map(text).collect();
    if unknown.is_empty() {
        Ok(items.iter().filter_map(|item| named(&item)).collect())
    } else {
        Err(Error::invalid(format!("Invalid paths: {}", set(unknown))))
    }
}

fn methods(value: &Value) -> Result<Vec<String>> {
    let wrong = || Error::invalid("`methods` should be a list of strings");
    list("methods", value)?.iter().map(|item| Ok(item.as_str().ok_or_else(wrong)?.to_owned())).collect()
}

/// The end: a time, and no number that might be meant for one, even in a text.
fn expires(value: &Value) -> Result<Timestamp> {
    let integer = value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
    if let Some(integer) = integer.filter(|integer| *integer != 0) {
        return Err(Error::invalid(format!(
            "`expires` should be date format, for example 2016-01-01T00:00:00, not integer value: {integer}"
        )));
    }
    let parsed = value.as_str().and_then(iso8601::parse);
    parsed.ok_or_else(|| Error::invalid(format!("Unable to parse date string '{}'", text(value))))
}

fn list<'a>(name: &str, value: &'a Value) -> Result<&'a [Value]> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| Error::invalid(format!("`{name}` should be a list")))
}

/// A value as an error names it.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Names as the reference writes a set of them, in order.
fn set(names: impl IntoIterator<Item = impl std::fmt::Display>) -> String {
    let mut names: Vec<_> = names.into_iter().map(|name| format!("'{name}'")).collect();
    names.sort_unstable();
    names.dedup();
    format!("{{{}}}", names.join(", "))
}
