//! Requests that bring a pre-signed URL's values in place of a token (rest.md 9.3).

use std::borrow::Cow;
use std::sync::Arc;

use http::Method;
use http::request::Parts;
use percent_encoding::percent_decode;

use super::signature::{Grant, SigningKey};
use super::{Identity, Proven};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::model::{ProjectId, iso8601};

/// The value whose presence, empty or not, makes a request a signed one.
const SIGNATURE: &str = "url-signature";

/// Checks pre-signed requests. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Presigned {
    key: SigningKey,
    clock: Clock,
}

/// Why a signed request is refused. Clients are not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("{0} is missing, or given more than once, or not UTF-8")]
    Value(&'static str),
    #[error("the method is not among those that were signed")]
    Method,
    #[error("the path is not among those that were signed")]
    Path,
    #[error("it has expired, or its end is no time")]
    Expired,
    #[error("the signature is not that of these values")]
    Signature,
}

impl Presigned {
    /// Verifies with that key; ends are judged by that clock.
    pub fn new(key: SigningKey, clock: Clock) -> Self {
        Self { key, clock }
    }

    /// Who sends a signed request: the project that was signed and nobody in particular, without any role. `None`
    /// where the request is not signed; a bare 404 where the signature does not cover it.
    pub fn admit(&self, request: &Parts) -> Result<Option<Proven>> {
        if values(request, SIGNATURE).next().is_none() {
            return Ok(None);
        }
        self.sender(request).map(Some).map_err(|refusal| {
            tracing::debug!(error.cause = %refusal, "a pre-signed request is refused");
            Error::NoRoute
        })
    }

    fn sender(&self, request: &Parts) -> std::result::Result<Proven, Refusal> {
        let (methods, paths) = (value(request, "url-methods")?, value(request, "url-paths")?);
        let (expires, project) = (value(request, "url-expires")?, value(request, "x-project-id")?);
        let (methods, paths): (Vec<_>, Vec<_>) = (methods.split(',').collect(), paths.split(',').collect());
        if !methods.contains(&request.method.as_str()) {
            return Err(Refusal::Method);
        }
        if !paths.iter().any(|signed| covers(signed, request.uri.path())) {
            return Err(Refusal::Path);
        }
        self.holder(paths, methods, &project, &expires, &value(request, SIGNATURE)?)
    }

    /// Who may do that by a signature, until its end: the project that was signed.
    fn holder(
        &self,
        paths: Vec<&str>,
        methods: Vec<&str>,
        project: &str,
        expires: &str,
        signature: &str,
    ) -> std::result::Result<Proven, Refusal> {
        let expires =
            iso8601::parse(expires).filter(|end| *end > self.clock.now()).ok_or(Refusal::Expired)?;
        let grant = Grant { paths, methods, project, expires };
        if !self.key.verifies(&grant, signature) {
            return Err(Refusal::Signature);
        }
        let project = Some(ProjectId::new(project));
        let identity = Identity { project, signed: true, ..Identity::default() };
        Ok(Proven { identity: Arc::new(identity), expires: Some(expires) })
    }

    /// The same for a request that is none of HTTP's; its caller has looked whether paths and methods cover it.
    pub(crate) fn grants(
        &self,
        paths: &[String],
        methods: &[String],
        project: &str,
        expires: &str,
        signature: &str,
    ) -> Option<Proven> {
        fn texts(list: &[String]) -> Vec<&str> {
            list.iter().map(String::as_str).collect()
        }
        let holder = self.holder(texts(paths), texts(methods), project, expires, signature);
        holder
            .inspect_err(|refusal| tracing::debug!(error.cause = %refusal, "a signed request is refused"))
            .ok()
    }
}

/// Whether a signed path covers a request's: it is the same, or the request's goes on behind it with whole segments.
/// Nothing is decoded or resolved on the way, as the router resolves nothing either; what goes on must not contain
/// anything that a server before or behind this one might take for another path.
fn covers(signed: &str, path: &str) -> bool {
    let Some(rest) = path.strip_prefix(signed).filter(|_| signed.starts_with('/')) else { return false };
    let plain = |segment: &str| !["", ".", ".."].contains(&segment) && !segment.contains(['%', '\\', ';']);
    rest.is_empty() || rest.strip_prefix('/').is_some_and(|rest| rest.split('/').all(plain))
}

/// The one value of that name: of two, nobody knows which another server would take.
fn value<'a>(request: &'a Parts, name: &'static str) -> std::result::Result<Cow<'a, str>, Refusal> {
    let mut all = values(request, name);
    match (all.next(), all.next()) {
        (Some(Some(value)), None) if !value.is_empty() => Ok(value),
        _ => Err(Refusal::Value(name)),
    }
}

/// Every value of that name, in headers and where it may stand there in the query; `None` for one that is not UTF-8.
fn values<'a>(request: &'a Parts, name: &'static str) -> impl Iterator<Item = Option<Cow<'a, str>>> {
    let headers = request.headers.get_all(name).iter();
    let headers = headers.map(|value| std::str::from_utf8(value.as_bytes()).ok().map(Cow::from));
    headers.chain(parameters(request, name))
}

/// The values of a parameter of the query, where it may bring what belongs into headers: on listings of messages,
/// because a browser's `EventSource` and plain links can send no headers (decision 25). The name is compared as
/// that of a header. `None` for a value that is not UTF-8.
pub(crate) fn parameters<'a>(
    request: &'a Parts,
    name: &'static str,
) -> impl Iterator<Item = Option<Cow<'a, str>>> {
    let listing = request.method == Method::GET && is_listing(request.uri.path());
    let query = request.uri.query().filter(|_| listing).unwrap_or_default();
    query.split('&').filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        decoded(key)?.eq_ignore_ascii_case(name).then(|| decoded(value))
    })
}

fn is_listing(path: &str) -> bool {
    let rest = path.strip_prefix("/v2/queues/").and_then(|rest| rest.split_once('/'));
    rest.is_some_and(|(_, kind)| matches!(kind, "messages" | "messages/stream"))
}

/// A part of a query without its escapes.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('+') {
        return percent_decode(text.as_bytes()).decode_utf8().ok();
    }
    let spaced = text.replace('+', " ");
    Some(percent_decode(spaced.as_bytes()).decode_utf8().ok()?.into_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(uri: &str) -> Parts {
        http::Request::get(uri).body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_signed_request_is_of_its_project_and_of_nobody_with_a_role() {
        let key = SigningKey::new(Some(&"sekret".into()));
        let expires = iso8601::parse("2099-01-01T00:00:00").unwrap();
        let paths = vec!["/v2/queues/q/messages"];
        let grant = Grant { paths, methods: vec!["GET"], project: "p", expires };
        let request = http::Request::get("/v2/queues/q/messages")
            .header("url-signature", key.sign(&grant).unwrap())
            .header("url-expires", "2099-01-01T01:00:00+01:00")
            .header("url-methods", "GET")
            .header("url-paths", "/v2/queues/q/messages")
            .header("x-project-id", "p")
            .header("x-roles", "admin")
            .header("x-user-id", "root")
            .header("openstack-system-scope", "all");
        let (request, ()) = request.body(()).unwrap().into_parts();
        let who = Presigned::new(key, Clock::system()).admit(&request).unwrap().unwrap();
        let identity = Identity { project: Some(ProjectId::new("p")), signed: true, ..Identity::default() };
        assert_eq!(who, Proven { identity: Arc::new(identity), expires: Some(expires) });
    }

    #[test]
    fn a_signed_path_covers_itself_and_what_lies_below() {
        let signed = "/v2/queues/q/messages";
        for path in ["/v2/queues/q/messages", "/v2/queues/q/messages/0198a3c1-7d3f"] {
            assert!(covers(signed, path), "{path}");
        }
        for path in [
            "/v2/queues/q",
            "/v2/queues/q/message",
            "/v2/queues/q/messages2",
            "/v2/queues/q/messages/",
            "/v2/queues/q/messages//x",
            "/v2/queues/q/messages/../claims/x",
            "/v2/queues/q/messages/%2e%2e/claims",
            "/v2/queues/q/messages/..%2fclaims",
            "/v2/queues/q/messages/.",
            "/v2/queues/q/messages/..\\claims",
            "/v2/queues/q/messages/..;/claims",
            "/v2/queues/q/messages;x",
            "/v2/queues/%71/messages",
            "/V2/queues/q/messages",
            "//v2/queues/q/messages",
            "/messaging/v2/queues/q/messages",
            "/v2/queues/q2/messages",
            "/v2/queues/x/v2/queues/q/messages",
        ] {
            assert!(!covers(signed, path), "{path}");
        }
        // What the reference reads as patterns that match anything.
        for signed in ["", "/", ".", ".*", "v2", "/v2/queues/./messages", "/v2/.*", "messages"] {
            assert!(!covers(signed, "/v2/queues/q/messages"), "{signed}");
        }
    }

    #[test]
    fn parameters_count_on_listings_alone_and_by_the_names_of_headers() {
        let read = |uri: &str| {
            parameters(&get(uri), "url-paths").map(|value| value.map(Cow::into_owned)).collect::<Vec<_>>()
        };
        let path = "/v2/queues/q/messages";
        assert_eq!(read(&format!("{path}?limit=2&URL-Paths=/a,%2Fb")), [Some("/a,/b".to_owned())]);
        assert_eq!(
            read(&format!("{path}?url%2Dpaths=a+b&Url-Paths")),
            [Some("a b".to_owned()), Some(String::new())]
        );
        assert_eq!(read(&format!("{path}?URL-Paths=%ff")), [None]);
        assert_eq!(read(&format!("{path}?URL_Paths=x")), []);
        for other in [
            "/v2/queues/q/messages/id",
            "/v2/queues/q/claims/id",
            "/v2/queues",
            "/messages",
            "/v2/queues//q/messages",
        ] {
            assert_eq!(read(&format!("{other}?URL-Paths=x")), [], "{other}");
        }
        let post = http::Request::post(format!("{path}?URL-Paths=x")).body(()).unwrap().into_parts().0;
        assert_eq!(parameters(&post, "url-paths").next(), None);
    }
}
