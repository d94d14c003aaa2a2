//! The versions of the REST API.
//!
//! They share their handlers, which ask the version of their request where its answers look different. How the
//! versions differ stands in rest.md 13.

use super::dispatch::Route;
use super::{v1, v1_1, v2};
use crate::model::{ClaimId, QueueName};

/// A version of the REST API, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::VariantArray)]
pub enum Version {
    /// v1.0 of 2013: bare arrays, 204 for what is empty, and headers that may be left out.
    V1,
    /// v1.1 of 2014: v2 without its extensions.
    V1_1,
    /// v2, the current one.
    V2,
}

impl Version {
    /// Its id, as the configuration and the versions document have it.
    pub const fn id(self) -> &'static str {
        match self {
            Self::V1 => "1",
            Self::V1_1 => "1.1",
            Self::V2 => "2",
        }
    }

    /// What its paths begin with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::V1 => "/v1",
            Self::V1_1 => "/v1.1",
            Self::V2 => "/v2",
        }
    }

    /// Since when it is deprecated, if it is, in seconds since 1970: the time of its entry in the versions document.
    pub(crate) const fn deprecated_since(self) -> Option<i64> {
        match self {
            Self::V1 => Some(1_410_457_625),
            Self::V1_1 => Some(1_469_758_967),
            Self::V2 => None,
        }
    }

    /// Every route of it: method, path, policy rule, handler.
    pub const fn routes(self) -> &'static [Route] {
        match self {
            Self::V1 => v1::ROUTES,
            Self::V1_1 => v1_1::ROUTES,
            Self::V2 => v2::ROUTES,
        }
    }

    /// The path of a queue.
    pub(crate) fn queue(self, queue: &QueueName) -> String {
        format!("{}/queues/{queue}", self.prefix())
    }

    /// The path of a message.
    pub(crate) fn message(self, queue: &QueueName, id: &str) -> String {
        format!("{}/queues/{queue}/messages/{id}", self.prefix())
    }

    /// The path of a claim.
    pub(crate) fn claim(self, queue: &QueueName, id: ClaimId) -> String {
        format!("{}/queues/{queue}/claims/{id}", self.prefix())
    }
}
