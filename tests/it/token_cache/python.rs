//! Python's keystonemiddleware and this service on the same memcached: each uses what the other stored.

use serde_json::{Value, json};
use zaqar::auth::Strategy;

use super::{Origin, cache, document, is_good, settings_for, tokens, wait_until};
use crate::support::memcached::{Access, MemcachedServer, USER};
use crate::support::neighbour::Neighbour;

/// Enough that each of two servers gets some.
const TOKENS: usize = 16;

/// The same configuration in both languages.
fn options(servers: &[MemcachedServer], access: Access, strategy: Option<Strategy>) -> Value {
    let addresses: Vec<_> = servers.iter().map(MemcachedServer::address).collect();
    let mut options =
        json!({ "memcached_servers": addresses.join(","), "memcache_secret_key": super::SECRET });
    let strategy =
        strategy.map_or("None", |strategy| if strategy == Strategy::Mac { "MAC" } else { "ENCRYPT" });
    options["memcache_security_strategy"] = strategy.into();
    if access == Access::Tls {
        options["memcache_tls_enabled"] = "true".into();
        options["memcache_tls_cafile"] = servers[0].certificate().to_str().unwrap().into();
    }
    if access == Access::Login {
        options["memcache_sasl_enabled"] = "true".into();
        options["memcache_username"] = USER[0].into();
        options["memcache_password"] = USER[1].into();
    }
    options
}

/// Stores tokens with either and looks for them with the other.
async fn share(servers: &[MemcachedServer], access: Access, strategy: Option<Strategy>) {
    let addresses: Vec<_> = servers.iter().map(MemcachedServer::address).collect();
    let settings = || settings_for(&servers[0], access);
    let mut neighbour = Neighbour::start(&options(servers, access, strategy));
    let (ours, theirs) = (tokens("ours", TOKENS), tokens("theirs", TOKENS));
    assert_eq!(neighbour.request(&ours[0])["status"], 503, "nobody knows it yet");

    let origin = Origin::knowing(&ours);
    let writing = cache(&addresses, settings(), strategy, &origin);
    for token in &ours {
        assert!(is_good(&writing, token).await);
        wait_until("the entry is stored", || neighbour.request(token)["status"] == 200);
        let seen = neighbour.request(token);
        assert_eq!((&seen["user_id"], &seen["roles"]), (&json!(token), &json!("member,reader")));
        assert_eq!(seen["project_id"], format!("project of {token}"));
        assert!(seen["service_catalog"].as_str().unwrap().contains("http://zaqar"), "{seen}");
    }

    for token in &theirs {
        assert_eq!(neighbour.validate(token, &document(token))["status"], 200);
    }
    let origin = Origin::out_of_reach();
    let reading = cache(&addresses, settings(), strategy, &origin);
    for token in ours.iter().chain(&theirs) {
        assert!(is_good(&reading, token).await, "{token}");
    }
    assert_eq!(origin.asked(), 0);
}

/// Over two servers, each of which gets some of the entries.
async fn share_between_two(strategy: Option<Strategy>) {
    let servers = [MemcachedServer::start(), MemcachedServer::start()];
    share(&servers, Access::Plain, strategy).await;
    let entries = servers.each_ref().map(|server| server.number("curr_items"));
    assert_eq!(entries.iter().sum::<u64>(), 2 * TOKENS as u64, "each lies on one: {entries:?}");
    assert!(entries.iter().all(|entries| *entries > 0), "{entries:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_lie_open_are_shared() {
    share_between_two(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_entries_are_shared() {
    share_between_two(Some(Strategy::Mac)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn encrypted_entries_are_shared() {
    share_between_two(Some(Strategy::Encrypt)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_shared_over_tls() {
    share(&[MemcachedServer::with(Access::Tls)], Access::Tls, Some(Strategy::Encrypt)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_shared_with_a_login_and_lie_on_all_servers() {
    let mut servers = [MemcachedServer::with(Access::Login), MemcachedServer::with(Access::Login)];
    share(&servers, Access::Login, Some(Strategy::Mac)).await;
    // What is stored now is found still when either server is gone.
    let addresses: Vec<_> = servers.iter().map(MemcachedServer::address).collect();
    let tokens = tokens("both", 2);
    let origin = Origin::knowing(&tokens);
    assert!(
        is_good(&cache(&addresses, settings_for(&servers[0], Access::Login), None, &origin), &tokens[0])
            .await
    );
    let mut neighbour = Neighbour::start(&options(&servers[1..], Access::Login, None));
    wait_until("the entry is on the second", || neighbour.request(&tokens[0])["status"] == 200);
    servers[0].kill();
    let nobody = Origin::out_of_reach();
    assert!(
        is_good(&cache(&addresses, settings_for(&servers[1], Access::Login), None, &nobody), &tokens[0])
            .await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_server_dies_both_go_to_the_same_other_one() {
    let mut servers = [MemcachedServer::start(), MemcachedServer::start(), MemcachedServer::start()];
    let addresses: Vec<_> = servers.iter().map(MemcachedServer::address).collect();
    servers[1].kill();
    let mut neighbour = Neighbour::start(&options(&servers, Access::Plain, None));
    let tokens = tokens("moved", TOKENS);
    for token in &tokens {
        // The middleware may need a request to find out that the server is dead.
        neighbour.validate(token, &document(token));
        assert_eq!(neighbour.validate(token, &document(token))["status"], 200);
    }
    let stored = servers[0].number("curr_items") + servers[2].number("curr_items");
    assert!(stored >= TOKENS as u64, "{stored}");
    let nobody = Origin::out_of_reach();
    let reading = cache(&addresses, settings_for(&servers[0], Access::Plain), None, &nobody);
    for token in &tokens {
        assert!(is_good(&reading, token).await, "{token}");
    }
}
