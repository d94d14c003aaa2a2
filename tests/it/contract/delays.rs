//! Delayed messages: hidden until due, then in due order at the end of the queue.

use zaqar::model::Cursor;
use zaqar::storage::ListQuery;

use super::fixture::{
    Queue, START, at, delayed, everything, id, just_before, message, number, numbers, page, request,
};

every_store!(
    a_delayed_message_is_hidden_until_its_microsecond,
    a_marker_behind_a_delayed_message_skips_nothing_once_it_is_due,
    a_message_that_expires_before_it_is_due_never_appears,
    a_reader_who_follows_markers_meets_each_message_when_it_is_due,
    delayed_messages_follow_the_ready_ones_on_demand,
    due_messages_come_between_earlier_and_later_posts,
    messages_due_together_are_ordered_by_id,
);

async fn a_delayed_message_is_hidden_until_its_microsecond(queue: &Queue) {
    queue.post([delayed(1, 100)], START).await;
    let now = just_before(at(100));
    assert_eq!(queue.ready(now).await, [0; 0]);
    assert_eq!(queue.pop(1, now).await.messages, []);
    assert_eq!(queue.claim(&request(1, 1), now).await.messages, []);
    assert_eq!(numbers(&queue.get([1], now).await), [1], "readable by its id");
    assert_eq!(queue.counts(now).await, (1, 0));
    assert_eq!(queue.ready(at(100)).await, [1]);
    assert_eq!(numbers(&queue.claim(&request(1, 1), at(100)).await.messages), [1]);
}

async fn due_messages_come_between_earlier_and_later_posts(queue: &Queue) {
    queue.post([delayed(1, 30), delayed(2, 10), delayed(3, 20), message(4)], at(0)).await;
    queue.post([message(5)], at(5)).await;
    queue.post([message(6)], at(15)).await;
    queue.post([message(7)], at(30)).await;
    assert_eq!(queue.ready(at(31)).await, [4, 5, 2, 6, 3, 1, 7]);
}

async fn messages_due_together_are_ordered_by_id(queue: &Queue) {
    queue.post((1..=20).map(|n| delayed(n, 10)), START).await;
    let mut expected: Vec<_> = (1..=20).map(id).collect();
    expected.sort_unstable();
    let expected: Vec<u32> = expected.into_iter().map(number).collect();
    assert_eq!(queue.all(at(9)).await, expected);
    assert_eq!(queue.ready(at(10)).await, expected);
}

async fn delayed_messages_follow_the_ready_ones_on_demand(queue: &Queue) {
    queue.post([delayed(1, 30), message(2), delayed(3, 10), message(4), delayed(5, 20)], START).await;
    assert_eq!(queue.all(at(1)).await, [2, 4, 3, 5, 1]);
    let mut query = ListQuery { limit: 2, include_delayed: true, ..page() };
    let mut pages = Vec::new();
    while let Some(last) = queue.listed(&query, at(1)).await.last() {
        pages.push(numbers(&queue.listed(&query, at(1)).await));
        query.after = last.cursor;
        assert!(pages.len() < 9, "{pages:?}");
    }
    assert_eq!(pages, [vec![2, 4], vec![3, 5], vec![1]]);
    // Those already due are ready ones.
    assert_eq!(queue.all(at(20)).await, [2, 4, 3, 5, 1]);
    assert!(matches!(queue.one(1, at(20)).await.cursor, Cursor::AfterDelayed(..)));
    let ready = ListQuery { include_delayed: false, ..everything() };
    assert_eq!(numbers(&queue.listed(&ready, at(20)).await), [2, 4, 3, 5]);
}

async fn a_reader_who_follows_markers_meets_each_message_when_it_is_due(queue: &Queue) {
    let mut query = page();
    let mut met = Vec::new();
    for second in 0..40 {
        let n = u32::try_from(second).unwrap();
        queue.post([message(n), delayed(100 + n, 7 + second % 5)], at(second)).await;
        let found = queue.listed(&query, at(second)).await;
        query.after = found.last().map_or(query.after, |message| message.cursor);
        met.extend(numbers(&found));
    }
    met.extend(numbers(&queue.listed(&ListQuery { limit: 1_000, ..query }, at(60)).await));
    met.sort_unstable();
    assert_eq!(met, (0..40).chain(100..140).collect::<Vec<_>>());
}

async fn a_marker_behind_a_delayed_message_skips_nothing_once_it_is_due(queue: &Queue) {
    queue.post([delayed(1, 10), delayed(2, 20), delayed(3, 30)], START).await;
    let after = queue.locate(1, START).await.expect("it is there");
    let query = ListQuery { after, ..everything() };
    assert_eq!(numbers(&queue.listed(&query, at(5)).await), [2, 3]);
    queue.post([message(4)], at(15)).await;
    let mut found = numbers(&queue.listed(&query, at(25)).await);
    found.retain(|n| *n != 1);
    assert_eq!(found, [4, 2, 3]);
}

async fn a_message_that_expires_before_it_is_due_never_appears(queue: &Queue) {
    let both = zaqar::model::NewMessage { ttl: 60, ..delayed(1, 60) };
    queue.post([both], START).await;
    assert_eq!(queue.all(at(59)).await, [1]);
    assert_eq!(queue.all(at(60)).await, [0; 0]);
    assert_eq!(queue.pop(1, at(61)).await.messages, []);
    assert_eq!(queue.counts(at(60)).await, (0, 0));
}
