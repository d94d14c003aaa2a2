//! What tokens are worth, remembered for a while: in the process and, where it is configured, on a memcached that
//! other services share.
//!
//! A token is known by its SHA-256, never by itself. Of 1,000 requests with one new token one asks the identity
//! service. What it said is remembered for `token_cache_time` at most, and never beyond the token's own time, which
//! is looked at on every use. That a token is none is remembered for 10 s (decision 28). While the identity service
//! is down what is remembered goes on; an error is told to those who waited for it and then forgotten.

mod flight;
mod pool;
mod protect;
mod shared;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use moka::sync::Cache;
use tokio::time::{Instant, timeout_at};
use tokio_util::task::TaskTracker;

use self::flight::Flights;
use self::pool::Parts;
pub use self::protect::{Protection, Strategy};
pub use self::shared::SharedCache;
use super::{Identity, Jws, Named, Token, Unavailable, Validated, Validator};
use crate::clock::{Clock, Timestamp};
use crate::model::ProjectId;

/// How long it is remembered that a token is none, in seconds (decision 28).
const NO_TOKEN_SECONDS: u64 = 10;

/// The most such tokens that are remembered: they must not cost memory, and cannot displace good ones.
const MAX_NO_TOKENS: u64 = 50_000;

/// What remembered tokens may take, in bytes as [`weight`] counts them: more than 100,000.
const MAX_WEIGHT: u64 = 128 << 20;

/// What the tables take for an entry beside the token.
const ENTRY: usize = 320;

/// How long a validation may take, the look into the shared cache included (decision 28), and a little, so that the
/// validator's own deadline, which can say more, comes first.
const DEADLINE: Duration = Duration::from_millis(2_050);

/// What was found in the shared cache may have lain there for the whole time already: it is kept in the process only
/// for this part of the time, so that a revoked token works for 1.1 times `token_cache_time` at most.
const SHARED_PART: u64 = 10;

/// A validator that remembers what another said.
pub struct TokenCache {
    memory: Arc<Memory>,
    flights: Arc<Flights>,
    origin: Arc<dyn Validator>,
    shared: Option<Arc<SharedCache>>,
    jws: Option<Arc<Jws>>,
}

/// How a cache works.
pub struct CacheSettings {
    /// For how many seconds a token is remembered; 0 or less for not at all, and then the shared cache is not used
    /// either. (To the Python service 0 means without end, which no operator can want.)
    pub token_cache_time: i64,
    /// The cache that other services share.
    pub shared: Option<SharedCache>,
    /// The check of signed tokens, made once for each that is not remembered.
    pub jws: Option<Jws>,
}

/// A token by its digest, and whether it counts after its time too.
type Key = ([u8; 32], bool);

/// What a validation says: the token, or that there is none.
type Outcome = Result<Option<Arc<Token>>, Unavailable>;

/// What is remembered in the process.
struct Memory {
    tokens: Cache<Key, Remembered>,
    no_tokens: Cache<Key, Timestamp>,
    parts: Parts,
    /// For how long, in seconds; 0 for not at all.
    seconds: u64,
    clock: Clock,
}

#[derive(Clone)]
struct Remembered {
    token: Arc<Token>,
    until: Timestamp,
}

impl TokenCache {
    /// A cache of what `origin` says.
    pub fn new(
        origin: Arc<dyn Validator>,
        settings: CacheSettings,
        clock: Clock,
        tasks: TaskTracker,
    ) -> Self {
        let seconds = u64::try_from(settings.token_cache_time).unwrap_or(0);
        let shared = settings.shared.filter(|_| seconds > 0).map(Arc::new);
        let memory = Arc::new(Memory::new(seconds, clock));
        Self {
            memory,
            flights: Arc::new(Flights::new(tasks)),
            origin,
            shared,
            jws: settings.jws.map(Arc::new),
        }
    }

    /// How many tokens are remembered in the process. Looks at them all.
    pub fn remembered(&self) -> u64 {
        self.memory.tokens.iter().count() as u64
    }
}

#[async_trait]
impl Validator for TokenCache {
    async fn validate(&self, token: &str, allow_expired: bool) -> Result<Option<Validated>, Unavailable> {
        let digest = protect::sha256(token);
        let key = (digest, allow_expired);
        if let Some(known) = self.memory.recall(digest, allow_expired) {
            return known.map(validated);
        }
        let validate = || {
            let flight = Flight {
                memory: self.memory.clone(),
                origin: self.origin.clone(),
                shared: self.shared.clone(),
                jws: self.jws.clone(),
                key,
                token: token.to_owned(),
            };
            flight.run()
        };
        let outcome = self.flights.join(key, || self.memory.recall(digest, allow_expired), validate).await;
        outcome.map(validated)
    }
}

fn validated(token: Option<Arc<Token>>) -> Option<Validated> {
    token.map(|token| Validated { token, document: Bytes::new() })
}

/// One validation.
struct Flight {
    memory: Arc<Memory>,
    origin: Arc<dyn Validator>,
    shared: Option<Arc<SharedCache>>,
    jws: Option<Arc<Jws>>,
    key: Key,
    token: String,
}

impl Flight {
    /// The outcome, remembered; and what is left to do when it is known.
    async fn run(self) -> (Outcome, impl Future<Output = ()>) {
        let deadline = Instant::now() + DEADLINE;
        let (outcome, document) = if self.is_forged() {
            self.memory.keep_none(self.key);
            (Ok(None), Bytes::new())
        } else if let Some(token) = self.find_shared().await {
            (Ok(Some(token)), Bytes::new())
        } else {
            self.ask(deadline).await
        };
        let token = outcome.as_ref().ok().and_then(Clone::clone);
        (outcome, async move { self.store_shared(token, &document).await })
    }

    fn is_forged(&self) -> bool {
        self.jws.as_ref().is_some_and(|jws| jws.refuses(&self.token, self.key.1, self.memory.clock.now()))
    }

    async fn find_shared(&self) -> Option<Arc<Token>> {
        let token = self.shared.as_ref()?.get(&self.token).await?;
        // Of one whose time has passed the identity service knows more.
        let found = (!token.is_expired(self.memory.clock.now())).then_some(token)?;
        Some(self.memory.keep(self.key, &found, self.memory.seconds.div_ceil(SHARED_PART)))
    }

    async fn ask(&self, deadline: Instant) -> (Outcome, Bytes) {
        let answer = timeout_at(deadline, self.origin.validate(&self.token, self.key.1)).await;
        let answer = answer.unwrap_or_else(|_| Err(Unavailable::because("the validation took too long")));
        match answer {
            Err(unavailable) => (Err(unavailable), Bytes::new()),
            Ok(Some(found)) if self.key.1 || !found.token.is_expired(self.memory.clock.now()) => {
                let token = self.memory.keep(self.key, &found.token, self.memory.seconds);
                (Ok(Some(token)), found.document)
            }
            Ok(_) => {
                self.memory.keep_none(self.key);
                (Ok(None), Bytes::new())
            }
        }
    }

    async fn store_shared(&self, token: Option<Arc<Token>>, document: &[u8]) {
        let (Some(shared), Some(token), false) = (&self.shared, token, document.is_empty()) else { return };
        let left = token.expires_at.seconds_since(self.memory.clock.now());
        shared.set(&self.token, document, left.min(self.memory.seconds)).await;
    }
}

impl Memory {
    fn new(seconds: u64, clock: Clock) -> Self {
        // The tables drop entries by the machine's own time, to be rid of them; what counts is `until`.
        let tokens = Cache::builder()
            .weigher(|_, entry: &Remembered| u32::try_from(weight(&entry.token)).unwrap_or(u32::MAX))
            .max_capacity(MAX_WEIGHT)
            .time_to_live(Duration::from_secs(seconds.min(u64::from(u32::MAX))))
            .build();
        let no_tokens = Cache::builder().max_capacity(MAX_NO_TOKENS);
        let no_tokens = no_tokens.time_to_live(Duration::from_secs(NO_TOKEN_SECONDS)).build();
        Self { tokens, no_tokens, parts: Parts::default(), seconds, clock }
    }

    /// What is remembered of the token and still true; `None` where somebody must be asked.
    fn recall(&self, digest: [u8; 32], allow_expired: bool) -> Option<Outcome> {
        let now = self.clock.now();
        // A token that is good for everybody is good where an expired one would do, too.
        let keys = [(digest, false), (digest, true)];
        for key in &keys[..=usize::from(allow_expired)] {
            if let Some(entry) = self.tokens.get(key).filter(|entry| now < entry.until) {
                let is_good = allow_expired || !entry.token.is_expired(now);
                return Some(Ok(is_good.then_some(entry.token)));
            }
        }
        let none = self.no_tokens.get(&(digest, allow_expired)).is_some_and(|until| now < until);
        none.then_some(Ok(None))
    }

    /// Remembers a token for so many seconds; gives the copy that is kept.
    fn keep(&self, key: Key, token: &Arc<Token>, seconds: u64) -> Arc<Token> {
        let token = self.parts.share(token);
        if self.seconds > 0 {
            let until = self.clock.now().plus_seconds(seconds);
            self.tokens.insert(key, Remembered { token: token.clone(), until });
        }
        token
    }

    fn keep_none(&self, key: Key) {
        self.no_tokens.insert(key, self.clock.now().plus_seconds(NO_TOKEN_SECONDS));
    }
}

/// What a token takes, in bytes, as if it shared nothing with others.
fn weight(token: &Token) -> usize {
    let access = token.access.as_ref().map_or(0, |access| {
        let rules =
            access.rules.iter().map(|rule| rule.service.len() + rule.method.len() + rule.path.len() + 48);
        rules.sum::<usize>() + access.service_types.iter().map(|kind| kind.len() + 16).sum::<usize>()
    });
    let bind: usize = token.bind.iter().map(|kind| kind.len() + 16).sum();
    ENTRY + size_of::<Token>() + identity_weight(&token.identity) + access + bind
}

fn identity_weight(identity: &Identity) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let named = |named: &Option<Named>| {
        named.as_ref().map_or(0, |named| {
            named.id.len() + text(&named.name) + text(&named.domain_id) + text(&named.domain_name)
        })
    };
    let roles: usize = identity.roles.iter().map(|role| role.len() + size_of::<String>()).sum();
    let project = identity.project.as_ref().map_or(0, |project: &ProjectId| project.as_str().len());
    size_of::<Identity>() + roles + project + named(&identity.user) + named(&identity.project_details)
}
