//! Messages by their ids.

use super::fixture::{Queue, START, at, claim_id, delayed, message, numbers, request, short};

every_store!(messages_come_once_in_the_order_asked_for);

async fn messages_come_once_in_the_order_asked_for(queue: &Queue) {
    let other = queue.other("p", "other", 7).await;
    other.post([message(50)], START).await;
    queue.post([message(1), message(2), message(3), delayed(4, 100), short(5, 10)], START).await;
    queue.claim(&request(1, 1), START).await;
    let found = queue.get([3, 99, 1, 3, 4, 50, 1, 2, 5], at(10)).await;
    assert_eq!(numbers(&found), [3, 1, 4, 2], "each once; not the unknown, the foreign and the expired one");
    assert_eq!(found[1].claim, Some(claim_id(1)));
    assert_eq!(found[2].claim, None);
    assert_eq!(queue.get([], at(10)).await, []);
    let many = (0..1_000).chain(1..4).rev();
    assert_eq!(numbers(&queue.get(many, at(10)).await), [3, 2, 1, 4]);
}
