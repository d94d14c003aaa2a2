//! What is gone leaves nothing behind, in bounded steps.

use super::*;
use crate::storage::{Claims as _, DeadLetters, Subscriptions as _, Swept};

/// A queue with rows in every table.
async fn fill(bench: &Bench) {
    for n in 0..100 {
        let new = subscription(n.into(), n, START);
        assert!(bench.store.subscribe(&bench.queue, &new, START).await.unwrap());
    }
    bench.post((0..400).map(|n| message(n, 10)).collect()).await;
    let later = (1000..1200).map(|n| NewMessage { delay: 30, ..message(n, 10) });
    bench.post(later.collect()).await;
    for n in 0..10 {
        bench.store.claim(&bench.queue, &claim(n, 10), START).await.unwrap();
    }
    let dead = DeadLetters { max_claims: 0, target: QueueName::parse("dead").unwrap(), ttl: None };
    let request = ClaimRequest { dead_letters: Some(dead), ..claim(99, 1) };
    let sent = bench.store.claim(&bench.queue, &request, START).await.unwrap();
    assert_eq!(sent.outgoing, 300);
    bench.post((2000..2300).map(|n| message(n, 10)).collect()).await;
}

fn rows(bench: &Bench) -> Vec<(&'static str, i64)> {
    let connection = bench.connection();
    let count = |table| {
        let sql = format!("SELECT count(*) FROM {table}");
        connection.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    invariants::TABLES.iter().map(|table| (*table, count(table))).collect()
}

#[tokio::test]
async fn a_dropped_queue_leaves_nothing_behind() {
    let bench = Bench::new().await;
    fill(&bench).await;
    bench.store.drop_queue(&bench.queue).await.unwrap();
    assert_eq!(bench.store.volume().await.unwrap(), (0, 0), "gone at once");
    // The next life begins while the last one is still there.
    let next = Bench { queue: queue("q", 2), ..bench };
    next.store.open(&next.queue, START).await.unwrap();
    next.post(vec![message(1, 10)]).await;
    let mut calls = 0;
    while next.store.sweep(START, 50).await.unwrap().more {
        calls += 1;
    }
    assert!(calls > 10, "{calls} calls");
    assert_eq!(next.numbers(START).await, [1]);
    next.store.drop_queue(&next.queue).await.unwrap();
    next.sweep(START).await;
    assert!(rows(&next).iter().all(|(_, count)| *count == 0), "{:?}", rows(&next));
}

#[tokio::test]
async fn expired_messages_leave_nothing_behind() {
    let bench = Bench::new().await;
    fill(&bench).await;
    let end = START.plus_seconds(100_000);
    let mut swept = Swept::default();
    loop {
        let step = bench.store.sweep(end, 100).await.unwrap();
        assert!(step.messages <= 100, "{step:?}");
        swept.messages += step.messages;
        swept.claims += step.claims;
        if !step.more {
            break;
        }
    }
    assert_eq!((swept.messages, swept.claims), (100 + 200 + 300, 0), "a claim goes with its last message");
    let left = rows(&bench).into_iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>();
    assert_eq!(left, [("queues", 1), ("messages", 300), ("outgoing", 300)], "only what is on its way");
    assert_eq!(bench.store.sweep(end, 100).await.unwrap(), Swept::default());
    invariants::check(&bench.connection(), end);
}

#[tokio::test]
async fn the_sweep_comes_by_when_something_falls_due() {
    let bench = Bench::new().await;
    let (store, queue) = (&bench.store, &bench.queue);
    let at = |seconds| START.plus_seconds(seconds);
    let swept = async |now| {
        let swept = store.sweep(now, 100).await.unwrap();
        (swept.messages, swept.claims)
    };
    bench.post(vec![message(1, 10)]).await;
    assert_eq!(swept(at(1)).await, (0, 0), "it knows now that nothing is due for an hour");
    store.claim(queue, &claim(1, 1), START).await.unwrap();
    assert_eq!(swept(at(59)).await, (0, 0));
    assert_eq!(swept(at(60)).await, (0, 1), "a claim ended");

    store.claim(queue, &ClaimRequest { ttl: 1000, ..claim(2, 1) }, at(60)).await.unwrap();
    assert_eq!(swept(at(61)).await, (0, 0));
    store.renew(queue, claim(2, 1).id, 10, 0, at(61)).await.unwrap();
    assert_eq!(swept(at(71)).await, (0, 1), "a shortened one ended");

    store.post(queue, vec![NewMessage { delay: 10, ..message(2, 10) }], at(71)).await.unwrap();
    assert_eq!(swept(at(81)).await, (0, 0));
    assert!(rows(&bench).contains(&("delayed", 0)), "a delay ended");

    store.post(queue, vec![NewMessage { ttl: 10, ..message(3, 10) }], at(81)).await.unwrap();
    assert_eq!(swept(at(91)).await, (1, 0), "a short life ended");
}

#[tokio::test]
async fn the_sweep_serves_queues_in_turn() {
    let bench = Bench::new().await;
    bench.post((0..400).map(|n| message(n, 10)).collect()).await;
    let other = queue("other", 1);
    bench.store.open(&other, START).await.unwrap();
    bench.store.post(&other, vec![message(9999, 10)], START.plus_seconds(1)).await.unwrap();
    let end = START.plus_seconds(4000);
    // A step of the long queue, then the short one's turn.
    while bench.store.sweep(end, 32).await.unwrap().more {
        let left: i64 = bench
            .connection()
            .query_row("SELECT count(*) FROM messages WHERE length(body) > 0", [], |row| row.get(0))
            .unwrap();
        let short: i64 = bench
            .connection()
            .query_row("SELECT total FROM queues WHERE name = 'other'", [], |row| row.get(0))
            .unwrap();
        assert!(short == 0 || left >= 300, "{left} left before the short queue's turn");
    }
}

#[tokio::test]
async fn much_free_space_is_given_back() {
    let bench = Bench::new().await;
    for n in 0..800 {
        bench.post(vec![message(n, 100_000)]).await;
    }
    bench.post(vec![message(5000, 10)]).await;
    let full = size(&bench).await;
    assert!(full > 75 << 20, "{full}");
    let ids: Vec<_> = (0..800).map(id).collect();
    bench.store.delete_many(&bench.queue, &ids, None, START).await.unwrap().unwrap();
    bench.sweep(START).await;
    let left = size(&bench).await;
    assert!(left < 65 << 20, "{left}");
    assert_eq!(bench.numbers(START).await, [5000]);
    invariants::check(&bench.connection(), START);
}

/// Bytes of the file once the log is in it.
async fn size(bench: &Bench) -> i64 {
    let number = |db: &super::super::Db<'_>, pragma: &str| {
        db.connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
    };
    bench.store.look(move |db| Ok(number(db, "page_count")? * number(db, "page_size")?)).await.unwrap()
}
