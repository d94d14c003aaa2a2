//! What clients and connections may do with subscriptions, over stores in RAM.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::task::TaskTracker;

use super::*;
use crate::clock::Clock;
use crate::model::json::PurgeTerms;
use crate::model::patch::Operation;
use crate::model::{ClientId, Flavor, Limits, Pool, PoolName};
use crate::service::vault::Vault;
use crate::service::{Pooling, Settings};
use crate::storage::memory::{MemoryManagement, MemoryStore};
use crate::storage::pooled::Opener;
use crate::storage::{Catalogue as _, DataStore, ManagementStore, Stores};

const START: Timestamp = Timestamp::from_micros(1_795_190_691_123_457);

/// A node of a service whose stores and clock it shares with other nodes.
struct Node {
    service: Service,
    context: Context,
    clock: Clock,
}

fn stores() -> Stores {
    Stores { management: Arc::new(MemoryManagement::new()), data: Arc::new(MemoryStore::new()) }
}

fn node(stores: &Stores, clock: &Clock, settings: Settings) -> Node {
    let vault = Vault::new(None, &[], "AES256");
    let service = Service::new(settings, stores.clone(), clock.clone(), vault, TaskTracker::new());
    let context = Context::internal(ProjectId::new("p"), ClientId::new("c"));
    Node { service, context, clock: clock.clone() }
}

fn alone() -> Node {
    node(&stores(), &Clock::manual(START), Settings::default())
}

fn name(text: &str) -> QueueName {
    QueueName::parse(text).unwrap()
}

fn connection(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

impl Node {
    async fn subscribe(&self, queue: &str, n: u128, ttl: Option<i64>) -> Result<SubscriptionId> {
        let subscriber = Subscriber::Connection(connection(n));
        let made =
            self.service.subscribe(&self.context, &name(queue), subscriber, ttl, Metadata::new()).await;
        made.map(|subscription| subscription.id)
    }

    async fn listed(&self, queue: &str) -> Vec<SubscriptionView> {
        self.service.subscriptions(&self.context, &name(queue), None, Some(20)).await.unwrap()
    }

    async fn extend(&self, queue: &str, ids: &[SubscriptionId]) -> Vec<SubscriptionId> {
        self.service.extend_connections(&self.context.project, &name(queue), ids).await.unwrap()
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// The status and description of what went wrong.
fn refusal<T: std::fmt::Debug>(result: Result<T>) -> (u16, String) {
    let error = result.unwrap_err();
    (error.status().as_u16(), error.description().unwrap_or_default().into_owned())
}

#[tokio::test]
async fn a_connection_s_subscription_is_seen_by_clients() {
    let node = alone();
    let options = Metadata::from_iter([("a".to_owned(), json!([1]))]);
    let subscriber = Subscriber::Connection(connection(7));
    let queue = name("q");
    let made =
        node.service.subscribe(&node.context, &queue, subscriber, Some(600), options.clone()).await.unwrap();
    let id = made.id;
    node.pass(9);
    let expected = SubscriptionView {
        id,
        source: queue.clone(),
        subscriber: "websocket:00000000-0000-0000-0000-000000000007".to_owned(),
        ttl: 600,
        age: 9,
        options,
        confirmed: false,
    };
    assert_eq!(node.listed("q").await, std::slice::from_ref(&expected));
    let one = node.service.subscription(&node.context, &queue, &id.to_string()).await.unwrap();
    assert_eq!(one, expected);
    assert!(node.service.known(&node.context.project, &queue).await.unwrap().is_some(), "it was created");
    node.service.unsubscribe(&node.context, &queue, &id.to_string()).await.unwrap();
    node.service.unsubscribe(&node.context, &queue, &id.to_string()).await.unwrap();
    assert_eq!(node.listed("q").await, []);
    assert_eq!(node.extend("q", &[id]).await, [id]);
}

#[tokio::test]
async fn a_connection_subscribes_once_to_each_queue() {
    let node = alone();
    let first = node.subscribe("q", 1, None).await.unwrap();
    node.pass(1);
    let told = refusal(node.subscribe("q", 1, Some(60)).await);
    let words =
        "Such subscription already exists. Subscriptions are unique by project + queue + subscriber URI.";
    assert_eq!(told, (409, words.to_owned()));
    node.subscribe("q2", 1, None).await.unwrap();
    node.subscribe("q", 2, None).await.unwrap();
    assert_eq!(node.listed("q").await.len(), 2);
    assert_eq!(node.listed("q").await[0].id, first);
    assert_eq!(node.listed("q").await[0].ttl, 3_600, "the default");
}

#[tokio::test]
async fn what_a_client_asks_is_checked_before_a_queue_is_made() {
    let node = alone();
    let short = "The TTL for a subscription must be at least 60 seconds long.";
    let long =
        "The TTL seconds for a subscription plus current time must be less than 9999-12-31 23:59:59.999999.";
    let most = 253_402_300_800 - START.seconds();
    for (ttl, words) in
        [(0, short), (59, short), (-1, short), (i64::MIN, short), (most, long), (i64::MAX, long)]
    {
        assert_eq!(refusal(node.subscribe("q", 1, Some(ttl)).await), (400, words.to_owned()), "{ttl}");
    }
    let (queue, address) = (name("q"), "http://127.0.0.1:1/hook");
    let service = &node.service;
    for address in [address, "", "websocket:00000000-0000-0000-0000-000000000007", &"x".repeat(100_000)] {
        let asked = service
            .subscribe(&node.context, &queue, Subscriber::Address(address), None, Metadata::new())
            .await;
        let (status, words) = refusal(asked);
        assert_eq!(status, 400);
        assert!(words.contains("not supported yet"), "{words}");
    }
    for (policy, words) in [
        (json!([]), "retry_policy must be a dict."),
        (json!({"retry_backoff_function": "x"}), "invalid retry_backoff_function."),
    ] {
        let options = Metadata::from_iter([("_retry_policy".to_owned(), policy)]);
        let subscriber = Subscriber::Connection(connection(1));
        let asked = service.subscribe(&node.context, &queue, subscriber, None, options).await;
        assert_eq!(refusal(asked), (400, words.to_owned()));
    }
    assert!(service.known(&node.context.project, &queue).await.unwrap().is_none());
    for ttl in [60, most - 1] {
        let id = node.subscribe("q", 1, Some(ttl)).await.unwrap();
        service.unsubscribe(&node.context, &queue, &id.to_string()).await.unwrap();
    }
}

#[tokio::test]
async fn pages_are_bounded_and_go_on() {
    let limits = Limits { max_subscriptions_per_page: 3, ..Limits::default() };
    let node = node(&stores(), &Clock::manual(START), Settings { limits, ..Settings::default() });
    let mut ids = Vec::new();
    for n in 0..5 {
        node.pass(1);
        ids.push(node.subscribe("q", n, None).await.unwrap());
    }
    let page = async |marker: Option<&str>, limit| {
        let page = node.service.subscriptions(&node.context, &name("q"), marker, limit).await;
        page.map(|page| page.into_iter().map(|one| one.id).collect::<Vec<_>>())
    };
    let words = "Limit must be at least 1 and may not be greater than 3.";
    for limit in [0, 4, -1, i64::MAX] {
        assert_eq!(refusal(page(None, Some(limit)).await), (400, words.to_owned()));
    }
    assert_eq!(page(None, None).await.unwrap(), ids[..3]);
    assert_eq!(page(Some(&ids[2].to_string()), Some(3)).await.unwrap(), ids[3..]);
    assert_eq!(page(Some(&ids[4].to_string()), Some(3)).await.unwrap(), []);
    for odd in ["", "nope", "*", "00000000-0000-0000-0000-00000000000G", &"9".repeat(100_000)] {
        assert_eq!(page(Some(odd), Some(1)).await.unwrap(), ids[..1], "as the reference does");
    }
}

#[tokio::test]
async fn what_is_not_there_is_missing() {
    let node = alone();
    assert_eq!(node.listed("nowhere").await, []);
    node.subscribe("q", 1, None).await.unwrap();
    let strange = SubscriptionId::new(START).to_string();
    for id in ["nope", "", &strange, &strange.to_uppercase(), &"0".repeat(100_000)] {
        for queue in ["q", "nowhere"] {
            let found = node.service.subscription(&node.context, &name(queue), id).await;
            assert_eq!(refusal(found), (404, format!("Subscription {id} does not exist")));
            node.service.unsubscribe(&node.context, &name(queue), id).await.unwrap();
        }
    }
    assert_eq!(node.listed("q").await.len(), 1);
}

#[tokio::test]
async fn an_operation_without_its_rule_is_refused() {
    let node = alone();
    let context = Context::new(Arc::default(), ProjectId::new("p"), ClientId::new("c"));
    let (service, queue) = (&node.service, name("q"));
    let subscriber = Subscriber::Connection(connection(1));
    assert_eq!(refusal(service.subscribe(&context, &queue, subscriber, None, Metadata::new()).await).0, 403);
    assert_eq!(refusal(service.subscriptions(&context, &queue, None, None).await).0, 403);
    assert_eq!(refusal(service.subscription(&context, &queue, "x").await).0, 403);
    assert_eq!(refusal(service.unsubscribe(&context, &queue, "x").await).0, 403);
}

#[tokio::test]
async fn a_purge_and_a_deletion_end_all_of_them() {
    let node = alone();
    let mut ids = Vec::new();
    for n in 0..u128::try_from(STEP).unwrap() + 3 {
        ids.push(node.subscribe("q", n, None).await.unwrap());
    }
    assert_eq!(node.extend("q", &ids).await, [], "in steps");
    let purge = async |messages, subscriptions| {
        node.service.purge(&node.context, &name("q"), PurgeTerms { messages, subscriptions }).await.unwrap();
    };
    purge(true, false).await;
    assert_eq!(node.listed("q").await.len(), 20);
    purge(false, true).await;
    assert_eq!(node.extend("q", &ids).await, ids);
    let id = node.subscribe("q", 1, None).await.unwrap();
    node.service.delete_queue(&node.context, &name("q")).await.unwrap();
    assert_eq!(node.extend("q", &[id]).await, [id], "the queue is missing");
    node.subscribe("q", 2, None).await.unwrap();
    assert_eq!(node.extend("q", &[id]).await, [id], "the queue is another one");
    assert_eq!(node.listed("q").await.len(), 1);
}

#[tokio::test]
async fn connections_of_a_dead_node_are_forgotten_within_their_lease() {
    let (stores, clock) = (stores(), Clock::manual(START));
    let dead = node(&stores, &clock, Settings::default());
    let alive = node(&stores, &clock, Settings::default());
    dead.subscribe("q", 1, None).await.unwrap();
    let kept = alive.subscribe("q", 2, None).await.unwrap();
    drop(dead);
    for _ in 0..2 {
        alive.pass(CONNECTION_LEASE / 2 - 1);
        assert_eq!(alive.listed("q").await.len(), 2);
        assert_eq!(alive.extend("q", &[kept]).await, []);
    }
    alive.pass(2);
    let left: Vec<_> = alive.listed("q").await.into_iter().map(|one| one.id).collect();
    assert_eq!(left, [kept], "after 30 seconds");
}

#[tokio::test]
async fn what_ran_out_during_an_outage_is_restored() {
    let node = alone();
    let (queue, project) = (name("q"), &node.context.project);
    let subscriber = Subscriber::Connection(connection(2));
    let made =
        node.service.subscribe(&node.context, &queue, subscriber, Some(90), Metadata::new()).await.unwrap();
    node.pass(CONNECTION_LEASE);
    assert_eq!(node.extend("q", &[made.id]).await, [made.id], "too late");
    assert!(node.service.restore_connection(project, &queue, &made).await.unwrap());
    let listed = node.listed("q").await;
    assert_eq!((listed[0].id, listed[0].ttl, listed[0].age), (made.id, 90, CONNECTION_LEASE));
    node.pass(CONNECTION_LEASE - 1);
    assert_eq!(node.extend("q", &[made.id]).await, []);
    assert!(!node.service.restore_connection(project, &queue, &made).await.unwrap(), "it is there");
    node.pass(CONNECTION_LEASE);
    let again = node.subscribe("q", 2, None).await.unwrap();
    assert!(!node.service.restore_connection(project, &queue, &made).await.unwrap(), "it subscribed again");
    assert_eq!(node.listed("q").await.len(), 1);
    assert_eq!(node.listed("q").await[0].id, again);
    node.service.delete_queue(&node.context, &queue).await.unwrap();
    assert!(!node.service.restore_connection(project, &queue, &made).await.unwrap(), "the queue is missing");
}

#[tokio::test]
async fn data_that_its_store_lost_is_told_from_what_was_deleted() {
    let node = alone();
    let (queue, project, service) = (name("q"), &node.context.project, &node.service);
    assert_eq!(service.data_origin(project, &queue).await.unwrap(), None);
    let id = node.subscribe("q", 1, None).await.unwrap();
    let first = service.data_origin(project, &queue).await.unwrap().unwrap();
    service.unsubscribe(&node.context, &queue, &id.to_string()).await.unwrap();
    assert!(!first.was_lost(&service.data_origin(project, &queue).await.unwrap().unwrap()));
    let known = service.known(project, &queue).await.unwrap().unwrap();
    service.inner.stores.data.drop_queue(known.queue()).await.unwrap();
    let second = service.data_origin(project, &queue).await.unwrap().unwrap();
    assert!(first.was_lost(&second));
    service.delete_queue(&node.context, &queue).await.unwrap();
    node.pass(1);
    node.subscribe("q", 1, None).await.unwrap();
    assert!(
        !second.was_lost(&service.data_origin(project, &queue).await.unwrap().unwrap()),
        "it is another queue"
    );
}

/// Stores in RAM, one for each URI.
fn opener(uris: &[&str]) -> Opener {
    let one = |uri: &&str| ((*uri).to_owned(), Arc::new(MemoryStore::new()) as Arc<dyn DataStore>);
    let stores: HashMap<String, Arc<dyn DataStore>> = uris.iter().map(one).collect();
    Arc::new(move |uri, _| {
        let store = stores[uri].clone();
        Box::pin(async move { Ok(store) })
    })
}

/// A service with pools `a` and `b` of the flavors `A` and `B`.
async fn two_pools() -> (Node, Arc<dyn ManagementStore>) {
    let management = Arc::new(MemoryManagement::new());
    for (pool, flavor) in [("a", "A"), ("b", "B")] {
        let (name, uri) = (PoolName::new(pool), format!("memory://{pool}"));
        management
            .put_pool(&Pool { name, uri, weight: 1, flavor: None, options: Metadata::new() })
            .await
            .unwrap();
        let flavor =
            Flavor { name: flavor.to_owned(), project: ProjectId::new("p"), capabilities: Vec::new() };
        management.put_flavor(&flavor, &[PoolName::new(pool)]).await.unwrap();
    }
    let clock = Clock::manual(START);
    let settings = Settings { pooling: Some(Pooling::default()), ..Settings::default() };
    let stores = Stores { management: management.clone(), data: Arc::new(MemoryStore::new()) };
    let (vault, opener) = (Vault::new(None, &[], "AES256"), opener(&["memory://a", "memory://b"]));
    let service = Service::with_pools(settings, stores, opener, clock.clone(), vault, TaskTracker::new());
    let context = Context::internal(ProjectId::new("p"), ClientId::new("c"));
    (Node { service, context, clock }, management)
}

#[tokio::test]
async fn subscriptions_go_with_a_queue_that_moves() {
    let (node, management) = two_pools().await;
    let (service, queue) = (&node.service, name("q"));
    let metadata = Metadata::from_iter([("_flavor".to_owned(), json!("A"))]);
    service.create_queue(&node.context, &queue, &metadata).await.unwrap();
    let mut ids = Vec::new();
    for n in 0..300 {
        ids.push(node.subscribe("q", n, None).await.unwrap());
    }
    ids.sort();
    let to_b = Operation::Replace("_flavor".to_owned(), json!("B"));
    service.patch_queue(&node.context, &queue, &[to_b]).await.unwrap();
    let mut rounds = 0;
    loop {
        let record = management.queue(&node.context.project, &queue).await.unwrap().unwrap();
        assert_eq!(node.extend("q", &ids).await, [], "round {rounds}");
        assert_eq!(refusal(node.subscribe("q", 7, None).await).0, 409, "round {rounds}");
        let first: Vec<_> = node.listed("q").await.into_iter().map(|one| one.id).collect();
        assert_eq!(first, ids[..20], "round {rounds}");
        rounds += 1;
        if record.placement.motion.is_none() {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(rounds > 1, "it was used on its way");
    service.unsubscribe(&node.context, &queue, &ids[0].to_string()).await.unwrap();
    assert_eq!(node.extend("q", &ids).await, ids[..1]);
}
