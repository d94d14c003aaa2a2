//! Posting: order, positions, identity, and what comes back.

use zaqar::model::{Cursor, NewMessage, Position};

use super::fixture::{Queue, START, at, client, everything, id, message, numbers, short};

every_store!(
    a_batch_is_stored_whole_and_in_order,
    an_empty_batch_is_stored,
    an_expired_id_may_come_again,
    an_id_is_stored_once,
    many_expired_ids_may_come_again,
    order_is_that_of_posting,
    positions_follow_the_clock_and_never_go_back,
    what_was_posted_comes_back,
);

async fn order_is_that_of_posting(queue: &Queue) {
    queue.post([message(5), message(3)], at(0)).await;
    queue.post([message(9)], at(1)).await;
    queue.post([message(1), message(2)], at(1)).await;
    // The clock of another node is behind.
    queue.post([message(4)], at(0)).await;
    assert_eq!(queue.ready(at(2)).await, [5, 3, 9, 1, 2, 4]);
}

async fn positions_follow_the_clock_and_never_go_back(queue: &Queue) {
    queue.post([message(1), message(2)], START).await;
    queue.post([message(3)], at(1)).await;
    queue.post([message(4)], START).await;
    let found = queue.listed(&everything(), at(1)).await;
    let cursors: Vec<Cursor> = found.iter().map(|message| message.cursor).collect();
    let later = at(1).micros();
    let expected = [START.micros(), START.micros() + 1, later, later + 1];
    assert_eq!(cursors, expected.map(|position| Cursor::After(Position(position))));
    // A position is not given away again when its message is gone.
    queue.delete(4, None, at(1)).await;
    queue.post([message(5)], START).await;
    assert_eq!(queue.one(5, at(1)).await.cursor, Cursor::After(Position(later + 2)));
}

async fn a_batch_is_stored_whole_and_in_order(queue: &Queue) {
    queue.post((0..1_500).map(message), START).await;
    assert_eq!(queue.ready(START).await, (0..1_500).collect::<Vec<_>>());
}

async fn an_empty_batch_is_stored(queue: &Queue) {
    queue.post([], START).await;
    assert_eq!(queue.ready(START).await, [0; 0]);
}

async fn an_id_is_stored_once(queue: &Queue) {
    let first = NewMessage { body: "\"first\"".into(), ..message(1) };
    queue.post([first.clone(), message(2), first.clone()], at(0)).await;
    queue.post([message(2), message(1), message(3)], at(1)).await;
    let found = queue.listed(&everything(), at(1)).await;
    assert_eq!(numbers(&found), [1, 2, 3]);
    assert_eq!(found[0].body, first.body);
    assert_eq!(found[0].created, at(0));
    assert_eq!(queue.counts(at(1)).await, (3, 0));
}

async fn an_expired_id_may_come_again(queue: &Queue) {
    queue.post([short(1, 10), message(2)], at(0)).await;
    queue.post([message(1)], at(10)).await;
    assert_eq!(queue.ready(at(10)).await, [2, 1]);
    assert_eq!(queue.one(1, at(10)).await.created, at(10));
    queue.sweep(at(20)).await;
    assert_eq!(queue.ready(at(20)).await, [2, 1]);
}

async fn many_expired_ids_may_come_again(queue: &Queue) {
    queue.post((0..1_300).map(|n| short(n, 10)), at(0)).await;
    queue.post((0..1_300).rev().map(message), at(10)).await;
    let expected: Vec<u32> = (0..1_300).rev().collect();
    assert_eq!(queue.ready(at(10)).await, expected);
    queue.sweep(at(20)).await;
    assert_eq!(queue.ready(at(20)).await, expected);
    assert_eq!(queue.counts(at(20)).await, (1_300, 0));
}

async fn what_was_posted_comes_back(queue: &Queue) {
    let new = NewMessage {
        id: id(1),
        ttl: 77,
        delay: 0,
        client: client("3381af92-2b9e-11e3-b191-71861300734c"),
        checksum: Some(*b"0123456789\0\xff\x01\x80ab"),
        body: "{\"ünï\": [1.50, null]}".into(),
    };
    let opaque = NewMessage { client: client("any text, ünï"), checksum: None, ..message(2) };
    queue.post([new.clone(), opaque.clone()], at(3)).await;
    for (n, new) in [(1, &new), (2, &opaque)] {
        let found = queue.one(n, at(4)).await;
        assert_eq!((found.id, found.created, found.ttl), (new.id, at(3), new.ttl));
        assert_eq!((&found.client, found.checksum, &found.body), (&new.client, new.checksum, &new.body));
        assert_eq!((found.claim, found.claim_count), (None, 0));
    }
}
