//! Names and markers are data, never read as patterns. What the databases have in common is tested in `tests/it/sql`.

use super::*;

/// A store with one queue for each of these metadata, named q0, q1 …
async fn store_with(all: &[Value]) -> SqlManagement {
    let store = SqlManagement::open("sqlite://").await.unwrap();
    for (n, value) in all.iter().enumerate() {
        let target = queue("p", &format!("q{n}"), 1);
        store.create_queue(&target, &metadata(value.clone()), None).await.unwrap();
    }
    store
}

#[tokio::test]
async fn the_name_filter_is_a_literal_part() {
    let store = SqlManagement::open("sqlite://").await.unwrap();
    for queue_name in ["abc", "aBc", "a.c", "a_c", "xabcx", "a-c"] {
        store.create_queue(&queue("p", queue_name, 1), &Metadata::new(), None).await.unwrap();
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
