//! A mover of dead letters that dies between the import and the forgetting.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zaqar::clock::Clock;
use zaqar::model::json::Posted;
use zaqar::model::{ClientId, Metadata, ProjectId, QueueName};
use zaqar::service::vault::Vault;
use zaqar::service::{Context, Service, Settings, Sweeper};
use zaqar::storage::memory::{MemoryManagement, MemoryStore};
use zaqar::storage::{ClaimRequest, DataStore, DeadLetters, Management as _, Stores, Way};

use crate::contract::fixture::{START, request};

/// What its consumer deleted in between does not come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_dead_letter_does_not_come_back() {
    let management = Arc::new(MemoryManagement::new());
    let data: Arc<dyn DataStore> = Arc::new(MemoryStore::new());
    let stores = Stores { management: management.clone(), data: data.clone() };
    let (settings, vault, tasks) = (Settings::default(), Vault::new(None, &[], "AES256"), TaskTracker::new());
    let service = Service::new(settings, stores, Clock::manual(START), vault, tasks);
    let context = Context::internal(ProjectId::new("p"), ClientId::new("c"));
    let [q, dead] = ["q", "dead"].map(|name| QueueName::parse(name).unwrap());
    service.create_queue(&context, &dead, &Metadata::new()).await.unwrap();
    let posted = |n: u8| Posted { ttl: Some(300), delay: None, body: bytes::Bytes::from(n.to_string()) };
    service.post(&context, &q, &[posted(1), posted(2)]).await.unwrap();

    // As far as the first mover came.
    let source = management.queue(&context.project, &q).await.unwrap().unwrap().queue;
    let target = management.queue(&context.project, &dead).await.unwrap().unwrap().queue;
    let letters = DeadLetters { max_claims: 0, target: dead.clone(), ttl: None };
    let bury = ClaimRequest { dead_letters: Some(letters), ..request(1, 5) };
    assert_eq!(data.claim(&source, &bury, START).await.unwrap().outgoing, 2);
    let away = data.outgoing(&source, Way::DeadLetters, 1).await.unwrap();
    data.import(&target, away.line, &away.parcels, START).await.unwrap();

    assert_eq!(service.pop(&context, &dead, 5, Duration::ZERO).await.unwrap().len(), 1);
    let (stop, mut running) = (CancellationToken::new(), JoinSet::new());
    running.spawn(Sweeper::new(service.clone(), Duration::from_secs(1), Duration::ZERO).run(stop.clone()));
    let start = Instant::now();
    while !data.unfinished(1).await.unwrap().is_empty() {
        assert!(start.elapsed() < Duration::from_mins(1), "the mover does not come");
        tokio::task::yield_now().await;
    }
    stop.cancel();
    running.join_next().await.unwrap().unwrap();
    let left = service.pop(&context, &dead, 5, Duration::ZERO).await.unwrap();
    let bodies: Vec<_> = left.iter().map(|message| message.body.clone()).collect();
    assert_eq!(bodies, ["2"]);
}
