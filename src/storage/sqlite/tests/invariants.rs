//! What always holds between the tables, checked after many operations in a random order.

use rusqlite::Connection;

use super::*;
use crate::storage::{Claims as _, DeadLetters, Subscriptions as _, Transfer as _, Way};

/// All tables.
pub(super) const TABLES: [&str; 11] = [
    "queues",
    "messages",
    "ids",
    "ready",
    "claimed",
    "delayed",
    "expiring",
    "claims",
    "outgoing",
    "received",
    "subscriptions",
];

/// Each finds what must not be.
const CONTRADICTIONS: [&str; 8] = [
    "SELECT 'total', key FROM queues q WHERE project IS NOT NULL AND total <>
        (SELECT count(*) FROM ready WHERE queue = q.key) + (SELECT count(*) FROM claimed WHERE queue = q.key)
        + (SELECT count(*) FROM delayed WHERE queue = q.key)",
    "SELECT 'claimed', key FROM queues q WHERE project IS NOT NULL AND claimed <>
        (SELECT count(*) FROM claimed WHERE queue = q.key)",
    "SELECT 'delayed', key FROM queues q WHERE project IS NOT NULL AND delayed <>
        (SELECT count(*) FROM delayed WHERE queue = q.key)",
    "SELECT 'bodies', m.key FROM messages m WHERE 1 <>
        (SELECT count(*) FROM ready WHERE key = m.key) + (SELECT count(*) FROM claimed WHERE key = m.key)
        + (SELECT count(*) FROM delayed WHERE key = m.key) + (SELECT count(*) FROM outgoing WHERE key = m.key)",
    "SELECT 'ids', i.key FROM ids i WHERE 1 <>
        (SELECT count(*) FROM ready r WHERE r.queue = i.queue AND r.position = i.position AND r.key = i.key)
        + (SELECT count(*) FROM claimed c WHERE c.queue = i.queue AND c.position = i.position AND c.key = i.key)
        + (SELECT count(*) FROM delayed d WHERE d.queue = i.queue AND d.due = i.due AND d.key = i.key)",
    "SELECT 'lives', e.key FROM expiring e WHERE 1 <>
        (SELECT count(*) FROM ready r WHERE r.key = e.key AND r.expires = e.expires AND r.queue = e.queue)
        + (SELECT count(*) FROM claimed c WHERE c.key = e.key AND c.expires = e.expires AND c.queue = e.queue)
        + (SELECT count(*) FROM delayed d WHERE d.key = e.key AND d.expires = e.expires AND d.queue = e.queue)",
    "SELECT 'number of lives', count(*) FROM expiring HAVING count(*) <> (SELECT count(*) FROM ids)
        OR count(*) <> (SELECT sum(total) FROM queues WHERE project IS NOT NULL)",
    "SELECT 'number of claimed', count(*) FROM claimed HAVING count(*) <>
        (SELECT coalesce(sum(length(positions) / 8), 0) FROM claims)",
];

/// Queues that the sweep would visit too late; for one that is due at `?` any moment until then is early enough.
const TOO_LATE: &str = "SELECT key FROM queues q WHERE coalesce(wake, 9223372036854775807) > max(?, min(
    coalesce((SELECT min(expires) FROM expiring WHERE queue = q.key), 9223372036854775807),
    coalesce((SELECT min(expires) FROM subscriptions WHERE queue = q.key), 9223372036854775807),
    coalesce((SELECT min(expires) FROM claims WHERE queue = q.key), 9223372036854775807),
    coalesce((SELECT min(due) FROM delayed WHERE queue = q.key), 9223372036854775807)))";

/// Panics where the tables contradict each other at `now`. No dropped queue may be waiting for the sweep.
pub(super) fn check(connection: &Connection, now: Timestamp) {
    for sql in CONTRADICTIONS {
        let mut statement = connection.prepare(sql).unwrap();
        let found: Vec<(String, i64)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert_eq!(found, []);
    }
    let sql = "SELECT c.position FROM claimed c JOIN claims l ON l.queue = c.queue AND l.id = c.claim
               WHERE instr(hex(l.positions), printf('%016X', c.position)) = 0
               UNION ALL SELECT position FROM claimed c
               WHERE NOT EXISTS (SELECT 1 FROM claims l WHERE l.queue = c.queue AND l.id = c.claim)";
    let mut statement = connection.prepare(sql).unwrap();
    let strays: Vec<i64> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(strays, [0; 0], "positions of no claim");
    let mut statement = connection.prepare(TOO_LATE).unwrap();
    let late: Vec<i64> =
        statement.query_map([now.micros()], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(late, [0; 0], "queues that the sweep would miss");
    let whole: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
}

/// A small generator of numbers, the same at every run.
struct Numbers(u64);

impl Numbers {
    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[tokio::test]
async fn tables_agree_after_any_operations() {
    let bench = Bench::new().await;
    let (mut numbers, mut now) = (Numbers(7), START);
    for step in 0..1500 {
        operate(&bench, &mut numbers, now).await;
        now = now.plus_seconds(numbers.below(3));
        if step % 50 == 0 {
            check(&bench.connection(), now);
        }
    }
    bench.sweep(now).await;
    check(&bench.connection(), now);
    bench.store.close().await;
}

async fn operate(bench: &Bench, numbers: &mut Numbers, now: Timestamp) {
    let (store, queue) = (&bench.store, &bench.queue);
    let claim = ClaimRequest {
        ttl: 5 + numbers.below(20),
        grace: numbers.below(10),
        limit: usize::try_from(numbers.below(6)).unwrap(),
        ..claim(u128::from(numbers.below(12)), 0)
    };
    let some = |numbers: &mut Numbers| id(u128::from(numbers.below(200)));
    match numbers.below(14) {
        0..=3 => {
            let new = |numbers: &mut Numbers| NewMessage {
                ttl: 5 + numbers.below(60),
                delay: numbers.below(4).saturating_sub(2) * numbers.below(30),
                ..message(u128::from(numbers.below(200)), 10)
            };
            let messages = (0..=numbers.below(5)).map(|_| new(numbers)).collect();
            store.post(queue, messages, now).await.unwrap();
        }
        4 => drop(store.claim(queue, &claim, now).await.unwrap()),
        5 => {
            let target = QueueName::parse("dead").unwrap();
            let dead_letters = Some(DeadLetters { max_claims: 1, target, ttl: None });
            store.claim(queue, &ClaimRequest { dead_letters, ..claim }, now).await.unwrap();
        }
        6 => drop(store.renew(queue, claim.id, claim.ttl, claim.grace, now).await.unwrap()),
        7 => store.release(queue, claim.id, now).await.unwrap(),
        8 => drop(store.delete(queue, some(numbers), None, now).await.unwrap()),
        9 => drop(store.delete(queue, some(numbers), Some(claim.id), now).await.unwrap()),
        10 => {
            bench.numbers(now).await;
            let away = store.outgoing(queue, Way::DeadLetters, 3).await.unwrap();
            let numbers: Vec<_> = away.parcels.iter().map(|parcel| parcel.number).collect();
            store.import(queue, away.line, &away.parcels, now).await.unwrap();
            store.forget(queue, Way::DeadLetters, &numbers).await.unwrap();
        }
        11 => {
            let new = subscription(u128::from(numbers.below(20)), numbers.below(10), now);
            store.subscribe(queue, &new, now).await.unwrap();
        }
        12 => {
            let id = subscription(u128::from(numbers.below(20)), 0, now).id;
            let until = now.plus_seconds(numbers.below(50));
            if store.extend(queue, &[id], until, now).await.unwrap().is_empty() && numbers.below(3) == 0 {
                store.unsubscribe(queue, id, false, now).await.unwrap();
            }
        }
        _ => match numbers.below(8) {
            0 => drop(store.purge(queue, now).await.unwrap()),
            1..=3 => drop(store.sweep(now, 10).await.unwrap()),
            _ => drop(store.pop(queue, claim.limit, now).await.unwrap()),
        },
    }
}
