//! Queues and their metadata in management storage.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use zaqar::model::{Epoch, Metadata, ProjectId, QueueName, QueueRef};
use zaqar::storage::{Error, QueueFilter, QueueRecord, Work};

use super::fixture::{ManagementStore, queue_ref};

every_management!(
    a_closed_store_fails,
    a_deleted_queue_is_gone,
    a_queue_is_created_once,
    any_metadata_comes_back_in_its_order,
    changes_made_at_once_are_all_kept,
    a_queue_is_kept_while_its_data_is_worked_on,
    filters_and_pages_combine,
    markers_are_any_text,
    metadata_filters_compare_values,
    metadata_is_replaced_only_as_it_was_seen,
    name_filters_are_plain_text,
    one_of_many_creators_wins,
    projects_are_compared_byte_for_byte,
    queues_are_listed_by_the_bytes_of_their_names,
);

fn object(value: Value) -> Metadata {
    let Value::Object(map) = value else { panic!("an object is needed") };
    map
}

fn name(text: &str) -> QueueName {
    QueueName::parse(text).expect("a legal name")
}

fn all() -> QueueFilter {
    QueueFilter { limit: 1_000, ..QueueFilter::default() }
}

impl ManagementStore {
    async fn create(&self, project: &str, name: &str, epoch: i64, metadata: Value) -> (QueueRecord, bool) {
        let queue = queue_ref(project, name, epoch);
        self.queues.create_queue(&queue, &object(metadata), None).await.unwrap()
    }

    async fn queue(&self, project: &str, queue: &str) -> Option<QueueRecord> {
        self.queues.queue(&ProjectId::new(project), &name(queue)).await.unwrap()
    }

    /// The names that a listing of project `p` finds.
    async fn names(&self, filter: &QueueFilter) -> Vec<String> {
        let found = self.queues.queues(&ProjectId::new("p"), filter).await.unwrap();
        found.iter().map(|record| record.queue.name.to_string()).collect()
    }

    async fn count(&self, project: &str) -> u64 {
        self.queues.count_queues(&ProjectId::new(project)).await.unwrap()
    }
}

async fn a_queue_is_created_once(store: &ManagementStore) {
    assert_eq!(store.queue("p", "q").await, None);
    let (created, new) = store.create("p", "q", 5, json!({"a": 1})).await;
    assert!(new);
    assert_eq!(created.queue, QueueRef { epoch: created.queue.epoch, ..queue_ref("p", "q", 5) });
    assert!(created.queue.epoch.0 >= 5, "{:?}", created.queue);
    assert_eq!(created.metadata, object(json!({"a": 1})));
    let (found, new) = store.create("p", "q", 6, json!({"b": 2})).await;
    assert!(!new);
    assert_eq!(found, created, "nothing of an existing queue changes");
    assert_eq!(store.queue("p", "q").await, Some(created));
    assert_eq!(store.count("p").await, 1);
}

async fn metadata_is_replaced_only_as_it_was_seen(store: &ManagementStore) {
    let replace = async |seen: &QueueRecord, value| {
        store.queues.replace_metadata(seen, &object(value), None).await.unwrap()
    };
    let (first, _) = store.create("p", "q", 5, json!({})).await;
    let second = replace(&first, json!({"n": 2})).await.expect("nobody was faster");
    assert_eq!(second.queue, first.queue);
    assert_eq!(second.metadata, object(json!({"n": 2})));
    assert!(second.revision > first.revision);
    assert_eq!(replace(&first, json!({"n": 3})).await, None, "somebody was faster");
    assert_eq!(store.queue("p", "q").await, Some(second.clone()));
    let third = replace(&second, json!({"n": 2})).await.expect("the same metadata is a change too");
    assert!(third.revision > second.revision);

    store.queues.delete_queue(&ProjectId::new("p"), &name("q")).await.unwrap();
    assert_eq!(replace(&third, json!({})).await, None, "the queue is gone");
    let (again, _) = store.create("p", "q", 9, json!({})).await;
    for seen in [&first, &second, &third] {
        assert_eq!(replace(seen, json!({"n": 4})).await, None, "another life of the queue");
    }
    assert_eq!(store.queue("p", "q").await, Some(again));
}

async fn a_deleted_queue_is_gone(store: &ManagementStore) {
    let delete =
        async |project| store.queues.delete_queue(&ProjectId::new(project), &name("q")).await.unwrap();
    let (created, _) = store.create("p", "q", 5, json!({"a": 1})).await;
    store.create("r", "q", 6, json!({})).await;
    assert_eq!(delete("o").await, None);
    assert_eq!(delete("p").await, Some(created));
    assert_eq!(delete("p").await, None);
    assert_eq!(store.queue("p", "q").await, None);
    assert_eq!((store.count("p").await, store.count("r").await), (0, 1));
    assert_eq!(store.queues.count_all_queues().await.unwrap(), 1);
    let (again, new) = store.create("p", "q", 7, json!({})).await;
    assert!(new);
    assert!(again.queue.epoch.0 >= 7, "{:?}", again.queue);
    assert_eq!(again.metadata, Metadata::new());
}

async fn any_metadata_comes_back_in_its_order(store: &ManagementStore) {
    let odd = json!({
        "z": 1, "a": [1, 2.5, 1e300, -9_223_372_036_854_775_808_i64, 9_223_372_036_854_775_807_i64],
        "": null, "ünï \"quoted\" '%_\\": {"y": {"x": [[], {}, ""]}, "b": true}, "long": "x".repeat(60_000),
        "\u{1f600}\u{0}": "\u{1f600}\u{0}\n",
    });
    store.create("p", "q", i64::MAX, odd.clone()).await;
    let found = store.queue("p", "q").await.expect("it is there");
    assert_eq!(found.queue.epoch.0, i64::MAX);
    assert_eq!(serde_json::to_string(&found.metadata).unwrap(), serde_json::to_string(&odd).unwrap());
}

async fn queues_are_listed_by_the_bytes_of_their_names(store: &ManagementStore) {
    let sorted =
        ["-a", ".a", "10", "2", "A", "B", "Z", "_a", "a", "a-b", "a.b", "a0", "aA", "a_b", "ab", "b"];
    for (n, name) in (0..).zip(sorted.iter().rev()) {
        store.create("p", name, n, json!({})).await;
        store.create("other", name, n, json!({})).await;
    }
    assert_eq!(store.names(&all()).await, sorted);
    assert_eq!(store.names(&QueueFilter { limit: 3, ..all() }).await, sorted[..3]);
    assert_eq!(store.names(&QueueFilter { limit: 0, ..all() }).await, [""; 0]);
    for (n, marker) in sorted.iter().enumerate() {
        let filter = QueueFilter { marker: Some((*marker).to_owned()), limit: 2, ..all() };
        let end = sorted.len().min(n + 3);
        assert_eq!(store.names(&filter).await, sorted[n + 1..end], "behind {marker}");
    }
    assert_eq!(store.count("p").await, 16);
    assert_eq!(store.queues.count_all_queues().await.unwrap(), 32);
}

async fn markers_are_any_text(store: &ManagementStore) {
    for (n, name) in (0..).zip(["a", "b", "c"]) {
        store.create("p", name, n, json!({})).await;
    }
    let behind = async |marker: &str| {
        store.names(&QueueFilter { marker: Some(marker.to_owned()), ..all() }).await.concat()
    };
    for (marker, expected) in [
        ("", "abc"),
        ("aa", "bc"),
        ("b ", "c"),
        ("B", "abc"),
        ("a'; --", "bc"),
        ("a%", "bc"),
        ("a\u{0}", "bc"),
        ("zzz", ""),
        ("ünï", ""),
    ] {
        assert_eq!(behind(marker).await, expected, "behind {marker:?}");
    }
}

async fn name_filters_are_plain_text(store: &ManagementStore) {
    for (n, name) in (0..).zip(["q1", "q2", "Q3", "a_b", "axb", "a.b", "tq"]) {
        store.create("p", name, n, json!({})).await;
    }
    let named =
        async |part: &str| store.names(&QueueFilter { name: Some(part.to_owned()), ..all() }).await.join(" ");
    for (part, expected) in [
        ("q", "q1 q2 tq"),
        ("Q", "Q3"),
        ("_", "a_b"),
        ("a_b", "a_b"),
        ("a.b", "a.b"),
        ("%", ""),
        ("a%b", ""),
        ("q*", ""),
        ("^q", ""),
        ("\\", ""),
        ("'", ""),
        ("ü", ""),
        ("", "Q3 a.b a_b axb q1 q2 tq"),
    ] {
        assert_eq!(named(part).await, expected, "{part:?}");
    }
}

async fn metadata_filters_compare_values(store: &ManagementStore) {
    let stored = [
        ("int", json!({"k": 30, "both": 1})),
        ("text", json!({"k": "30", "both": 1})),
        ("true", json!({"k": true, "both": 2})),
        ("one", json!({"k": 1})),
        ("null", json!({"k": null})),
        ("list", json!({"k": [1, {"a": "b"}]})),
        ("object", json!({"k": {"a": [1], "b": 2}})),
        ("odd", json!({"k.$[0]\"'%": "v", "K": 30, "deep": {"k": 30}})),
    ];
    for (n, (name, metadata)) in (0..).zip(stored) {
        store.create("p", name, n, metadata).await;
    }
    let with = async |pairs: &[(&str, Value)]| {
        let metadata = pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        store.names(&QueueFilter { metadata, ..all() }).await.join(" ")
    };
    for (value, expected) in [
        (json!(30), "int"),
        (json!("30"), "text"),
        (json!(true), "true"),
        (json!("true"), ""),
        (json!(1), "one"),
        (json!(null), "null"),
        (json!([1, {"a": "b"}]), "list"),
        (json!([1]), ""),
        (json!({"a": [1], "b": 2}), "object"),
        (json!({"b": 2, "a": [1]}), "object"),
        (json!({"a": [1]}), ""),
        (json!(34), ""),
    ] {
        assert_eq!(with(&[("k", value.clone())]).await, expected, "{value}");
    }
    assert_eq!(with(&[("both", json!(1))]).await, "int text");
    assert_eq!(with(&[("both", json!(1)), ("k", json!("30"))]).await, "text");
    assert_eq!(with(&[("both", json!(2)), ("k", json!("30"))]).await, "");
    assert_eq!(with(&[("k.$[0]\"'%", json!("v"))]).await, "odd");
    assert_eq!(with(&[("K", json!(30))]).await, "odd");
    assert_eq!(with(&[("missing", json!(null))]).await, "");
}

async fn filters_and_pages_combine(store: &ManagementStore) {
    for n in 0..60 {
        let name = format!("{}-{n:02}", if n % 2 == 0 { "even" } else { "odd" });
        store.create("p", &name, n, json!({"third": n % 3})).await;
    }
    let mut filter = QueueFilter {
        name: Some("odd".to_owned()),
        metadata: vec![("third".to_owned(), json!(0))],
        limit: 4,
        marker: None,
    };
    let mut pages = Vec::new();
    loop {
        let page = store.names(&filter).await;
        filter.marker = page.last().cloned().or(filter.marker);
        if page.is_empty() {
            break;
        }
        pages.push(page);
        assert!(pages.len() < 9, "{pages:?}");
    }
    let expected: Vec<String> = (0..10).map(|n| format!("odd-{:02}", 3 + 6 * n)).collect();
    assert_eq!(pages.concat(), expected);
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
}

async fn projects_are_compared_byte_for_byte(store: &ManagementStore) {
    let long = "x".repeat(256);
    let wide = "ü".repeat(256);
    let projects = [
        "p", "P", "p ", " p", "p\t", "", " ", "é", "e\u{301}", "E\u{301}", "ß", "ss", "p%", "p_", &long,
        &wide,
    ];
    let mut created = Vec::new();
    for (n, project) in (0..).zip(projects) {
        let (record, new) = store.create(project, "q", n, json!({"owner": n})).await;
        assert!(new, "{project:?}");
        assert_eq!(record.queue.project.as_str(), project);
        created.push(record.queue);
    }
    for (n, project) in (0..).zip(projects) {
        let record = store.queue(project, "q").await.expect("it is there");
        assert_eq!(record.queue, created[n], "{project:?}");
        assert_eq!(record.metadata, object(json!({"owner": n})));
        let listed = store.queues.queues(&ProjectId::new(project), &all()).await.unwrap();
        assert_eq!(listed, [record]);
        assert_eq!(store.count(project).await, 1, "{project:?}");
    }
    store.queues.delete_queue(&ProjectId::new("p"), &name("q")).await.unwrap();
    assert_eq!(store.queues.count_all_queues().await.unwrap(), projects.len() as u64 - 1);
    assert_eq!(store.queue("p", "q").await, None);
    // Names of queues compare in the same way.
    store.create("p", "a", 1, json!({})).await;
    let (_, new) = store.create("p", "A", 2, json!({})).await;
    assert!(new);
}

async fn a_closed_store_fails(store: &ManagementStore) {
    store.create("p", "q", 1, json!({})).await;
    store.queues.ping().await.unwrap();
    store.queues.close().await;
    store.queues.close().await;
    store.queues.ping().await.unwrap_err();
    store.queues.queue(&ProjectId::new("p"), &name("q")).await.unwrap_err();
    store.queues.count_all_queues().await.unwrap_err();
}

async fn changes_made_at_once_are_all_kept(store: &ManagementStore) {
    let (first, _) = store.create("p", "q", 1, json!({"n": 0})).await;
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let queues = store.queues.clone();
        let mut seen = first.clone();
        tasks.spawn(async move {
            for _ in 0..10 {
                loop {
                    let next = object(json!({"n": seen.metadata["n"].as_i64().unwrap() + 1}));
                    let replaced = queues.replace_metadata(&seen, &next, None).await.unwrap();
                    let current = queues.queue(&seen.queue.project, &seen.queue.name).await.unwrap();
                    seen = current.expect("nobody deletes it");
                    if replaced.is_some() {
                        break;
                    }
                }
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(store.queue("p", "q").await.unwrap().metadata, object(json!({"n": 40})));
}

async fn a_queue_is_kept_while_its_data_is_worked_on(store: &ManagementStore) {
    let (record, _) = store.create("p", "q", 5, json!({})).await;
    let worked = Arc::new(AtomicBool::new(false));
    let work = || -> Work<'static> {
        let worked = worked.clone();
        Box::pin(async move {
            worked.store(true, Ordering::SeqCst);
            Ok(())
        })
    };
    let other = QueueRef { epoch: Epoch(record.queue.epoch.0 - 1), ..record.queue.clone() };
    for queue in [other, queue_ref("p", "r", 5), queue_ref("o", "q", 5)] {
        assert!(!store.queues.while_current(&queue, work()).await.unwrap(), "{queue:?}");
        assert!(!worked.load(Ordering::SeqCst), "{queue:?}");
    }
    // A deletion that begins while the work goes on ends after it.
    let (queues, deleted) = (store.queues.clone(), Arc::new(AtomicBool::new(false)));
    let (project, after) = (record.queue.project.clone(), deleted.clone());
    let (start, started) = tokio::sync::oneshot::channel();
    let mut deletion = JoinSet::new();
    deletion.spawn(async move {
        started.await.unwrap();
        let last = queues.delete_queue(&project, &name("q")).await.unwrap();
        after.store(true, Ordering::SeqCst);
        last
    });
    let (done, before) = (worked.clone(), deleted.clone());
    let slow: Work<'static> = Box::pin(async move {
        start.send(()).unwrap();
        // Time for a deletion that does not wait.
        let look = Instant::now() + Duration::from_millis(50);
        while Instant::now() < look && !before.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        done.store(!before.load(Ordering::SeqCst), Ordering::SeqCst);
        Ok(())
    });
    assert!(store.queues.while_current(&record.queue, slow).await.unwrap());
    assert!(worked.load(Ordering::SeqCst), "the queue was deleted amid the work");
    assert!(deletion.join_next().await.unwrap().unwrap().is_some());
    assert!(!store.queues.while_current(&record.queue, work()).await.unwrap());
    // A failure of the work is passed on, and nothing stays locked.
    let (record, _) = store.create("p", "q", 6, json!({})).await;
    let failing: Work<'static> = Box::pin(async { Err(Error::Gone) });
    let failed = store.queues.while_current(&record.queue, failing).await;
    assert!(matches!(failed, Err(Error::Gone)), "{failed:?}");
    assert!(store.queues.delete_queue(&record.queue.project, &name("q")).await.unwrap().is_some());
}

async fn one_of_many_creators_wins(store: &ManagementStore) {
    let mut tasks = JoinSet::new();
    for n in 0..8 {
        let queues = store.queues.clone();
        tasks.spawn(async move {
            let metadata = object(json!({"creator": n}));
            queues.create_queue(&queue_ref("p", "q", n), &metadata, None).await.unwrap()
        });
    }
    let (created, new): (Vec<_>, Vec<_>) = tasks.join_all().await.into_iter().unzip();
    assert_eq!(new.iter().filter(|new| **new).count(), 1);
    assert!(created.iter().all(|record| *record == created[0]), "{created:?}");
    assert_eq!(store.count("p").await, 1);
}
