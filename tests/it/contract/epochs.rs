//! Epochs: only the current life of a queue answers.

use zaqar::model::Epoch;
use zaqar::storage::{Error, Ledger, Line, Result, Way};

use super::fixture::{Queue, START, at, claim_id, id, ids, message, page, queue_ref, request};

every_store!(
    a_dropped_queue_is_gone,
    a_newer_epoch_begins_with_nothing,
    an_older_epoch_neither_opens_nor_drops,
    a_sealed_queue_makes_room_for_its_next_life,
    opened_queues_are_listed,
    opening_again_keeps_everything,
    other_epochs_are_gone_for_every_call,
);

fn is_gone<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::Gone))
}

/// Every call on the queue of that epoch answers that it is gone.
pub(super) async fn assert_gone(queue: &Queue, epoch: i64) {
    let data = queue.data();
    let name = &queue_ref(queue.name.project.as_str(), queue.name.name.as_str(), epoch);
    let answers = [
        ("post", is_gone(&data.post(name, vec![message(77)], START).await)),
        ("list", is_gone(&data.list(name, &page(), START).await)),
        ("locate", is_gone(&data.locate(name, id(1), START).await)),
        ("end", is_gone(&data.end(name, START).await)),
        ("get", is_gone(&data.get(name, &ids([1]), START).await)),
        ("delete", is_gone(&data.delete(name, id(1), None, START).await)),
        ("delete_many", is_gone(&data.delete_many(name, &ids([1]), None, START).await)),
        ("pop", is_gone(&data.pop(name, 1, START).await)),
        ("purge", is_gone(&data.purge(name, START).await)),
        ("stats", is_gone(&data.stats(name, START).await)),
        ("claim", is_gone(&data.claim(name, &request(77, 1), START).await)),
        ("claimed", is_gone(&data.claimed(name, claim_id(1), START).await)),
        ("renew", is_gone(&data.renew(name, claim_id(1), 999, 0, START).await)),
        ("release", is_gone(&data.release(name, claim_id(1), START).await)),
        ("outgoing", is_gone(&data.outgoing(name, Way::DeadLetters, 1).await)),
        ("import", is_gone(&data.import(name, Line(uuid::Uuid::nil()), &[], START).await)),
        ("forget", is_gone(&data.forget(name, Way::DeadLetters, &[1]).await)),
        ("send_off", is_gone(&data.send_off(name, 1, START).await)),
    ];
    for (call, gone) in answers {
        assert!(gone, "{call} at epoch {epoch}");
    }
}

async fn other_epochs_are_gone_for_every_call(queue: &Queue) {
    queue.post([message(1), message(2)], START).await;
    queue.claim(&request(1, 1), START).await;
    for epoch in [6, 8, 0, -7, i64::MAX, Epoch(7).sealed().0] {
        assert_gone(queue, epoch).await;
        let name = queue_ref("p", "q", epoch);
        assert!(is_gone(&queue.data().seal(&name, START).await), "seal at epoch {epoch}");
    }
    assert_eq!(queue.all(START).await, [1, 2], "and nothing has changed");
    assert_eq!(queue.held(1, at(59)).await, Some(vec![1]));
    let never = Queue { store: queue.store.clone(), name: queue_ref("p", "never", 7) };
    assert_gone(&never, 7).await;
}

async fn opening_again_keeps_everything(queue: &Queue) {
    queue.post([message(1), message(2)], START).await;
    queue.claim(&request(1, 1), START).await;
    queue.data().open(&queue.name, at(5)).await.unwrap();
    assert_eq!(queue.all(at(5)).await, [1, 2]);
    assert_eq!(queue.held(1, at(5)).await, Some(vec![1]));
}

async fn a_newer_epoch_begins_with_nothing(queue: &Queue) {
    let dead = zaqar::storage::DeadLetters { max_claims: 0, target: queue.name.name.clone(), ttl: None };
    let send_off = zaqar::storage::ClaimRequest { dead_letters: Some(dead), ..request(9, 1) };
    queue.post([message(1)], START).await;
    queue.claim(&send_off, START).await;
    queue.post([message(2), message(3)], START).await;
    queue.claim(&request(1, 1), START).await;

    let newer = queue.other("p", "q", 8).await;
    assert_eq!(newer.all(at(1)).await, [0; 0]);
    assert_eq!(newer.counts(at(1)).await, (0, 0));
    assert_eq!(newer.held(1, at(1)).await, None);
    assert_eq!(newer.data().outgoing(&newer.name, Way::DeadLetters, 9).await.unwrap().parcels, []);
    assert_eq!(newer.data().unfinished(9).await.unwrap(), []);
    assert_gone(queue, 7).await;
    newer.post([message(2)], at(1)).await;
    assert_eq!(newer.all(at(100)).await, [2]);
}

async fn an_older_epoch_neither_opens_nor_drops(queue: &Queue) {
    queue.post([message(1)], START).await;
    let older = queue_ref("p", "q", 6);
    assert!(is_gone(&queue.data().open(&older, START).await));
    assert!(is_gone(&queue.data().adopt(&older, &Ledger::default(), START).await));
    queue.data().drop_queue(&older).await.unwrap();
    assert_eq!(queue.all(START).await, [1]);
}

async fn a_dropped_queue_is_gone(queue: &Queue) {
    let neighbour = queue.other("p", "q2", 7).await;
    neighbour.post([message(1)], START).await;
    queue.post([message(1), message(2)], START).await;
    queue.claim(&request(1, 1), START).await;
    queue.data().drop_queue(&queue.name).await.unwrap();
    assert_gone(queue, 7).await;
    queue.data().drop_queue(&queue.name).await.unwrap();
    // A newer epoch drops this one too.
    let again = queue.other("p", "q", 9).await;
    assert_eq!(again.all(START).await, [0; 0]);
    again.post([message(1)], START).await;
    queue.data().drop_queue(&queue_ref("p", "q", 10)).await.unwrap();
    assert_gone(queue, 9).await;
    assert_eq!(neighbour.all(START).await, [1]);
}

async fn opened_queues_are_listed(queue: &Queue) {
    let mut expected = vec![queue.name.clone()];
    for (project, name, epoch) in [("a", "z", 1), ("p", "r", 3), ("", "q", 4), ("p", "Q", 5), ("ü", "q", 6)]
    {
        expected.push(queue.other(project, name, epoch).await.name);
    }
    let dropped = queue.other("p", "dropped", 1).await;
    queue.data().drop_queue(&dropped.name).await.unwrap();
    for limit in [1, 2, 4, 100] {
        let mut found = Vec::new();
        loop {
            let page = queue.data().opened(found.last(), limit).await.unwrap();
            assert!(page.len() <= limit);
            if page.is_empty() {
                break;
            }
            found.extend(page);
            assert!(found.len() <= expected.len(), "{found:?}");
        }
        assert_eq!(found.len(), expected.len(), "by {limit}");
        assert!(expected.iter().all(|queue| found.contains(queue)), "by {limit}");
    }
}

async fn a_sealed_queue_makes_room_for_its_next_life(queue: &Queue) {
    let (data, sealed) = (queue.data(), queue.name.sealed());
    queue.post([message(1)], START).await;
    data.seal(&queue.name, START).await.unwrap();
    assert!(is_gone(&data.open(&queue.name, START).await), "the life that was sealed does not come back");
    data.drop_queue(&queue.name).await.unwrap();
    assert_eq!(data.stats(&sealed, START).await.unwrap().free, 1, "nor does its end touch what was sealed");
    let next = queue.other("p", "q", 8).await;
    assert!(is_gone(&data.stats(&sealed, START).await));
    next.post([message(2)], START).await;
    data.drop_queue(&sealed).await.unwrap();
    assert_eq!(next.all(START).await, [2]);
    data.seal(&next.name, START).await.unwrap();
    data.drop_queue(&next.name.sealed()).await.unwrap();
    assert!(is_gone(&data.stats(&next.name.sealed(), START).await));
}
