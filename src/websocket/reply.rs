//! Replies: the echo of the request, a status and a body, in one frame.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use super::codec::Encoding;
use super::envelope::Request;
use crate::api::respond;
use crate::error::Error;
use crate::service::Hold;

/// What a reply repeats of its request: a share of the frame.
#[derive(Clone, Debug)]
pub(super) struct Echo {
    encoding: Encoding,
    text: Bytes,
    /// Where action, body, headers and id stand.
    parts: [Option<Range<usize>>; 4],
}

const ACTION: usize = 0;
const BODY: usize = 1;
const HEADERS: usize = 2;
const ID: usize = 3;

impl Echo {
    /// The echo of a request that could not be read.
    pub(super) fn none(encoding: Encoding) -> Self {
        Self::of(encoding, Bytes::new(), [const { None }; 4])
    }

    /// The echo of a request in which action, body, headers and id stand there.
    pub(super) fn of(encoding: Encoding, text: Bytes, parts: [Option<Range<usize>>; 4]) -> Self {
        Self { encoding, text, parts }
    }

    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub(super) fn has_id(&self) -> bool {
        self.parts[ID].is_some()
    }

    /// Repeats neither body nor headers from now on: what proves who a client is stays with the client.
    pub(super) fn keep_secrets(&mut self) {
        (self.parts[BODY], self.parts[HEADERS]) = (None, None);
    }

    fn part(&self, part: usize) -> Option<&[u8]> {
        self.parts[part].clone().map(|range| &self.text[range])
    }
}

/// The answer to a request.
#[derive(Debug)]
pub struct Reply {
    echo: Echo,
    status: StatusCode,
    /// JSON.
    body: Vec<u8>,
    /// What releases the claim that the request made.
    hold: Option<Hold>,
}

impl Reply {
    /// A reply with a body that is JSON already.
    pub(super) fn json(request: &Request, status: StatusCode, body: impl Into<Vec<u8>>) -> Self {
        Self { echo: request.echo().clone(), status, body: body.into(), hold: None }
    }

    /// A reply whose body is a sentence.
    pub(super) fn sentence(request: &Request, status: StatusCode, sentence: &str) -> Self {
        Self::json(request, status, json!(sentence).to_string())
    }

    /// A reply without anything to say.
    pub(super) fn empty(request: &Request, status: StatusCode) -> Self {
        Self::json(request, status, *b"{}")
    }

    /// The refusal of a frame before its action is looked at: `{"error": …}`.
    pub(super) fn error(echo: Echo, status: StatusCode, words: &str) -> Self {
        Self { echo, status, body: json!({ "error": words }).to_string().into(), hold: None }
    }

    /// The refusal of a request before its action is carried out: `{"error": …}`.
    pub(super) fn refused(request: &Request, status: StatusCode, words: &str) -> Self {
        Self::error(request.echo().clone(), status, words)
    }

    /// The same reply, to a request that made a claim. Where the reply is not written, the claim is released.
    #[must_use]
    pub(super) fn with_hold(self, hold: Hold) -> Self {
        Self { hold: Some(hold), ..self }
    }

    /// What releases the claim that the request made, unless it is kept.
    pub(super) fn take_hold(&mut self) -> Option<Hold> {
        self.hold.take()
    }

    /// The reply to a request whose operation failed: `{"exception": …, "error": …}`. The cause is logged here.
    pub(super) fn failure(request: &Request, error: &Error) -> Self {
        let description = error.description().unwrap_or(Cow::Borrowed(error.title()));
        Self::failure_in_words(request, error, &description, headline(error).as_deref())
    }

    /// The same in other words.
    pub(super) fn failure_in_words(
        request: &Request,
        error: &Error,
        exception: &str,
        headline: Option<&str>,
    ) -> Self {
        respond::log(error);
        let body = json!({ "exception": exception, "error": headline });
        Self::json(request, error.status(), body.to_string())
    }

    /// Whether its request had an `id`.
    pub(super) fn has_id(&self) -> bool {
        self.echo.has_id()
    }

    /// How it is written.
    pub fn encoding(&self) -> Encoding {
        self.echo.encoding
    }

    /// Its status, one of HTTP's.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The frame.
    pub fn encode(&self) -> Bytes {
        let echo = &self.echo;
        let mut text = Vec::with_capacity(echo.text.len() + self.body.len() + 128);
        let action = echo.part(ACTION).unwrap_or(b"null");
        let (body, headers) = (echo.part(BODY).unwrap_or(b"{}"), echo.part(HEADERS).unwrap_or(b"{}"));
        for (name, value) in [(&b"{\"request\":{\"action\":"[..], action), (b",\"body\":", body)] {
            text.extend_from_slice(name);
            text.extend_from_slice(value);
        }
        text.extend_from_slice(b",\"headers\":");
        text.extend_from_slice(headers);
        text.extend_from_slice(b",\"api\":\"v2\"}");
        if let Some(id) = echo.part(ID) {
            text.extend_from_slice(b",\"id\":");
            text.extend_from_slice(id);
        }
        text.extend_from_slice(b",\"body\":");
        text.extend_from_slice(&self.body);
        text.extend_from_slice(format!(",\"headers\":{{\"status\":{}}}}}", self.status.as_u16()).as_bytes());
        echo.encoding.of_json(text)
    }
}

/// What stands beside the description of a failure; nothing where a client was told what it did wrong.
fn headline(error: &Error) -> Option<Cow<'static, str>> {
    match error {
        Error::ClaimMissing(id, ..) => Some(format!("Claim {id} does not exist.").into()),
        Error::Unavailable(sentence, _) => Some(Cow::Borrowed(sentence)),
        Error::Internal => Some("Unexpected error.".into()),
        _ if error.status() == StatusCode::BAD_REQUEST || error.status() == StatusCode::NOT_FOUND => None,
        _ => Some(error.title().into()),
    }
}
