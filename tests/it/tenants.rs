//! Tenants are sealed from each other.
//!
//! Two worlds are compared. In one there are tenants beside the one that acts, with queues of the same names; in
//! the other it is alone. It holds the others' message ids, claim ids and markers and uses them on every route
//! that takes one. Its answers must be the same in both worlds, so that it can neither see nor count anything of
//! the others, and what the others have must stay the same to the byte.

mod loot;
mod script;

use self::loot::Loot;
use self::script::{Actor, Step};
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

/// Bulk deletion by claims is an operation of its own.
const WITH_CLAIMS: &str = "[transport]\nmessage_delete_with_claim_id = true\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_tenant_sees_changes_or_counts_anything_of_another() {
    let mut rng = random::seeded();
    for store in Store::ALL {
        for (index, (tenant, others)) in TENANTS.into_iter().enumerate() {
            let ini = if index % 2 == 0 { "" } else { WITH_CLAIMS };
            let (shared, alone) = (TestApp::start(store, ini).await, TestApp::start(store, ini).await);
            let (mut loot, mut before) = (Loot::default(), Vec::new());
            for other in others {
                let client = shared.client(other);
                let own = loot::furnish(&client, other).await;
                before.push((client.clone(), loot::snapshot(&client, &own).await, own.clone()));
                loot.add(own);
            }
            let mut actors = [&shared, &alone].map(|app| Actor::new(app.client(tenant), &loot));
            for _ in 0..STEPS {
                let step = Step::any(&mut rng);
                let mut answers = Vec::new();
                for (app, actor) in [&shared, &alone].into_iter().zip(&mut actors) {
                    // Not enough for anybody's age to change, but no two posts fall together.
                    app.clock.advance(std::time::Duration::from_millis(1));
                    answers.push(actor.take(&step).await);
                }
                assert_eq!(answers[0], answers[1], "{store:?}, {tenant:?}: {step:?}");
                loot.is_not_in(&answers[0]);
            }
            actors.iter().for_each(Actor::was_busy);
            compare(before).await;
        }
    }
}

async fn compare(before: Vec<(Client, Vec<loot::Seen>, Loot)>) {
    for (client, before, own) in before {
        for (after, before) in loot::snapshot(&client, &own).await.into_iter().zip(before) {
            assert_eq!(after, before, "of another tenant");
        }
    }
}
