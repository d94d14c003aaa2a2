//! Claims: what they take, how long they hold it, and where it returns to.

use zaqar::storage::{ClaimRequest, Deletion};

use super::fixture::{Queue, START, at, claim_id, delayed, just_before, message, numbers, request, short};

every_store!(
    a_claim_ends_at_its_microsecond,
    a_claim_is_read_back,
    a_claim_of_nothing_is_none,
    a_claim_prolongs_only_what_would_expire_before_it,
    a_claim_takes_the_oldest_ready_messages,
    a_renewal_starts_the_claim_anew,
    an_ended_claim_is_not_renewed,
    claims_do_not_count_without_dead_letters,
    messages_are_added_to_a_live_claim,
    released_messages_return_to_their_places,
);

async fn a_claim_takes_the_oldest_ready_messages(queue: &Queue) {
    queue.post([short(9, 5), message(5), message(3), delayed(8, 50), message(4), message(1)], START).await;
    let first = queue.claim(&request(1, 2), at(5)).await;
    assert_eq!(numbers(&first.messages), [5, 3], "not the expired and the delayed one");
    assert_eq!((first.outgoing, first.more, first.next_due), (0, false, None));
    assert!(first.messages.iter().all(|message| message.claim == Some(claim_id(1))));
    let second = queue.claim(&request(2, 20), at(6)).await;
    assert_eq!(numbers(&second.messages), [4, 1], "not the claimed ones");
    assert_eq!(queue.held(1, at(6)).await, Some(vec![5, 3]));
    assert_eq!(queue.held(2, at(6)).await, Some(vec![4, 1]));
    assert_eq!(queue.ready(at(6)).await, [0; 0]);
}

async fn a_claim_of_nothing_is_none(queue: &Queue) {
    queue.post([delayed(1, 50)], START).await;
    let nothing = queue.claim(&request(1, 5), START).await;
    assert_eq!((nothing.messages, nothing.more, nothing.next_due), (vec![], false, Some(at(50))));
    assert_eq!(queue.held(1, START).await, None);
    assert!(!queue.renew(1, (60, 0), START).await);
    queue.release(1, START).await;
    assert_eq!(queue.counts(START).await, (1, 0));
}

async fn a_claim_is_read_back(queue: &Queue) {
    queue.post([message(2), message(1)], START).await;
    let won = queue.claim(&request(1, 2), at(3)).await;
    let (claim, messages) =
        queue.data().claimed(&queue.name, claim_id(1), at(4)).await.unwrap().expect("it lives");
    assert_eq!((claim.id, claim.ttl, claim.expires), (claim_id(1), 60, at(63)));
    assert_eq!(messages, won.messages, "oldest first, as the claim returned them");
    assert_eq!(queue.held(99, at(4)).await, None);
}

async fn a_claim_ends_at_its_microsecond(queue: &Queue) {
    queue.post([message(1), message(2), message(3)], START).await;
    queue.claim(&request(1, 2), START).await;
    let last = just_before(at(60));
    assert_eq!(queue.ready(last).await, [3]);
    assert_eq!(queue.held(1, last).await, Some(vec![1, 2]));
    assert_eq!(queue.counts(last).await, (1, 2));
    assert_eq!(queue.delete(1, None, last).await, Deletion::Claimed);

    assert_eq!(queue.counts(at(60)).await, (3, 0));
    assert_eq!(queue.one(1, at(60)).await.claim, None);
    assert_eq!(queue.delete(1, Some(1), at(60)).await, Deletion::NotClaimed);
    assert_eq!(queue.held(1, at(60)).await, None);
    assert_eq!(queue.ready(at(60)).await, [1, 2, 3], "in their old places");
    assert_eq!(numbers(&queue.claim(&request(2, 1), at(60)).await.messages), [1]);
    assert_eq!(numbers(&queue.pop(1, at(60)).await.messages), [2]);
}

async fn a_claim_prolongs_only_what_would_expire_before_it(queue: &Queue) {
    // The claim is made at 40 and ends at 100.
    queue.post([short(1, 60), short(2, 99), short(3, 100), short(4, 120), short(5, 131)], START).await;
    let won = queue.claim(&request(1, 5), at(40)).await;
    let lives: Vec<u64> = won.messages.iter().map(|message| message.ttl).collect();
    assert_eq!(lives, [90, 90, 100, 120, 131]);
    assert!(won.messages.iter().all(|message| message.created == START), "ages go on");
    assert_eq!(queue.held(1, just_before(at(100))).await, Some(vec![1, 2, 3, 4, 5]));
    assert_eq!(queue.ready(at(100)).await, [1, 2, 4, 5], "what ended with the claim is gone with it");
    assert_eq!(queue.ready(just_before(at(120))).await, [1, 2, 4, 5]);
    assert_eq!(queue.ready(just_before(at(130))).await, [1, 2, 5]);
    assert_eq!(queue.ready(at(130)).await, [5], "raised to 30 s after the claim");
    assert_eq!(queue.one(5, at(130)).await.ttl, 131);
}

async fn a_renewal_starts_the_claim_anew(queue: &Queue) {
    queue.post([short(1, 100), message(2)], START).await;
    queue.claim(&request(1, 2), START).await;
    assert!(queue.renew(1, (50, 7), at(59)).await);
    let claim = queue.data().claimed(&queue.name, claim_id(1), at(60)).await.unwrap();
    let (claim, messages) = claim.expect("it lives");
    assert_eq!((claim.ttl, claim.expires), (50, at(109)));
    assert_eq!(messages.iter().map(|message| message.ttl).collect::<Vec<_>>(), [57, 3600]);
    assert_eq!(queue.held(1, just_before(at(109))).await, Some(vec![1, 2]));
    assert_eq!(queue.ready(at(109)).await, [1, 2]);
    assert_eq!(queue.ready(at(116)).await, [2], "raised to 7 s after the claim");

    // A renewal may shorten a claim.
    queue.claim(&request(2, 1), at(200)).await;
    assert!(queue.renew(2, (10, 0), at(210)).await);
    assert_eq!(queue.ready(just_before(at(220))).await, [0; 0]);
    assert_eq!(queue.ready(at(220)).await, [2]);
}

async fn an_ended_claim_is_not_renewed(queue: &Queue) {
    queue.post([message(1), message(2)], START).await;
    queue.claim(&request(1, 1), START).await;
    queue.claim(&request(2, 1), START).await;
    queue.release(2, at(1)).await;
    assert!(!queue.renew(2, (60, 60), at(1)).await, "it was released");
    assert!(!queue.renew(3, (60, 60), at(1)).await, "it never was");
    assert!(!queue.renew(1, (60, 60), at(60)).await, "it has ended");
    assert_eq!(queue.ready(at(60)).await, [1, 2]);
}

async fn released_messages_return_to_their_places(queue: &Queue) {
    queue.post([short(1, 30), message(2), message(3), message(4)], START).await;
    queue.claim(&request(1, 1), START).await;
    queue.claim(&request(2, 1), START).await;
    queue.claim(&request(3, 1), START).await;
    queue.release(3, at(1)).await;
    assert_eq!(queue.ready(at(1)).await, [3, 4]);
    queue.release(1, at(2)).await;
    assert_eq!(queue.ready(at(2)).await, [1, 3, 4]);
    queue.release(1, at(2)).await;
    queue.release(99, at(2)).await;
    queue.release(2, at(2)).await;
    assert_eq!(queue.ready(at(2)).await, [1, 2, 3, 4]);
    assert_eq!(queue.one(1, at(2)).await.ttl, 90, "a raised life stays");
    assert_eq!(queue.ready(at(89)).await, [1, 2, 3, 4]);
    assert_eq!(queue.ready(at(90)).await, [2, 3, 4]);
    queue.claim(&request(4, 2), at(90)).await;
    queue.release(4, at(500)).await;
    assert_eq!(queue.ready(at(500)).await, [2, 3, 4], "releasing an ended claim changes nothing");
}

async fn messages_are_added_to_a_live_claim(queue: &Queue) {
    queue.post([message(1), message(2)], START).await;
    queue.claim(&request(1, 1), START).await;
    queue.post([short(3, 30)], at(20)).await;
    let again = ClaimRequest { ttl: 500, grace: 5, ..request(1, 2) };
    let added = queue.claim(&again, at(30)).await;
    assert_eq!(numbers(&added.messages), [2, 3]);
    assert_eq!(added.messages[1].ttl, 65, "what it would have got from the start: the claim's ttl and grace");
    let (claim, messages) =
        queue.data().claimed(&queue.name, claim_id(1), at(31)).await.unwrap().expect("it lives");
    assert_eq!((claim.ttl, claim.expires), (60, at(60)), "the claim stays as it was");
    assert_eq!(numbers(&messages), [1, 2, 3]);
    assert_eq!(queue.ready(at(60)).await, [1, 2, 3]);
    assert_eq!(queue.ready(at(65)).await, [1, 2]);
    // The id of an ended claim makes a new one.
    assert_eq!(numbers(&queue.claim(&again, at(70)).await.messages), [1, 2]);
    assert_eq!(queue.held(1, at(569)).await, Some(vec![1, 2]));
}

async fn claims_do_not_count_without_dead_letters(queue: &Queue) {
    queue.post([message(1)], START).await;
    for n in 0..3 {
        let won = queue.claim(&request(n, 1), START).await;
        assert_eq!(won.messages[0].claim_count, 0);
        queue.release(n, START).await;
    }
}
