//! Tenants are sealed from each other.
//!
//! Two worlds are compared. In one there are tenants beside the one that acts, with queues of the same names; in
//! the other it is alone. It holds the others' message ids, claim ids and markers and uses them on every route
//! that takes one. Its answers must be the same in both worlds, so that it can neither see nor count anything of
//! the others, and what the others have must stay the same to the byte.

mod loot;
mod script;

use zaqar::clock::Timestamp;

use self::loot::Loot;
use self::script::{Actor, Step};
use crate::sql::common::Kind;
use crate::support::cloud::{self, Redis};
use crate::support::redis::{RedisCluster, RedisSentinels, RedisServer};
use crate::support::{Client, Store, TestApp, random};

/// Operations of the acting tenant for each store and set of tenants.
const STEPS: usize = 400;

/// The acting tenant, and others whose ids one could mistake for its own.
const TENANTS: [(&str, [&str; 4]); 4] = [
    ("tenant", ["tenant2", "Tenant", "tenan", "TENANT"]),
    // Composed and decomposed, and what folds to them.
    ("caf\u{e9}", ["cafe\u{301}", "cafe", "CAF\u{c9}", "caf\u{e9}\u{200b}"]),
    // Signs that a key in a store might be put together with.
    ("a", ["a/q", "a.q", "a:q", "a q"]),
    ("%61", ["a", "%", "_", "a%61"]),
];

/// What is asked in one version must be sealed in all.
const ALL_VERSIONS: &str = "[DEFAULT]\nenable_deprecated_api_versions = 1,1.1\n";

/// Bulk deletion by claims is an operation of its own.
const WITH_CLAIMS: &str = "[transport]\nmessage_delete_with_claim_id = true\n";

/// When each world begins.
const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_tenant_sees_changes_or_counts_anything_of_another() {
    for store in Store::ALL {
        sealed(async || store.ini().to_owned(), store.ini(), STEPS).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_in_redis_with_mariadb() {
    on_clouds(Redis::Alone(RedisServer::start()), Kind::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_under_sentinels_with_postgres() {
    on_clouds(Redis::Sentinels(RedisSentinels::start()), Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_in_a_cluster_with_mariadb() {
    on_clouds(Redis::Cluster(RedisCluster::start()), Kind::MariaDb).await;
}

/// The crowded world is on these stores; the empty one is the model, which has to answer the same.
async fn on_clouds(mut redis: Redis, kind: Kind) {
    let uri = redis.uri();
    let crowded = async || {
        redis.empty();
        cloud::ini(&uri, &cloud::database(kind).await)
    };
    sealed(crowded, Store::Memory.ini(), STEPS / 2).await;
}

/// Compares a crowded world, whose stores `crowded` prepares for each tenant, with one where the tenant is alone.
async fn sealed(mut crowded: impl AsyncFnMut() -> String, alone: &str, steps: usize) {
    let mut rng = random::seeded();
    for (index, (tenant, others)) in TENANTS.into_iter().enumerate() {
        let more = format!("{ALL_VERSIONS}{}", if index % 2 == 0 { "" } else { WITH_CLAIMS });
        let shared = TestApp::start_at(START, &(crowded().await + &more)).await;
        let alone = TestApp::start_at(START, &format!("{alone}{more}")).await;
        let (mut loot, mut before) = (Loot::default(), Vec::new());
        for other in others {
            let client = shared.client(other);
            let own = loot::furnish(&client, other).await;
            before.push((client.clone(), loot::snapshot(&client, &own).await, own.clone()));
            loot.add(own);
        }
        let mut actors = [&shared, &alone].map(|app| Actor::new(app.client(tenant), &loot));
        for _ in 0..steps {
            let step = Step::any(&mut rng);
            let mut answers = Vec::new();
            for (app, actor) in [&shared, &alone].into_iter().zip(&mut actors) {
                // Not enough for anybody's age to change, but no two posts fall together.
                app.clock.advance(std::time::Duration::from_millis(1));
                answers.push(actor.take(&step).await);
            }
            assert_eq!(answers[0], answers[1], "{tenant:?}: {step:?}");
            loot.is_not_in(&answers[0]);
        }
        actors.iter().for_each(Actor::was_busy);
        compare(before).await;
        // Before the next tenant's stores take the place of these.
        assert!(shared.stop().await);
    }
}

async fn compare(before: Vec<(Client, Vec<loot::Seen>, Loot)>) {
    for (client, before, own) in before {
        for (after, before) in loot::snapshot(&client, &own).await.into_iter().zip(before) {
            assert_eq!(after, before, "of another tenant");
        }
    }
}
