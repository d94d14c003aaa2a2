//! Work that falls due together: done in bounded steps, and done in the end.

use std::collections::BTreeSet;

use zaqar::clock::Timestamp;
use zaqar::storage::{ClaimRequest, EXAMINED, STEP};

use super::fixture::{
    CALLS, Queue, START, at, delayed, everything, id, message, number, numbers, page, request, short,
};

every_store!(
    a_long_claim_is_made_in_steps,
    claims_that_end_together_give_everything_back,
    delays_that_end_together_keep_their_order,
    what_expired_does_not_hide_what_lives,
    the_sweep_keeps_to_its_budget_and_finishes,
);

/// Numbers in the order of their ids.
fn by_id(numbers: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut ids: Vec<_> = numbers.map(id).collect();
    ids.sort_unstable();
    ids.into_iter().map(number).collect()
}

/// Pops until there is nothing more, `limit` at a time.
async fn pop_all(queue: &Queue, limit: usize, now: Timestamp) -> Vec<u32> {
    let mut popped = Vec::new();
    for _ in 0..CALLS {
        let some = queue.pop(limit, now).await;
        assert!(some.messages.len() <= limit);
        if some.messages.is_empty() && !some.more {
            return popped;
        }
        popped.extend(numbers(&some.messages));
    }
    panic!("popping does not end");
}

/// Claims as the service does, until the page is full or there is no more.
async fn claim_page(queue: &Queue, request: &ClaimRequest, now: Timestamp) -> Vec<u32> {
    let mut request = request.clone();
    let mut won = Vec::new();
    for _ in 0..CALLS {
        let some = queue.claim(&request, now).await;
        request.limit -= some.messages.len();
        won.extend(numbers(&some.messages));
        if request.limit == 0 || !some.more {
            return won;
        }
    }
    panic!("claiming does not end");
}

async fn delays_that_end_together_keep_their_order(queue: &Queue) {
    queue.post((0..1_300).map(|n| delayed(n, 50)), START).await;
    queue.post([message(2_000)], at(1)).await;
    let first = queue.list(&everything(), at(50)).await;
    assert!(first.messages.len() <= STEP + 1, "{} at once", first.messages.len());
    assert!(first.resume.is_some(), "there is more");
    let mut expected = vec![2_000];
    expected.extend(by_id(0..1_300));
    assert_eq!(queue.all(at(50)).await, expected);
    assert_eq!(queue.ready(at(50)).await, expected, "again, when nothing is due any more");
    assert_eq!(queue.counts(at(50)).await, (1_301, 0));
    assert_eq!(pop_all(queue, 20, at(50)).await, expected);
}

async fn claims_that_end_together_give_everything_back(queue: &Queue) {
    queue.post((0..1_300).map(message), START).await;
    for n in 0..65 {
        assert_eq!(queue.claim(&request(n, 20), START).await.messages.len(), 20);
    }
    assert_eq!(queue.counts(at(59)).await, (0, 1_300));
    assert_eq!(queue.counts(at(60)).await, (1_300, 0), "counted by time, not by what was moved");
    let mut found = queue.ready(at(60)).await;
    let different: BTreeSet<u32> = found.iter().copied().collect();
    assert_eq!(different.len(), found.len(), "none twice");
    found = queue.ready(at(60)).await;
    assert_eq!(found, (0..1_300).collect::<Vec<_>>(), "exact once nothing is due");
    assert_eq!(claim_page(queue, &request(99, 3), at(60)).await, [0, 1, 2]);
}

async fn a_long_claim_is_made_in_steps(queue: &Queue) {
    queue.post((0..2_600).map(message), START).await;
    let long = request(1, 2_500);
    let first = queue.claim(&long, START).await;
    assert!(first.messages.len() <= EXAMINED, "{} at once", first.messages.len());
    let rest = ClaimRequest { limit: 2_500 - first.messages.len(), ..long };
    let mut won = numbers(&first.messages);
    won.extend(claim_page(queue, &rest, START).await);
    assert_eq!(won, (0..2_500).collect::<Vec<_>>());
    assert_eq!(queue.held(1, at(59)).await, Some(won));
    assert_eq!(queue.counts(at(59)).await, (100, 2_500));
    // The same id again while the ended claim is still being given back.
    let again = claim_page(queue, &request(1, 2_600), at(60)).await;
    assert_eq!(again.iter().copied().collect::<BTreeSet<_>>().len(), 2_600);
    assert_eq!(queue.counts(at(119)).await, (0, 2_600));
    queue.release(1, at(119)).await;
    assert_eq!(queue.ready(at(119)).await, (0..2_600).collect::<Vec<_>>());
}

async fn what_expired_does_not_hide_what_lives(queue: &Queue) {
    let others = [queue.other("p", "list", 1).await, queue.other("p", "claim", 1).await];
    for queue in [queue, &others[0], &others[1]] {
        queue.post((0..2_600).map(|n| short(n, 60)), START).await;
        queue.post([message(3_000), message(3_001)], START).await;
        assert_eq!(queue.counts(at(60)).await, (2, 0));
        assert_eq!(queue.stats(at(60)).await.oldest, Some((id(3_000), START)));
    }
    assert_eq!(pop_all(queue, 1, at(60)).await, [3_000, 3_001]);
    assert_eq!(numbers(&others[0].listed(&page(), at(60)).await), [3_000, 3_001]);
    assert_eq!(claim_page(&others[1], &request(1, 5), at(60)).await, [3_000, 3_001]);
}

async fn the_sweep_keeps_to_its_budget_and_finishes(queue: &Queue) {
    let other = queue.other("p", "other", 1).await;
    queue.post((0..700).map(|n| short(n, 60)), START).await;
    queue.post((700..900).map(message), START).await;
    other.post((0..300).map(|n| short(n, 60)), START).await;
    other.post((300..310).map(message), START).await;
    // Raised by the claim, the first two live on.
    other.claim(&ClaimRequest { ttl: 61, ..request(1, 2) }, START).await;
    queue.claim(&ClaimRequest { ttl: 62, ..request(2, 1) }, START).await;
    assert_eq!(queue.data().sweep(at(59), 100).await.unwrap(), zaqar::storage::Swept::default());
    let (mut messages, mut claims, mut calls) = (0, 0, 0);
    loop {
        let swept = queue.data().sweep(at(62), 100).await.unwrap();
        assert!(swept.messages <= 100, "{swept:?}");
        (messages, claims, calls) = (messages + swept.messages, claims + swept.claims, calls + 1);
        assert!(calls < 1_000, "the sweep comes to an end");
        if !swept.more {
            break;
        }
    }
    assert_eq!((messages, claims), (997, 2));
    assert!(calls >= 10, "{calls} calls");
    assert_eq!(queue.data().volume().await.unwrap(), (213, 0));
    assert_eq!(queue.counts(at(62)).await, (201, 0));
    assert_eq!(other.counts(at(62)).await, (12, 0));
}
