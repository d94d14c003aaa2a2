//! The gate that every request passes before its route's checks.

use std::sync::Arc;

use http::HeaderMap;
use http::request::Parts;

use super::{Identity, Presigned, Tokens, believed};
use crate::clock::Timestamp;
use crate::error::Result;

/// Decides who calls. Cheap to clone.
#[derive(Clone, Default)]
pub struct Gate {
    presigned: Presigned,
    /// What checks tokens; `None` where authentication is off.
    tokens: Option<Arc<Tokens>>,
}

/// A caller who was let in.
#[derive(Clone, Debug)]
pub enum Caller {
    /// Authentication is off: what the headers say is believed, once the checks that come before have passed.
    Believed,
    /// Somebody whose identity is proved.
    Proved(Proven),
}

/// Somebody who proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// Who that is.
    pub identity: Arc<Identity>,
    /// From then on the proof counts no more; `None` for nobody in particular, whom nothing proves. A request that has
    /// begun is carried out; what lasts longer, such as a connection or a stream, ends then.
    pub expires: Option<Timestamp>,
}

impl Gate {
    /// The gate of a service without authentication.
    pub fn open() -> Self {
        Self::default()
    }

    /// The gate of a service whose callers prove themselves with tokens. Whatever a request says of its sender in
    /// other headers counts for nothing.
    pub fn guarded(tokens: Tokens) -> Self {
        Self { tokens: Some(Arc::new(tokens)), ..Self::default() }
    }

    /// The same, with pre-signed URLs.
    #[must_use]
    pub fn with_presigned(self, presigned: Presigned) -> Self {
        Self { presigned, ..self }
    }

    /// Whether callers need not prove anything.
    pub fn is_open(&self) -> bool {
        self.tokens.is_none()
    }

    /// What judges pre-signed requests.
    pub(crate) fn presigned(&self) -> &Presigned {
        &self.presigned
    }

    /// Lets a request in, or says why not. A signature goes before anything else: what is sent beside it is not
    /// looked at (rest.md 9.3). `mounted_at` stands before the path that the request still has.
    pub async fn admit(&self, request: &Parts, mounted_at: &str) -> Result<Caller> {
        if let Some(holder) = self.presigned.admit(request)? {
            return Ok(Caller::Proved(holder));
        }
        match &self.tokens {
            // Apart, for a validation has much to keep, and most requests need none.
            Some(tokens) => Box::pin(tokens.admit(request, mounted_at)).await.map(Caller::Proved),
            None => Ok(Caller::Believed),
        }
    }
}

impl Caller {
    /// Who that is.
    pub(crate) fn identity(&self, headers: &HeaderMap) -> Result<Arc<Identity>> {
        match self {
            Self::Believed => Ok(Arc::new(believed::identity(headers)?)),
            Self::Proved(proven) => Ok(proven.identity.clone()),
        }
    }

    /// From when on the caller is not known any more, if that has an end.
    pub(crate) fn expires(&self) -> Option<Timestamp> {
        match self {
            Self::Believed => None,
            Self::Proved(proven) => proven.expires,
        }
    }
}
