//! The cache as a running service has it: what its callers and the identity service see of it.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio::task::JoinSet;
use zaqar::clock::Clock;

use super::wait_until;
use crate::support::client::{CLIENT_ID, send};
use crate::support::fake_keystone::{FakeKeystone, Fault, described};
use crate::support::keystone::Keystone;
use crate::support::memcached::MemcachedServer;
use crate::support::{Client, Store, TestApp};

/// A service with more of `[keystone_authtoken]`.
async fn service(keystone: &FakeKeystone, more: &str) -> TestApp {
    TestApp::start(Store::Memory, &format!("{}{more}", keystone.ini())).await
}

/// A request with that token.
fn list(client: &Client, token: &str) -> RequestBuilder {
    client.bare(Method::GET, "/v2/queues").header("client-id", CLIENT_ID).header("x-auth-token", token)
}

async fn status(app: &TestApp, token: &str) -> u16 {
    send(list(&app.client("none"), token)).await.status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_with_one_new_token_cause_one_validation() {
    let keystone = FakeKeystone::start().await;
    let app = service(&keystone, "").await;
    keystone.knows_member("new", "p");
    keystone.set(Fault::Slow(Duration::from_millis(500)));
    let client = Arc::new(app.client("none"));
    let requests = (0..1_000).map(|_| {
        let client = client.clone();
        async move { send(list(&client, "new")).await.status.as_u16() }
    });
    let seen = requests.collect::<JoinSet<_>>().join_all().await;
    assert!(seen.iter().all(|status| *status == 200), "{seen:?}");
    assert_eq!(keystone.validations("new"), 1);
}

#[tokio::test]
async fn an_outage_ends_known_tokens_only_with_their_time() {
    let keystone = FakeKeystone::start().await;
    let app = service(&keystone, "token_cache_time = 100000\n").await;
    keystone.knows_member("long", "p");
    let mut short = described("p", &["member"]);
    // The clock of the service stands at 2027-01-15T08:00:00Z.
    short["expires_at"] = json!("2027-01-15T09:00:00.000000Z");
    keystone.knows("short", short);
    for token in ["long", "short"] {
        assert_eq!(status(&app, token).await, 200);
    }
    keystone.set(Fault::Says(500, String::new()));
    app.pass(3_599);
    assert_eq!((status(&app, "long").await, status(&app, "short").await), (200, 200));
    assert_eq!(status(&app, "new").await, 503);
    app.pass(1);
    assert_eq!((status(&app, "long").await, status(&app, "short").await), (200, 401));
    keystone.set(Fault::None);
    assert_eq!(status(&app, "new").await, 401);
    assert_eq!((keystone.validations("long"), status(&app, "long").await), (1, 200));
}

#[tokio::test]
async fn a_bad_token_is_asked_for_once_in_ten_seconds() {
    let keystone = FakeKeystone::start().await;
    let app = service(&keystone, "").await;
    for _ in 0..5 {
        assert_eq!(status(&app, "bad").await, 401);
    }
    assert_eq!(keystone.validations("bad"), 1);
    app.pass(10);
    assert_eq!((status(&app, "bad").await, keystone.validations("bad")), (401, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn services_share_what_they_know() {
    let keystone = FakeKeystone::start().await;
    let server = MemcachedServer::start();
    let shared = format!(
        "memcached_servers = {}\nmemcache_security_strategy = encrypt\nmemcache_secret_key = k\n",
        server.address()
    );
    let services = [service(&keystone, &shared).await, service(&keystone, &shared).await];
    keystone.knows_member("t", "p");
    assert_eq!(status(&services[0], "t").await, 200);
    wait_until("it is stored", || server.number("curr_items") == 1);
    keystone.set(Fault::Says(500, String::new()));
    assert_eq!((status(&services[1], "t").await, keystone.validations("t")), (200, 1));
    // One with another key finds nothing there, nor does one without a cache.
    for other in [shared.replace("_key = k", "_key = l"), format!("{shared}token_cache_time = -1\n")] {
        assert_eq!(status(&service(&keystone, &other).await, "t").await, 503, "{other}");
    }
}

#[tokio::test]
async fn keystone_is_not_asked_for_forged_tokens_that_are_signed() {
    let keystone = Keystone::start(&["--provider", "jws"]).await;
    let keys = format!("jws_public_key_repository = {}\n", keystone.fact("jws_public_keys"));
    let ini = format!("{}{}{keys}", Store::Memory.ini(), keystone.ini());
    let app = TestApp::start_at(Clock::system().now(), &ini).await;
    let (alice, bob) = (keystone.token("alice").await, keystone.token("bob").await);
    assert_eq!(status(&app, &alice).await, 200);
    // Keystone logs a request after it has answered it; the first one was the tool's own.
    wait_until("it is logged", || keystone.validations() == 2);
    let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (own, other) = (parts(&alice), parts(&bob));
    for forged in [
        format!("{}.{}.{}", own[0], other[1], own[2]),
        format!("{}.{}.", own[0], own[1]),
        // {"alg":"none","typ":"JWT"}
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", own[1]),
    ] {
        assert_eq!(status(&app, &forged).await, 401, "{forged}");
    }
    assert_eq!(status(&app, &bob).await, 200);
    wait_until("the next one is logged", || keystone.validations() > 2);
    assert_eq!(keystone.validations(), 3);
}
