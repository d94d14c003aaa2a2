//! The write-ahead log.

use super::*;

#[tokio::test]
async fn the_log_stays_bounded_under_a_load_that_never_pauses() {
    let bench = Bench::new().await;
    let log = bench.path().with_extension("db-wal");
    // 128 MiB; the log is moved into the file from 16 MiB on.
    for n in 0..1024 {
        bench.post(vec![message(n, 128 << 10)]).await;
        assert!(log.metadata().unwrap().len() < 64 << 20, "after {n}");
    }
    assert_eq!(bench.store.stats(&bench.queue, START).await.unwrap().free, 1024);
    assert!(bench.path().metadata().unwrap().len() > 64 << 20, "what was moved is in the file");
}

#[tokio::test]
async fn no_statement_is_prepared_twice() {
    let bench = Bench::new().await;
    for round in 0..3 {
        bench.post((0..30).map(|n| message(round * 1000 + n, 10)).collect()).await;
        operations(&bench, round).await;
    }
    let work = |batch: &mut super::super::Batch<'_, '_>| Ok(batch.db.prepared_again());
    assert_eq!(bench.store.writer.call(Kind::Caller(0), work).await.unwrap(), [""; 0]);
    assert_eq!(bench.store.look(|db| Ok(db.prepared_again())).await.unwrap(), [""; 0]);
}

/// Every operation once or more.
async fn operations(bench: &Bench, round: u128) {
    use crate::storage::{Claims as _, Transfer as _, Way};
    let (store, queue) = (&bench.store, &bench.queue);
    let later = NewMessage { delay: 10, ..message(round * 1000 + 500, 10) };
    store.post(queue, vec![later], START).await.unwrap();
    for n in 0..3 {
        store.claim(queue, &claim(round * 10 + n, 5), START).await.unwrap();
    }
    store.claimed(queue, claim(round * 10, 5).id, START).await.unwrap();
    store.renew(queue, claim(round * 10, 5).id, 4000, 60, START).await.unwrap();
    store.release(queue, claim(round * 10 + 1, 5).id, START).await.unwrap();
    store.delete(queue, id(round * 1000 + 29), None, START).await.unwrap();
    bench.numbers(START.plus_seconds(20)).await;
    store.stats(queue, START).await.unwrap();
    store.claim(queue, &claim(round * 10 + 5, 5), START.plus_seconds(70)).await.unwrap();
    store.pop(queue, 2, START).await.unwrap();
    store.get(queue, &[id(round * 1000)], START).await.unwrap();
    store.opened(None, 5).await.unwrap();
    store.outgoing(queue, Way::DeadLetters, 5).await.unwrap();
    store.unfinished(5).await.unwrap();
    store.identity().await.unwrap();
    hand_over(bench, round).await;
    store.purge(queue, START.plus_seconds(80)).await.unwrap();
    bench.sweep(START.plus_seconds(5000)).await;
    let other = super::queue(&format!("dropped{round}"), 1);
    store.open(&other, START).await.unwrap();
    store.post(&other, (0..100).map(|n| message(n, 10)).collect(), START).await.unwrap();
    store.claim(&other, &claim(1, 50), START).await.unwrap();
    store.drop_queue(&other).await.unwrap();
    bench.sweep(START).await;
}

/// Every operation that a whole queue's hand-over takes.
async fn hand_over(bench: &Bench, round: u128) {
    use crate::storage::{Claims as _, Transfer as _, Way};
    let store = &bench.store;
    let (source, target) = (queue(&format!("from{round}"), 1), queue(&format!("to{round}"), 1));
    store.open(&source, START).await.unwrap();
    let new = |n| NewMessage { delay: u64::try_from(n % 2).unwrap() * 100, ..message(n, 10) };
    store.post(&source, (0..20).map(new).collect(), START).await.unwrap();
    store.claim(&source, &claim(1, 3), START).await.unwrap();
    let ledger = store.seal(&source, START).await.unwrap();
    store.adopt(&target, &ledger, START).await.unwrap();
    let source = source.sealed();
    while store.send_off(&source, 7, START).await.unwrap().left > 0 {}
    let away = store.outgoing(&source, Way::Pool, 50).await.unwrap();
    store.import(&target, away.line, &away.parcels, START).await.unwrap();
    store.seal(&target, START).await.unwrap();
    let numbers: Vec<_> = away.parcels.iter().map(|parcel| parcel.number).collect();
    store.forget(&source, Way::Pool, &numbers).await.unwrap();
    for queue in [source, target.sealed()] {
        store.drop_queue(&queue).await.unwrap();
    }
    bench.sweep(START).await;
}
