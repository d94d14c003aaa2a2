//! The seam between the gate and whoever knows what a token is worth: the cache in front, the identity service behind.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::Token;

/// Says what a token is worth. A cache is one too, around another.
#[async_trait]
pub trait Validator: Send + Sync {
    /// What is known of the token; `None` where there is no such token. With `allow_expired`, one whose time has
    /// passed is described as long as the identity service still knows it; the caller looks at its expiry.
    ///
    /// Answers within the deadline of a validation (decision 28), whatever happens.
    async fn validate(&self, token: &str, allow_expired: bool) -> Result<Option<Validated>, Unavailable>;
}

/// A token that the identity service knows.
#[derive(Clone, Debug)]
pub struct Validated {
    /// What matters of it.
    pub token: Arc<Token>,
    /// The whole document, for caches that other services share; empty where it was not kept.
    pub document: Bytes,
}

/// The identity service cannot be asked. Given to all who wait for one answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub Arc<str>);

impl Unavailable {
    /// For that reason, in words that hold no secret.
    pub fn because(reason: impl Into<String>) -> Self {
        Self(reason.into().into())
    }
}
