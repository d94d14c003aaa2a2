//! Pools, flavors, and which queue lies where.

use serde_json::{Value, json};
use tokio::task::JoinSet;
use zaqar::clock::Timestamp;
use zaqar::model::{Capability, Flavor, Metadata, Pool, PoolName, ProjectId, QueueName, QueueRef};
use zaqar::storage::{
    FlavorStored, Motion, Placement, Placing, PoolChange, PoolDeletion, PoolStored, QueueFilter, QueueRecord,
};

use super::fixture::{ManagementStore, queue_ref};

every_management!(
    a_deleted_queue_leaves_no_place,
    a_flavor_belongs_to_one_project,
    a_flavor_is_served_by_its_pools_alone,
    a_motion_goes_its_way,
    a_motion_is_worked_on_by_one,
    a_pool_is_changed_in_parts,
    a_pool_is_stored_over_itself,
    a_queue_in_motion_keeps_its_way,
    a_queue_is_placed_once,
    flavors_are_listed_by_the_bytes_of_their_names,
    motions_are_listed_by_project_and_name,
    one_of_many_takers_gets_a_motion,
    places_are_read_with_the_queues,
    pools_are_listed_by_the_bytes_of_their_names,
    pools_that_are_needed_stay,
);

fn object(value: Value) -> Metadata {
    let Value::Object(map) = value else { panic!("an object is needed") };
    map
}

fn pool(name: &str, uri: &str) -> Pool {
    let options = object(json!({"z": 1, "a": {"é": [null, "\u{0}"]}}));
    Pool { name: PoolName::new(name), uri: uri.to_owned(), weight: 10, flavor: None, options }
}

fn flavor(project: &str, name: &str) -> Flavor {
    let capabilities = vec![Capability::Fifo, Capability::Claims, Capability::HighThroughput];
    Flavor { project: ProjectId::new(project), name: name.to_owned(), capabilities }
}

fn at(pool: &str) -> Placement {
    Placement { pool: Some(PoolName::new(pool)), motion: None }
}

fn moving(source: Option<&str>, target: &str, sealed: bool) -> Placement {
    let (source, target) = (source.map(PoolName::new), PoolName::new(target));
    let pool = if sealed { Some(target.clone()) } else { source.clone() };
    Placement { pool, motion: Some(Motion { source, target, sealed }) }
}

fn second(n: i64) -> Timestamp {
    Timestamp::from_micros(1_795_190_691_000_000 + n * 1_000_000)
}

impl ManagementStore {
    /// Stores the pools of these names, each with a URI of its own.
    async fn put_pools(&self, names: &[&str]) {
        for name in names {
            let pool = pool(name, &format!("redis://{name}"));
            assert_eq!(self.queues.put_pool(&pool).await.unwrap(), PoolStored::Done(pool));
        }
    }

    async fn pool_of(&self, name: &str) -> Option<Pool> {
        self.queues.pool(&PoolName::new(name)).await.unwrap()
    }

    async fn serving(&self, flavor: &str) -> Vec<String> {
        let pools = self.queues.pools_of(flavor).await.unwrap();
        pools.iter().map(|pool| pool.name.to_string()).collect()
    }

    /// Creates a queue of project `p` in a pool.
    async fn create_in(&self, name: &str, pool: Option<&str>) -> QueueRecord {
        let pool = pool.map(PoolName::new);
        let queue = queue_ref("p", name, 7);
        let created = self.queues.create_queue(&queue, &Metadata::new(), pool.as_ref()).await.unwrap();
        assert!(created.1, "{name} is new");
        created.0
    }

    async fn placement(&self, name: &str) -> Placement {
        let name = QueueName::parse(name).expect("a legal name");
        self.queues.queue(&ProjectId::new("p"), &name).await.unwrap().expect("it is there").placement
    }

    /// Changes the queue's place with its metadata.
    async fn replace(&self, seen: &QueueRecord, placing: &Placing) -> QueueRecord {
        let replaced = self.queues.replace_metadata(seen, &seen.metadata, Some(placing)).await.unwrap();
        replaced.expect("nobody was faster")
    }

    /// Creates a queue of project `p` that is on its way between pools.
    async fn on_its_way(&self, name: &str, source: Option<&str>, target: &str) -> QueueRef {
        let seen = self.create_in(name, source).await;
        self.replace(&seen, &Placing::Move(PoolName::new(target))).await.queue
    }

    async fn tag(&self, flavor: &Flavor, pools: &[&str]) -> FlavorStored {
        let pools: Vec<_> = pools.iter().map(|name| PoolName::new(name)).collect();
        self.queues.put_flavor(flavor, &pools).await.unwrap()
    }

    async fn delete_pool(&self, name: &str, protect_used: bool) -> PoolDeletion {
        self.queues.delete_pool(&PoolName::new(name), protect_used).await.unwrap()
    }
}

async fn a_pool_is_stored_over_itself(store: &ManagementStore) {
    assert_eq!(store.pool_of("a").await, None);
    store.put_pools(&["a", "b", "A", "a "]).await;
    assert_eq!(store.pool_of("a").await, Some(pool("a", "redis://a")));
    let options = store.pool_of("a").await.unwrap().options;
    assert_eq!(serde_json::to_string(&options).unwrap(), r#"{"z":1,"a":{"é":[null,"\u0000"]}}"#);
    assert_eq!(store.queues.put_pool(&pool("a", "redis://b")).await.unwrap(), PoolStored::UriTaken);
    assert_eq!(store.queues.put_pool(&pool("new", "redis://b")).await.unwrap(), PoolStored::UriTaken);
    assert_eq!(
        (store.pool_of("a").await.unwrap().uri, store.pool_of("new").await),
        ("redis://a".into(), None)
    );
    let again =
        Pool { weight: 0, flavor: Some("f".into()), options: Metadata::new(), ..pool("a", "redis://A2") };
    assert_eq!(store.queues.put_pool(&again).await.unwrap(), PoolStored::Done(again.clone()));
    assert_eq!(store.pool_of("a").await, Some(again));
    // Its old URI is free, and URIs compare byte for byte.
    assert_eq!(
        store.queues.put_pool(&pool("c", "redis://a2")).await.unwrap(),
        PoolStored::Done(pool("c", "redis://a2"))
    );
}

async fn a_pool_is_changed_in_parts(store: &ManagementStore) {
    store.put_pools(&["a", "b"]).await;
    let change =
        async |change: PoolChange| store.queues.change_pool(&PoolName::new("a"), &change).await.unwrap();
    let mut expected = pool("a", "redis://a");
    assert_eq!(change(PoolChange::default()).await, PoolStored::Done(expected.clone()));
    expected.weight = 77;
    expected.flavor = Some("f".into());
    let parts = PoolChange { weight: Some(77), flavor: Some(Some("f".into())), ..PoolChange::default() };
    assert_eq!(change(parts).await, PoolStored::Done(expected.clone()));
    expected.uri = "redis://other".into();
    expected.options = object(json!({"socket_timeout": 1}));
    let parts = PoolChange {
        uri: Some(expected.uri.clone()),
        options: Some(expected.options.clone()),
        ..PoolChange::default()
    };
    assert_eq!(change(parts).await, PoolStored::Done(expected.clone()));
    expected.flavor = None;
    assert_eq!(
        change(PoolChange { flavor: Some(None), ..PoolChange::default() }).await,
        PoolStored::Done(expected.clone())
    );
    let taken = PoolChange { uri: Some("redis://b".into()), weight: Some(1), ..PoolChange::default() };
    assert_eq!(change(taken.clone()).await, PoolStored::UriTaken);
    assert_eq!(store.pool_of("a").await, Some(expected));
    assert_eq!(store.queues.change_pool(&PoolName::new("x"), &taken).await.unwrap(), PoolStored::Missing);
}

async fn pools_are_listed_by_the_bytes_of_their_names(store: &ManagementStore) {
    let sorted = [" ", "-", "10", "9", "A", "B", "a", "a b", "a/b", "b", "é"];
    let mut reverse = sorted;
    reverse.reverse();
    store.put_pools(&reverse).await;
    let list = async |after: Option<&str>, limit: usize| {
        let pools = store.queues.pools(after.map(PoolName::new).as_ref(), limit).await.unwrap();
        pools.iter().map(|pool| pool.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 100).await, sorted);
    assert_eq!(list(None, usize::MAX).await, sorted);
    assert_eq!(list(Some("A"), 3).await, sorted[5..8]);
    assert_eq!(list(Some("Aa"), 1).await, ["B"]);
    assert_eq!(list(Some("zz"), 9).await, ["é"]);
    assert_eq!(list(None, 0).await, [""; 0]);
}

async fn a_flavor_is_served_by_its_pools_alone(store: &ManagementStore) {
    store.put_pools(&["a", "b", "c"]).await;
    let gold = flavor("p", "gold");
    assert_eq!(store.tag(&gold, &["a", "x", "b"]).await, FlavorStored::NoSuchPool(PoolName::new("x")));
    assert_eq!(store.queues.flavor(&gold.project, "gold").await.unwrap(), None);
    assert!(store.serving("gold").await.is_empty());
    assert_eq!(store.tag(&gold, &["b", "a"]).await, FlavorStored::Done);
    assert_eq!(store.queues.flavor(&gold.project, "gold").await.unwrap(), Some(gold.clone()));
    assert_eq!(store.serving("gold").await, ["a", "b"]);
    let fewer = Flavor { capabilities: vec![Capability::Durability], ..gold.clone() };
    assert_eq!(store.tag(&fewer, &["b", "c"]).await, FlavorStored::Done);
    assert_eq!(store.queues.flavor(&gold.project, "gold").await.unwrap(), Some(fewer));
    assert_eq!(store.serving("gold").await, ["b", "c"]);
    // A pool serves one flavor.
    assert_eq!(store.tag(&flavor("p", "silver"), &["c"]).await, FlavorStored::Done);
    assert_eq!(
        (store.serving("gold").await, store.serving("silver").await),
        (vec!["b".into()], vec!["c".into()])
    );
    assert!(store.queues.delete_flavor(&gold.project, "gold").await.unwrap());
    assert!(!store.queues.delete_flavor(&gold.project, "gold").await.unwrap());
    assert!(store.serving("gold").await.is_empty());
    assert_eq!(store.pool_of("b").await.unwrap().flavor, None);
    assert_eq!(store.serving("silver").await, ["c"]);
}

async fn a_flavor_belongs_to_one_project(store: &ManagementStore) {
    store.put_pools(&["a"]).await;
    let (ours, theirs) = (flavor("p", "gold"), Flavor { capabilities: vec![], ..flavor("P", "gold") });
    assert_eq!(store.tag(&ours, &["a"]).await, FlavorStored::Done);
    assert_eq!(store.tag(&theirs, &["a"]).await, FlavorStored::NameTaken);
    assert_eq!(store.queues.flavor(&theirs.project, "gold").await.unwrap(), None);
    assert!(!store.queues.delete_flavor(&theirs.project, "gold").await.unwrap());
    assert_eq!(store.queues.flavor(&ours.project, "gold").await.unwrap(), Some(ours));
    // Another name, though only in case.
    assert_eq!(store.tag(&flavor("P", "Gold"), &[]).await, FlavorStored::Done);
}

async fn flavors_are_listed_by_the_bytes_of_their_names(store: &ManagementStore) {
    let sorted = ["-", "1", "B", "a", "b c", "ü"];
    for name in sorted.iter().rev() {
        store.tag(&flavor("p", name), &[]).await;
        store.tag(&flavor("other", &format!("{name}!")), &[]).await;
    }
    let list = async |after: Option<&str>, limit: usize| {
        let flavors = store.queues.flavors(&ProjectId::new("p"), after, limit).await.unwrap();
        assert!(flavors.iter().all(|flavor| flavor.capabilities.len() == 3));
        flavors.into_iter().map(|flavor| flavor.name).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 100).await, sorted);
    assert_eq!(list(Some("B"), 2).await, sorted[3..5]);
    assert_eq!(list(Some(""), 1).await, ["-"]);
}

async fn places_are_read_with_the_queues(store: &ManagementStore) {
    store.put_pools(&["a", "b"]).await;
    assert_eq!(store.create_in("q1", Some("a")).await.placement, at("a"));
    assert_eq!(store.create_in("q2", None).await.placement, Placement::default());
    let seen = store.create_in("q3", Some("b")).await;
    assert_eq!(store.placement("q1").await, at("a"));
    assert_eq!(store.placement("q2").await, Placement::default());
    let again =
        store.queues.create_queue(&seen.queue, &seen.metadata, Some(&PoolName::new("a"))).await.unwrap();
    assert_eq!(again, (seen.clone(), false), "nothing of an existing queue changes");
    let replaced = store.replace(&seen, &Placing::At(PoolName::new("a"))).await;
    assert_eq!(replaced.placement, at("a"));
    let kept =
        store.queues.replace_metadata(&replaced, &object(json!({"k": 1})), None).await.unwrap().unwrap();
    assert_eq!((&kept.placement, kept.revision > replaced.revision), (&at("a"), true));
    store.on_its_way("q4", Some("a"), "b").await;
    for metadata in [vec![], vec![("k".to_owned(), json!(1))]] {
        let filter = QueueFilter { limit: 9, metadata, ..QueueFilter::default() };
        let listed = store.queues.queues(&ProjectId::new("p"), &filter).await.unwrap();
        for record in listed {
            assert_eq!(record.placement, store.placement(record.queue.name.as_str()).await);
        }
    }
    assert_eq!(store.placement("q4").await, moving(Some("a"), "b", false));
}

async fn a_queue_is_placed_once(store: &ManagementStore) {
    store.put_pools(&["a", "b"]).await;
    let (queue, a, b) = (store.create_in("q", None).await.queue, PoolName::new("a"), PoolName::new("b"));
    let stale = QueueRef { epoch: zaqar::model::Epoch(6), ..queue.clone() };
    assert_eq!(store.queues.place_queue(&stale, &a).await.unwrap(), None);
    assert_eq!(store.queues.place_queue(&queue_ref("p", "x", 7), &a).await.unwrap(), None);
    assert_eq!(store.queues.place_queue(&queue, &a).await.unwrap(), Some(at("a")));
    assert_eq!(store.queues.place_queue(&queue, &b).await.unwrap(), Some(at("a")));
    assert_eq!(store.placement("q").await, at("a"));
}

async fn a_deleted_queue_leaves_no_place(store: &ManagementStore) {
    store.put_pools(&["a", "b"]).await;
    let queue = store.on_its_way("q", Some("a"), "b").await;
    let deleted = store.queues.delete_queue(&queue.project, &queue.name).await.unwrap().unwrap();
    assert_eq!(deleted.placement, moving(Some("a"), "b", false));
    assert!(store.queues.motions(None, 9).await.unwrap().is_empty());
    assert!(!store.queues.seal_motion(&queue).await.unwrap());
    assert_eq!(store.create_in("q", None).await.placement, Placement::default());
    assert_eq!(store.placement("q").await, Placement::default());
    assert_eq!(store.delete_pool("a", true).await, PoolDeletion::Deleted);
}

async fn pools_that_are_needed_stay(store: &ManagementStore) {
    store.put_pools(&["a", "b", "c", "d"]).await;
    assert_eq!(store.delete_pool("x", false).await, PoolDeletion::Missing);
    assert_eq!(store.tag(&flavor("p", "gold"), &["a", "b"]).await, FlavorStored::Done);
    assert_eq!(store.delete_pool("a", true).await, PoolDeletion::Deleted);
    assert_eq!(store.delete_pool("b", true).await, PoolDeletion::OnlyPoolOf("gold".into()));
    assert!(store.queues.delete_flavor(&ProjectId::new("p"), "gold").await.unwrap());

    let queue = store.on_its_way("q", Some("b"), "c").await;
    for pool in ["b", "c"] {
        assert_eq!(store.delete_pool(pool, false).await, PoolDeletion::InMotion);
    }
    assert!(store.queues.seal_motion(&queue).await.unwrap());
    assert_eq!(store.delete_pool("b", false).await, PoolDeletion::InMotion);
    assert!(store.queues.end_motion(&queue).await.unwrap());
    assert_eq!(store.delete_pool("b", true).await, PoolDeletion::Deleted);
    assert_eq!(store.delete_pool("c", true).await, PoolDeletion::HoldsQueues);
    assert_eq!(store.placement("q").await, at("c"));
    assert_eq!(store.delete_pool("c", false).await, PoolDeletion::Deleted);
    assert_eq!(store.placement("q").await, Placement::default());
    assert_eq!(store.queues.pools(None, 9).await.unwrap().len(), 1);
}

async fn a_queue_in_motion_keeps_its_way(store: &ManagementStore) {
    store.put_pools(&["a", "b", "c"]).await;
    store.on_its_way("q", None, "b").await;
    let name = QueueName::parse("q").expect("a legal name");
    let seen = store.queues.queue(&ProjectId::new("p"), &name).await.unwrap().unwrap();
    assert_eq!(seen.placement, moving(None, "b", false));
    let moved = store.replace(&seen, &Placing::Move(PoolName::new("c"))).await;
    assert_eq!(moved.placement, seen.placement);
    let put = store.replace(&moved, &Placing::At(PoolName::new("c"))).await;
    assert_eq!(put.placement, seen.placement);
    assert!(store.queues.seal_motion(&put.queue).await.unwrap());
    assert_eq!(store.placement("q").await, moving(None, "b", true));
    let changed = store.queues.replace_metadata(&put, &object(json!({"a": 1})), None).await.unwrap().unwrap();
    assert_eq!(changed.placement, moving(None, "b", true));
}

async fn a_motion_goes_its_way(store: &ManagementStore) {
    store.put_pools(&["a", "b"]).await;
    let queue = store.on_its_way("q", Some("a"), "b").await;
    let stale = queue_ref("p", "q", 6);
    assert!(!store.queues.end_motion(&queue).await.unwrap(), "it is not sealed");
    assert!(!store.queues.seal_motion(&stale).await.unwrap());
    for _ in 0..2 {
        assert!(store.queues.seal_motion(&queue).await.unwrap());
        assert_eq!(store.placement("q").await, moving(Some("a"), "b", true));
    }
    store.queues.touch_motion(&queue, 500, second(5)).await.unwrap();
    store.queues.touch_motion(&queue, 7, second(6)).await.unwrap();
    store.queues.touch_motion(&stale, 1, second(9)).await.unwrap();
    let motions = store.queues.motions(None, 9).await.unwrap();
    assert_eq!(motions.len(), 1);
    assert_eq!((&motions[0].queue, motions[0].moved), (&queue, 507));
    assert_eq!((motions[0].started, motions[0].touched), (second(5), second(6)));
    assert!(!store.queues.end_motion(&stale).await.unwrap());
    assert!(store.queues.end_motion(&queue).await.unwrap());
    assert!(!store.queues.end_motion(&queue).await.unwrap());
    assert_eq!(store.placement("q").await, at("b"));
    assert!(store.queues.motions(None, 9).await.unwrap().is_empty());
}

async fn a_motion_is_worked_on_by_one(store: &ManagementStore) {
    store.put_pools(&["a", "b"]).await;
    let queue = store.on_its_way("q", Some("a"), "b").await;
    let take =
        async |before, now| store.queues.take_motion(&queue, second(before), second(now)).await.unwrap();
    assert!(take(0, 10).await, "nobody ever touched it");
    assert!(!take(10, 20).await, "touched exactly then");
    assert!(take(11, 21).await);
    store.queues.touch_motion(&queue, 1, second(40)).await.unwrap();
    assert!(!take(30, 41).await);
    let motion = store.queues.motions(None, 9).await.unwrap().pop().unwrap();
    assert_eq!((motion.started, motion.touched, motion.moved), (second(10), second(40), 1));
    let stale = queue_ref("p", "q", 8);
    assert!(!store.queues.take_motion(&stale, second(90), second(99)).await.unwrap());
}

async fn one_of_many_takers_gets_a_motion(store: &ManagementStore) {
    store.put_pools(&["a", "b"]).await;
    let queue = store.on_its_way("q", Some("a"), "b").await;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (queues, queue) = (store.queues.clone(), queue.clone());
        tasks.spawn(async move { queues.take_motion(&queue, second(0), second(1)).await.unwrap() });
    }
    let taken = tasks.join_all().await;
    assert_eq!(taken.into_iter().filter(|taken| *taken).count(), 1);
}

async fn motions_are_listed_by_project_and_name(store: &ManagementStore) {
    store.put_pools(&["a", "b"]).await;
    let sorted = [("", "z"), ("P", "a"), ("p", "B"), ("p", "a"), ("p", "b"), ("q", "A")];
    let mut all = Vec::new();
    for (project, name) in sorted.iter().rev() {
        let queue = queue_ref(project, name, 7);
        let created =
            store.queues.create_queue(&queue, &Metadata::new(), Some(&PoolName::new("a"))).await.unwrap();
        store.replace(&created.0, &Placing::Move(PoolName::new("b"))).await;
        all.insert(0, created.0.queue);
    }
    let list = async |after: Option<&QueueRef>, limit: usize| {
        let motions = store.queues.motions(after, limit).await.unwrap();
        motions.into_iter().map(|motion| motion.queue).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 100).await, all);
    assert_eq!(list(Some(&all[2]), 2).await, all[3..5]);
    assert_eq!(list(Some(&all[5]), 2).await, []);
}
