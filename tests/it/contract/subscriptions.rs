//! Subscriptions: one a subscriber, listed by id, alive until their end.

pub(crate) mod many;

use zaqar::clock::Timestamp;
use zaqar::model::{Metadata, Subscription, SubscriptionId};
use zaqar::storage::Error;

use super::fixture::{CALLS, Queue, START, at, just_before, subscription, subscription_id};

every_store!(
    a_drop_takes_the_subscriptions,
    a_subscriber_has_one_subscription,
    any_text_is_kept,
    ended_ones_make_room,
    extending_only_lengthens,
    of_another_epoch_nothing_is_known,
    of_many_at_once_one_wins,
    pages_go_on_behind_an_id,
    queues_do_not_share_subscriptions,
    the_sweep_frees_what_has_ended,
    they_end_at_their_time,
    what_was_stored_is_read,
);

impl Queue {
    async fn subscribe(&self, new: &Subscription, now: Timestamp) -> bool {
        self.data().subscribe(&self.name, new, now).await.unwrap()
    }

    /// The numbers of all live subscriptions, read in pages of that size.
    async fn subscribed(&self, limit: usize, now: Timestamp) -> Vec<SubscriptionId> {
        let mut found: Vec<SubscriptionId> = Vec::new();
        for _ in 0..CALLS {
            let after = found.last().copied();
            let page = self.data().subscriptions(&self.name, after, limit, now).await.unwrap();
            assert!(page.len() <= limit);
            found.extend(page.iter().map(|one| one.id));
            if page.len() < limit {
                return found;
            }
        }
        panic!("the listing does not end");
    }

    async fn extend(&self, numbers: &[u32], until: Timestamp, now: Timestamp) -> Vec<SubscriptionId> {
        self.data().extend(&self.name, &subscription_ids(numbers), until, now).await.unwrap()
    }

    async fn subscription(&self, n: u32, now: Timestamp) -> Option<Subscription> {
        self.data().subscription(&self.name, subscription_id(n), now).await.unwrap()
    }
}

fn subscription_ids(numbers: &[u32]) -> Vec<SubscriptionId> {
    numbers.iter().copied().map(subscription_id).collect()
}

/// Subscription `n` of a subscriber of its own, until `at(60)`.
fn plain(n: u32) -> Subscription {
    subscription(n, &format!("websocket:{n}"), at(60))
}

async fn what_was_stored_is_read(queue: &Queue) {
    let options = r#"{"b": {"_x": [1.5, null, "\u0000ü"]}, "a": 9223372036854775807}"#;
    let odd = Subscription {
        options: Subscription::options_of(options.as_bytes()).unwrap(),
        confirmed: true,
        ttl: 220_367_260_800,
        created: Timestamp::from_micros(START.micros() - 5_000_001),
        ..subscription(7, "http://example.org/ü?x=%00&y", START.plus_seconds(220_367_260_800))
    };
    let bare = Subscription { options: Metadata::new(), ..plain(3) };
    for new in [&odd, &bare] {
        assert!(queue.subscribe(new, START).await);
        let found = queue.data().subscriptions(&queue.name, None, 5, START).await.unwrap();
        assert!(found.contains(new), "{found:?}");
    }
    assert_eq!(queue.subscription(7, at(59)).await, Some(odd));
    assert_eq!(queue.subscription(8, START).await, None);
    let found = queue.data().subscribed(&queue.name, "websocket:3", START).await.unwrap();
    assert_eq!(found, Some(subscription_id(3)));
    assert_eq!(queue.data().subscribed(&queue.name, "websocket:4", START).await.unwrap(), None);
}

async fn a_subscriber_has_one_subscription(queue: &Queue) {
    assert!(queue.subscribe(&plain(1), START).await);
    let rival = subscription(2, "websocket:1", at(600));
    assert!(!queue.subscribe(&rival, at(1)).await);
    assert!(!queue.subscribe(&subscription(1, "websocket:other", at(600)), at(1)).await, "its id is taken");
    assert_eq!(queue.subscription(1, at(1)).await, Some(plain(1)));
    assert_eq!(queue.subscribed(9, at(1)).await, subscription_ids(&[1]));
    // Text is compared byte for byte.
    for (n, subscriber) in [(3, "Websocket:1"), (4, "websocket:1 "), (5, "websocket:1\0"), (6, "")] {
        assert!(queue.subscribe(&subscription(n, subscriber, at(60)), START).await, "{subscriber:?}");
    }
    queue.data().unsubscribe(&queue.name, subscription_id(1), false, START).await.unwrap();
    queue.data().unsubscribe(&queue.name, subscription_id(1), false, START).await.unwrap();
    assert!(queue.subscribe(&rival, at(1)).await);
    assert_eq!(queue.subscribed(9, at(1)).await, subscription_ids(&[2, 3, 4, 5, 6]));
}

async fn any_text_is_kept(queue: &Queue) {
    let long = "ü".repeat(100_000);
    for (n, subscriber) in
        (0..).zip([long.as_str(), "*", "a{b}c", "'; DROP TABLE queues; --", "\u{10ffff}\n"])
    {
        let options = Metadata::from_iter([(subscriber.to_owned(), subscriber.into())]);
        let new = Subscription { options, ..subscription(n, subscriber, at(60)) };
        assert!(queue.subscribe(&new, START).await);
        assert!(!queue.subscribe(&Subscription { id: subscription_id(99), ..new.clone() }, START).await);
        assert_eq!(queue.subscription(n, START).await.as_ref(), Some(&new));
        let found = queue.data().subscribed(&queue.name, subscriber, START).await.unwrap();
        assert_eq!(found, Some(new.id));
    }
}

async fn they_end_at_their_time(queue: &Queue) {
    assert!(queue.subscribe(&plain(1), START).await);
    let last = just_before(at(60));
    assert_eq!(queue.subscription(1, last).await, Some(plain(1)));
    assert_eq!(queue.subscribed(9, last).await.len(), 1);
    assert_eq!(queue.data().subscribed(&queue.name, "websocket:1", last).await.unwrap(), Some(plain(1).id));
    assert_eq!(queue.subscription(1, at(60)).await, None);
    assert_eq!(queue.data().subscribed(&queue.name, "websocket:1", at(60)).await.unwrap(), None);
    assert_eq!(queue.subscribed(9, at(60)).await, []);
    assert_eq!(queue.extend(&[1], at(90), at(60)).await, subscription_ids(&[1]));
}

async fn ended_ones_make_room(queue: &Queue) {
    assert!(queue.subscribe(&plain(1), START).await);
    assert!(queue.subscribe(&plain(2), START).await);
    // One takes the subscriber of the one and the id of the other.
    let next = subscription(1, "websocket:2", at(120));
    assert!(queue.subscribe(&next, at(60)).await);
    assert_eq!(queue.subscription(1, at(60)).await, Some(next));
    assert_eq!(queue.subscribed(9, at(60)).await, subscription_ids(&[1]));
    assert!(queue.subscribe(&subscription(3, "websocket:1", at(120)), at(60)).await);
}

async fn pages_go_on_behind_an_id(queue: &Queue) {
    for n in [5, 1, 9, 3, 7] {
        assert!(queue.subscribe(&plain(n), START).await);
    }
    let page = async |after: Option<u32>, limit| {
        let after = after.map(subscription_id);
        let page = queue.data().subscriptions(&queue.name, after, limit, START).await.unwrap();
        page.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 2).await, subscription_ids(&[1, 3]));
    assert_eq!(page(Some(3), 2).await, subscription_ids(&[5, 7]));
    assert_eq!(page(Some(4), 9).await, subscription_ids(&[5, 7, 9]), "behind one that is not there");
    assert_eq!(page(Some(9), 9).await, []);
    assert_eq!(page(None, 0).await, []);
}

async fn extending_only_lengthens(queue: &Queue) {
    for n in 1..=3 {
        assert!(queue.subscribe(&plain(n), START).await);
    }
    assert_eq!(queue.extend(&[4, 1, 5, 2], at(90), at(30)).await, subscription_ids(&[4, 5]));
    assert_eq!(queue.extend(&[1], at(40), at(31)).await, []);
    assert_eq!(queue.extend(&[], at(90), at(31)).await, []);
    assert_eq!(queue.subscribed(9, at(60)).await, subscription_ids(&[1, 2]));
    let extended = Subscription { expires: at(90), ..plain(1) };
    assert_eq!(queue.subscription(1, just_before(at(90))).await, Some(extended));
    assert_eq!(queue.subscribed(9, at(90)).await, []);
}

async fn the_sweep_frees_what_has_ended(queue: &Queue) {
    for n in 0..40 {
        let expires = if n % 4 == 0 { at(600) } else { at(60) };
        assert!(queue.subscribe(&Subscription { expires, ..plain(n) }, START).await);
    }
    let first = queue.data().sweep(at(60), 7).await.unwrap();
    assert!(first.more, "{first:?}");
    assert_eq!(first.messages, 0, "{first:?}");
    queue.sweep(at(60)).await;
    // Told an earlier time, a store shows what it still has.
    assert_eq!(queue.subscribed(50, START).await.len(), 10);
    queue.sweep(at(600)).await;
    assert_eq!(queue.subscribed(50, START).await, []);
}

async fn a_drop_takes_the_subscriptions(queue: &Queue) {
    assert!(queue.subscribe(&plain(1), START).await);
    queue.data().drop_queue(&queue.name).await.unwrap();
    let next = queue.other("p", "q", 8).await;
    assert_eq!(next.subscribed(9, START).await, []);
    assert!(next.subscribe(&plain(1), START).await);
    // So does a new life that nobody dropped the old one for.
    let next = queue.other("p", "q", 9).await;
    assert_eq!(next.subscribed(9, START).await, []);
    assert!(next.subscribe(&plain(1), START).await);
}

async fn of_another_epoch_nothing_is_known(queue: &Queue) {
    let old = queue.name.clone();
    queue.other("p", "q", 8).await;
    let data = queue.data();
    let gone = |failed: Option<Error>| assert!(matches!(failed, Some(Error::Gone)), "{failed:?}");
    gone(data.subscribe(&old, &plain(1), START).await.err());
    gone(data.subscriptions(&old, None, 1, START).await.err());
    gone(data.subscription(&old, subscription_id(1), START).await.err());
    gone(data.subscribed(&old, "x", START).await.err());
    gone(data.unsubscribe(&old, subscription_id(1), false, START).await.err());
    gone(data.extend(&old, &subscription_ids(&[1]), at(9), START).await.err());
    gone(data.purge_subscriptions(&old, START).await.err());
}

async fn queues_do_not_share_subscriptions(queue: &Queue) {
    let other = queue.other("p", "q2", 7).await;
    let stranger = queue.other("p2", "q", 7).await;
    for queue in [queue, &other, &stranger] {
        assert!(queue.subscribe(&plain(1), START).await);
    }
    queue.data().unsubscribe(&queue.name, subscription_id(1), false, START).await.unwrap();
    assert_eq!(queue.subscribed(9, START).await, []);
    assert_eq!(other.subscribed(9, START).await.len(), 1);
    assert_eq!(stranger.subscribed(9, START).await.len(), 1);
}

async fn of_many_at_once_one_wins(queue: &Queue) {
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..16 {
        let queue = queue.clone();
        calls.spawn(async move { queue.subscribe(&subscription(n, "the same", at(60)), START).await });
    }
    let stored = calls.join_all().await;
    assert_eq!(stored.iter().filter(|stored| **stored).count(), 1);
    assert_eq!(queue.subscribed(9, START).await.len(), 1);
}
