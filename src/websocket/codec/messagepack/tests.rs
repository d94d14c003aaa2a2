//! Both ways, held to another library.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::{Sizes, from_json, to_json};

fn values() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i16>().prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        "[\\x00-\\x7f]{0,300}".prop_map(Value::from),
    ];
    scalar.prop_recursive(6, 64, 20, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Value::from),
            vec((".{0,40}", inner), 0..20).prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

fn text_of(frame: &[u8]) -> Value {
    serde_json::from_slice(&to_json(frame).unwrap().text).unwrap()
}

proptest! {
    #[test]
    fn a_value_survives_both_ways(value in values()) {
        let theirs = rmp_serde::to_vec(&value).unwrap();
        prop_assert_eq!(text_of(&theirs), value.clone());
        for text in [serde_json::to_vec(&value).unwrap(), serde_json::to_vec_pretty(&value).unwrap()] {
            let ours = from_json(&text).unwrap();
            prop_assert_eq!(rmp_serde::from_slice::<Value>(&ours).unwrap(), value.clone());
            // Both write the shortest form.
            prop_assert_eq!(&ours, &theirs);
        }
    }

    #[test]
    fn no_bytes_are_too_strange(frame in vec(any::<u8>(), 0..64)) {
        if let Ok(translated) = to_json(&frame) {
            let value: Value = serde_json::from_slice(&translated.text).unwrap();
            prop_assert_eq!(rmp_serde::from_slice::<Value>(&frame).unwrap(), value);
        }
    }

    #[test]
    fn mutants_are_judged_as_the_other_library_does(
        value in values(),
        edits in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut frame = rmp_serde::to_vec(&value).unwrap();
        for (at, byte) in edits {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        if let Ok(translated) = to_json(&frame) {
            let value: Value = serde_json::from_slice(&translated.text).unwrap();
            prop_assert_eq!(rmp_serde::from_slice::<Value>(&frame).unwrap(), value);
        }
    }
}

#[test]
fn lengths_take_their_shortest_form() {
    for (length, head) in [
        (15, &b"\x9f"[..]),
        (16, b"\xdc\x00\x10"),
        (65_535, b"\xdc\xff\xff"),
        (65_536, b"\xdd\x00\x01\x00\x00"),
    ] {
        let list = Value::from(vec![1; length]);
        let frame = from_json(list.to_string().as_bytes()).unwrap();
        assert!(frame.starts_with(head), "{length}");
        assert_eq!(text_of(&frame), list);
    }
    for (length, head) in
        [(31, &b"\xbf"[..]), (32, b"\xd9\x20"), (256, b"\xda\x01\x00"), (65_536, b"\xdb\x00\x01\x00\x00")]
    {
        let text = Value::from("x".repeat(length));
        let frame = from_json(text.to_string().as_bytes()).unwrap();
        assert!(frame.starts_with(head), "{length}");
        assert_eq!(text_of(&frame), text);
    }
}

#[test]
fn numbers_without_a_home_in_json_or_messagepack() {
    assert_eq!(from_json(b"1e400").unwrap(), [&b"\xcb"[..], &f64::INFINITY.to_be_bytes()].concat());
    assert_eq!(from_json(b"-0").unwrap(), [0]);
    assert_eq!(from_json(b"1.0").unwrap()[0], 0xcb);
    assert_eq!(&*to_json(b"\xca\x3f\x80\0\0").unwrap().text, b"1.0");
    assert!(from_json(b"{").is_err());
}

#[test]
fn sizes_are_those_in_the_body_of_the_frame() {
    let frame = |value: &Value| to_json(&rmp_serde::to_vec(value).unwrap()).unwrap().sizes;
    let sizes = |messages, metadata| Sizes { messages, metadata };
    let value = serde_json::json!({
        "messages": [1, 2, 3], "body": { "messages": "abc", "x": { "messages": "abcdef" }, "metadata": {} },
        "headers": { "messages": [], "metadata": [1, 2] },
    });
    assert_eq!(frame(&value), sizes(4, 1));
    assert_eq!(frame(&serde_json::json!({ "body": [{ "messages": 1 }] })), sizes(0, 0));
    assert_eq!(frame(&serde_json::json!([{ "body": { "messages": 1 } }])), sizes(0, 0));
    let twice = b"\x82\xa4body\x81\xa8metadata\xa3abc\xa4body\x81\xa8messages\x01";
    assert_eq!(to_json(twice).unwrap().sizes, sizes(1, 0));
}
