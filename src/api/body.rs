//! Request bodies: read whole, up to a limit that counts decoded bytes (decision 20).

use std::io::Read as _;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body::Body as _;
use http_body_util::BodyExt as _;

use crate::error::{Error, Result};
use crate::server::BodyError;

/// Bytes that a gzip body may be longer than what it expands to.
const GZIP_MARGIN: u64 = 1_024;

/// Reads a body of at most `limit` bytes; a larger one is the error `too_large`, seen from its declared length
/// where there is one. `None` where the request has no body and declares none. Chunked and HTTP/2 bodies count
/// by what they bring, gzip bodies by what they expand to.
pub(crate) async fn read(
    headers: &HeaderMap,
    mut body: Body,
    limit: u64,
    too_large: impl Fn() -> Error,
) -> Result<Option<Bytes>> {
    if !headers.contains_key(CONTENT_LENGTH) && body.is_end_stream() {
        return Ok(None);
    }
    let gzip =
        headers.get(CONTENT_ENCODING).is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"gzip"));
    // What does not shrink, gzip makes a little longer.
    let most = if gzip { limit + GZIP_MARGIN } else { limit };
    if body.size_hint().lower() > most {
        return Err(too_large());
    }
    let (mut whole, mut first) = (BytesMut::new(), Bytes::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|problem| unreadable(&problem))?.into_data() else { continue };
        if (first.len() + whole.len() + data.len()) as u64 > most {
            return Err(too_large());
        }
        // Most bodies arrive in one piece and are not copied.
        if first.is_empty() && whole.is_empty() {
            first = data;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&data);
        }
    }
    let whole = if whole.is_empty() { first } else { whole.freeze() };
    if gzip { inflate(&whole, limit, too_large).map(Some) } else { Ok(Some(whole)) }
}

fn inflate(packed: &[u8], limit: u64, too_large: impl Fn() -> Error) -> Result<Bytes> {
    let mut plain = Vec::with_capacity(packed.len().saturating_mul(2));
    let mut reader = flate2::read::MultiGzDecoder::new(packed).take(limit.saturating_add(1));
    reader.read_to_end(&mut plain).map_err(|_| Error::body("Request body could not be parsed."))?;
    if plain.len() as u64 > limit { Err(too_large()) } else { Ok(plain.into()) }
}

/// A body that broke off: the client stopped sending, or sent what is no HTTP.
fn unreadable(problem: &axum::Error) -> Error {
    let mut cause: Option<&dyn std::error::Error> = Some(problem);
    while let Some(error) = cause {
        if matches!(error.downcast_ref(), Some(BodyError::Silent(_))) {
            return Error::RequestTimeout;
        }
        cause = error.source();
    }
    Error::body("Request body could not be read.")
}
