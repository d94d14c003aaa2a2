//! Listing: pages, filters, markers, bounds, and when to look again.

use zaqar::model::{Cursor, Position};
use zaqar::storage::{EXAMINED, ListQuery};

use super::fixture::{
    CALLS, Queue, START, at, client, delayed, everything, from, message, numbers, page, request,
};

every_store!(
    a_long_run_of_own_messages_hides_nothing,
    a_marker_outlives_its_message,
    a_message_is_located_where_a_listing_continues,
    a_page_that_ends_the_queue_has_nothing_to_resume,
    claimed_messages_are_listed_on_demand,
    filters_combine,
    new_messages_appear_behind_a_marker,
    next_due_says_when_to_look_again,
    own_messages_are_examined_in_bounded_steps,
    own_messages_are_left_out_on_demand,
    pages_follow_one_another,
    what_comes_later_comes_behind_the_end,
);

async fn pages_follow_one_another(queue: &Queue) {
    queue.post((0..10).map(message), START).await;
    let mut query = ListQuery { limit: 3, ..page() };
    let mut pages = Vec::new();
    for _ in 0..5 {
        let page = queue.listed(&query, at(1)).await;
        query.after = page.last().map_or(query.after, |message| message.cursor);
        pages.push(numbers(&page));
    }
    assert_eq!(pages, [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7, 8], vec![9], vec![]]);
}

async fn what_comes_later_comes_behind_the_end(queue: &Queue) {
    let behind = async |end, now| {
        numbers(&queue.listed(&ListQuery { after: Cursor::After(end), ..page() }, now).await)
    };
    let start = queue.end(START).await;
    assert!(start < Position(START.micros()), "nothing was ever there");
    queue.post([message(1), delayed(2, 10), message(3), delayed(4, 20)], START).await;
    assert_eq!(behind(start, at(1)).await, [1, 3]);
    let end = queue.end(at(1)).await;
    assert_eq!(behind(end, at(1)).await, [0; 0]);
    queue.claim(&request(1, 1), at(1)).await;
    queue.delete(3, None, at(1)).await;
    assert_eq!(queue.end(at(1)).await, end, "whatever becomes of the last one");
    let due = queue.end(at(10)).await;
    assert_eq!(behind(end, at(10)).await, [2], "it took its position when it was due");
    assert_eq!(behind(due, at(10)).await, [0; 0]);
    queue.post([message(5)], at(1)).await;
    assert_eq!(behind(due, at(20)).await, [5, 4], "also where a clock is behind");
}

async fn a_page_that_ends_the_queue_has_nothing_to_resume(queue: &Queue) {
    queue.post((0..3).map(message), START).await;
    for limit in [2, 3, 4] {
        let page = queue.list(&ListQuery { limit, ..page() }, START).await;
        assert_eq!((page.messages.len(), page.resume), (limit.min(3), None), "limit {limit}");
    }
}

async fn own_messages_are_left_out_on_demand(queue: &Queue) {
    queue.post([from(1, "a"), from(2, "b"), from(3, "a"), from(4, "c")], START).await;
    let without = |name| ListQuery { without: Some(client(name)), ..page() };
    assert_eq!(numbers(&queue.listed(&without("a"), START).await), [2, 4]);
    assert_eq!(numbers(&queue.listed(&without("b"), START).await), [1, 3, 4]);
    assert_eq!(numbers(&queue.listed(&without("nobody"), START).await), [1, 2, 3, 4]);
    let two = ListQuery { limit: 1, ..without("a") };
    assert_eq!(numbers(&queue.listed(&two, START).await), [2]);
}

async fn claimed_messages_are_listed_on_demand(queue: &Queue) {
    queue.post((0..6).map(message), START).await;
    queue.claim(&request(1, 2), START).await;
    assert_eq!(queue.ready(at(1)).await, [2, 3, 4, 5]);
    let query = ListQuery { include_claimed: true, ..page() };
    let found = queue.listed(&query, at(1)).await;
    assert_eq!(numbers(&found), [0, 1, 2, 3, 4, 5]);
    assert_eq!(found[1].claim, Some(request(1, 2).id));
    assert_eq!(found[2].claim, None);
    let behind = ListQuery { after: found[0].cursor, limit: 2, ..query };
    assert_eq!(numbers(&queue.listed(&behind, at(1)).await), [1, 2]);
}

async fn filters_combine(queue: &Queue) {
    let later = |n, name| zaqar::model::NewMessage { delay: 50, ..from(n, name) };
    queue.post([from(1, "a"), from(2, "b"), from(3, "a"), from(4, "b")], START).await;
    queue.post([later(5, "a"), later(6, "b")], START).await;
    queue.claim(&request(1, 2), START).await;
    let cases: [(bool, bool, bool, &[u32]); 8] = [
        (false, false, false, &[3, 4]),
        (true, false, false, &[4]),
        (false, true, false, &[1, 2, 3, 4]),
        (true, true, false, &[2, 4]),
        (false, false, true, &[3, 4, 5, 6]),
        (true, false, true, &[4, 6]),
        (false, true, true, &[1, 2, 3, 4, 5, 6]),
        (true, true, true, &[2, 4, 6]),
    ];
    for (mine, include_claimed, include_delayed, expected) in cases {
        let without = mine.then(|| client("a"));
        let query = ListQuery { without, include_claimed, include_delayed, ..page() };
        let mut found = numbers(&queue.listed(&query, at(1)).await);
        // Messages 5 and 6 fall due together: their order is that of their ids.
        found.sort_unstable();
        assert_eq!(found, expected, "{query:?}");
    }
}

async fn new_messages_appear_behind_a_marker(queue: &Queue) {
    queue.post([message(1)], START).await;
    let query = ListQuery { after: queue.one(1, START).await.cursor, ..page() };
    assert_eq!(queue.listed(&query, START).await, []);
    queue.post([message(2)], START).await;
    assert_eq!(numbers(&queue.listed(&query, START).await), [2]);
}

async fn a_marker_outlives_its_message(queue: &Queue) {
    queue.post((1..=3).map(message), START).await;
    let query = ListQuery { after: queue.one(2, START).await.cursor, ..page() };
    queue.delete(2, None, START).await;
    assert_eq!(numbers(&queue.listed(&query, START).await), [3]);
    queue.delete(3, None, START).await;
    assert_eq!(queue.listed(&query, START).await, []);
}

async fn own_messages_are_examined_in_bounded_steps(queue: &Queue) {
    // No store may know at a glance whose they are: there were others' between them.
    queue.post((0..5_000).map(|n| from(n, if n % 2 == 0 { "a" } else { "b" })), START).await;
    queue.post([from(5_000, "b")], START).await;
    queue.delete_many((0..5_000).filter(|n| n % 2 == 1), None, START).await.unwrap();
    let (found, calls) = without_own(queue).await;
    assert_eq!(found, [5_000]);
    assert!(calls >= 3, "2,501 messages in {calls} calls");
}

async fn a_long_run_of_own_messages_hides_nothing(queue: &Queue) {
    queue.post([from(0, "b")], START).await;
    queue.post((1..2_500).map(|n| from(n, "a")), START).await;
    queue.post([from(2_500, "b"), from(2_501, "a"), from(2_502, "c")], START).await;
    queue.post((2_503..5_000).map(|n| from(n, "a")), START).await;
    queue.claim(&request(1, 2), START).await;
    assert_eq!(without_own(queue).await.0, [2_500, 2_502]);
    queue.release(1, START).await;
    assert_eq!(without_own(queue).await.0, [0, 2_500, 2_502]);
    queue.post([from(5_000, "b")], START).await;
    assert_eq!(without_own(queue).await.0, [0, 2_500, 2_502, 5_000]);
}

/// The messages of others than client `a`, and in how many calls they were found.
async fn without_own(queue: &Queue) -> (Vec<u32>, usize) {
    let all = queue.listed(&ListQuery { limit: 100_000, ..page() }, START).await;
    let mut query = ListQuery { without: Some(client("a")), ..page() };
    let mut found = Vec::new();
    for calls in 1..CALLS {
        let page = queue.list(&query, START).await;
        found.extend(numbers(&page.messages));
        let Some(cursor) = page.resume else { return (found, calls) };
        assert!(cursor > query.after, "each call gets further");
        let seen = all.iter().filter(|message| message.cursor > query.after && message.cursor <= cursor);
        let own = seen.filter(|message| message.client == client("a")).count();
        assert!(own <= EXAMINED, "a call examines a bounded number, not {own}");
        query.after = cursor;
    }
    panic!("the listing does not end");
}

async fn a_message_is_located_where_a_listing_continues(queue: &Queue) {
    queue.post([message(1), message(2), message(3), delayed(4, 50), delayed(5, 90)], START).await;
    queue.claim(&request(1, 1), START).await;
    let behind = async |n| {
        let after = queue.locate(n, at(1)).await.expect("it is there");
        numbers(&queue.listed(&ListQuery { after, ..everything() }, at(1)).await)
    };
    assert_eq!(behind(1).await, [2, 3, 4, 5]);
    assert_eq!(behind(2).await, [3, 4, 5]);
    assert_eq!(behind(4).await, [5]);
    assert_eq!(behind(5).await, [0; 0]);
    assert_eq!(queue.locate(9, at(1)).await, None);
    queue.delete(2, None, at(1)).await;
    assert_eq!(queue.locate(2, at(1)).await, None);
    for message in queue.listed(&everything(), at(2)).await {
        let located = queue.data().locate(&queue.name, message.id, at(2)).await.unwrap();
        assert_eq!(located, Some(message.cursor));
    }
    assert!(matches!(queue.locate(4, at(2)).await, Some(Cursor::AfterDelayed(..))));
    assert!(matches!(queue.locate(4, at(50)).await, Some(Cursor::After(_))), "its time has come");
    assert_eq!(queue.locate(3, at(3600)).await, None, "expired");
}

async fn next_due_says_when_to_look_again(queue: &Queue) {
    assert_eq!(queue.list(&page(), START).await.next_due, None, "an empty queue");
    queue.post([delayed(1, 100), delayed(2, 200)], START).await;
    assert_eq!(queue.list(&page(), START).await.next_due, Some(at(100)), "a delay");
    queue.post([message(3)], START).await;
    assert_eq!(queue.list(&page(), START).await.next_due, None, "something is there");
    let claimed = queue.claim(&request(1, 1), START).await;
    assert_eq!(claimed.next_due, None, "something was claimed");
    assert_eq!(queue.list(&page(), START).await.next_due, Some(at(60)), "a claim");
    assert_eq!(queue.pop(1, START).await.next_due, Some(at(60)));
    assert_eq!(queue.claim(&request(2, 1), START).await.next_due, Some(at(60)));
    queue.release(1, START).await;
    queue.delete(3, None, START).await;
    assert_eq!(queue.list(&page(), START).await.next_due, Some(at(100)), "the claim is gone");
}
