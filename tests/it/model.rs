//! Random operations on two stores at once, which must answer alike.
//!
//! The memory store is compared with a naive model, every other store with the memory store. A failure prints
//! its seed and the last operations. `ZAQAR_MODEL_SEED` chooses another sequence (a number), `ZAQAR_MODEL_STEPS`
//! a longer one.

mod call;
mod naive;
mod operation;
mod pair;
mod random;
mod script;

use std::sync::Arc;

use zaqar::storage::DataStore;
use zaqar::storage::memory::MemoryStore;

use self::naive::Naive;
use self::pair::Pair;
use self::random::Random;
use self::script::Script;
use crate::contract::fixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_answers_as_the_naive_model() {
    for seed in 0..4 {
        compare(Arc::new(Naive::default()), Arc::new(MemoryStore::new()), seed, 2_500).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_answers_as_the_memory_store() {
    let store = fixture::sqlite().await;
    compare(Arc::new(MemoryStore::new()), store.data.clone(), 0, 2_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_answers_as_the_memory_store() {
    let store = fixture::redis().await;
    redis_model(store.data.clone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_scripts_answer_as_the_memory_store() {
    let store = fixture::redis_scripts().await;
    redis_model(store.data.clone()).await;
}

/// Compares a store in Redis, however that is deployed.
pub(crate) async fn redis_model(store: Arc<dyn DataStore>) {
    compare(Arc::new(MemoryStore::new()), store, 0, 2_000).await;
}

/// Runs the same operations on both stores.
async fn compare(model: Arc<dyn DataStore>, store: Arc<dyn DataStore>, seed: u64, steps: usize) {
    let seed = from_environment("ZAQAR_MODEL_SEED").unwrap_or(0) + seed;
    run(Script::new(Random::new(seed)), model, store, seed, steps).await;
}

/// The same without messages that leave a queue for another.
pub(crate) async fn compare_at_rest(
    model: Arc<dyn DataStore>,
    store: Arc<dyn DataStore>,
    seed: u64,
    steps: usize,
) {
    let seed = from_environment("ZAQAR_MODEL_SEED").unwrap_or(0) + seed;
    run(Script::without_hand_overs(Random::new(seed)), model, store, seed, steps).await;
}

async fn run(
    mut script: Script,
    model: Arc<dyn DataStore>,
    store: Arc<dyn DataStore>,
    seed: u64,
    steps: usize,
) {
    let steps = from_environment("ZAQAR_MODEL_STEPS").map_or(steps, |steps| usize::try_from(steps).unwrap());
    let mut pair = Pair::new(model, store);
    for step in 0..steps {
        let operation = script.next();
        if let Err(difference) = pair.run(&operation).await {
            let told = script.told();
            panic!("seed {seed}, step {step}: {difference}\nafter these, the last one first:\n{told}");
        }
    }
}

fn from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a number, not {value:?}")))
}
