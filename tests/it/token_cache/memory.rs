//! How much room remembered tokens take, in a process of their own: in this one others take room at the same time.

use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use zaqar::auth::{CacheSettings, Token, TokenCache, Unavailable, Validated, Validator};
use zaqar::clock::Clock;

/// Where a process is told to measure, and with how many tokens.
const COUNT: &str = "ZAQAR_TEST_TOKENS";

/// How many there are where nobody says.
const TOKENS: u64 = 10_000;

/// What 100,000 may take.
const ROOM: u64 = 150 << 20;

/// What the tables may take however few there are.
const TABLES: u64 = 4 << 20;

/// The least catalogue of an answer, in bytes.
const CATALOGUE: usize = 10_000;

/// An identity service of a large cloud: every token is that of another user, four of them in each project; one in ten
/// is of an application credential with rules of access.
struct Cloud {
    catalogue: Value,
}

#[async_trait]
impl Validator for Cloud {
    async fn validate(&self, token: &str, _allow_expired: bool) -> Result<Option<Validated>, Unavailable> {
        let number: u64 = token.rsplit('-').next().unwrap().parse().unwrap();
        let domain = json!({"id": "default", "name": "Default"});
        let mut answer = json!({
            "methods": ["password"], "audit_ids": ["x"],
            "issued_at": "2026-01-01T00:00:00.000000Z", "expires_at": "2099-01-01T00:00:00.000000Z",
            "user": {"id": format!("{number:032x}"), "name": format!("user-{number}"), "domain": domain},
            "project": {"id": format!("{:032x}", number / 4), "name": format!("project-{}", number / 4), "domain": domain},
            "roles": [{"id": "1", "name": "member"}, {"id": "2", "name": "reader"}],
            "catalog": self.catalogue,
        });
        if number.is_multiple_of(10) {
            let rule =
                json!({"id": "r", "service": "messaging", "method": "GET", "path": "/v2/queues/*/messages"});
            answer["application_credential"] =
                json!({"id": "a", "name": "n", "access_rules": [rule.clone(), rule]});
        }
        let document = json!({ "token": answer }).to_string();
        assert!(document.len() > CATALOGUE);
        let token = Token::parse(document.as_bytes()).unwrap();
        Ok(Some(Validated { token: Arc::new(token), document: Bytes::from(document) }))
    }
}

fn catalogue() -> Value {
    let endpoint = |service: usize, interface: &str| {
        let url = format!("https://cloud.example.com:{service}/v1/abcdef0123456789abcdef0123456789");
        json!({"id": format!("{service:032x}"), "interface": interface, "region": "RegionOne", "region_id": "RegionOne", "url": url})
    };
    let services = (0..17).map(|service| {
        let endpoints: Vec<_> = ["admin", "internal", "public"].map(|interface| endpoint(service, interface)).into();
        json!({"type": format!("service-{service}"), "name": format!("name-{service}"), "id": "x", "endpoints": endpoints})
    });
    services.collect()
}

#[test]
fn tokens_take_no_more_room_than_they_may() {
    if let Ok(count) = std::env::var(COUNT) {
        return measure(count.parse().unwrap());
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "token_cache::memory::tokens_take_no_more_room_than_they_may", "--nocapture"]);
    let output = command.env(COUNT, TOKENS.to_string()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Fills a cache, and looks at what the process holds more than before.
fn measure(count: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let settings = CacheSettings { token_cache_time: 100_000, shared: None, jws: None };
        let cloud = Arc::new(Cloud { catalogue: catalogue() });
        let cache = TokenCache::new(cloud, settings, Clock::system(), TaskTracker::new());
        let token = |number: u64| format!("gAAAAA{}-{number}", "x".repeat(200));
        cache.validate(&token(count), false).await.unwrap();
        let before = resident();
        for number in 0..count {
            cache.validate(&token(number), false).await.unwrap();
        }
        let grown = resident().saturating_sub(before);
        // For the table of tests/bench.
        eprintln!("{count} tokens: {} KiB, {} bytes each", grown >> 10, grown / count);
        assert_eq!(cache.remembered(), count + 1, "none had to go");
        assert!(grown < ROOM * count / 100_000 + TABLES, "{grown} bytes");
    });
}

/// The memory of this process, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}
