//! Pre-signed URLs: parts of a queue for whoever is given the signature (rest.md 9.1).

use super::{Context, Service};
use crate::auth::Grant;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::{QueueName, iso8601};
use crate::policy::Rule;

/// How long a pre-signed URL holds unless it says otherwise, in seconds.
const DEFAULT_LIFE: u64 = 86_400;

/// What of a queue can be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shared {
    /// Its claims.
    Claims,
    /// Its messages.
    Messages,
    /// Its subscriptions.
    Subscriptions,
}

impl Shared {
    /// All, by name.
    pub const ALL: [Self; 3] = [Self::Claims, Self::Messages, Self::Subscriptions];

    /// Its name, which is also the last part of its path.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claims => "claims",
            Self::Messages => "messages",
            Self::Subscriptions => "subscriptions",
        }
    }
}

/// What a pre-signed URL is to allow.
#[derive(Clone, Debug, Default)]
pub struct ShareTerms {
    /// Parts of the queue; none stand for its messages.
    pub paths: Vec<Shared>,
    /// Methods; none stand for GET.
    pub methods: Vec<String>,
    /// The end; a day from now if none is given.
    pub expires: Option<Timestamp>,
}

/// A pre-signed URL: what it allows, and the signature that vouches for it.
#[derive(Clone, Debug)]
pub struct PresignedUrl {
    /// Paths of the API, in order.
    pub paths: Vec<String>,
    /// Methods, in order.
    pub methods: Vec<String>,
    /// Its end, in UTC.
    pub expires: String,
    /// The signature: 64 hexadecimal digits.
    pub signature: String,
}

impl Service {
    /// Signs what a queue's user may pass on; the queue need not exist. Refused without a key, for an end that is
    /// not in the future, and for methods that are no names of methods: they stand in a list with commas.
    pub fn share(&self, context: &Context, queue: &QueueName, terms: ShareTerms) -> Result<PresignedUrl> {
        context.granted(Rule::QueuesShare)?;
        let (now, ShareTerms { mut paths, mut methods, expires }) = (self.clock().now(), terms);
        if !methods.iter().all(|method| is_token(method)) {
            return Err(Error::invalid("`methods` should be a list of names of methods"));
        }
        if expires.is_some_and(|end| end <= now) {
            return Err(Error::invalid("`expires` is lower than the current time"));
        }
        if paths.is_empty() {
            paths.push(Shared::Messages);
        }
        if methods.is_empty() {
            methods.push("GET".into());
        }
        paths.sort_unstable();
        methods.sort_unstable();
        let paths: Vec<_> = paths.iter().map(|part| format!("/v2/queues/{queue}/{}", part.name())).collect();
        let expires = expires.unwrap_or_else(|| now.plus_seconds(DEFAULT_LIFE));
        let grant = Grant {
            paths: paths.iter().map(String::as_str).collect(),
            methods: methods.iter().map(String::as_str).collect(),
            project: context.project.as_str(),
            expires,
        };
        let signature = self.inner.settings.signing_key.sign(&grant);
        let signature =
            signature.ok_or(Error::invalid("No URL can be signed here: `secret_key` is not set"))?;
        Ok(PresignedUrl { paths, methods, expires: iso8601::utc(expires), signature })
    }
}

/// Whether that could be a method: a token (RFC 9110, 5.6.2).
fn is_token(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(legal)
}
