use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::*;
use crate::clock::Clock;
use crate::model::json::Posted;
use crate::model::{ClientId, Metadata};
use crate::service::vault::Vault;
use crate::service::{ClaimRequested, Context, ListRequest, MessageView, Settings};
use crate::storage::Stores;
use crate::storage::memory::{MemoryManagement, MemoryStore};

const START: Timestamp = Timestamp::from_micros(1_795_190_691_123_457);
const MINUTE: Duration = Duration::from_mins(1);

/// A service over memory whose time stands still until the test moves it.
struct Bench {
    service: Service,
    clock: Clock,
    context: Context,
    name: QueueName,
    tasks: TaskTracker,
}

impl Bench {
    fn new() -> Self {
        let management = Arc::new(MemoryManagement::new());
        let stores = Stores { management, data: Arc::new(MemoryStore::new()) };
        let (clock, vault) = (Clock::manual(START), Vault::new(None, &[], "AES256"));
        let mut settings = Settings::default();
        settings.limits.max_messages_per_claim_or_pop = 20;
        let service = Service::new(settings, stores, clock.clone(), vault, TaskTracker::new());
        let context = Context::internal(ProjectId::new("p"), ClientId::new("c"));
        let (name, tasks) = (QueueName::parse("q").unwrap(), TaskTracker::new());
        Self { service, clock, context, name, tasks }
    }

    async fn with_queue(metadata: &str) -> Self {
        let bench = Self::new();
        let metadata: Metadata = serde_json::from_str(metadata).unwrap();
        bench.service.create_queue(&bench.context, &bench.name, &metadata).await.unwrap();
        bench
    }

    async fn post(&self, count: usize, delay: Option<i64>) {
        let posted = Posted { ttl: Some(3_600), delay, body: "1".into() };
        self.service.post(&self.context, &self.name, &vec![posted; count]).await.unwrap();
    }

    /// Somebody who wants one message and waits for it.
    fn popper(&self, time: Duration) -> JoinHandle<Vec<MessageView>> {
        let (service, context, name) = (self.service.clone(), self.context.clone(), self.name.clone());
        self.tasks.spawn(async move { service.pop(&context, &name, 1, time).await.unwrap() })
    }

    async fn claim(&self, ttl: i64, time: Duration) -> Option<crate::service::Won> {
        let requested = ClaimRequested { ttl: Some(ttl), wait: time, ..ClaimRequested::default() };
        self.service.claim(&self.context, &self.name, requested).await.unwrap()
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        settle().await;
    }
}

/// Lets everybody come as far as they can.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

fn finished<T>(waiting: &[JoinHandle<T>]) -> usize {
    waiting.iter().filter(|task| task.is_finished()).count()
}

#[tokio::test]
async fn whoever_waits_gets_what_comes() {
    let bench = Bench::with_queue("{}").await;
    let waiting = [bench.popper(MINUTE)];
    settle().await;
    assert_eq!(finished(&waiting), 0);
    bench.post(1, None).await;
    settle().await;
    assert_eq!(finished(&waiting), 1);
}

#[tokio::test]
async fn nobody_waits_longer_than_asked() {
    let bench = Bench::with_queue("{}").await;
    assert_eq!(bench.popper(Duration::ZERO).await.unwrap(), []);
    let waiting = [bench.popper(Duration::from_secs(3))];
    settle().await;
    bench.pass(Duration::from_millis(2_990)).await;
    assert_eq!(finished(&waiting), 0);
    bench.pass(Duration::from_millis(20)).await;
    let [waiting] = waiting;
    assert_eq!(waiting.await.unwrap(), []);
}

#[tokio::test]
async fn three_messages_end_three_waits() {
    let bench = Bench::with_queue("{}").await;
    let waiting: Vec<_> = (0..10).map(|_| bench.popper(MINUTE)).collect();
    settle().await;
    bench.post(3, None).await;
    settle().await;
    assert_eq!(finished(&waiting), 3);
    assert!(waiting[..3].iter().all(JoinHandle::is_finished), "first come, first served");
    bench.pass(MINUTE).await;
    let mut taken = 0;
    for waiting in waiting {
        taken += waiting.await.unwrap().len();
    }
    assert_eq!(taken, 3);
}

#[tokio::test]
async fn a_delay_that_ends_wakes_one_after_the_other() {
    let bench = Bench::with_queue(r#"{"_default_message_delay": 5}"#).await;
    let waiting: Vec<_> = (0..3).map(|_| bench.popper(MINUTE)).collect();
    settle().await;
    bench.post(2, Some(10)).await;
    settle().await;
    bench.pass(Duration::from_secs(9)).await;
    assert_eq!(finished(&waiting), 0);
    bench.pass(Duration::from_secs(2)).await;
    assert_eq!(finished(&waiting), 2);
}

#[tokio::test]
async fn the_end_of_a_claim_wakes_too() {
    let bench = Bench::with_queue("{}").await;
    bench.post(1, None).await;
    bench.claim(60, Duration::ZERO).await.unwrap().hold.keep();
    let waiting = bench.popper(2 * MINUTE);
    settle().await;
    bench.pass(MINUTE).await;
    assert_eq!(waiting.await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_released_claim_wakes_at_once() {
    let bench = Bench::with_queue("{}").await;
    bench.post(1, None).await;
    let won = bench.claim(300, Duration::ZERO).await.unwrap();
    let waiting = [bench.popper(MINUTE)];
    settle().await;
    bench.service.release(&bench.context, &bench.name, &won.id.to_string()).await.unwrap();
    settle().await;
    assert_eq!(finished(&waiting), 1);
}

#[tokio::test]
async fn what_the_first_in_line_knew_is_not_lost_with_it() {
    let bench = Bench::with_queue(r#"{"_default_message_delay": 5}"#).await;
    let waiting: Vec<_> = (0..3).map(|_| bench.popper(MINUTE)).collect();
    settle().await;
    // Only the first looks, and learns when the message is due.
    bench.post(1, Some(10)).await;
    settle().await;
    waiting[0].abort();
    settle().await;
    bench.pass(Duration::from_secs(11)).await;
    assert!(waiting[1].is_finished());
    assert!(!waiting[2].is_finished());
}

#[tokio::test]
async fn a_queue_may_come_to_be_while_somebody_waits() {
    let bench = Bench::new();
    let waiting = [bench.popper(MINUTE)];
    settle().await;
    bench.post(1, None).await;
    settle().await;
    assert_eq!(finished(&waiting), 1);
}

#[tokio::test]
async fn a_queue_may_begin_anew_while_somebody_waits() {
    let bench = Bench::with_queue("{}").await;
    let waiting = [bench.popper(MINUTE)];
    settle().await;
    bench.service.delete_queue(&bench.context, &bench.name).await.unwrap();
    settle().await;
    assert_eq!(finished(&waiting), 0);
    bench.clock.advance(Duration::from_micros(1));
    bench.post(1, None).await;
    settle().await;
    assert_eq!(finished(&waiting), 1);
}

#[tokio::test]
async fn a_listing_waits_behind_its_marker() {
    let bench = Bench::with_queue("{}").await;
    bench.post(1, None).await;
    let request = ListRequest { echo: true, wait: MINUTE, ..ListRequest::default() };
    let first = bench.service.list(&bench.context, &bench.name, &request).await.unwrap();
    let request = ListRequest { marker: first.marker, ..request };
    let (service, context, name) = (bench.service.clone(), bench.context.clone(), bench.name.clone());
    let waiting = bench.tasks.spawn(async move { service.list(&context, &name, &request).await.unwrap() });
    settle().await;
    assert!(!waiting.is_finished());
    bench.post(1, None).await;
    let listing = waiting.await.unwrap();
    assert_eq!(listing.messages.len(), 1);
    assert_ne!(listing.messages[0].id, first.messages[0].id);
}

#[tokio::test]
async fn a_claim_that_nobody_hears_of_is_released() {
    let bench = Bench::with_queue("{}").await;
    bench.post(1, None).await;
    let won = bench.claim(300, MINUTE).await.unwrap();
    assert!(bench.claim(300, Duration::ZERO).await.is_none());
    drop(won);
    settle().await;
    let won = bench.claim(300, MINUTE).await.unwrap();
    won.hold.keep();
    settle().await;
    assert!(bench.claim(300, Duration::ZERO).await.is_none());
}

#[tokio::test]
async fn the_end_of_the_service_ends_all_waits() {
    let bench = Bench::with_queue("{}").await;
    let waiting = bench.popper(MINUTE);
    settle().await;
    bench.service.end_waits();
    assert_eq!(waiting.await.unwrap(), []);
}

#[test]
fn waiting_times_have_bounds() {
    assert_eq!(Service::waiting_time(None).unwrap(), Duration::ZERO);
    assert_eq!(Service::waiting_time(Some(60)).unwrap(), MINUTE);
    for bad in [-1, 61, i64::MAX, i64::MIN] {
        assert!(Service::waiting_time(Some(bad)).is_err(), "{bad}");
    }
}
