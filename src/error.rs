//! The one error that an operation returns, and how a client sees it.
//!
//! Variants carry facts; [`Error::status`], [`Error::title`] and [`Error::description`] are total matches
//! (rest.md 1.5). Causes are logged once, where the answer is written, and never sent.

use std::borrow::Cow;
use std::sync::Arc;

use http::StatusCode;

use crate::model::json::BodyError;
use crate::model::{MessageId, ProjectId, QueueName};
use crate::storage;

/// Why an operation was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No route leads there.
    #[error("no such route")]
    NoRoute,
    /// The route does not know this method; it knows these, in alphabetical order.
    #[error("method not allowed")]
    MethodNotAllowed(Vec<http::Method>),
    /// The client accepts no JSON.
    #[error("not acceptable")]
    NotAcceptable,
    /// A form was sent.
    #[error("form-encoded body")]
    FormEncoded,
    /// A PATCH came in another media type than this one.
    #[error("unsupported media type")]
    MediaType(&'static str),
    /// There is no `Client-ID`.
    #[error("client id missing")]
    ClientIdMissing,
    /// The `Client-ID` is not one.
    #[error("client id malformed")]
    ClientIdMalformed,
    /// There is no `X-Project-ID`.
    #[error("project id missing")]
    ProjectIdMissing,
    /// The `X-Project-ID` is empty.
    #[error("project id empty")]
    ProjectIdEmpty,
    /// A queue name or project id breaks the rules.
    #[error("queue name or project id illegal")]
    QueueIdentification,
    /// A query parameter has no value of its type.
    #[error("query parameter {0} malformed")]
    Parameter(&'static str, ParameterType),
    /// A query parameter is needed, and there is none.
    #[error("query parameter {0} missing")]
    ParameterMissing(&'static str),
    /// The request contradicts a limit or rule, in these words.
    #[error("invalid request: {0}")]
    Invalid(Cow<'static, str>),
    /// The request's body is wrong, in these words.
    #[error("invalid body: {0}")]
    Body(Cow<'static, str>),
    /// A body is needed, and there is none.
    #[error("body missing")]
    BodyMissing,
    /// The caller has not proved who it is; a token is to be had at that address.
    #[error("not authenticated")]
    Unauthorized(Arc<String>),
    /// Nobody knows what the caller's token is worth.
    #[error("nobody knows what the token is worth")]
    IdentityUnavailable,
    /// The policy forbids it.
    #[error("forbidden by policy")]
    Forbidden,
    /// There is no such queue.
    #[error("queue {0} missing")]
    QueueMissing(QueueName, ProjectId),
    /// There is no such message; the id stands as the client sent it.
    #[error("message {0} missing")]
    MessageMissing(String, QueueName, ProjectId),
    /// None of these messages exist; the ids stand as the client sent them.
    #[error("messages missing")]
    MessagesMissing(Vec<String>, QueueName, ProjectId),
    /// There is no such claim; the id stands as the client sent it.
    #[error("claim {0} missing")]
    ClaimMissing(String, QueueName, ProjectId),
    /// There is no such subscription; the id stands as the client sent it.
    #[error("subscription {0} missing")]
    SubscriptionMissing(String),
    /// The queue has a subscription of this subscriber.
    #[error("subscriber there already")]
    SubscriptionExists,
    /// The message is claimed, and the given claim (if any) does not hold it.
    #[error("message is claimed")]
    MessageClaimed,
    /// A claim was given for a message that is not claimed.
    #[error("message is not claimed")]
    MessageNotClaimed,
    /// The given claim does not exist or has expired.
    #[error("claim gone")]
    ClaimGone,
    /// There is no such pool; the name stands as the client sent it.
    #[error("pool {0} missing")]
    PoolMissing(String),
    /// There is no such flavor; the name stands as the client sent it.
    #[error("flavor {0} missing")]
    FlavorMissing(String),
    /// A pool's store cannot do what the other pools of its flavor can.
    #[error("the pool does not fit its flavor")]
    PoolMismatch,
    /// A pool cannot be deleted, in these words.
    #[error("pool in use: {0}")]
    PoolInUse(Cow<'static, str>),
    /// A flavor cannot be stored, under this title and in these words.
    #[error("flavor refused: {1}")]
    FlavorRefused(&'static str, Cow<'static, str>),
    /// The request contradicts the state of the resource, in these words.
    #[error("conflict: {0}")]
    Conflict(Cow<'static, str>),
    /// Some message is not held by any of the claims that a bulk deletion named.
    #[error("message {0} is not held by the given claims")]
    ClaimsDoNotMatch(MessageId),
    /// The client stopped sending its request.
    #[error("the request did not arrive in time")]
    RequestTimeout,
    /// A store failed; the words say what could not be done.
    #[error("{0}")]
    Unavailable(&'static str, #[source] storage::Error),
    /// An encrypted body could not be read, because of its key or because it was altered.
    #[error("an encrypted body cannot be read")]
    Sealed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A defect of ours; logged, not described.
    #[error("internal error")]
    Internal,
}

/// What a query parameter should have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterType {
    /// A sign and digits.
    Integer,
    /// `true`, `false` or one of their spellings (rest.md 1.7).
    Boolean,
}

/// The result of an operation.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// [`Error::Invalid`] with these words.
    pub fn invalid(words: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(words.into())
    }

    /// [`Error::Body`] with these words.
    pub fn body(words: impl Into<Cow<'static, str>>) -> Self {
        Self::Body(words.into())
    }

    /// What turns a store's error into this operation's, given the sentence that tells what could not be done.
    pub fn unavailable(sentence: &'static str) -> impl FnOnce(storage::Error) -> Self {
        move |cause| Self::Unavailable(sentence, cause)
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoRoute
            | Self::QueueMissing(..)
            | Self::MessageMissing(..)
            | Self::MessagesMissing(..)
            | Self::ClaimMissing(..)
            | Self::SubscriptionMissing(_)
            | Self::PoolMissing(_)
            | Self::FlavorMissing(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::FormEncoded
            | Self::ClientIdMissing
            | Self::ClientIdMalformed
            | Self::ProjectIdMissing
            | Self::ProjectIdEmpty
            | Self::QueueIdentification
            | Self::Parameter(..)
            | Self::ParameterMissing(_)
            | Self::Invalid(_)
            | Self::Body(_)
            | Self::BodyMissing
            | Self::MessageNotClaimed
            | Self::ClaimGone
            | Self::PoolMismatch
            | Self::FlavorRefused(..)
            | Self::ClaimsDoNotMatch(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden | Self::MessageClaimed | Self::PoolInUse(_) => StatusCode::FORBIDDEN,
            Self::Conflict(_) | Self::SubscriptionExists => StatusCode::CONFLICT,
            Self::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Unavailable(..) | Self::Sealed(_) | Self::IdentityUnavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The title of the error document.
    pub fn title(&self) -> &'static str {
        match self {
            Self::NoRoute => "404 Not Found",
            Self::MethodNotAllowed(_) => "405 Method Not Allowed",
            Self::NotAcceptable => "406 Not Acceptable",
            Self::MediaType(_) => "415 Unsupported Media Type",
            Self::FormEncoded => "Invalid Content-Type",
            Self::ClientIdMissing => "Missing header value",
            Self::ClientIdMalformed => "Wrong UUID value",
            Self::ProjectIdMissing => "Project-Id Missing",
            Self::ProjectIdEmpty => "Empty project header not allowed",
            Self::QueueIdentification => "Invalid queue identification",
            Self::Parameter(..) => "Invalid parameter",
            Self::ParameterMissing(_) => "Missing parameter",
            Self::Invalid(_) => "Invalid API request",
            Self::Body(_) | Self::BodyMissing => "Invalid request body",
            Self::Unauthorized(_) => "Unauthorized",
            Self::Forbidden => "Not authorized",
            Self::QueueMissing(..)
            | Self::MessageMissing(..)
            | Self::MessagesMissing(..)
            | Self::ClaimMissing(..)
            | Self::SubscriptionMissing(_)
            | Self::PoolMissing(_)
            | Self::FlavorMissing(_) => "Not found",
            Self::MessageClaimed
            | Self::MessageNotClaimed
            | Self::ClaimGone
            | Self::ClaimsDoNotMatch(_)
            | Self::PoolInUse(_) => "Unable to delete",
            Self::PoolMismatch => "Unable to create pool",
            Self::FlavorRefused(title, _) => title,
            Self::Conflict(_) | Self::SubscriptionExists => "Resource conflict",
            Self::RequestTimeout => "408 Request Timeout",
            Self::Unavailable(..) | Self::Sealed(_) | Self::IdentityUnavailable => {
                "Service temporarily unavailable"
            }
            Self::Internal => "Internal server error",
        }
    }

    /// The description in the error document; bare statuses have none.
    pub fn description(&self) -> Option<Cow<'static, str>> {
        Some(match self {
            Self::NoRoute | Self::MethodNotAllowed(_) | Self::RequestTimeout | Self::Internal => return None,
            Self::NotAcceptable => NOT_ACCEPTABLE.into(),
            Self::MediaType(accepted) => {
                format!("Accepted media type for PATCH: {{'Accept-Patch': '{accepted}'}}.").into()
            }
            Self::FormEncoded => FORM_ENCODED.into(),
            Self::ClientIdMissing => r#"The "Client-Id" header is required."#.into(),
            Self::ClientIdMalformed => "Malformed hexadecimal UUID.".into(),
            Self::ProjectIdMissing => "The header X-PROJECT-ID was missing".into(),
            Self::ProjectIdEmpty => PROJECT_EMPTY.into(),
            Self::QueueIdentification => QUEUE_IDENTIFICATION.into(),
            Self::Parameter(name, kind) => parameter(name, *kind).into(),
            Self::ParameterMissing(name) => format!("The \"{name}\" parameter is required.").into(),
            Self::Invalid(words)
            | Self::Body(words)
            | Self::Conflict(words)
            | Self::PoolInUse(words)
            | Self::FlavorRefused(_, words) => words.clone(),
            Self::PoolMissing(name) => format!("Pool {name} does not exist").into(),
            Self::FlavorMissing(name) => format!("Flavor {name} does not exist").into(),
            Self::SubscriptionMissing(id) => format!("Subscription {id} does not exist").into(),
            Self::SubscriptionExists => SUBSCRIPTION_EXISTS.into(),
            Self::PoolMismatch => POOL_MISMATCH.into(),
            Self::BodyMissing => "Request body can not be empty".into(),
            Self::Unauthorized(_) => "The request you have made requires authentication.".into(),
            Self::IdentityUnavailable => "The Keystone service is temporarily unavailable.".into(),
            Self::Forbidden => "You are not authorized to complete this action.".into(),
            Self::QueueMissing(queue, project) => {
                format!("Queue {queue} does not exist for project {}", named(project)).into()
            }
            Self::MessageMissing(id, queue, project) => {
                format!("Message {id} does not exist in queue {queue} for project {}", named(project)).into()
            }
            Self::MessagesMissing(ids, queue, project) => {
                let ids: Vec<_> = ids.iter().map(|id| format!("'{id}'")).collect();
                let ids = ids.join(", ");
                format!(
                    "No messages with IDs: [{ids}] found in the queue {queue} for project {}.",
                    named(project)
                )
                .into()
            }
            Self::ClaimMissing(id, queue, project) => {
                format!("Claim {id} does not exist in queue {queue} for project {}", named(project)).into()
            }
            Self::MessageClaimed => CLAIMED.into(),
            Self::MessageNotClaimed => NOT_CLAIMED.into(),
            Self::ClaimGone => "The specified claim does not exist or has expired.".into(),
            Self::ClaimsDoNotMatch(id) => {
                format!("Message {id} is not claimed by any of the given claims.").into()
            }
            Self::Unavailable(sentence, _) => retry_later(sentence),
            Self::Sealed(_) => retry_later("Message could not be decrypted."),
        })
    }
}

impl From<BodyError> for Error {
    fn from(problem: BodyError) -> Self {
        match problem {
            BodyError::Malformed => Self::body("Request body could not be parsed."),
            BodyError::TooLargeInteger => Self::body("JSON contains integer that is too large."),
            BodyError::Unsupported => Self::body("Document type not supported."),
            BodyError::NoMessages => Self::invalid("No messages were found in the request body."),
            BodyError::Empty => Self::invalid("No messages to enqueu."),
            BodyError::Missing(field) => Self::body(format!("Missing \"{field}\" field.")),
            BodyError::NotInteger(field) => {
                Self::body(format!("The value of the \"{field}\" field must be a int."))
            }
            BodyError::NoResourceTypes => Self::invalid("Post body must contain key \"resource_types\"."),
            BodyError::UnknownResourceType => {
                Self::invalid("Resource types must be a sub set of {'subscriptions', 'messages'}.")
            }
        }
    }
}

/// What stands where a store cannot do what a flavor promises.
pub(crate) const POOL_MISMATCH: &str =
    "The pool being added does not support the minimum set of capabilities";
const NOT_ACCEPTABLE: &str = "Endpoint only serves `application/json`; specify client-side media type support \
                              with the \"Accept\" header.";
const FORM_ENCODED: &str = "Endpoint does not accept `application/x-www-form-urlencoded` content; currently \
                            supported media type is `application/json`; specify proper client-side media type \
                            with the \"Content-Type\" header.";
const PROJECT_EMPTY: &str =
    "X-PROJECT-ID cannot be an empty string. Specify the right header X-PROJECT-ID and retry.";
const QUEUE_IDENTIFICATION: &str = "The format of the submitted queue name or project id is not valid.";
/// As storage-and-operations.md 1.1 has it; the reference's REST leaves the space between the sentences out.
const SUBSCRIPTION_EXISTS: &str = "Such subscription already exists. Subscriptions are unique by project + queue + \
                                   subscriber URI.";
const CLAIMED: &str = "This message is claimed; it cannot be deleted without a valid claim ID.";
const NOT_CLAIMED: &str = "A claim was specified, but the message is not currently claimed.";

fn parameter(name: &str, kind: ParameterType) -> String {
    let expected = match kind {
        ParameterType::Integer => "The value must be an integer.",
        ParameterType::Boolean => r#"The value of the parameter must be "true" or "false"."#,
    };
    format!("The \"{name}\" parameter is invalid. {expected}")
}

/// A project as a client reads of it: the one without a name, which v1 has, in the reference's word.
fn named(project: &ProjectId) -> &str {
    if project.as_str().is_empty() { "None" } else { project.as_str() }
}

fn retry_later(sentence: &str) -> Cow<'static, str> {
    format!("{sentence} Please try again in a few seconds.").into()
}
