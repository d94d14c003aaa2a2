//! The end of messages: to the microsecond, swept or not.

use zaqar::storage::{ClaimRequest, Deletion};

use super::fixture::{Queue, START, at, id, just_before, message, numbers, request, short};

every_store!(
    a_message_ends_at_its_microsecond_for_every_answer,
    lives_of_ten_thousand_years_do_not_overflow,
    the_sweep_changes_no_answer,
);

async fn a_message_ends_at_its_microsecond_for_every_answer(queue: &Queue) {
    queue.post([short(1, 60)], START).await;
    let last = just_before(at(60));
    assert_eq!(queue.ready(last).await, [1]);
    assert_eq!(numbers(&queue.get([1], last).await), [1]);
    assert!(queue.locate(1, last).await.is_some());
    assert_eq!(queue.counts(last).await, (1, 0));

    let end = at(60);
    assert_eq!(queue.get([1], end).await, []);
    assert_eq!(queue.counts(end).await, (0, 0));
    assert_eq!(queue.delete(1, None, end).await, Deletion::Missing);
    assert_eq!(queue.delete(1, Some(1), end).await, Deletion::Missing);
    assert_eq!(queue.delete_many([1], None, end).await, Ok(0));
    assert_eq!(queue.locate(1, end).await, None);
    assert_eq!(queue.ready(end).await, [0; 0]);
    assert_eq!(queue.pop(1, end).await.messages, []);
    assert_eq!(queue.claim(&request(1, 1), end).await.messages, []);
    assert_eq!(queue.purge(end).await, (0, false));
}

async fn lives_of_ten_thousand_years_do_not_overflow(queue: &Queue) {
    // The longest that a service may be configured to take, and more.
    for (n, ttl) in [(1, 100_000_000_000), (2, 220_367_260_800), (3, 1 << 53)] {
        queue.post([short(n, ttl)], START).await;
        assert_eq!(queue.one(n, at(1_000_000_000)).await.ttl, ttl);
    }
    let long = ClaimRequest { ttl: 100_000_000_000, grace: 100_000_000_000, ..request(1, 3) };
    assert_eq!(numbers(&queue.claim(&long, at(1)).await.messages), [1, 2, 3]);
    assert_eq!(queue.held(1, at(99_999_999_999)).await, Some(vec![1, 2, 3]));
    let raised = queue.one(1, at(100_000_000_000)).await;
    assert_eq!(raised.ttl, 200_000_000_000);
    assert!(queue.renew(1, (220_367_260_800, 220_367_260_800), at(2)).await);
    assert_eq!(queue.counts(at(3)).await, (0, 3));
    queue.release(1, at(3)).await;
    assert_eq!(queue.ready(at(220_000_000_000)).await, [1, 2, 3]);
}

async fn the_sweep_changes_no_answer(queue: &Queue) {
    queue.post((0..20).map(|n| short(n, 10 + u64::from(n % 3))), START).await;
    queue.claim(&request(1, 5), START).await;
    for now in [at(9), at(10), at(11), at(12), at(60), at(61), at(200)] {
        let before = (queue.all(now).await, queue.stats(now).await, queue.held(1, now).await);
        queue.sweep(now).await;
        let after = (queue.all(now).await, queue.stats(now).await, queue.held(1, now).await);
        assert_eq!(before, after, "at {now:?}");
    }
    assert_eq!(queue.data().get(&queue.name, &[id(3)], at(200)).await.unwrap(), []);
    queue.post([message(3)], at(200)).await;
    assert_eq!(queue.ready(at(200)).await, [3]);
}
