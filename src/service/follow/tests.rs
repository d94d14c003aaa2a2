//! Followers over a store in memory: order, starts, lags, lives of a queue, failures.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::*;
use crate::clock::{Clock, Timestamp};
use crate::model::json::Posted;
use crate::model::{ClientId, Metadata};
use crate::service::vault::Vault;
use crate::service::{ClaimRequested, Settings};
use crate::storage::Stores;
use crate::storage::memory::{MemoryManagement, MemoryStore};

const NOW: Timestamp = Timestamp::from_micros(1_795_190_691_123_457);

/// A service in memory, with a queue's name and a caller who may do anything.
struct Room {
    service: Service,
    clock: Clock,
    name: QueueName,
    context: Context,
}

impl Room {
    fn new() -> Self {
        Self::at(Clock::manual(NOW))
    }

    fn at(clock: Clock) -> Self {
        let stores =
            Stores { management: Arc::new(MemoryManagement::new()), data: Arc::new(MemoryStore::new()) };
        Self::on(stores, clock)
    }

    fn on(stores: Stores, clock: Clock) -> Self {
        let vault = Vault::new(Some(&"own".into()), &[], "AES256");
        let service = Service::new(Settings::default(), stores, clock.clone(), vault, TaskTracker::new());
        let context = Context::internal(ProjectId::new("p"), ClientId::new("c"));
        Self { service, clock, name: QueueName::parse("q").unwrap(), context }
    }

    async fn post(&self, numbers: impl IntoIterator<Item = u32>) {
        self.post_delayed(numbers, None).await;
    }

    async fn post_delayed(&self, numbers: impl IntoIterator<Item = u32>, delay: Option<i64>) {
        let posted = |number: u32| Posted { body: Bytes::from(number.to_string()), ttl: None, delay };
        let posted: Vec<_> = numbers.into_iter().map(posted).collect();
        self.service.post(&self.context, &self.name, &posted).await.unwrap();
    }

    async fn create(&self, metadata: &str) {
        let metadata: Metadata = serde_json::from_str(metadata).unwrap();
        self.service.create_queue(&self.context, &self.name, &metadata).await.unwrap();
    }

    async fn delete(&self) {
        self.service.delete_queue(&self.context, &self.name).await.unwrap();
    }

    async fn follow(&self, start: Start) -> Follower {
        self.service.follow(&self.context, &self.name, start).await.unwrap()
    }

    /// How many pumps there are that somebody holds.
    fn pumps(&self) -> usize {
        self.service.inner.pumps.count()
    }
}

/// The next `count` messages of a follower, by their numbers.
async fn numbers(follower: &mut Follower, count: usize) -> Vec<u32> {
    let read = async {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            let batch = follower.next().await.unwrap();
            assert!(!batch.is_empty());
            numbers.extend(batch.iter().map(|followed| number(&followed.message.body)));
        }
        numbers
    };
    timeout(Duration::from_secs(20), read).await.expect("the messages come")
}

fn number(body: &[u8]) -> u32 {
    std::str::from_utf8(body).unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_comes_is_given_in_order_to_everybody() {
    let room = Room::new();
    room.post([1, 2]).await;
    let (mut now, mut head) = (room.follow(Start::Now).await, room.follow(Start::Head).await);
    for n in 3..300 {
        room.post([n]).await;
    }
    assert_eq!(numbers(&mut now, 297).await, (3..300).collect::<Vec<_>>());
    assert_eq!(numbers(&mut head, 299).await, (1..300).collect::<Vec<_>>());
    assert_eq!(room.pumps(), 1);
}

#[tokio::test]
async fn a_queue_may_be_created_deleted_and_created_again() {
    let room = Room::new();
    let (mut now, mut head) = (room.follow(Start::Now).await, room.follow(Start::Head).await);
    for n in 1..5 {
        room.post([2 * n, 2 * n + 1]).await;
        assert_eq!(numbers(&mut now, 2).await, [2 * n, 2 * n + 1]);
        assert_eq!(numbers(&mut head, 2).await, [2 * n, 2 * n + 1]);
        let marker = now.marker();
        room.delete().await;
        room.clock.advance(Duration::from_secs(1));
        let mut behind = room.follow(Start::Behind(marker)).await;
        room.post([0]).await;
        for follower in [&mut behind, &mut now, &mut head] {
            assert_eq!(numbers(follower, 1).await, [0], "the new one is begun at its head");
        }
    }
}

#[tokio::test]
async fn followers_begin_anew_where_a_clock_that_is_behind_created_the_queue_anew() {
    let room = Room::new();
    let behind = Clock::manual(Timestamp::from_micros(NOW.micros() - 10_000_000));
    let other = Room::on(room.service.inner.stores.clone(), behind);
    room.post([1]).await;
    let mut follower = room.follow(Start::Head).await;
    assert_eq!(numbers(&mut follower, 1).await, [1]);
    other.delete().await;
    other.post([2]).await;
    // As the feed of changes says it.
    room.service.inner.registry.doubt(&room.context.project, &room.name);
    let ended = timeout(Duration::from_secs(20), follower.next()).await.expect("it is told");
    assert!(ended.is_err());
    let mut again = room.follow(Start::Behind(follower.marker())).await;
    assert_eq!(numbers(&mut again, 1).await, [2]);
    room.post([3]).await;
    assert_eq!(numbers(&mut again, 1).await, [3]);
}

#[tokio::test]
async fn every_marker_resumes_behind_itself() {
    let room = Room::new();
    let mut first = room.follow(Start::Now).await;
    room.post(1..=250).await;
    let mut markers = vec![first.marker()];
    while markers.len() < 251 {
        markers.extend(first.next().await.unwrap().iter().map(|followed| followed.marker.clone()));
    }
    assert_eq!(markers.last(), Some(&first.marker()));
    for (seen, marker) in markers.iter().enumerate().take(250).step_by(50) {
        let mut again = room.follow(Start::Behind(marker.clone())).await;
        let seen = u32::try_from(seen).unwrap();
        assert_eq!(numbers(&mut again, 250 - seen as usize).await, (seen + 1..=250).collect::<Vec<_>>());
    }
    room.service.pop(&room.context, &room.name, 250, Duration::ZERO).await.unwrap();
    let mut again = room.follow(Start::Behind(markers.swap_remove(7))).await;
    room.post([251]).await;
    assert_eq!(numbers(&mut again, 1).await, [251], "what is gone is not waited for");
}

#[tokio::test]
async fn the_id_of_a_message_is_a_marker_though_it_is_gone() {
    let room = Room::new();
    room.post([1]).await;
    room.clock.advance(Duration::from_secs(1));
    room.post([2]).await;
    let mut follower = room.follow(Start::Head).await;
    let id = follower.next().await.unwrap()[0].message.id.to_string();
    let mut behind = room.follow(Start::Behind(id.clone())).await;
    assert_eq!(numbers(&mut behind, 1).await, [2]);
    room.service.delete_message(&room.context, &room.name, &id, None).await.unwrap();
    let mut behind = room.follow(Start::Behind(id)).await;
    assert_eq!(numbers(&mut behind, 1).await, [2]);
}

#[tokio::test]
async fn a_foreign_marker_is_refused_whether_the_queue_is_there_or_not() {
    let room = Room::new();
    let other = QueueName::parse("other").unwrap();
    let marker = room.service.follow(&room.context, &other, Start::Now).await.unwrap().marker();
    for _ in 0..2 {
        for marker in [marker.as_str(), "", "junk"] {
            let answer = room.service.follow(&room.context, &room.name, Start::Behind(marker.into())).await;
            assert_eq!(answer.err().map(|error| error.status().as_u16()), Some(400), "{marker}");
        }
        room.post([1]).await;
    }
}

#[tokio::test]
async fn a_follower_that_fell_behind_reads_for_itself_and_misses_nothing() {
    let room = Room::new();
    let (mut slow, mut fast) = (room.follow(Start::Now).await, room.follow(Start::Now).await);
    for n in 0..1_000 {
        room.post([n]).await;
        assert_eq!(numbers(&mut fast, 1).await, [n]);
    }
    assert_eq!(numbers(&mut slow, 1_000).await, (0..1_000).collect::<Vec<_>>());
    room.post([7]).await;
    assert_eq!((numbers(&mut slow, 1).await, numbers(&mut fast, 1).await), (vec![7], vec![7]));
    assert!(slow.pages.is_none(), "and is with the others again");
}

#[tokio::test]
async fn claimed_messages_are_given_and_expired_ones_are_not() {
    let room = Room::new();
    room.post([1, 2, 3]).await;
    let asked = ClaimRequested { limit: Some(2), ..ClaimRequested::default() };
    let claim = room.service.claim(&room.context, &room.name, asked).await.unwrap().unwrap();
    let mut follower = room.follow(Start::Head).await;
    let batch = follower.next().await.unwrap();
    assert_eq!(
        batch.iter().map(|followed| followed.message.claim.is_some()).collect::<Vec<_>>(),
        [true, true, false]
    );
    room.service.release(&room.context, &room.name, &claim.id.to_string()).await.unwrap();
    let mut late = room.follow(Start::Head).await;
    room.clock.advance(Duration::from_hours(1));
    room.post([4]).await;
    assert_eq!(numbers(&mut late, 1).await, [4]);
    assert_eq!(numbers(&mut follower, 1).await, [4], "and what was released does not come again");
}

#[tokio::test]
async fn a_delayed_message_is_given_when_it_is_due() {
    let room = Room::at(Clock::system());
    room.create(r#"{"_default_message_delay": 9}"#).await;
    let mut follower = room.follow(Start::Now).await;
    let posted = room.clock.now();
    room.post_delayed([2], Some(2)).await;
    room.post_delayed([1], Some(1)).await;
    room.post_delayed([3, 4], Some(0)).await;
    assert_eq!(numbers(&mut follower, 2).await, [3, 4]);
    for (due, seconds) in [(1, 1), (2, 2)] {
        assert_eq!(numbers(&mut follower, 1).await, [due]);
        let late = posted.plus_seconds(seconds).until(room.clock.now());
        assert!(
            room.clock.now() >= posted.plus_seconds(seconds) && late < Duration::from_millis(500),
            "{late:?}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_opened_is_left_out_and_does_not_end_the_stream() {
    let room = Room::new();
    room.create(r#"{"_enable_encrypt_messages": true}"#).await;
    let mut follower = room.follow(Start::Now).await;
    room.post([1]).await;
    let found = numbers(&mut follower, 1).await;
    assert_eq!(found, [1], "in clear");
    let known = room.service.known(&room.context.project, &room.name).await.unwrap().unwrap();
    let spoilt = crate::model::NewMessage {
        id: crate::model::MessageId::new(NOW),
        ttl: 60,
        delay: 0,
        client: room.context.client.clone(),
        checksum: None,
        body: Bytes::from_static(&[1; 60]),
    };
    let data = room.service.data(&known).await.unwrap();
    data.post(known.queue(), vec![spoilt], NOW).await.unwrap();
    room.post([2]).await;
    assert_eq!(numbers(&mut follower, 1).await, [2]);
}

#[tokio::test]
async fn a_pump_ends_with_its_last_follower_and_another_one_begins() {
    let room = Room::new();
    for n in 0..20 {
        let (mut one, two) = (room.follow(Start::Now).await, room.follow(Start::Now).await);
        room.post([n]).await;
        drop(two);
        assert_eq!(numbers(&mut one, 1).await, [n]);
    }
    let ended = async {
        while room.pumps() > 0 {
            tokio::task::yield_now().await;
        }
        room.service.inner.tasks.close();
        room.service.inner.tasks.wait().await;
    };
    timeout(Duration::from_secs(20), ended).await.expect("nothing is left running");
}

#[tokio::test]
async fn a_message_is_encoded_once_for_all() {
    let room = Room::new();
    let (mut one, mut two) = (room.follow(Start::Now).await, room.follow(Start::Now).await);
    room.post([1]).await;
    let (first, second) = (one.next().await.unwrap(), two.next().await.unwrap());
    let made = first[0].frame(FrameShape::Json, |followed| followed.message.body.clone());
    let kept = second[0].frame(FrameShape::Json, |_| panic!("it is made already"));
    assert_eq!((made, kept), (Bytes::from("1"), Bytes::from("1")));
    assert_eq!(second[0].frame(FrameShape::Event, |_| Bytes::from("other")), "other");
}

#[tokio::test]
async fn whoever_was_granted_something_else_does_not_follow() {
    let room = Room::new();
    let mut context = Context::new(Arc::default(), ProjectId::new("p"), ClientId::new("c"));
    assert!(room.service.follow(&context, &room.name, Start::Now).await.is_err());
    room.service.authorise(&mut context, Rule::MessagesGetAll, Some(&room.name)).unwrap();
    assert!(room.service.follow(&context, &room.name, Start::Now).await.is_ok());
}

/// One message to many: one read, and all have it soon.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_followers_have_a_message_at_once() {
    const FOLLOWERS: usize = 10_000;
    let room = Room::new();
    let (tasks, came) = (TaskTracker::new(), Arc::new(tokio::sync::Semaphore::new(0)));
    let mut waiting = room.follow(Start::Now).await;
    let size = size_of::<Follower>() + size_of_val(&waiting.next());
    assert!(size < 1_024, "{size} bytes for one who waits");
    drop(waiting);
    for _ in 0..FOLLOWERS {
        let (mut follower, came) = (room.follow(Start::Now).await, came.clone());
        tasks.spawn(async move {
            for n in 0..3 {
                assert_eq!(numbers(&mut follower, 1).await, [n]);
                assert!(follower.pages.is_none(), "nobody reads for itself");
                came.add_permits(1);
            }
        });
    }
    for n in 0..3 {
        let posted = Instant::now();
        room.post([n]).await;
        let all = came.acquire_many(u32::try_from(FOLLOWERS).unwrap());
        timeout(Duration::from_secs(20), all).await.expect("all have it").unwrap().forget();
        println!("{FOLLOWERS} followers had message {n} after {:?}", posted.elapsed());
    }
    tasks.close();
    tasks.wait().await;
}
