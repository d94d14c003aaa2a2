//! The numbers of a queue and of a store.

use zaqar::model::MessageId;
use zaqar::storage::Stats;

use super::fixture::{Queue, START, at, delayed, id, message, request, short};

every_store!(
    an_empty_queue_has_no_ends,
    numbers_are_those_of_the_moment,
    oldest_and_newest_go_by_position_and_delayed_ones_come_last,
    the_volume_of_a_store_is_that_of_its_queues,
);

async fn an_empty_queue_has_no_ends(queue: &Queue) {
    assert_eq!(queue.stats(START).await, Stats::default());
    queue.post([short(1, 10)], START).await;
    assert_eq!(queue.stats(at(10)).await, Stats::default(), "expired, swept or not");
    queue.sweep(at(10)).await;
    assert_eq!(queue.stats(at(10)).await, Stats::default());
}

async fn numbers_are_those_of_the_moment(queue: &Queue) {
    queue.post((0..6).map(message), START).await;
    queue.post([delayed(6, 30), short(7, 20), short(8, 20)], START).await;
    assert_eq!(queue.counts(START).await, (9, 0));
    queue.claim(&request(1, 4), at(1)).await;
    assert_eq!(queue.counts(at(1)).await, (5, 4));
    assert_eq!(queue.counts(at(20)).await, (3, 4), "two have expired");
    assert_eq!(queue.counts(at(30)).await, (3, 4), "one became ready");
    assert_eq!(queue.counts(at(60)).await, (3, 4));
    assert_eq!(queue.counts(at(61)).await, (7, 0), "the claim has ended");
    queue.claim(&request(2, 2), at(61)).await;
    queue.delete(0, Some(2), at(61)).await;
    assert_eq!(queue.counts(at(61)).await, (5, 1));
    queue.release(2, at(61)).await;
    assert_eq!(queue.counts(at(61)).await, (6, 0));
    assert_eq!(queue.counts(at(3600)).await, (0, 0));
}

async fn oldest_and_newest_go_by_position_and_delayed_ones_come_last(queue: &Queue) {
    let ends = async |now| {
        let stats = queue.stats(now).await;
        (stats.oldest, stats.newest)
    };
    let end = |n, posted| -> Option<(MessageId, _)> { Some((id(n), at(posted))) };
    queue.post([delayed(9, 100)], at(0)).await;
    assert_eq!(ends(at(0)).await, (end(9, 0), end(9, 0)));
    queue.post([short(5, 50), message(2)], at(1)).await;
    assert_eq!(ends(at(1)).await, (end(5, 1), end(9, 0)));
    queue.post([message(7), delayed(1, 10)], at(2)).await;
    assert_eq!(ends(at(2)).await, (end(5, 1), end(9, 0)));
    queue.claim(&request(1, 1), at(2)).await;
    assert_eq!(ends(at(2)).await, (end(5, 1), end(9, 0)), "claimed or not");
    queue.release(1, at(3)).await;
    queue.delete(9, None, at(3)).await;
    assert_eq!(ends(at(3)).await, (end(5, 1), end(1, 2)));
    queue.post([message(3)], at(20)).await;
    assert_eq!(ends(at(20)).await, (end(5, 1), end(3, 20)), "message 1 became ready before 3 came");
    queue.delete(5, None, at(51)).await;
    assert_eq!(ends(at(51)).await, (end(2, 1), end(3, 20)));
}

async fn the_volume_of_a_store_is_that_of_its_queues(queue: &Queue) {
    assert_eq!(queue.data().volume().await.unwrap(), (0, 0));
    let other = queue.other("elsewhere", "q", 1).await;
    queue.post([message(1), message(2), delayed(3, 60)], START).await;
    other.post((4..8).map(|n| short(n, 100)), START).await;
    queue.claim(&request(1, 1), START).await;
    other.claim(&request(2, 3), START).await;
    assert_eq!(queue.data().volume().await.unwrap(), (3, 4));
    queue.sweep(at(100)).await;
    assert_eq!(queue.data().volume().await.unwrap(), (3, 0));
    queue.data().drop_queue(&queue.name).await.unwrap();
    assert_eq!(queue.data().volume().await.unwrap(), (0, 0));
}
