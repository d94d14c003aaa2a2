//! Request bodies: the text rules, and readers of the documents that clients send.
//!
//! # What is accepted
//!
//! JSON (RFC 8259) in UTF-8 whose outermost value is an object or an array, nested at most 128 deep. Integers
//! must fit signed 64 bits; `NaN`, `Infinity` and halves of surrogate pairs are not JSON. Of a key that an
//! object names twice, the last value counts, wherever the object stands.
//!
//! # How bodies of messages are kept
//!
//! As the text that the client wrote, in one form: without white space outside strings (so that a body never
//! spans lines), and where a key was named twice, only its last value, in its first place. Numbers keep their
//! digits, strings their escapes. A text that is in this form already, and most are, is a slice of the request:
//! nothing is copied, and the slice keeps the whole request in memory as long as it lives.

mod form;
mod scan;
mod tree;

use std::ops::Range;

use bytes::Bytes;
use serde_json::Value;

pub(crate) use scan::{Fault, Kind, MAX_DEPTH, Scanner, Text};
pub(crate) use tree::without_repeats;

use super::Metadata;

/// What is wrong with the body of a request, in the reference's words: the text goes to the client as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Not JSON by the rules of this module, or neither an object nor an array.
    #[error("Request body could not be parsed.")]
    Malformed,
    /// An integer outside signed 64 bits stands somewhere in it.
    #[error("JSON contains integer that is too large.")]
    TooLargeInteger,
    /// An array where an object is expected, or the reverse; also an element of the wrong kind.
    #[error("Document type not supported.")]
    Unsupported,
    /// A post without the key `messages`.
    #[error("No messages were found in the request body.")]
    NoMessages,
    /// A post of no message at all.
    #[error("No messages to enqueu.")]
    Empty,
    /// The field of that name is required.
    #[error("Missing \"{0}\" field.")]
    Missing(&'static str),
    /// The field of that name is not an integer.
    #[error("The value of the \"{0}\" field must be a int.")]
    NotInteger(&'static str),
    /// A purge without the key `resource_types`.
    #[error("Post body must contain key \"resource_types\".")]
    NoResourceTypes,
    /// Something else than a list of `messages` and `subscriptions` is to be purged.
    #[error("Resource types must be a sub set of {{'subscriptions', 'messages'}}.")]
    UnknownResourceType,
}

impl From<Fault> for BodyError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed => Self::Malformed,
            Fault::TooLargeInteger => Self::TooLargeInteger,
        }
    }
}

/// A message as a client posts it. Ranges are not checked here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The body in its kept form.
    pub body: Bytes,
    /// Seconds it shall live.
    pub ttl: Option<i64>,
    /// Seconds until it shall become available; only where delays are honoured.
    pub delay: Option<i64>,
}

/// Reads `{"messages": [{"body": any, "ttl": int, "delay": int}]}`: at least one message, unknown keys dropped.
///
/// Where `delays` is false (the queue is no delay queue), `delay` is an unknown key. Errors come in the
/// reference's order: the text, the key, the type of the list, then message by message `ttl`, `body`, `delay`;
/// the empty list last (rest.md 5.2).
pub fn messages(body: &Bytes, delays: bool) -> Result<Vec<Posted>, BodyError> {
    let mut found = Err(BodyError::NoMessages);
    let fields = Fields::of(delays);
    document(body, |scanner, key| {
        if key.decoded() == "messages" {
            found = list(scanner, body, fields)?;
        } else {
            scanner.value()?;
        }
        Ok(())
    })?;
    found
}

/// Reads `[{"body": any, "ttl": int, "delay": int}]`, the list of [`messages`] by itself.
pub fn message_list(text: &Bytes, delays: bool) -> Result<Vec<Posted>, BodyError> {
    let mut scanner = Scanner::new(text)?;
    let found = list(&mut scanner, text, Fields::of(delays))?;
    scanner.end()?;
    found
}

/// Reads `[{"ttl": int, "body": any}]`, as v1 posts: at least one message, each with both, other keys dropped.
pub fn message_array(body: &Bytes) -> Result<Vec<Posted>, BodyError> {
    let mut scanner = Scanner::new(body)?;
    let found = match scanner.peek()? {
        b'[' | b'{' => list(&mut scanner, body, Fields::V1)?,
        _ => scanner.value().and(Err(Fault::Malformed))?,
    };
    scanner.end()?;
    found
}

/// What a claim's body asks for. Ranges are not checked here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClaimTerms {
    /// Seconds the claim shall live.
    pub ttl: Option<i64>,
    /// Seconds that its messages shall outlive it.
    pub grace: Option<i64>,
}

/// Reads `{"ttl": int, "grace": int}`, both optional, unknown keys dropped.
pub fn claim_terms(body: &[u8]) -> Result<ClaimTerms, BodyError> {
    let (mut ttl, mut grace) = (Field::Absent, Field::Absent);
    let outermost = document(body, |scanner, key| {
        let field = Field::of(scanner.value()?);
        match &*key.decoded() {
            "ttl" => ttl = field,
            "grace" => grace = field,
            _ => {}
        }
        Ok(())
    })?;
    if outermost == Kind::Array {
        return Err(BodyError::Unsupported);
    }
    Ok(ClaimTerms { ttl: ttl.integer("ttl")?, grace: grace.integer("grace")? })
}

/// What a purge removes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PurgeTerms {
    /// The messages of the queue.
    pub messages: bool,
    /// Its subscriptions.
    pub subscriptions: bool,
}

/// Reads `{"resource_types": ["messages", "subscriptions"]}`: any subset, unknown keys dropped.
pub fn purge_terms(body: &[u8]) -> Result<PurgeTerms, BodyError> {
    let mut terms = Err(BodyError::NoResourceTypes);
    document(body, |scanner, key| {
        if key.decoded() == "resource_types" {
            terms = resource_types(scanner)?;
        } else {
            scanner.value()?;
        }
        Ok(())
    })?;
    terms
}

/// Reads an object whole: the metadata of a queue, from a request or from a store.
///
/// `serde_json` must not read metadata: it takes an object with its own private key for raw text, which
/// would hide whatever stands in that text from the rules of this module.
pub fn object(body: &[u8]) -> Result<Metadata, BodyError> {
    match tree::read(body)? {
        Value::Object(metadata) => Ok(metadata),
        Value::Array(_) => Err(BodyError::Unsupported),
        _ => Err(BodyError::Malformed),
    }
}

/// Reads an array whole.
pub fn array(body: &[u8]) -> Result<Vec<Value>, BodyError> {
    match tree::read(body)? {
        Value::Array(elements) => Ok(elements),
        Value::Object(_) => Err(BodyError::Unsupported),
        _ => Err(BodyError::Malformed),
    }
}

/// A field that should be an integer. The reference takes true for 1 and false for 0.
#[derive(Clone, Copy, Default)]
enum Field {
    #[default]
    Absent,
    Integer(i64),
    Other,
}

impl Field {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Integer(value) => Self::Integer(value),
            Kind::Bool(value) => Self::Integer(i64::from(value)),
            _ => Self::Other,
        }
    }

    fn integer(self, name: &'static str) -> Result<Option<i64>, BodyError> {
        match self {
            Self::Absent => Ok(None),
            Self::Integer(value) => Ok(Some(value)),
            Self::Other => Err(BodyError::NotInteger(name)),
        }
    }
}

/// Reads a whole document, handing the members of an outermost object to `member`: what the outermost value is.
fn document<'a, F>(text: &'a [u8], member: F) -> Result<Kind, Fault>
where
    F: FnMut(&mut Scanner<'a>, Text<'a>) -> Result<(), Fault>,
{
    let mut scanner = Scanner::new(text)?;
    let kind = match scanner.peek()? {
        b'{' => scanner.object(member).map(|()| Kind::Object)?,
        b'[' => scanner.value()?,
        // Looked at all the same, since an integer that is too large is told first.
        _ => scanner.value().and(Err(Fault::Malformed))?,
    };
    scanner.end()?;
    Ok(kind)
}

/// Which fields of a posted message count beside `body`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fields {
    /// `ttl`, which is needed.
    V1,
    /// `ttl`, if it is there.
    Ttl,
    /// The same, and `delay`.
    TtlAndDelay,
}

impl Fields {
    /// Those of a queue that honours delays, or does not.
    fn of(delays: bool) -> Self {
        if delays { Self::TtlAndDelay } else { Self::Ttl }
    }
}

/// A message as it was found.
#[derive(Default)]
struct Draft {
    body: Option<Body>,
    ttl: Field,
    delay: Field,
}

/// Where a body stands in the request, and in what form.
struct Body {
    range: Range<usize>,
    spaces: bool,
    repeats: bool,
}

/// Reads the list of messages. The outer error is one of the text, which wins over what the inner one says.
fn list(
    scanner: &mut Scanner,
    request: &Bytes,
    fields: Fields,
) -> Result<Result<Vec<Posted>, BodyError>, Fault> {
    if scanner.peek()? != b'[' {
        return scanner.value().and(Ok(Err(BodyError::Unsupported)));
    }
    let mut posted = Ok(Vec::new());
    scanner.array(|scanner| {
        let draft = draft(scanner)?;
        if let Ok(list) = &mut posted {
            match posted_from(draft, request, fields) {
                Ok(message) => list.push(message),
                Err(error) => posted = Err(error),
            }
        }
        Ok(())
    })?;
    Ok(posted.and_then(|list| if list.is_empty() { Err(BodyError::Empty) } else { Ok(list) }))
}

/// Steps over one element of the list: the message, if it is an object.
fn draft(scanner: &mut Scanner) -> Result<Option<Draft>, Fault> {
    if scanner.peek()? != b'{' {
        return scanner.value().and(Ok(None));
    }
    let mut draft = Draft::default();
    scanner.object(|scanner, key| {
        match &*key.decoded() {
            "body" => draft.body = Some(body(scanner)?),
            "ttl" => draft.ttl = Field::of(scanner.value()?),
            "delay" => draft.delay = Field::of(scanner.value()?),
            _ => drop(scanner.value()?),
        }
        Ok(())
    })?;
    Ok(Some(draft))
}

fn body(scanner: &mut Scanner) -> Result<Body, Fault> {
    scanner.peek()?;
    let start = scanner.at();
    (scanner.spaces, scanner.repeats) = (false, false);
    scanner.value()?;
    Ok(Body { range: start..scanner.at(), spaces: scanner.spaces, repeats: scanner.repeats })
}

fn posted_from(draft: Option<Draft>, request: &Bytes, fields: Fields) -> Result<Posted, BodyError> {
    let draft = draft.ok_or(BodyError::Unsupported)?;
    let ttl = draft.ttl.integer("ttl")?;
    if fields == Fields::V1 {
        ttl.ok_or(BodyError::Missing("ttl"))?;
    }
    let body = draft.body.ok_or(BodyError::Missing("body"))?;
    let delay = if fields == Fields::TtlAndDelay { draft.delay.integer("delay")? } else { None };
    let text = request.slice(body.range);
    let body = match (body.repeats, body.spaces) {
        (true, _) => without_repeats(&text)?,
        (false, true) => form::without_spaces(&text).into(),
        (false, false) => text,
    };
    Ok(Posted { body, ttl, delay })
}

/// What the list of things to purge says.
fn resource_types(scanner: &mut Scanner) -> Result<Result<PurgeTerms, BodyError>, Fault> {
    if scanner.peek()? != b'[' {
        return scanner.value().and(Ok(Err(BodyError::UnknownResourceType)));
    }
    let mut terms = PurgeTerms::default();
    let mut known = true;
    scanner.array(|scanner| {
        let name = if scanner.peek()? == b'"' {
            scanner.string()?.decoded()
        } else {
            scanner.value()?;
            "".into()
        };
        match &*name {
            "messages" => terms.messages = true,
            "subscriptions" => terms.subscriptions = true,
            _ => known = false,
        }
        Ok(())
    })?;
    Ok(if known { Ok(terms) } else { Err(BodyError::UnknownResourceType) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn post(text: &str) -> Result<Vec<Posted>, BodyError> {
        messages(&Bytes::copy_from_slice(text.as_bytes()), true)
    }

    fn body_of(text: &str) -> Result<String, BodyError> {
        let posted = post(&format!(r#"{{"messages":[{{"body":{text}}}]}}"#))?;
        Ok(String::from_utf8(posted[0].body.to_vec()).unwrap())
    }

    #[test]
    fn a_post_is_read_with_its_fields() {
        let text = r#" {"x": [], "messages": [{"ttl": 300, "body": {"n": 1}, "delay": 7, "y": {}},
            {"body":null}, {"body":"two","ttl":true,"delay":false}]} "#;
        let got = post(text).unwrap();
        let expected =
            [(r#"{"n":1}"#, Some(300), Some(7)), ("null", None, None), (r#""two""#, Some(1), Some(0))];
        for (message, (body, ttl, delay)) in got.iter().zip(expected) {
            assert_eq!((&*message.body, message.ttl, message.delay), (body.as_bytes(), ttl, delay));
        }
        assert_eq!(got.len(), 3);
    }

    #[test]
    fn a_body_in_the_kept_form_is_not_copied() {
        let text = Bytes::from_static(br#"{"messages": [{"body": {"a":[1,2.50,"x y"]}}]}"#);
        let posted = messages(&text, false).unwrap();
        assert_eq!(posted[0].body.as_ptr(), text[23..].as_ptr());
        assert_eq!(posted[0].body.len(), 20);
    }

    #[test]
    fn a_body_is_kept_as_it_was_written() {
        for (written, kept) in [
            ("\"a \\u00e9 \\ud83d\\ude00 \\/ ü\"", "\"a \\u00e9 \\ud83d\\ude00 \\/ ü\""),
            ("1.50E+03", "1.50E+03"),
            ("1e400", "1e400"),
            ("-0", "-0"),
            ("-9223372036854775808", "-9223372036854775808"),
            (" { \"a b\" : [ 1 , { } , [ ] ] }\n", "{\"a b\":[1,{},[]]}"),
            ("\"\\\" { \\\\\"", "\"\\\" { \\\\\""),
        ] {
            assert_eq!(body_of(written).unwrap(), kept);
        }
    }

    #[test]
    fn the_last_of_repeated_keys_counts() {
        for (written, kept) in [
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            (r#"[{"\u0061": 1, "a": {"x": 1, "x": [2]}}]"#, r#"[{"\u0061":{"x":[2]}}]"#),
            (r#"{"a":{"a":1},"b":{"a":1}}"#, r#"{"a":{"a":1},"b":{"a":1}}"#),
        ] {
            assert_eq!(body_of(written).unwrap(), kept);
        }
        let many: Vec<_> = (0..40).map(|n| format!("\"k{}\":{n}", n % 39)).collect();
        assert!(body_of(&format!("{{{}}}", many.join(","))).unwrap().starts_with(r#"{"k0":39,"k1":1"#));
        let got = post(r#"{"messages":1,"messages":[{"body":1,"ttl":"x","\u0062ody":2,"ttl":5}]}"#).unwrap();
        assert_eq!((&*got[0].body, got[0].ttl), (&b"2"[..], Some(5)));
        assert_eq!(post(r#"{"messages":[{"body":1}],"messages":1}"#), Err(BodyError::Unsupported));
    }

    #[test]
    fn a_bad_post_is_told_in_the_order_of_the_reference() {
        use BodyError::{Empty, Malformed, Missing, NoMessages, NotInteger, TooLargeInteger, Unsupported};
        for (text, error) in [
            ("", Malformed),
            (" ", Malformed),
            ("None", Malformed),
            ("[", Malformed),
            ("123", Malformed),
            ("\"messages\"", Malformed),
            (".", Malformed),
            ("9223372036854775808", TooLargeInteger),
            ("{}", NoMessages),
            ("[]", NoMessages),
            (r#"["messages"]"#, NoMessages),
            (r#"{"messages":[{"body":9223372036854775808}]}"#, TooLargeInteger),
            (r#"{"x":-9223372036854775809,"messages":1"#, TooLargeInteger),
            (r#"{"messages":[{"body":NaN}]}"#, Malformed),
            (r#"{"messages":[{"body":-Infinity}]}"#, Malformed),
            (r#"{"messages":[{"body":"\ud800"}]}"#, Malformed),
            (r#"{"messages":"x"}"#, Unsupported),
            (r#"{"messages":null}"#, Unsupported),
            (r#"{"messages":{}}"#, Unsupported),
            (r#"{"messages":[]}"#, Empty),
            (r#"{"messages":["x"]}"#, Unsupported),
            (r#"{"messages":[{"ttl":300}]}"#, Missing("body")),
            (r#"{"messages":[{"ttl":"300"}]}"#, NotInteger("ttl")),
            (r#"{"messages":[{"ttl":300.5,"body":1}]}"#, NotInteger("ttl")),
            (r#"{"messages":[{"ttl":3e2,"body":1}]}"#, NotInteger("ttl")),
            (r#"{"messages":[{"ttl":null,"body":1}]}"#, NotInteger("ttl")),
            (r#"{"messages":[{"delay":[],"ttl":1}]}"#, Missing("body")),
            (r#"{"messages":[{"body":1,"delay":"x"},{}]}"#, NotInteger("delay")),
            (r#"{"messages":[{},{"ttl":1."#, Malformed),
            (r#"{"messages":[{"body":1}]}]"#, Malformed),
            (r#"{"messages":[{"body":1,}]}"#, Malformed),
        ] {
            assert_eq!(post(text), Err(error), "{text}");
        }
        let ignored = Bytes::from_static(br#"{"messages":[{"body":1,"delay":"x"}]}"#);
        assert_eq!(messages(&ignored, false).unwrap()[0].delay, None);
    }

    #[test]
    fn faults_are_told_in_the_words_of_the_reference() {
        for (error, text) in [
            (BodyError::Missing("body"), "Missing \"body\" field."),
            (BodyError::NotInteger("ttl"), "The value of the \"ttl\" field must be a int."),
            (
                BodyError::UnknownResourceType,
                "Resource types must be a sub set of {'subscriptions', 'messages'}.",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn nesting_ends_at_the_limit_without_exhausting_the_stack() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        // The document, its list and the message are three.
        assert_eq!(body_of(&nested(125)).unwrap().len(), 250);
        assert_eq!(body_of(&nested(126)), Err(BodyError::Malformed));
        assert_eq!(post(&"[".repeat(1_000_000)), Err(BodyError::Malformed));
        assert_eq!(post(&"{\"\":".repeat(1_000_000)), Err(BodyError::Malformed));
        assert_eq!(array(nested(128).as_bytes()).unwrap().len(), 1);
        assert_eq!(array(nested(129).as_bytes()), Err(BodyError::Malformed));
    }

    #[test]
    fn a_claim_has_two_integers() {
        let terms = |ttl, grace| Ok(ClaimTerms { ttl, grace });
        for (text, expected) in [
            ("{}", terms(None, None)),
            (r#"{"ttl": 300, "grace": -60, "x": [1]}"#, terms(Some(300), Some(-60))),
            (r#"{"grace": true, "ttl": "x", "ttl": 5}"#, terms(Some(5), Some(1))),
            ("[]", Err(BodyError::Unsupported)),
            ("\"fail\"", Err(BodyError::Malformed)),
            (r#"{"grace": 1.0, "ttl": null}"#, Err(BodyError::NotInteger("ttl"))),
            (r#"{"grace": {}, "ttl": 1}"#, Err(BodyError::NotInteger("grace"))),
            (r#"{"grace": 1e1, "ttl": 99999999999999999999}"#, Err(BodyError::TooLargeInteger)),
        ] {
            assert_eq!(claim_terms(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_purge_names_a_subset() {
        let terms = |messages, subscriptions| Ok(PurgeTerms { messages, subscriptions });
        for (text, expected) in [
            (r#"{"resource_types": ["messages"]}"#, terms(true, false)),
            (r#"{"resource_types": ["subscriptions", "\u006dessages"]}"#, terms(true, true)),
            (r#"{"resource_types": []}"#, terms(false, false)),
            (r#"{"resource_types": ["x", "messages"]}"#, Err(BodyError::UnknownResourceType)),
            (r#"{"resource_types": [1]}"#, Err(BodyError::UnknownResourceType)),
            (r#"{"resource_types": "messages"}"#, Err(BodyError::UnknownResourceType)),
            (r#"{"resource_types": null}"#, Err(BodyError::UnknownResourceType)),
            ("{}", Err(BodyError::NoResourceTypes)),
            ("[]", Err(BodyError::NoResourceTypes)),
            ("1", Err(BodyError::Malformed)),
        ] {
            assert_eq!(purge_terms(text.as_bytes()), expected, "{text}");
        }
    }

    /// A value as a client may write it: keys repeated, white space anywhere.
    #[derive(Clone, Debug)]
    enum Written {
        Scalar(String),
        Array(Vec<Written>, &'static str),
        Object(Vec<(String, Written)>, &'static str),
    }

    fn written() -> impl Strategy<Value = Written> {
        let scalar =
            prop::sample::select(vec!["1", "-2.50", "null", "\" {[,:]}\"", "\"\\\"\\\\\"", "\"\\u00e9\""]);
        let key = prop::sample::select(vec!["a", "\\u0061", "b", "", "b ", "\\\""]).prop_map(String::from);
        let space = prop::sample::select(vec!["", "", " ", "\n\t\r "]);
        scalar.prop_map(|text| Written::Scalar(text.into())).prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                (vec(inner.clone(), 0..6), space.clone())
                    .prop_map(|(list, space)| Written::Array(list, space)),
                (vec((key.clone(), inner), 0..6), space.clone())
                    .prop_map(|(members, space)| Written::Object(members, space)),
            ]
        })
    }

    impl Written {
        fn text(&self) -> String {
            match self {
                Self::Scalar(text) => text.clone(),
                Self::Array(list, space) => {
                    let list: Vec<_> = list.iter().map(Self::text).collect();
                    format!("{space}[{space}{}{space}]{space}", list.join(&format!("{space},{space}")))
                }
                Self::Object(members, space) => {
                    let member = |(key, value): &(String, Self)| format!("\"{key}\"{space}:{}", value.text());
                    let members: Vec<_> = members.iter().map(member).collect();
                    format!("{{{space}{}{space}}}", members.join(&format!(",{space}")))
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_kept_form_is_the_value_that_was_written(written in written()) {
            let text = written.text();
            let kept = body_of(&text).unwrap();
            let value: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Value>(&kept).unwrap(), &value);
            prop_assert_eq!(array(format!("[{text}]").as_bytes()).unwrap(), vec![value.clone()]);
            // It is its own kept form, as long as a text without blanks and repeated keys, in their order.
            prop_assert_eq!(body_of(&kept).unwrap(), kept.clone());
            let plain = |text: &str| text.replace("\\u0061", "a").replace("\\u00e9", "é");
            prop_assert_eq!(plain(&kept), serde_json::to_string(&value).unwrap().replace("-2.5", "-2.50"));
        }
    }

    #[test]
    fn metadata_is_read_whole_and_in_order() {
        let text = r#"{"b": 1, "a": -0, "b": {"$serde_json::private::RawValue": "[99999999999999999999]"},
            "f": 1.25, "": [null, true, "\ud83d\ude00"]}"#;
        let read = object(text.as_bytes()).unwrap();
        let again = serde_json::to_string(&read).unwrap();
        let expected = r#"{"b":{"$serde_json::private::RawValue":"[99999999999999999999]"},"a":0,"f":1.25,"":[null,true,"😀"]}"#;
        assert_eq!(again, expected);
        assert_eq!(object(again.as_bytes()).unwrap(), read);
        assert_eq!(object(b"[]"), Err(BodyError::Unsupported));
        assert_eq!(object(b"{\"a\":1e400}"), Err(BodyError::Malformed));
        assert_eq!(object(b"null"), Err(BodyError::Malformed));
        assert_eq!(array(b"{}"), Err(BodyError::Unsupported));
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(BodyError::Malformed));
    }
}
