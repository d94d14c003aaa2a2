//! Filters are data: bound, compared as values, never read as patterns or paths.

use super::*;
use crate::storage::Error;

/// A store with one queue for each of these metadata, named q0, q1 …
async fn store_with(all: &[Value]) -> SqlManagement {
    let store = SqlManagement::open("sqlite://").await.unwrap();
    for (n, value) in all.iter().enumerate() {
        let target = queue("p", &format!("q{n}"), 1);
        store.create_queue(&target, &metadata(value.clone())).await.unwrap();
    }
    store
}

async fn matching(store: &SqlManagement, filters: &[(&str, Value)]) -> Vec<String> {
    let metadata = filters.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    names(store, "p", &QueueFilter { metadata, ..all() }).await
}

#[tokio::test]
async fn a_value_matches_itself_and_nothing_like_it() {
    let values = [
        json!(1),
        json!(1.0),
        json!(-1),
        json!(i64::MAX),
        json!(0.1),
        json!(1e300),
        json!("1"),
        json!("1.0"),
        json!(""),
        json!("é"),
        json!("e\u{301}"),
        json!("É"),
        json!("a\u{0}b"),
        json!("a\u{0}c"),
        json!("\u{1F600}"),
        json!("null"),
        json!("true"),
        json!("%"),
        json!("'\"\\\n"),
        json!(true),
        json!(false),
        json!(null),
        json!([]),
        json!([1, "2", [null]]),
        json!(["2", 1, [null]]),
        json!({}),
        json!({"a": {"b": 1.5}, "c": "é"}),
        json!({"a": {"b": 1}, "c": "é"}),
        json!({"a.b": 1}),
        json!("[]"),
        json!("{}"),
    ];
    let stored: Vec<_> = values.iter().map(|value| json!({"other": 1, "k": value})).collect();
    let store = store_with(&stored).await;
    for (n, value) in values.iter().enumerate() {
        assert_eq!(matching(&store, &[("k", value.clone())]).await, [format!("q{n}")], "{value}");
    }
    assert_eq!(matching(&store, &[("k", json!({"c": "é", "a": {"b": 1.5}}))]).await, ["q26"]);
    assert!(matching(&store, &[("k", json!(2))]).await.is_empty());
}

#[tokio::test]
async fn keys_may_hold_anything() {
    let keys = [
        "",
        "a.b",
        "$",
        "$.a",
        "a\"b",
        "'; DROP TABLE \"Queues\"; --",
        "[0]",
        "0",
        "\\",
        "\u{0}",
        "\n",
        "é",
        "key",
        "_x",
        "%",
        "?",
        "a",
    ];
    let stored: Vec<_> = keys.iter().map(|key| json!({*key: "v", "a-b": {"b": "v"}})).collect();
    let store = store_with(&stored).await;
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(matching(&store, &[(key, json!("v"))]).await, [format!("q{n}")], "{key:?}");
    }
    assert!(matching(&store, &[("a-b.b", json!("v"))]).await.is_empty());
}

#[tokio::test]
async fn several_filters_must_all_match() {
    let store = store_with(&[json!({"a": 1}), json!({"a": 1, "b": 2}), json!({"b": 2})]).await;
    assert_eq!(matching(&store, &[("a", json!(1)), ("b", json!(2))]).await, ["q1"]);
    assert!(matching(&store, &[("a", json!(1)), ("a", json!(2))]).await.is_empty());
    let many: Vec<_> = std::iter::repeat_n(("a", json!(1)), 5_000).collect();
    assert_eq!(matching(&store, &many).await, ["q0", "q1"]);
    let filter = QueueFilter {
        marker: Some("q0".into()),
        name: Some("q".into()),
        metadata: vec![("a".into(), json!(1))],
        limit: 1,
    };
    assert_eq!(names(&store, "p", &filter).await, ["q1"]);
    assert!(names(&store, "P", &filter).await.is_empty());
}

#[tokio::test]
async fn the_name_filter_is_a_literal_part() {
    let store = SqlManagement::open("sqlite://").await.unwrap();
    for queue_name in ["abc", "aBc", "a.c", "a_c", "xabcx", "a-c"] {
        store.create_queue(&queue("p", queue_name, 1), &Metadata::new()).await.unwrap();
    }
    for (part, expected) in [
        ("abc", vec!["abc", "xabcx"]),
        ("a_c", vec!["a_c"]),
        ("a.c", vec!["a.c"]),
        ("_", vec!["a_c"]),
        ("%", vec![]),
        ("a*", vec![]),
        ("'", vec![]),
        ("c\0", vec![]),
        ("", vec!["a-c", "a.c", "aBc", "a_c", "abc", "xabcx"]),
    ] {
        let filter = QueueFilter { name: Some(part.into()), ..all() };
        assert_eq!(names(&store, "p", &filter).await, expected, "{part:?}");
    }
}

#[tokio::test]
async fn pages_follow_a_marker_of_any_text() {
    let store = store_with(&vec![json!({}); 5]).await;
    for (marker, limit, expected) in [
        (None, 2, vec!["q0", "q1"]),
        (Some("q1"), 2, vec!["q2", "q3"]),
        (Some("q3"), 2, vec!["q4"]),
        (Some("q4"), 2, vec![]),
        (Some("q1\0"), 1, vec!["q2"]),
        (Some("é' OR 1=1"), 9, vec![]),
        (Some(""), 9, vec!["q0", "q1", "q2", "q3", "q4"]),
        (None, 0, vec![]),
        (None, usize::MAX, vec!["q0", "q1", "q2", "q3", "q4"]),
    ] {
        let filter = QueueFilter { marker: marker.map(Into::into), limit, ..QueueFilter::default() };
        assert_eq!(names(&store, "p", &filter).await, expected, "{marker:?}");
    }
}

#[tokio::test]
async fn metadata_that_is_no_json_harms_its_own_queue_only() {
    let store = store_with(&[json!({"a": 1}), json!({"a": 1}), json!({"a": 1})]).await;
    sqlx::raw_sql(r#"UPDATE "Queues" SET metadata = X'7B61FF' WHERE name = 'q1'"#)
        .execute(writer(&store))
        .await
        .unwrap();
    let broken = store.queue(&project("p"), &name("q1")).await;
    assert!(matches!(&broken, Err(Error::Corrupt(text)) if text.contains("q1")), "{broken:?}");
    assert_eq!(matching(&store, &[("a", json!(1))]).await, ["q0", "q2"]);
    assert!(store.delete_queue(&project("p"), &name("q1")).await.unwrap().is_some());
    assert_eq!(names(&store, "p", &all()).await, ["q0", "q2"]);
}
