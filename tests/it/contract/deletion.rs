//! Deleting by id: who may delete what.

use zaqar::storage::Deletion;

use super::fixture::{Queue, START, at, delayed, message, request};

every_store!(
    deletion_needs_the_claim_that_holds_the_message,
    deletion_of_many_with_claims_is_all_or_nothing,
    deletion_of_many_without_claims_ignores_claims,
    ids_given_twice_count_once,
    the_claim_outlives_the_messages_deleted_with_it,
);

/// Message 1 free; 2 and 3 in the live claim 1; 4 in the live claim 2; 5 in claim 3, ended; 6 in claim 4,
/// released; 7 delayed. At second 70.
async fn prepare(queue: &Queue) {
    queue.post([message(5), message(2), message(3), message(4), message(6)], START).await;
    queue.claim(&request(3, 1), START).await;
    assert_eq!(queue.claim(&request(1, 2), at(20)).await.messages.len(), 2);
    assert_eq!(queue.claim(&request(2, 1), at(20)).await.messages.len(), 1);
    assert_eq!(queue.claim(&request(4, 1), at(20)).await.messages.len(), 1);
    queue.release(4, at(30)).await;
    queue.post([message(1), delayed(7, 500)], at(40)).await;
}

async fn deletion_needs_the_claim_that_holds_the_message(queue: &Queue) {
    prepare(queue).await;
    let before = queue.all(at(70)).await;
    let refused = [
        (99, None, Deletion::Missing),
        (99, Some(1), Deletion::Missing),
        (1, Some(1), Deletion::NotClaimed),
        (1, Some(99), Deletion::NotClaimed),
        (2, None, Deletion::Claimed),
        (2, Some(2), Deletion::ClaimedByOther),
        (2, Some(3), Deletion::NoSuchClaim),
        (2, Some(4), Deletion::NoSuchClaim),
        (2, Some(99), Deletion::NoSuchClaim),
        (5, Some(3), Deletion::NotClaimed),
        (6, Some(4), Deletion::NotClaimed),
        (7, Some(1), Deletion::NotClaimed),
    ];
    for (n, claim, verdict) in refused {
        assert_eq!(queue.delete(n, claim, at(70)).await, verdict, "message {n} with {claim:?}");
    }
    assert_eq!(queue.all(at(70)).await, before, "refusals change nothing");
    assert_eq!(queue.counts(at(70)).await, (4, 3));
    for (n, claim) in [(1, None), (2, Some(1)), (4, Some(2)), (5, None), (6, None), (7, None)] {
        assert_eq!(queue.delete(n, claim, at(70)).await, Deletion::Deleted, "message {n} with {claim:?}");
        assert_eq!(queue.delete(n, claim, at(70)).await, Deletion::Missing, "message {n} once more");
    }
    assert_eq!(queue.all(at(70)).await, [3]);
    assert_eq!(queue.delete(3, None, at(3600)).await, Deletion::Missing, "expired");
}

async fn the_claim_outlives_the_messages_deleted_with_it(queue: &Queue) {
    prepare(queue).await;
    assert_eq!(queue.delete(2, Some(1), at(70)).await, Deletion::Deleted);
    assert_eq!(queue.held(1, at(70)).await, Some(vec![3]));
    // Claim 2 is gone with its last message.
    assert_eq!(queue.delete(4, Some(2), at(70)).await, Deletion::Deleted);
    assert_eq!(queue.held(2, at(70)).await, None);
    assert!(!queue.renew(2, (60, 0), at(70)).await);
    assert_eq!(queue.delete(3, Some(2), at(70)).await, Deletion::NoSuchClaim);
}

async fn deletion_of_many_without_claims_ignores_claims(queue: &Queue) {
    prepare(queue).await;
    assert_eq!(queue.delete_many([2, 99, 1, 4, 7], None, at(70)).await, Ok(4));
    assert_eq!(queue.all(at(70)).await, [5, 3, 6]);
    assert_eq!(queue.held(1, at(70)).await, Some(vec![3]));
    assert_eq!(queue.held(2, at(70)).await, None);
    assert_eq!(queue.counts(at(70)).await, (2, 1));
    assert_eq!(queue.delete_many([], None, at(70)).await, Ok(0));
    assert_eq!(queue.delete_many([3, 5], None, at(3600)).await, Ok(0), "expired");
}

async fn ids_given_twice_count_once(queue: &Queue) {
    prepare(queue).await;
    assert_eq!(queue.delete_many([1, 1, 5, 1], None, at(70)).await, Ok(2));
    assert_eq!(queue.delete_many([2, 3, 2], Some(&[1, 1]), at(70)).await, Ok(2));
    assert_eq!(queue.all(at(70)).await, [4, 6, 7]);
}

/// Messages, claims, the message that is refused, and why.
type Refusal<'a> = (&'a [u32], &'a [u32], u32, Deletion);

async fn deletion_of_many_with_claims_is_all_or_nothing(queue: &Queue) {
    prepare(queue).await;
    let before = queue.all(at(70)).await;
    let refused: [Refusal; 8] = [
        (&[2, 1], &[1], 1, Deletion::NotClaimed),
        (&[2, 5], &[1, 3], 5, Deletion::NotClaimed),
        (&[2, 6], &[1, 4], 6, Deletion::NotClaimed),
        (&[2, 7], &[1], 7, Deletion::NotClaimed),
        (&[2, 3, 4], &[1], 4, Deletion::ClaimedByOther),
        (&[4, 1], &[99, 1], 4, Deletion::ClaimedByOther),
        (&[3], &[99, 3, 4], 3, Deletion::NoSuchClaim),
        (&[3], &[], 3, Deletion::NoSuchClaim),
    ];
    for (messages, claims, n, why) in refused {
        let result = queue.delete_many(messages.iter().copied(), Some(claims), at(70)).await;
        assert_eq!(result, Err((n, why)), "{messages:?} with {claims:?}");
    }
    assert_eq!(queue.all(at(70)).await, before, "refusals change nothing");
    assert_eq!(queue.delete_many([99], Some(&[98]), at(70)).await, Ok(0), "what is missing needs no claim");
    assert_eq!(queue.delete_many([4, 99, 2], Some(&[1, 2, 97]), at(70)).await, Ok(2));
    assert_eq!(queue.all(at(70)).await, [5, 3, 6, 1, 7]);
}
