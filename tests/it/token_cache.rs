//! What is remembered of tokens: on a memcached that Python services share, beside servers that fail or lie, and how
//! much room it takes.

mod faults;
mod jws;
mod memory;
mod poison;
mod python;
mod service;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use tokio_util::task::TaskTracker;
use zaqar::auth::memcached::{Address, Credentials, Memcached, Settings, client_config};
use zaqar::auth::{
    CacheSettings, Protection, SharedCache, Strategy, Token, TokenCache, Unavailable, Validated, Validator,
};
use zaqar::clock::Clock;

use crate::support::memcached::{Access, MemcachedServer, USER};

/// The key of the shared cache.
const SECRET: &str = "a secret of all services";

/// How long a look into the shared cache may take.
const TIMEOUT: Duration = Duration::from_millis(500);

/// How long something may take that happens in the background, on a machine that builds beside it.
const PATIENCE: Duration = Duration::from_secs(30);

/// An identity service that counts what it is asked.
#[derive(Default)]
struct Origin {
    documents: Mutex<HashMap<String, String>>,
    asked: AtomicUsize,
    down: AtomicBool,
}

#[async_trait]
impl Validator for Origin {
    async fn validate(&self, token: &str, _allow_expired: bool) -> Result<Option<Validated>, Unavailable> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err(Unavailable::because("down"));
        }
        Ok(self.documents.lock().unwrap().get(token).map(|document| Validated {
            token: Arc::new(Token::parse(document.as_bytes()).unwrap()),
            document: Bytes::copy_from_slice(document.as_bytes()),
        }))
    }
}

impl Origin {
    /// One that knows these tokens, each that of the user of its name.
    fn knowing(tokens: &[String]) -> Arc<Self> {
        let origin = Self::default();
        let documents = tokens.iter().map(|token| (token.clone(), document(token))).collect();
        *origin.documents.lock().unwrap() = documents;
        Arc::new(origin)
    }

    /// One that cannot be asked.
    fn out_of_reach() -> Arc<Self> {
        Arc::new(Self { down: AtomicBool::new(true), ..Self::default() })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// As Keystone describes a token.
fn document(user: &str) -> String {
    let domain = json!({"id": "default", "name": "Default"});
    let endpoint =
        json!({"id": "e", "interface": "public", "region": "R", "region_id": "R", "url": "http://zaqar"});
    let token = json!({
        "methods": ["password"], "audit_ids": ["x"],
        "issued_at": "2026-01-01T00:00:00.000000Z", "expires_at": "2099-01-01T00:00:00.000000Z",
        "user": {"id": user, "name": "alice", "domain": domain, "password_expires_at": null},
        "project": {"id": format!("project of {user}"), "name": "alpha", "domain": domain}, "is_domain": false,
        "roles": [{"id": "1", "name": "member"}, {"id": "2", "name": "reader"}],
        "catalog": [{"type": "messaging", "id": "m", "name": "zaqar", "endpoints": [endpoint]}],
    });
    json!({ "token": token }).to_string()
}

fn tokens(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("gAAAAA{name}-{number}")).collect()
}

/// How servers are used, for short.
fn settings() -> Settings {
    Settings {
        timeout: TIMEOUT,
        wait: TIMEOUT,
        dead_retry: Duration::from_secs(300),
        unused: Duration::from_secs(60),
        max_connections: 10,
        tls: None,
        credentials: None,
    }
}

/// The settings for that server.
fn settings_for(server: &MemcachedServer, access: Access) -> Settings {
    let credentials = Credentials { user: USER[0].to_owned(), password: USER[1].to_owned().into() };
    Settings {
        tls: (access == Access::Tls).then(|| client_config(Path::new(&server.certificate()), None).unwrap()),
        credentials: (access == Access::Login).then_some(credentials),
        ..settings()
    }
}

fn protection(strategy: Option<Strategy>) -> Protection {
    strategy.map_or_else(Protection::none, |strategy| Protection::new(strategy, SECRET))
}

/// A cache on the servers at these addresses, before that identity service.
fn cache(
    addresses: &[String],
    settings: Settings,
    strategy: Option<Strategy>,
    origin: &Arc<Origin>,
) -> TokenCache {
    let addresses = addresses.iter().map(|address| Address::parse(address).unwrap()).collect();
    let shared = SharedCache::new(Memcached::new(addresses, settings), protection(strategy));
    let settings = CacheSettings { token_cache_time: 300, shared: Some(shared), jws: None };
    TokenCache::new(origin.clone(), settings, Clock::system(), TaskTracker::new())
}

/// The user of the token, if it is good.
async fn user(cache: &TokenCache, token: &str) -> Result<Option<String>, Unavailable> {
    let found = cache.validate(token, false).await?;
    Ok(found.map(|found| found.token.identity.user.as_ref().unwrap().id.clone()))
}

async fn is_good(cache: &TokenCache, token: &str) -> bool {
    user(cache, token).await.unwrap().as_deref() == Some(token)
}

/// Waits for what happens in the background.
#[track_caller]
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::yield_now();
    }
}
