//! Forged tokens cost neither the shared cache nor the identity service anything.

use std::path::Path;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;
use tokio_util::task::TaskTracker;
use zaqar::auth::{CacheSettings, Jws, TokenCache, Validator as _};
use zaqar::clock::Clock;

use super::{Origin, is_good};

/// A pair of keys whose public half lies in the directory.
fn signer(directory: &Path) -> EncodingKey {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    std::fs::write(directory.join("public.pem"), pair.public_key_pem()).unwrap();
    EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap()
}

fn token(key: &EncodingKey, user: &str) -> String {
    let now = Clock::system().now().seconds();
    let claims = json!({"sub": user, "iat": now, "exp": now + 3_600, "openstack_methods": ["password"]});
    encode(&Header::new(Algorithm::ES256), &claims, key).unwrap()
}

#[tokio::test]
async fn only_genuine_tokens_are_asked_for_and_only_the_identity_service_knows_their_roles() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (key, stranger) = (signer(ours.path()), signer(theirs.path()));
    let (genuine, forged, unknown) = (token(&key, "alice"), token(&stranger, "alice"), token(&key, "bob"));
    let fernet = "gAAAAAfernet".to_owned();
    let origin = Origin::knowing(&[genuine.clone(), forged.clone(), fernet.clone()]);
    let settings =
        CacheSettings { token_cache_time: 300, shared: None, jws: Some(Jws::open(ours.path()).unwrap()) };
    let cache = TokenCache::new(origin.clone(), settings, Clock::system(), TaskTracker::new());
    assert!(cache.validate(&forged, false).await.unwrap().is_none());
    assert!(cache.validate(&forged, true).await.unwrap().is_none());
    assert_eq!(origin.asked(), 0);
    for token in [&genuine, &fernet, &genuine] {
        assert!(is_good(&cache, token).await);
    }
    assert_eq!(origin.asked(), 2);
    // Well signed, and yet nobody: Keystone has the last word.
    assert!(cache.validate(&unknown, false).await.unwrap().is_none());
    assert_eq!(origin.asked(), 3);
}
