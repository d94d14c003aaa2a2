//! Entries of the shared cache that somebody spoiled: they are as good as none.

use zaqar::auth::Strategy;

use super::{Origin, cache, document, is_good, settings, tokens, wait_until};
use crate::support::memcached::MemcachedServer;

/// A server with the entry of one token, its name and its value.
async fn stored(strategy: Option<Strategy>, token: &str) -> (MemcachedServer, String, Vec<u8>) {
    let server = MemcachedServer::start();
    let origin = Origin::knowing(&[token.to_owned()]);
    assert!(is_good(&cache(&[server.address()], settings(), strategy, &origin), token).await);
    wait_until("it is stored", || server.number("curr_items") == 1);
    let name = server.names().remove(0);
    let value = server.value(&name);
    (server, name, value)
}

/// Whether the entry is used as it lies there: the identity service need not be asked.
async fn is_used(server: &MemcachedServer, strategy: Option<Strategy>, token: &str) -> bool {
    let origin = Origin::knowing(&[token.to_owned()]);
    assert!(is_good(&cache(&[server.address()], settings(), strategy, &origin), token).await);
    origin.asked() == 0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_entry_that_was_altered_is_not_used() {
    for strategy in [Strategy::Mac, Strategy::Encrypt] {
        let token = &tokens("altered", 1)[0];
        let (server, name, value) = stored(Some(strategy), token).await;
        assert!(is_used(&server, Some(strategy), token).await, "it is used as it was stored");
        let altered = [0, 63, 64, value.len() / 2, value.len() - 1].map(|place| {
            let mut altered = value.clone();
            altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
            altered
        });
        let cut = [0, 10, 64, value.len() - 4].map(|length| value[..length].to_vec());
        // Open text in place of a protected one.
        let open = document("mallory").into_bytes();
        for spoiled in altered.into_iter().chain(cut).chain([open]) {
            server.store(&name, 0, &spoiled);
            let text = String::from_utf8_lossy(&spoiled);
            assert!(!is_used(&server, Some(strategy), token).await, "{strategy:?}: {text}");
            // The good answer is stored again, in the background.
            wait_until("it is mended", || server.value(&name) != spoiled);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_entry_of_another_token_is_not_used() {
    for strategy in [Strategy::Mac, Strategy::Encrypt] {
        let tokens = tokens("exchanged", 2);
        let (server, name, _) = stored(Some(strategy), &tokens[0]).await;
        let (_, _, other) = stored(Some(strategy), &tokens[1]).await;
        server.store(&name, 0, &other);
        assert!(!is_used(&server, Some(strategy), &tokens[0]).await, "{strategy:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_entry_that_is_no_document_is_not_used() {
    let token = &tokens("open", 1)[0];
    let (server, name, value) = stored(None, token).await;
    assert_eq!(value, document(token).as_bytes());
    let owned = document(token).replacen("{\"token\":{", "{\"token\":{\"auth_token\":\"another\",", 1);
    let expired = document(token).replace("2099", "2001");
    for spoiled in [
        &value[..value.len() / 2],
        b"",
        b"null",
        b"[]",
        b"{\"token\": {}}",
        owned.as_bytes(),
        expired.as_bytes(),
    ] {
        server.store(&name, 0, spoiled);
        assert!(!is_used(&server, None, token).await, "{}", String::from_utf8_lossy(spoiled));
        // The good answer was stored again.
        wait_until("it is mended", || server.value(&name) == value);
    }
    // An object of Python, whose reading would run its code, and something compressed that is not.
    for flags in [1, 2, 4, 8] {
        server.store(&name, flags, &value);
        assert!(!is_used(&server, None, token).await, "flags {flags}");
        wait_until("it is mended", || server.flags(&name) == 0);
    }
}
