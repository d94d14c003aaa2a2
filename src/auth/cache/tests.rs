use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Semaphore;

use super::*;

const START: i64 = 1_800_000_000_000_000;

/// An identity service that counts what it is asked.
struct Origin {
    asked: AtomicUsize,
    down: AtomicBool,
    panics: AtomicBool,
    /// When its tokens end, in seconds from the start; names of those that it knows.
    tokens: Mutex<Vec<(&'static str, u64)>>,
    /// One for each answer that it may give.
    answers: Semaphore,
}

#[async_trait]
impl Validator for Origin {
    async fn validate(&self, token: &str, allow_expired: bool) -> Result<Option<Validated>, Unavailable> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.answers.acquire().await.unwrap().forget();
        assert!(!self.panics.load(Ordering::SeqCst), "as the test wants it");
        if self.down.load(Ordering::SeqCst) {
            return Err(Unavailable::because("down"));
        }
        let found = self.tokens.lock().unwrap().iter().find(|(name, _)| *name == token).copied();
        let found = found.filter(|(name, _)| allow_expired || !name.starts_with("expired"));
        Ok(found.map(|(name, seconds)| {
            let expires_at = Timestamp::from_micros(START).plus_seconds(seconds);
            Validated { token: described(name, expires_at), document: Bytes::new() }
        }))
    }
}

fn described(user: &str, expires_at: Timestamp) -> Arc<Token> {
    let user = Some(Named { id: user.to_owned(), ..Named::default() });
    let identity = Arc::new(Identity { user, roles: vec!["member".to_owned()], ..Identity::default() });
    Arc::new(Token { identity, expires_at, access: None, bind: Box::default() })
}

struct Setup {
    origin: Arc<Origin>,
    cache: Arc<TokenCache>,
    clock: Clock,
}

impl Setup {
    /// A cache for so many seconds before a service that knows `alice` (an hour) and `short` (60 s).
    fn new(token_cache_time: i64) -> Self {
        let origin = Arc::new(Origin {
            asked: AtomicUsize::new(0),
            down: AtomicBool::new(false),
            panics: AtomicBool::new(false),
            tokens: Mutex::new(vec![("alice", 3_600), ("short", 60), ("expired", 0)]),
            answers: Semaphore::new(1_000_000),
        });
        let clock = Clock::manual(Timestamp::from_micros(START));
        let settings = CacheSettings { token_cache_time, shared: None, jws: None };
        let cache = TokenCache::new(origin.clone(), settings, clock.clone(), TaskTracker::new());
        Self { origin, cache: Arc::new(cache), clock }
    }

    fn asked(&self) -> usize {
        self.origin.asked.load(Ordering::SeqCst)
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// The user of the token, if it is good.
    async fn get(&self, token: &str) -> Result<Option<String>, Unavailable> {
        let found = self.cache.validate(token, false).await?;
        Ok(found.map(|found| found.token.identity.user.as_ref().unwrap().id.clone()))
    }

    async fn is_good(&self, token: &str) -> bool {
        self.get(token).await.unwrap().as_deref() == Some(token)
    }
}

#[tokio::test]
async fn a_thousand_requests_with_one_new_token_ask_once_though_the_first_goes_away() {
    let setup = Arc::new(Setup::new(300));
    setup.origin.answers.forget_permits(1_000_000);
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        let setup = setup.clone();
        requests.spawn(async move { setup.is_good("alice").await });
        tokio::task::yield_now().await;
    }
    while setup.asked() == 0 {
        tokio::task::yield_now().await;
    }
    // All who are waiting by now go away, the first among them; those who come later find the same flight.
    requests.abort_all();
    while requests.join_next().await.is_some() {}
    for _ in 0..1_000 {
        let setup = setup.clone();
        requests.spawn(async move { setup.is_good("alice").await });
    }
    tokio::task::yield_now().await;
    setup.origin.answers.add_permits(1);
    assert!(requests.join_all().await.into_iter().all(|good| good));
    assert_eq!(setup.asked(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nor_do_they_ask_twice_on_several_processors() {
    for _ in 0..20 {
        let setup = Arc::new(Setup::new(300));
        let requests = (0..1_000).map(|_| {
            let setup = setup.clone();
            async move { setup.is_good("alice").await }
        });
        let good = requests.collect::<tokio::task::JoinSet<_>>().join_all().await;
        assert!(good.into_iter().all(|good| good));
        assert_eq!(setup.asked(), 1);
    }
}

#[tokio::test]
async fn an_error_is_told_to_those_who_wait_and_forgotten() {
    let setup = Arc::new(Setup::new(300));
    setup.origin.answers.forget_permits(1_000_000);
    setup.origin.down.store(true, Ordering::SeqCst);
    let requests = (0..100).map(|_| {
        let setup = setup.clone();
        async move { setup.get("alice").await }
    });
    let mut requests: tokio::task::JoinSet<_> = requests.collect();
    while setup.asked() == 0 {
        tokio::task::yield_now().await;
    }
    tokio::task::yield_now().await;
    setup.origin.answers.add_permits(1_000_000);
    while let Some(answer) = requests.join_next().await {
        assert_eq!(answer.unwrap(), Err(Unavailable::because("down")));
    }
    assert_eq!(setup.asked(), 1);
    setup.origin.down.store(false, Ordering::SeqCst);
    assert!(setup.is_good("alice").await);
    assert_eq!(setup.asked(), 2);
}

#[tokio::test]
async fn a_validation_that_panics_leaves_nobody_waiting() {
    let setup = Setup::new(300);
    setup.origin.panics.store(true, Ordering::SeqCst);
    assert!(setup.get("alice").await.is_err());
    setup.origin.panics.store(false, Ordering::SeqCst);
    assert!(setup.is_good("alice").await);
}

#[tokio::test]
async fn a_validation_without_end_is_given_up() {
    let setup = Setup::new(300);
    setup.origin.answers.forget_permits(1_000_000);
    let start = Instant::now();
    assert!(setup.get("alice").await.is_err());
    assert!(start.elapsed() < Duration::from_millis(2_200), "{:?}", start.elapsed());
}

#[tokio::test]
async fn what_is_none_is_asked_for_again_after_ten_seconds() {
    let setup = Setup::new(300);
    for (seconds, asked) in [(0, 1), (9, 1), (1, 2), (9, 2)] {
        setup.pass(seconds);
        assert_eq!(setup.get("unknown").await, Ok(None));
        assert_eq!(setup.asked(), asked);
    }
    setup.origin.tokens.lock().unwrap().push(("unknown", 3_600));
    setup.pass(1);
    assert!(setup.is_good("unknown").await);
}

#[tokio::test]
async fn a_token_is_asked_for_again_after_the_time_of_the_cache() {
    let setup = Setup::new(300);
    for (seconds, asked) in [(0, 1), (299, 1), (1, 2), (299, 2)] {
        setup.pass(seconds);
        assert!(setup.is_good("alice").await);
        assert_eq!(setup.asked(), asked);
    }
}

#[tokio::test]
async fn expiry_is_looked_at_on_every_use() {
    let setup = Setup::new(300);
    assert!(setup.is_good("short").await);
    setup.pass(59);
    assert!(setup.is_good("short").await);
    setup.pass(1);
    // Nobody need be asked for what is known to be over.
    assert_eq!(setup.get("short").await, Ok(None));
    assert_eq!(setup.asked(), 1);
    // The service would describe it still; by our own clock its time has passed.
    setup.pass(300);
    assert_eq!((setup.get("short").await, setup.asked()), (Ok(None), 2));
}

#[tokio::test]
async fn zero_and_less_switch_the_memory_of_tokens_off_but_not_that_of_none() {
    for token_cache_time in [0, -1] {
        let setup = Setup::new(token_cache_time);
        for asked in 1..=3 {
            assert!(setup.is_good("alice").await);
            assert_eq!(setup.asked(), asked);
        }
        for _ in 0..3 {
            assert_eq!(setup.get("unknown").await, Ok(None));
        }
        assert_eq!(setup.asked(), 4);
    }
}

#[tokio::test]
async fn while_the_service_is_down_known_tokens_go_on_until_they_expire() {
    let setup = Setup::new(300);
    assert!(setup.is_good("alice").await && setup.is_good("short").await);
    setup.origin.down.store(true, Ordering::SeqCst);
    setup.pass(59);
    assert!(setup.is_good("alice").await && setup.is_good("short").await);
    assert!(setup.get("new").await.is_err());
    setup.pass(1);
    assert!(setup.is_good("alice").await);
    assert_eq!(setup.get("short").await, Ok(None));
    setup.origin.down.store(false, Ordering::SeqCst);
    assert_eq!(setup.get("new").await, Ok(None));
}

#[tokio::test]
async fn an_expired_token_counts_only_where_it_may() {
    let setup = Setup::new(300);
    let may = async || setup.cache.validate("expired", true).await.unwrap().is_some();
    assert!(may().await);
    assert_eq!(setup.get("expired").await, Ok(None));
    assert!(may().await);
    assert_eq!((setup.get("expired").await, setup.asked()), (Ok(None), 2));
    // One that is good for everybody is good there too.
    assert!(setup.is_good("alice").await);
    assert!(setup.cache.validate("alice", true).await.unwrap().is_some());
    assert_eq!(setup.asked(), 3);
}

#[tokio::test]
async fn many_that_are_none_displace_no_token() {
    let setup = Setup::new(300);
    assert!(setup.is_good("alice").await);
    for number in 0..1_000 {
        assert_eq!(setup.get(&format!("none-{number}")).await, Ok(None));
    }
    assert_eq!(setup.asked(), 1_001);
    assert!(setup.is_good("alice").await);
    assert_eq!(setup.asked(), 1_001);
}
