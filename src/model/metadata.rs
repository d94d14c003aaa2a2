//! Metadata of a queue: a JSON object in the order its client gave it, and the attributes in it that we obey.

mod retry;

use serde_json::Value;

use Kind::{Any, Boolean, Integer, RetryPolicy};

use super::limits::MIN_MESSAGE_TTL;
use super::{Limits, QueueName};

/// The stored metadata of a queue, reserved attributes among it, without their defaults.
pub type Metadata = serde_json::Map<String, Value>;

/// Whether a key is reserved for the service; those that mean nothing today are too.
pub fn is_reserved(key: &str) -> bool {
    key.starts_with('_')
}

/// What is wrong with a reserved attribute, in the reference's words: the text goes to the client as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Another type than an integer.
    #[error("{0} must be integer.")]
    NotInteger(&'static str),
    /// Another type than a boolean.
    #[error("{0} must be boolean.")]
    NotBoolean(&'static str),
    /// `_default_message_ttl` out of its range, in seconds.
    #[error("_default_message_ttl can not exceed {max} seconds, and must be at least {min} seconds long.")]
    DefaultTtl {
        /// The lowest accepted.
        min: u64,
        /// The highest accepted.
        max: u64,
    },
    /// `_max_messages_post_size` out of its range, in bytes.
    #[error("_max_messages_post_size can not exceed {max},  and must be at least greater than 0.")]
    PostSize {
        /// The highest accepted.
        max: u64,
    },
    /// `_dead_letter_queue_messages_ttl` out of its range, in seconds.
    #[error("The TTL for a message may not exceed {max} seconds, and must be at least {min} seconds long.")]
    DeadLetterTtl {
        /// The lowest accepted.
        min: u64,
        /// The highest accepted.
        max: u64,
    },
    /// `_default_message_delay` out of its range, in seconds.
    #[error("The TTL can not exceed {max} seconds, and must be at least 0 seconds long.")]
    Delay {
        /// The highest accepted.
        max: u64,
    },
    /// `_retry_policy` is no object.
    #[error("retry_policy must be a dict.")]
    RetryPolicy,
    /// A number of `_retry_policy` is no integer.
    #[error("Retry policy: {0} must be a integer.")]
    RetryNumber(&'static str),
    /// The backoff function of `_retry_policy` is no string.
    #[error("retry_backoff_function must be a string.")]
    RetryFunctionType,
    /// The backoff function of `_retry_policy` is none that exists.
    #[error("invalid retry_backoff_function.")]
    RetryFunction,
    /// `ignore_subscription_override` of `_retry_policy` is no boolean.
    #[error("ignore_subscription_override must be a boolean.")]
    RetryOverride,
    /// The delays of `_retry_policy` are the wrong way round.
    #[error("minimum_delay must less than maximum_delay.")]
    RetryDelayOrder,
    /// The delays of `_retry_policy` are less than ten seconds apart.
    #[error("invalid minimum_delay and maximum_delay.")]
    RetryDelays,
}

/// Judges the reserved attributes of metadata that a client sets.
///
/// Null counts as missing, booleans as the integers 1 and 0; any other type than the expected one is refused.
/// Of several faults the one is told that the reference finds first. Whether encryption is possible, and
/// whether a flavor exists, is for the service to say.
pub fn validate(metadata: &Metadata, limits: &Limits) -> Result<(), Invalid> {
    let faults = ATTRIBUTES.iter().filter_map(|attribute| {
        let fault = attribute.check(set(metadata, attribute.name)?, limits).err()?;
        Some((attribute.judged, fault))
    });
    faults.min_by_key(|(judged, _)| *judged).map_or(Ok(()), |(_, fault)| Err(fault))
}

/// Judges the options of a subscription: its `_retry_policy`; null counts as missing.
pub fn validate_options(options: &Metadata) -> Result<(), Invalid> {
    set(options, "_retry_policy").map_or(Ok(()), retry::check)
}

/// What a reader is shown: the stored metadata, and defaults for attributes that are missing or falsy (null,
/// false, 0, "", [], {}). A falsy one keeps its place, the missing ones follow.
pub fn with_defaults(metadata: &Metadata, limits: &Limits) -> Metadata {
    let mut shown = metadata.clone();
    for attribute in &ATTRIBUTES {
        if let Some(default) = attribute.default
            && !shown.get(attribute.name).is_some_and(is_truthy)
        {
            shown.insert(attribute.name.into(), default(limits));
        }
    }
    shown
}

/// True for the attributes that every reader is shown, set or not.
pub fn is_shown(name: &str) -> bool {
    ATTRIBUTES.iter().any(|attribute| attribute.name == name && attribute.default.is_some())
}

/// Seconds that a message without a ttl of its own lives, where the queue says so.
pub fn default_ttl(metadata: &Metadata) -> Option<u64> {
    positive(metadata, DEFAULT_TTL)
}

/// Bytes of a post at most, where the queue says so; the configured limit counts too.
pub fn max_post_size(metadata: &Metadata) -> Option<u64> {
    positive(metadata, MAX_POST_SIZE)
}

/// Seconds that messages without a delay of their own wait; `None` means that the queue is no delay queue and
/// that delays of messages are ignored.
pub fn delay(metadata: &Metadata) -> Option<u64> {
    positive(metadata, DELAY)
}

/// How often a message may be claimed before it is a dead letter; none is handed out where this is 0 or less.
pub fn max_claims(metadata: &Metadata) -> Option<i64> {
    set(metadata, MAX_CLAIM_COUNT).and_then(integer)
}

/// The queue that takes dead letters. What is no name of a queue switches the feature off, as the name of the
/// queue itself does, which is for the caller to compare.
pub fn dead_letter_queue(metadata: &Metadata) -> Option<QueueName> {
    set(metadata, DEAD_LETTER_QUEUE).and_then(Value::as_str).and_then(QueueName::parse)
}

/// Seconds that dead letters live, where the queue says so.
pub fn dead_letter_ttl(metadata: &Metadata) -> Option<u64> {
    positive(metadata, DEAD_LETTER_TTL)
}

/// The flavor that the queue asks for.
pub fn flavor(metadata: &Metadata) -> Option<&str> {
    metadata.get("_flavor").and_then(Value::as_str).filter(|name| !name.is_empty())
}

/// What stands in a flavor's place without being its name.
pub fn no_flavor(metadata: &Metadata) -> Option<&Value> {
    metadata.get("_flavor").filter(|value| !value.is_string() && !value.is_null())
}

/// True where bodies are to be sealed. Any truthy value means so, since a store may hold what was never judged.
pub fn encrypts(metadata: &Metadata) -> bool {
    metadata.get(ENCRYPT).is_some_and(is_truthy)
}

const DEFAULT_TTL: &str = "_default_message_ttl";
const MAX_POST_SIZE: &str = "_max_messages_post_size";
const MAX_CLAIM_COUNT: &str = "_max_claim_count";
const DEAD_LETTER_TTL: &str = "_dead_letter_queue_messages_ttl";
const DELAY: &str = "_default_message_delay";
const ENCRYPT: &str = "_enable_encrypt_messages";
const DEAD_LETTER_QUEUE: &str = "_dead_letter_queue";

/// The reserved attributes that mean something (rest.md 4.5), in the order in which defaults are shown.
/// Any other name, with an underscore in front or without, is the client's own.
#[rustfmt::skip]
const ATTRIBUTES: [Attribute; 9] = [
    Attribute { name: MAX_POST_SIZE,     judged: 1, kind: Integer(post_size),       default: Some(|l| l.max_messages_post_size.into()) },
    Attribute { name: DEFAULT_TTL,       judged: 0, kind: Integer(default_life),    default: Some(|l| l.defaults.message_ttl.into()) },
    Attribute { name: DELAY,             judged: 4, kind: Integer(waiting),         default: Some(|l| l.defaults.message_delay.into()) },
    Attribute { name: DEAD_LETTER_QUEUE, judged: 7, kind: Any,                      default: Some(|_| Value::Null) },
    Attribute { name: DEAD_LETTER_TTL,   judged: 3, kind: Integer(dead_life),       default: Some(|_| Value::Null) },
    Attribute { name: MAX_CLAIM_COUNT,   judged: 2, kind: Integer(|_, _| Ok(())),   default: Some(|_| Value::Null) },
    Attribute { name: ENCRYPT,           judged: 5, kind: Boolean,                  default: Some(|_| false.into()) },
    Attribute { name: "_retry_policy",   judged: 6, kind: RetryPolicy,              default: None },
    Attribute { name: "_flavor",         judged: 8, kind: Any,                      default: None },
];

/// A reserved attribute.
struct Attribute {
    name: &'static str,
    /// Its turn among the reference's checks.
    judged: u8,
    kind: Kind,
    /// What is shown where it is missing or falsy.
    default: Option<fn(&Limits) -> Value>,
}

enum Kind {
    /// An integer, and what else is asked of it.
    Integer(fn(i64, &Limits) -> Result<(), Invalid>),
    Boolean,
    RetryPolicy,
    Any,
}

impl Attribute {
    /// Judges a value that is set.
    fn check(&self, value: &Value, limits: &Limits) -> Result<(), Invalid> {
        match self.kind {
            Integer(check) => check(integer(value).ok_or(Invalid::NotInteger(self.name))?, limits),
            Boolean if !value.is_boolean() => Err(Invalid::NotBoolean(self.name)),
            RetryPolicy => retry::check(value),
            Boolean | Any => Ok(()),
        }
    }
}

fn default_life(seconds: i64, limits: &Limits) -> Result<(), Invalid> {
    let (min, max) = (MIN_MESSAGE_TTL, limits.max_message_ttl);
    if within(seconds, min, max) { Ok(()) } else { Err(Invalid::DefaultTtl { min, max }) }
}

fn dead_life(seconds: i64, limits: &Limits) -> Result<(), Invalid> {
    let (min, max) = (MIN_MESSAGE_TTL, limits.max_message_ttl);
    if within(seconds, min, max) { Ok(()) } else { Err(Invalid::DeadLetterTtl { min, max }) }
}

fn post_size(bytes: i64, limits: &Limits) -> Result<(), Invalid> {
    let max = limits.max_messages_post_size;
    if within(bytes, 1, max) { Ok(()) } else { Err(Invalid::PostSize { max }) }
}

fn waiting(seconds: i64, limits: &Limits) -> Result<(), Invalid> {
    let max = limits.max_message_delay;
    if within(seconds, 0, max) { Ok(()) } else { Err(Invalid::Delay { max }) }
}

fn within(value: i64, min: u64, max: u64) -> bool {
    u64::try_from(value).is_ok_and(|value| (min..=max).contains(&value))
}

/// The attribute of that name, unless it is missing or null.
fn set<'a>(metadata: &'a Metadata, name: &str) -> Option<&'a Value> {
    metadata.get(name).filter(|value| !value.is_null())
}

/// The integer that a value counts as, if it does.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_bool().map(i64::from))
}

fn positive(metadata: &Metadata, name: &str) -> Option<u64> {
    set(metadata, name).and_then(integer).and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0)
}

/// What the reference's language takes for true.
fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(members) => !members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json::object;

    fn read(text: &str) -> Metadata {
        object(text.as_bytes()).unwrap()
    }

    fn shown(text: &str) -> String {
        serde_json::to_string(&with_defaults(&read(text), &Limits::default())).unwrap()
    }

    #[test]
    fn defaults_follow_what_is_stored() {
        assert_eq!(
            shown("{}"),
            concat!(
                r#"{"_max_messages_post_size":262144,"_default_message_ttl":3600,"_default_message_delay":0,"#,
                r#""_dead_letter_queue":null,"_dead_letter_queue_messages_ttl":null,"_max_claim_count":null,"#,
                r#""_enable_encrypt_messages":false}"#
            )
        );
        assert_eq!(
            shown(r#"{"_default_message_ttl": 300, "k": "v", "_max_messages_post_size": null}"#),
            concat!(
                r#"{"_default_message_ttl":300,"k":"v","_max_messages_post_size":262144,"_default_message_delay":0,"#,
                r#""_dead_letter_queue":null,"_dead_letter_queue_messages_ttl":null,"_max_claim_count":null,"#,
                r#""_enable_encrypt_messages":false}"#
            )
        );
    }

    #[test]
    fn every_falsy_value_is_shown_as_the_default() {
        for falsy in ["0", "0.0", "-0.0", "false", "\"\"", "null", "[]", "{}"] {
            let text = format!(r#"{{"_max_claim_count": {falsy}, "_retry_policy": {falsy}}}"#);
            let merged = with_defaults(&read(&text), &Limits::default());
            assert_eq!(merged["_max_claim_count"], Value::Null, "{falsy}");
            assert_eq!(merged["_retry_policy"], read(&text)["_retry_policy"], "{falsy}");
        }
        assert!(
            is_shown("_max_claim_count")
                && !is_shown("_retry_policy")
                && !is_shown("_flavor")
                && !is_shown("k")
        );
    }

    #[test]
    fn faults_are_told_in_the_words_of_the_reference() {
        let ttl =
            "_default_message_ttl can not exceed 1209600 seconds, and must be at least 60 seconds long.";
        let dead =
            "The TTL for a message may not exceed 1209600 seconds, and must be at least 60 seconds long.";
        let size = "_max_messages_post_size can not exceed 262144,  and must be at least greater than 0.";
        let delay = "The TTL can not exceed 900 seconds, and must be at least 0 seconds long.";
        for (name, good, wrong_type, out_of_range, text) in [
            (DEFAULT_TTL, "[60, 1209600]", "must be integer.", "[0, 1, 59, 1209601, -1, true, false]", ttl),
            (MAX_POST_SIZE, "[1, 262144, true]", "must be integer.", "[0, 262145, -1, false]", size),
            (DEAD_LETTER_TTL, "[60, 1209600]", "must be integer.", "[0, 1, 59, 1209601, true]", dead),
            (DELAY, "[0, 900, false, true]", "must be integer.", "[-1, 901]", delay),
            (MAX_CLAIM_COUNT, "[0, -5, 7, true, false]", "must be integer.", "[]", ""),
            (ENCRYPT, "[true, false]", "must be boolean.", "[]", ""),
        ] {
            let elements = |list: &str| crate::model::json::array(list.as_bytes()).unwrap();
            let told = |value: &Value| {
                let metadata = Metadata::from_iter([(name.to_owned(), value.clone())]);
                validate(&metadata, &Limits::default()).err().map(|fault| fault.to_string())
            };
            for value in elements(good).iter().chain(&elements("[null]")) {
                assert_eq!(told(value), None, "{name} {value}");
            }
            for value in elements(r#"["x", "", "123", 1.5, 0.0, 6e1, [], {}, [1]]"#) {
                assert_eq!(told(&value), Some(format!("{name} {wrong_type}")), "{name} {value}");
            }
            for value in elements(out_of_range) {
                assert_eq!(told(&value).as_deref(), Some(text), "{name} {value}");
            }
        }
        assert_eq!(
            validate(&read(r#"{"_enable_encrypt_messages": 0}"#), &Limits::default()),
            Err(Invalid::NotBoolean(ENCRYPT))
        );
        for free in [
            r#"{"_dead_letter_queue": 5, "_flavor": [], "_xyz": {}, "a.b": 1, "": null}"#,
            r#"{"_retry_policy": null}"#,
        ] {
            assert_eq!(validate(&read(free), &Limits::default()), Ok(()));
        }
    }

    #[test]
    fn of_several_faults_the_first_of_the_reference_is_told() {
        let mut metadata = read(
            r#"{"_retry_policy": 1, "_enable_encrypt_messages": 1, "_default_message_delay": "x", "_max_claim_count": "x",
            "_dead_letter_queue_messages_ttl": "x", "_max_messages_post_size": "x", "_default_message_ttl": "x"}"#,
        );
        for name in
            [DEFAULT_TTL, MAX_POST_SIZE, MAX_CLAIM_COUNT, DEAD_LETTER_TTL, DELAY, ENCRYPT, "retry_policy"]
        {
            let fault = validate(&metadata, &Limits::default()).unwrap_err();
            assert!(fault.to_string().starts_with(&format!("{name} must be ")), "{fault}");
            metadata.shift_remove(name);
        }
    }

    #[test]
    fn attributes_of_a_wrong_type_mean_nothing() {
        let good = read(
            r#"{"_default_message_ttl": 300, "_max_messages_post_size": 1000, "_default_message_delay": true,
            "_max_claim_count": 0, "_dead_letter_queue": "dlq", "_dead_letter_queue_messages_ttl": 90,
            "_enable_encrypt_messages": true}"#,
        );
        assert_eq!(
            (default_ttl(&good), max_post_size(&good), delay(&good)),
            (Some(300), Some(1000), Some(1))
        );
        assert_eq!((max_claims(&good), dead_letter_ttl(&good), encrypts(&good)), (Some(0), Some(90), true));
        assert_eq!(dead_letter_queue(&good).unwrap().as_str(), "dlq");
        for wrong in ["\"x\"", "0", "-1", "1.5", "[]", "null", "18446744073709551615.0", "{\"a\": 1}"] {
            let bad: Metadata = good
                .keys()
                .map(|name| {
                    (name.clone(), object(format!("{{\"v\":{wrong}}}").as_bytes()).unwrap()["v"].clone())
                })
                .collect();
            assert_eq!(
                (default_ttl(&bad), max_post_size(&bad), delay(&bad), dead_letter_ttl(&bad)),
                (None, None, None, None)
            );
            assert_eq!(max_claims(&bad), wrong.parse().ok());
            assert_eq!(dead_letter_queue(&bad).is_some(), wrong == "\"x\"");
        }
        for illegal in ["", "a b", "ü", "x/y"] {
            let metadata = Metadata::from_iter([(DEAD_LETTER_QUEUE.to_owned(), Value::from(illegal))]);
            assert_eq!(dead_letter_queue(&metadata), None, "{illegal}");
        }
        assert!(!encrypts(&read("{}")) && !encrypts(&read(r#"{"_enable_encrypt_messages": false}"#)));
    }
}
