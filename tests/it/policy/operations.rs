//! No operation of the service does anything for a context without its rule, whoever calls it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use zaqar::auth::Identity;
use zaqar::clock::{Clock, Timestamp};
use zaqar::error::Error;
use zaqar::model::json::{Posted, PurgeTerms};
use zaqar::model::{ClientId, ProjectId, QueueName};
use zaqar::policy::Rule;
use zaqar::service::vault::Vault;
use zaqar::service::{
    ClaimRequested, Context, ListRequest, QueueListRequest, Service, Settings, ShareTerms, Shown, Start,
    Subscriber,
};
use zaqar::storage::Stores;
use zaqar::storage::memory::{MemoryManagement, MemoryStore};

use crate::support::client::CLIENT_ID;

/// Every operation, by its name, with the rules of which one allows it, and its answer to that context.
async fn answers(service: &Service, context: &Context) -> Vec<(&'static str, Vec<Rule>, Option<Error>)> {
    let (queue, some) = (QueueName::parse("q").unwrap(), "0");
    let pool = json!({ "uri": "sqlite://x", "weight": 1, "pool_list": ["x"] });
    let posted = [Posted { body: bytes::Bytes::from_static(b"1"), ttl: Some(60), delay: None }];
    let metadata = zaqar::model::Metadata::default();
    let purge = PurgeTerms { messages: true, subscriptions: true };
    macro_rules! operations {
        ($($operation:ident ($($argument:expr),*) $(.$wait:tt)? => $($rule:ident)|+,)*) => {
            vec![$((
                stringify!($operation),
                vec![$(Rule::$rule),+],
                service.$operation(context, $($argument),*) $(.$wait)?.err(),
            )),*]
        };
    }
    operations! {
        create_queue(&queue, &metadata).await => QueuesCreate,
        queue_metadata(&queue).await => QueuesGet,
        shown_metadata(&queue, Shown::Stored).await => QueuesGet,
        replace_metadata(&queue, &metadata).await => QueuesUpdate,
        patch_queue(&queue, &[]).await => QueuesUpdate,
        delete_queue(&queue).await => QueuesDelete,
        must_exist(Rule::QueuesStats, &queue).await => QueuesStats,
        stats(&queue).await => QueuesStats,
        stats_with_ends(&queue).await => QueuesStats,
        list_queues(QueueListRequest::default()).await => QueuesGetAll,
        share(&queue, ShareTerms::default()) => QueuesShare,
        purge(&queue, purge).await => QueuesPurge,
        post_terms(&queue).await => MessagesCreate,
        post(&queue, &posted).await => MessagesCreate,
        post_to_existing(&queue, &posted).await => MessagesCreate,
        list(&queue, &ListRequest::default()).await => MessagesGetAll,
        follow(&queue, Start::Now).await => MessagesGetAll | SubscriptionCreate,
        message(&queue, some).await => MessagesGet,
        messages(&queue, vec![some.to_owned()]).await => MessagesGetAll,
        delete_message(&queue, some, None).await => MessagesDelete,
        delete_messages(&queue, &[], None).await => MessagesDeleteAll,
        pop(&queue, 1, Duration::ZERO).await => MessagesDeleteAll,
        claim(&queue, ClaimRequested::default()).await => ClaimsCreate,
        claimed(&queue, some).await => ClaimsGet,
        renew(&queue, some, None, None).await => ClaimsUpdate,
        release(&queue, some).await => ClaimsDelete,
        subscribe(&queue, Subscriber::Connection(Uuid::nil()), None, metadata.clone()).await => SubscriptionCreate,
        subscriptions(&queue, None, None).await => SubscriptionGetAll,
        subscription(&queue, some).await => SubscriptionGet,
        unsubscribe(&queue, some).await => SubscriptionDelete,
        list_pools(None, None).await => PoolsGetAll,
        pool("x").await => PoolsGet,
        put_pool("x", &pool).await => PoolsCreate,
        patch_pool("x", &pool).await => PoolsUpdate,
        delete_pool("x").await => PoolsDelete,
        migrations(None, None).await => PoolsGetAll,
        list_flavors(None, None).await => FlavorsGetAll,
        flavor("x").await => FlavorsGet,
        put_flavor("x", &pool, true).await => FlavorsCreate,
        patch_flavor("x", &pool).await => FlavorsUpdate,
        delete_flavor("x").await => FlavorsDelete,
        health().await => HealthGet,
    }
}

fn service() -> Service {
    let stores = Stores { management: Arc::new(MemoryManagement::new()), data: Arc::new(MemoryStore::new()) };
    let clock = Clock::manual(Timestamp::from_micros(1_800_000_000_000_000));
    Service::new(Settings::default(), stores, clock, Vault::new(None, &[], ""), TaskTracker::new())
}

fn caller() -> Context {
    let identity = Identity { roles: vec!["admin".to_owned()], ..Identity::default() };
    Context::new(Arc::new(identity), ProjectId::new("p"), ClientId::new(CLIENT_ID))
}

#[tokio::test]
async fn every_operation_refuses_a_context_without_its_rule() {
    let service = service();
    for (name, _, refused) in answers(&service, &caller()).await {
        assert!(matches!(refused, Some(Error::Forbidden)), "{name} without any rule: {refused:?}");
    }
    for granted in Rule::ALL {
        let mut context = caller();
        service.authorise(&mut context, *granted, None).unwrap();
        for (name, rules, refused) in answers(&service, &context).await {
            let forbidden = matches!(refused, Some(Error::Forbidden));
            assert_eq!(forbidden, !rules.contains(granted), "{name} with {}: {refused:?}", granted.name());
        }
    }
}

/// So that no operation is added that the test above leaves out.
#[tokio::test]
async fn the_operations_are_all_that_the_service_has() {
    let tested: BTreeSet<_> =
        answers(&service(), &caller()).await.into_iter().map(|(name, ..)| name.to_owned()).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/service");
    let mut operations = BTreeSet::new();
    for file in sources(&folder) {
        let text = std::fs::read_to_string(file).unwrap();
        for function in text.split("\n    pub ").skip(1) {
            let head = function.split('{').next().unwrap_or_default();
            let name =
                head.trim_start_matches("async ").strip_prefix("fn ").and_then(|head| head.split('(').next());
            operations.extend(name.filter(|_| head.contains("context: &Context")).map(str::to_owned));
        }
    }
    assert_eq!(tested, operations);
}

/// The sources in a folder and in those below it.
fn sources(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}
