//! Queues that move from store to store while they are used.

mod carriers;
mod dead_letters;
mod kill;
mod live;
mod nodes;
mod restless;
mod streams;
mod troubles;

use std::pin::Pin;
use std::sync::Arc;

use zaqar::storage::DataStore;
use zaqar::storage::memory::MemoryStore;

use self::restless::Restless;
use crate::contract::fixture::{self, Queue, Store};
use crate::contract::{
    bodies, claims, concurrency, delays, deletion, expiry, listing, posting, reading, removal, stats, steps,
    subscriptions, tenants,
};

/// The suite of all stores, as far as it is about one queue at its one epoch.
const SUITE: &[&[crate::contract::deployments::Case]] = &[
    claims::CASES,
    delays::CASES,
    deletion::CASES,
    expiry::CASES,
    reading::CASES,
    removal::CASES,
    stats::CASES,
    subscriptions::CASES,
    tenants::CASES,
];

/// What takes long of it where each call is on disk.
const LONG: &[&[crate::contract::deployments::Case]] =
    &[bodies::CASES, concurrency::CASES, listing::CASES, posting::CASES, steps::CASES];

/// A store made anew, with what it lies in.
type Made = Pin<Box<dyn Future<Output = Store>>>;

/// Runs these on queues that are never whole in one of two such stores.
async fn run_on(
    suite: &[&[crate::contract::deployments::Case]],
    source: impl Fn() -> Made,
    target: impl Fn() -> Made,
) {
    for case in suite.iter().copied().flatten() {
        let (source, target) = (source().await, target().await);
        let restless = Restless::new(source.data.clone(), target.data.clone());
        let queue = Queue::open_in(Store::elsewhere(Arc::new(restless))).await;
        case(&queue).await;
    }
}

fn memory() -> Made {
    Box::pin(fixture::memory())
}

fn sqlite() -> Made {
    Box::pin(fixture::sqlite())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_on_its_way_keeps_the_contract_in_memory() {
    run_on(SUITE, memory, memory).await;
    run_on(LONG, memory, memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_on_its_way_keeps_the_contract_out_of_sqlite() {
    run_on(SUITE, sqlite, memory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_on_its_way_answers_as_one_at_rest() {
    let store = || -> Arc<dyn DataStore> { Arc::new(MemoryStore::new()) };
    for seed in 0..4 {
        crate::model::compare_at_rest(store(), Arc::new(Restless::new(store(), store())), seed, 1_500).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_on_its_way_to_sqlite_answers_as_one_at_rest() {
    let (source, target) = (fixture::sqlite().await, fixture::sqlite().await);
    let restless = Restless::new(source.data.clone(), target.data.clone());
    crate::model::compare_at_rest(Arc::new(MemoryStore::new()), Arc::new(restless), 0, 400).await;
}
