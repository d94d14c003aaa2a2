//! Cross-origin requests as oslo.middleware answers them (rest.md 1.9).

use axum::body::Body;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method, Response};

/// Headers that need no permission (the CORS recommendation's simple headers).
const SIMPLE_HEADERS: &[&str] = &[
    "accept",
    "accept-language",
    "content-type",
    "cache-control",
    "content-language",
    "expires",
    "last-modified",
    "pragma",
];

/// `[cors]`: who may read our answers from a browser.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    /// Origins, exactly as browsers send them; `*` is any. None: no cross-origin answers.
    pub allowed_origin: Vec<String>,
    /// Whether cookies and credentials may go along.
    pub allow_credentials: bool,
    /// Headers of answers that scripts may see.
    pub expose_headers: Vec<String>,
    /// Seconds that a browser may keep a preflight's answer.
    pub max_age: Option<u64>,
    /// Methods that scripts may use.
    pub allow_methods: Vec<String>,
    /// Headers that scripts may send.
    pub allow_headers: Vec<String>,
}

/// What of a request decides about its cross-origin headers.
#[derive(Debug)]
pub(crate) struct Asked {
    origin: HeaderValue,
    preflight: bool,
    method: Option<String>,
    headers: Vec<String>,
}

impl Asked {
    /// What a request asks for; `None` where it comes from no other origin.
    pub(crate) fn by(method: &Method, headers: &HeaderMap) -> Option<Self> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let wanted = text(ACCESS_CONTROL_REQUEST_HEADERS).unwrap_or_default();
        let wanted = wanted.split(',').map(str::trim).filter(|name| !name.is_empty());
        Some(Self {
            origin: headers.get(ORIGIN)?.clone(),
            preflight: method == Method::OPTIONS,
            method: text(ACCESS_CONTROL_REQUEST_METHOD).map(str::to_owned),
            headers: wanted.map(str::to_owned).collect(),
        })
    }
}

impl Cors {
    /// Adds to an answer what the origin may know of it.
    pub(crate) fn apply(&self, asked: &Asked, response: &mut Response<Body>) {
        let origin = asked.origin.as_bytes();
        if !self.allowed_origin.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin) {
            return;
        }
        if asked.preflight { self.preflight(asked, response) } else { self.plain(asked, response) }
    }

    fn plain(&self, asked: &Asked, response: &mut Response<Body>) {
        let shown: Vec<_> = self.expose_headers.iter().map(String::as_str).collect();
        let shown: Vec<_> = shown.into_iter().filter(|name| response.headers().contains_key(*name)).collect();
        self.allow(asked, response.headers_mut());
        if !shown.is_empty() {
            set(response.headers_mut(), ACCESS_CONTROL_EXPOSE_HEADERS, &shown.join(","));
        }
    }

    fn preflight(&self, asked: &Asked, response: &mut Response<Body>) {
        let Some(method) = &asked.method else { return };
        if !self.allow_methods.iter().any(|allowed| allowed == method) {
            return;
        }
        let permitted = |name: &String| {
            SIMPLE_HEADERS.iter().any(|simple| simple.eq_ignore_ascii_case(name))
                || self.allow_headers.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
        };
        if !asked.headers.iter().all(permitted) {
            return;
        }
        let headers = response.headers_mut();
        self.allow(asked, headers);
        set(headers, ACCESS_CONTROL_ALLOW_METHODS, method);
        if !asked.headers.is_empty() {
            set(headers, ACCESS_CONTROL_ALLOW_HEADERS, &asked.headers.join(","));
        }
        if let Some(seconds) = self.max_age {
            set(headers, ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
        }
    }

    fn allow(&self, asked: &Asked, headers: &mut HeaderMap) {
        headers.append(VARY, HeaderValue::from_static("Origin"));
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, asked.origin.clone());
        if self.allow_credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
