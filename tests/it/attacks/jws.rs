//! Forged JWS, sent to a service whose identity service would believe every one of them: it must not be asked.

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::raw::raw;
use crate::support::client::CLIENT_ID;
use crate::support::fake_keystone::{FakeKeystone, described};
use crate::support::{Store, TestApp};

/// When the service's clock stands, in seconds since the Unix epoch.
const NOW: i64 = 1_800_000_000;

fn encoded(text: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}

fn claims(expires: i64) -> Value {
    json!({ "sub": "root", "iat": NOW - 60, "exp": expires, "openstack_methods": ["password"] })
}

fn genuine(key: &EncodingKey, expires: i64) -> String {
    encode(&Header::new(Algorithm::ES256), &claims(expires), key).unwrap()
}

/// A pair of keys: the secret half, and the public one as a file has it.
fn keys() -> (EncodingKey, String) {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    (EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap(), pair.public_key_pem())
}

#[tokio::test]
async fn a_forged_or_expired_jws_is_refused_without_asking() {
    let ((key, public), (stranger, _), repository) = (keys(), keys(), tempfile::tempdir().unwrap());
    std::fs::write(repository.path().join("public.pem"), &public).unwrap();
    let unsigned =
        |header: &str, claims: &Value| format!("{}.{}", encoded(header), encoded(claims.to_string()));
    let good = genuine(&key, NOW + 3_600);
    let parts: Vec<_> = good.split('.').collect();
    let with_secret = |header: &str, secret: &str| {
        let message = unsigned(header, &claims(NOW + 3_600));
        let tag = hmac::sign(&hmac::Key::new(HMAC_SHA256, secret.as_bytes()), message.as_bytes());
        format!("{message}.{}", encoded(tag.as_ref()))
    };
    let forged = [
        format!("{}.", unsigned(r#"{"alg":"none","typ":"JWT"}"#, &claims(NOW + 3_600))),
        format!("{}.{}", unsigned(r#"{"alg":"None","typ":"JWT"}"#, &claims(NOW + 3_600)), parts[2]),
        with_secret(r#"{"alg":"HS256","typ":"JWT"}"#, &public),
        with_secret(r#"{"alg":"HS256","typ":"JWT"}"#, ""),
        with_secret(r#"{"alg":"ES256","typ":"JWT"}"#, &public),
        // Another payload, another header, another signature; none; an old one; a stranger's.
        format!("{}.{}.{}", parts[0], encoded(claims(NOW + 9_999_999).to_string()), parts[2]),
        format!("{}.{}.{}", encoded(r#"{"alg":"ES256","typ":"JWT","kid":"../x"}"#), parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], encoded([0; 64])),
        format!("{}.{}.", parts[0], parts[1]),
        genuine(&key, NOW),
        genuine(&key, NOW - 3_600),
        genuine(&stranger, NOW + 3_600),
    ];
    let keystone = FakeKeystone::start().await;
    let ini = format!("{}jws_public_key_repository = {}\n", keystone.ini(), repository.path().display());
    let app = TestApp::start(Store::Memory, &ini).await;
    for token in forged.iter().chain([&good]) {
        keystone.knows(token, described("p", &["admin"]));
    }
    let status = async |token: &str| {
        raw(app.address, "GET /v2/queues", &[("Client-ID", CLIENT_ID), ("X-Auth-Token", token)]).await.status
    };
    for token in &forged {
        assert_eq!((status(token).await, keystone.validations(token)), (401, 0), "{token}");
    }
    assert_eq!((status(&good).await, keystone.validations(&good)), (200, 1));
    // What is no JWS is none of its business.
    keystone.knows_member("gAAAAABfernet", "p");
    assert_eq!(status("gAAAAABfernet").await, 200);
}
