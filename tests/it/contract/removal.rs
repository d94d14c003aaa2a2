//! Pop and purge: removal without ids.

use zaqar::storage::STEP;

use super::fixture::{Queue, START, at, claim_id, delayed, message, numbers, request, short};

every_store!(
    pop_does_not_count_claims,
    pop_takes_the_oldest_free_messages,
    purge_keeps_what_is_claimed,
    purge_takes_a_bounded_number_a_call,
);

async fn pop_takes_the_oldest_free_messages(queue: &Queue) {
    queue.post([message(5), message(4), delayed(3, 50), short(2, 10), message(1)], START).await;
    queue.claim(&request(1, 1), START).await;
    let popped = queue.pop(2, at(10)).await;
    assert_eq!(numbers(&popped.messages), [4, 1], "not the claimed, the delayed and the expired one");
    assert_eq!(popped.messages[0].claim, None);
    assert_eq!(popped.messages[0].created, START);
    assert_eq!(queue.all(at(10)).await, [5, 3]);
    let popped = queue.pop(2, at(10)).await;
    assert_eq!((popped.messages, popped.more, popped.next_due), (vec![], false, Some(at(50))));
    assert_eq!(numbers(&queue.pop(20, at(60)).await.messages), [5, 3]);
    assert_eq!(queue.counts(at(60)).await, (0, 0));
}

async fn pop_does_not_count_claims(queue: &Queue) {
    queue.post([message(1)], START).await;
    let popped = queue.pop(1, START).await;
    assert_eq!(popped.messages[0].claim_count, 0);
}

async fn purge_keeps_what_is_claimed(queue: &Queue) {
    queue.post([message(1), message(2), message(3), delayed(4, 50), short(5, 10)], START).await;
    queue.claim(&request(1, 1), START).await;
    queue.claim(&request(2, 1), at(20)).await;
    // At 60 claim 1 has ended, claim 2 lives.
    assert_eq!(queue.purge(at(60)).await, (3, false));
    assert_eq!(queue.all(at(60)).await, [2]);
    assert_eq!(queue.one(2, at(60)).await.claim, Some(claim_id(2)));
    assert_eq!(queue.purge(at(60)).await, (0, false));
    assert_eq!(queue.ready(at(80)).await, [2]);
}

async fn purge_takes_a_bounded_number_a_call(queue: &Queue) {
    queue.post((0..1_000).map(message), START).await;
    queue.post((1_000..1_300).map(|n| delayed(n, 50)), START).await;
    queue.claim(&request(1, 3), START).await;
    let mut total = 0;
    loop {
        let (purged, more) = queue.purge(at(1)).await;
        assert!(purged <= STEP as u64, "{purged} in one call");
        assert!(purged > 0, "each call gets further");
        total += purged;
        assert_eq!(more, total < 1_297, "after {total}");
        if !more {
            break;
        }
    }
    assert_eq!(total, 1_297);
    assert_eq!(queue.all(at(1)).await, [0, 1, 2]);
}
