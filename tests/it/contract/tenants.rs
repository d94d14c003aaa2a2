//! The tenant's wall: nothing that one queue is told shows or changes anything in another.

use bytes::Bytes;
use zaqar::clock::Timestamp;
use zaqar::model::{Claim, Message, NewMessage};
use zaqar::storage::{Deletion, ListQuery, Stats, Way};

use super::fixture::{Queue, START, at, claim_id, everything, message, request};

every_store!(foreign_ids_find_nothing, queues_with_like_names_are_strangers);

/// Pairs of project and queue that differ in case, blanks, Unicode form, or in where one ends.
const NAMES: [(&str, &str); 16] = [
    ("p", "r"),
    ("p", "Q"),
    ("P", "q"),
    ("p ", "q"),
    (" p", "q"),
    ("", "q"),
    ("p.q", "q"),
    ("p", "q.q"),
    ("pq", "q"),
    ("p", "qq"),
    ("p%", "q"),
    ("p*", "q"),
    ("p}", "q"),
    ("é", "q"),
    ("e\u{301}", "q"),
    ("p\u{0}x", "q"),
];

/// All that a queue says of itself.
#[derive(Debug, PartialEq)]
struct Face(Vec<Message>, Stats, Option<(Claim, Vec<Message>)>);

async fn face(queue: &Queue, now: Timestamp) -> Face {
    let claim = queue.data().claimed(&queue.name, claim_id(1), now).await.unwrap();
    Face(queue.listed(&everything(), now).await, queue.stats(now).await, claim)
}

/// Fills each queue with the same ids, under bodies of its own, the first two in the same claim id.
async fn fill(queue: &Queue, owner: &str) {
    let own = |n| NewMessage { body: Bytes::from(format!("{owner:?}")), ..message(n) };
    queue.post([own(1), own(2), own(3), NewMessage { delay: 30, ..own(4) }], START).await;
    assert_eq!(queue.claim(&request(1, 2), START).await.messages.len(), 2);
}

async fn queues_with_like_names_are_strangers(queue: &Queue) {
    fill(queue, "the queue").await;
    let mut strangers = Vec::new();
    for (project, name) in NAMES {
        let stranger = queue.other(project, name, 7).await;
        fill(&stranger, &format!("{project}/{name}")).await;
        let face = face(&stranger, at(1)).await;
        let body = Bytes::from(format!("{:?}", format!("{project}/{name}")));
        assert!(face.0.iter().all(|message| message.body == body), "{project:?} {name:?}");
        strangers.push((stranger, face));
    }
    assert_eq!(queue.listed(&everything(), at(1)).await.len(), 4);
    // Everything that changes a queue, on one of them.
    queue.post([message(5)], at(1)).await;
    assert!(queue.renew(1, (500, 500), at(1)).await);
    assert_eq!(queue.delete(1, Some(1), at(1)).await, Deletion::Deleted);
    queue.release(1, at(1)).await;
    queue.claim(&request(2, 1), at(1)).await;
    assert_eq!(queue.pop(1, at(1)).await.messages.len(), 1);
    assert_eq!(queue.delete_many(1..=4, None, at(1)).await, Ok(2));
    assert_eq!(queue.purge(at(1)).await, (1, false));
    queue.data().forget(&queue.name, Way::DeadLetters, &[1]).await.unwrap();
    for (stranger, before) in &strangers {
        assert_eq!(face(stranger, at(1)).await, *before, "{:?}", stranger.name);
    }
    queue.data().drop_queue(&queue.name).await.unwrap();
    for (stranger, before) in &strangers {
        assert_eq!(face(stranger, at(1)).await, *before, "{:?}", stranger.name);
    }
}

async fn foreign_ids_find_nothing(queue: &Queue) {
    let stranger = queue.other("elsewhere", "q", 7).await;
    stranger.post([message(1), message(2), message(3)], START).await;
    stranger.claim(&request(1, 1), START).await;
    queue.post([message(11), message(12)], START).await;
    queue.claim(&request(2, 1), START).await;
    let before = face(&stranger, at(1)).await;

    assert_eq!(queue.get([1, 2], at(1)).await, []);
    assert_eq!(queue.locate(1, at(1)).await, None);
    assert_eq!(queue.delete(1, Some(1), at(1)).await, Deletion::Missing);
    assert_eq!(queue.delete(2, None, at(1)).await, Deletion::Missing);
    assert_eq!(queue.delete(11, Some(1), at(1)).await, Deletion::NoSuchClaim);
    assert_eq!(queue.delete_many([1, 2, 3], None, at(1)).await, Ok(0));
    assert_eq!(queue.delete_many([1], Some(&[1]), at(1)).await, Ok(0));
    assert_eq!(queue.delete_many([11], Some(&[1]), at(1)).await, Err((11, Deletion::NoSuchClaim)));
    assert_eq!(queue.held(1, at(1)).await, None);
    assert!(!queue.renew(1, (999, 0), at(1)).await);
    queue.release(1, at(1)).await;
    for message in &before.0 {
        let page = queue.listed(&ListQuery { after: message.cursor, ..everything() }, at(1)).await;
        assert!(page.iter().all(|message| message.body == super::fixture::message(11).body
            || message.body == super::fixture::message(12).body));
    }
    assert_eq!(face(&stranger, at(1)).await, before);
}
