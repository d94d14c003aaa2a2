//! Filters are data: bound, compared as values, never read as patterns or paths; also over what the Python service
//! wrote in its own way.

use serde_json::{Value, json};
use zaqar::storage::{Error, Management as _, QueueFilter};

use super::common::{Fresh, all, create, name, names, project};

every_database!(
    a_value_matches_itself_and_nothing_like_it,
    keys_may_hold_anything,
    metadata_that_is_no_json_harms_its_own_queue_only,
    names_are_searched_by_the_index_of_their_project,
    several_filters_must_all_match,
    values_match_however_they_were_written,
);

async fn matching(store: &zaqar::storage::sql::SqlManagement, filters: &[(&str, Value)]) -> Vec<String> {
    let metadata = filters.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    names(store, "p", &QueueFilter { metadata, ..all() }).await
}

fn values() -> Vec<Value> {
    // Deeper than some databases read JSON.
    let deep = (0..60).fold(json!(1), |inner, _| json!([inner]));
    vec![
        json!(1),
        json!(1.0),
        json!(-1),
        json!(i64::MAX),
        json!(i64::MAX - 1),
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
        json!("\\u0000"),
        json!("\u{1F600}"),
        json!("null"),
        json!("true"),
        json!("%"),
        json!("'\"\\\n/"),
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
        deep,
    ]
}

async fn a_value_matches_itself_and_nothing_like_it(fresh: &Fresh) {
    let store = fresh.open().await;
    let values = values();
    for (n, value) in values.iter().enumerate() {
        create(&store, &format!("q{n}"), 1, json!({"other": 1, "k": value})).await.unwrap();
    }
    for (n, value) in values.iter().enumerate() {
        assert_eq!(matching(&store, &[("k", value.clone())]).await, [format!("q{n}")], "{value}");
    }
    assert_eq!(matching(&store, &[("k", json!({"c": "é", "a": {"b": 1.5}}))]).await.len(), 1);
    assert!(matching(&store, &[("k", json!(2))]).await.is_empty());
}

async fn values_match_however_they_were_written(fresh: &Fresh) {
    let store = fresh.open().await;
    let mut python = fresh.other().await;
    // ASCII only, and spaces behind commas and colons.
    python
        .insert(
            "p",
            "theirs",
            r#"{"k": "\u00e9", "n": 1e+300, "o": {"b": 2, "a": [1, "\u0000"]}, "s": "a/b"}"#,
        )
        .await;
    create(&store, "ours", 1, json!({"s": "a/b", "o": {"a": [1, "\0"], "b": 2}, "n": 1e300, "k": "é"}))
        .await
        .unwrap();
    for (key, value) in
        [("k", json!("é")), ("n", json!(1e300)), ("o", json!({"b": 2, "a": [1, "\0"]})), ("s", json!("a/b"))]
    {
        assert_eq!(matching(&store, &[(key, value)]).await, ["ours", "theirs"], "{key}");
    }
}

async fn keys_may_hold_anything(fresh: &Fresh) {
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
        "$1",
        "a",
    ];
    let store = fresh.open().await;
    for (n, key) in keys.iter().enumerate() {
        create(&store, &format!("q{n}"), 1, json!({*key: "v", "a-b": {"b": "v"}})).await.unwrap();
    }
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(matching(&store, &[(key, json!("v"))]).await, [format!("q{n}")], "{key:?}");
    }
    assert!(matching(&store, &[("a-b.b", json!("v"))]).await.is_empty());
}

async fn several_filters_must_all_match(fresh: &Fresh) {
    let store = fresh.open().await;
    for (n, metadata) in [json!({"a": 1}), json!({"a": 1, "b": 2}), json!({"b": 2})].into_iter().enumerate() {
        create(&store, &format!("q{n}"), 1, metadata).await.unwrap();
    }
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

async fn metadata_that_is_no_json_harms_its_own_queue_only(fresh: &Fresh) {
    let store = fresh.open().await;
    for queue in ["q0", "q1", "q2", "q3"] {
        create(&store, queue, 1, json!({"a": 1})).await.unwrap();
    }
    let mut python = fresh.other().await;
    python.run_with(r#"UPDATE "Queues" SET metadata = ? WHERE name = 'q1'"#, b"{a\xff").await;
    python.run_with(r#"UPDATE "Queues" SET metadata = ? WHERE name = 'q3'"#, b"[1").await;
    let broken = store.queue(&project("p"), &name("q1")).await;
    assert!(matches!(&broken, Err(Error::Corrupt(text)) if text.contains("q1")), "{broken:?}");
    assert_eq!(matching(&store, &[("a", json!(1))]).await, ["q0", "q2"]);
    assert!(store.delete_queue(&project("p"), &name("q1")).await.unwrap().is_some());
    assert!(store.delete_queue(&project("p"), &name("q3")).await.unwrap().is_some());
    assert_eq!(names(&store, "p", &all()).await, ["q0", "q2"]);
}

async fn names_are_searched_by_the_index_of_their_project(fresh: &Fresh) {
    let store = fresh.open().await;
    for part in 0..700 {
        create(&store, &format!("q{part:03}"), 1, json!({"even": part % 2 == 0})).await.unwrap();
    }
    // More than one look is taken where the database cannot tell by itself.
    let filter =
        QueueFilter { metadata: vec![("even".into(), json!(true))], limit: 340, ..QueueFilter::default() };
    let found = names(&store, "p", &filter).await;
    assert_eq!((found.len(), found[339].as_str()), (340, "q678"));
    let filter = QueueFilter { name: Some("99".into()), ..all() };
    assert_eq!(names(&store, "p", &filter).await, ["q099", "q199", "q299", "q399", "q499", "q599", "q699"]);
}
