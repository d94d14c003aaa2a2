//! Tokens that are signed (JWS): forged and expired ones are found out here, before anybody is asked for them.
//!
//! What a genuine token is worth still only the identity service says: of the claims nothing is read but the time.

mod keys;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::crypto::verify;
use serde::Deserialize;
use serde_json::value::RawValue;

use self::keys::Repository;
pub use self::keys::RepositoryError;
use crate::clock::Timestamp;

/// How often the directory of the keys is looked at.
const LOOK: Duration = Duration::from_secs(3);

/// The check of signed tokens, `jws_public_key_repository`.
pub struct Jws {
    keys: Arc<Repository>,
}

/// What can be said of a token without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    /// It is not a JWS, or a genuine one.
    Ask,
    /// Nobody need be asked, for that reason.
    Refuse(&'static str),
}

/// The part of the header that says how the token is signed. A `kid` or key in it means nothing: keys come from the
/// directory alone.
#[derive(Deserialize)]
struct Header<'a> {
    alg: Option<String>,
    #[serde(borrow)]
    crit: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Claims {
    exp: f64,
}

impl Jws {
    /// Reads the public keys of a directory, all `*.pem`; goes on looking whether they changed, in a thread that ends
    /// when this is dropped.
    pub fn open(directory: &Path) -> Result<Self, RepositoryError> {
        Ok(Self { keys: Repository::open(directory, LOOK)? })
    }

    /// Whether the token is a JWS that is not worth asking for. With `allow_expired` its time does not matter.
    pub(super) fn refuses(&self, token: &str, allow_expired: bool, now: Timestamp) -> bool {
        match self.finding(token, allow_expired, now) {
            Finding::Ask => false,
            Finding::Refuse(reason) => {
                tracing::debug!("a signed token was refused: {reason}");
                true
            }
        }
    }

    fn finding(&self, token: &str, allow_expired: bool, now: Timestamp) -> Finding {
        let Some((message, signature)) = token.rsplit_once('.') else { return Finding::Ask };
        let Some((header, claims)) = message.split_once('.').filter(|(_, claims)| !claims.contains('.'))
        else {
            return Finding::Ask;
        };
        let Some(header) = decoded(header).filter(|header| is_object(header)) else { return Finding::Ask };
        // Only the algorithm of the keys, whatever the token asks for: not "none", nor a public key taken for a secret.
        let header: Option<Header<'_>> = serde_json::from_slice(&header).ok();
        let Some(Header { alg: Some(algorithm), crit: None }) = header else {
            return Finding::Refuse("its header is not that of a token");
        };
        if algorithm != "ES256" {
            return Finding::Refuse("it is not signed with ES256");
        }
        let keys = self.keys.current();
        let genuine = |key| verify(signature, message.as_bytes(), key, Algorithm::ES256).unwrap_or(false);
        if !keys.iter().any(genuine) {
            return Finding::Refuse("no key of the repository made its signature");
        }
        let claims = decoded(claims).and_then(|claims| serde_json::from_slice::<Claims>(&claims).ok());
        let Some(Claims { exp }) = claims else { return Finding::Refuse("it has no time of expiry") };
        #[expect(clippy::cast_precision_loss, reason = "seconds of this age are exact")]
        let expired = exp <= now.seconds() as f64;
        if expired && !allow_expired { Finding::Refuse("its time has passed") } else { Finding::Ask }
    }
}

fn decoded(part: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(part).ok()
}

fn is_object(json: &[u8]) -> bool {
    json.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<&RawValue>(json).is_ok()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use aws_lc_rs::{encoding::AsDer as _, hmac};
    use base64::prelude::BASE64_STANDARD;
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    struct Signer(EcdsaKeyPair);

    impl Signer {
        fn new() -> Self {
            Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
        }

        fn pem(&self) -> String {
            let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> = self.0.public_key().as_der().unwrap();
            let text = BASE64_STANDARD.encode(der.as_ref());
            format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
        }

        fn token(&self, header: &Value, claims: &Value) -> String {
            let message = message(header, claims);
            let signature = self.0.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
            format!("{message}.{}", encoded(signature.as_ref()))
        }

        fn good(&self) -> String {
            self.token(&header("ES256"), &claims())
        }
    }

    fn encoded(bytes: &[u8]) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    fn message(header: &Value, claims: &Value) -> String {
        format!("{}.{}", encoded(header.to_string().as_bytes()), encoded(claims.to_string().as_bytes()))
    }

    fn header(algorithm: &str) -> Value {
        json!({"alg": algorithm, "typ": "JWT"})
    }

    fn claims() -> Value {
        json!({"sub": "alice", "iat": NOW - 60, "exp": NOW + 60, "openstack_methods": ["password"]})
    }

    fn repository(signers: &[&Signer]) -> (TempDir, Jws) {
        let directory = tempfile::tempdir().unwrap();
        for (number, signer) in signers.iter().enumerate() {
            std::fs::write(directory.path().join(format!("{number}.pem")), signer.pem()).unwrap();
        }
        let jws = Jws::open(directory.path()).unwrap();
        (directory, jws)
    }

    fn refuses(jws: &Jws, token: &str) -> bool {
        jws.refuses(token, false, Timestamp::from_micros(NOW * 1_000_000))
    }

    #[test]
    fn a_genuine_token_of_any_key_passes_until_its_time() {
        let (old, new) = (Signer::new(), Signer::new());
        let (_directory, jws) = repository(&[&old, &new]);
        for signer in [&old, &new] {
            assert!(!refuses(&jws, &signer.good()));
        }
        let at = |exp| old.token(&header("ES256"), &json!({"sub": "alice", "exp": exp}));
        assert!(!refuses(&jws, &at(NOW + 1)));
        assert!(refuses(&jws, &at(NOW)) && refuses(&jws, &at(0)));
        assert!(!jws.refuses(&at(NOW), true, Timestamp::from_micros(NOW * 1_000_000)));
        for claims in [json!({"sub": "alice"}), json!({"exp": "later"}), json!("later")] {
            assert!(refuses(&jws, &old.token(&header("ES256"), &claims)), "{claims}");
        }
    }

    #[test]
    fn tokens_of_other_kinds_pass_by() {
        let (_directory, jws) = repository(&[&Signer::new()]);
        let object = encoded(b"{}");
        let array = encoded(b"[1]");
        for token in ["gAAAAABn_fernet-token=", "", ".", "..", "a.b", "a.b.c", "not base64.b.c"] {
            assert!(!refuses(&jws, token), "{token}");
        }
        for token in [
            format!("{array}.b.c"),
            format!("{object}.b"),
            format!("{object}.b.c.d"),
            format!("{object}=.b.c"),
        ] {
            assert!(!refuses(&jws, &token), "{token}");
        }
    }

    #[test]
    fn a_token_without_a_signature_is_refused() {
        let (_directory, jws) = repository(&[&Signer::new()]);
        for algorithm in ["none", "None", "NONE", "nOnE", ""] {
            let message = message(&header(algorithm), &claims());
            assert!(refuses(&jws, &format!("{message}.")), "{algorithm}");
        }
        assert!(refuses(&jws, &format!("{}.", message(&header("ES256"), &claims()))));
        assert!(refuses(&jws, &format!("{}.c", message(&json!({}), &claims()))));
    }

    #[test]
    fn the_public_key_is_no_secret() {
        let signer = Signer::new();
        let (_directory, jws) = repository(&[&signer]);
        let raw = signer.0.public_key().as_ref().to_vec();
        for secret in [signer.pem().into_bytes(), signer.pem().trim_end().as_bytes().to_vec(), raw] {
            for algorithm in ["HS256", "ES256"] {
                let message = message(&header(algorithm), &claims());
                let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
                let signature = encoded(hmac::sign(&key, message.as_bytes()).as_ref());
                assert!(refuses(&jws, &format!("{message}.{signature}")), "{algorithm}");
            }
        }
    }

    #[test]
    fn only_es256_by_that_very_name() {
        let signer = Signer::new();
        let (_directory, jws) = repository(&[&signer]);
        for algorithm in ["es256", "ES384", "RS256", "PS256", "EdDSA", "ES256 "] {
            assert!(refuses(&jws, &signer.token(&header(algorithm), &claims())), "{algorithm}");
        }
        let critical = json!({"alg": "ES256", "crit": ["exp"]});
        let twice = format!("{}.{}.c", encoded(br#"{"alg":"none","alg":"ES256"}"#), encoded(b"{}"));
        assert!(refuses(&jws, &signer.token(&critical, &claims())) && refuses(&jws, &twice));
    }

    #[test]
    fn altered_and_foreign_tokens_are_refused_whatever_key_they_name() {
        let (signer, stranger) = (Signer::new(), Signer::new());
        let (_directory, jws) = repository(&[&signer]);
        let token = signer.good();
        let (_, signature) = token.rsplit_once('.').unwrap();
        let mut other = claims();
        other["sub"] = json!("mallory");
        assert!(refuses(&jws, &format!("{}.{signature}", message(&header("ES256"), &other))));
        assert!(refuses(&jws, &format!("{token}A")) && refuses(&jws, &token[..token.len() - 2]));
        let zeros = encoded(&[0; 64]);
        assert!(refuses(&jws, &format!("{}.{zeros}", message(&header("ES256"), &claims()))));
        for name in [json!({"alg": "ES256", "kid": "0"}), json!({"alg": "ES256", "kid": "unknown"})] {
            assert!(refuses(&jws, &stranger.token(&name, &claims())));
            assert!(!refuses(&jws, &signer.token(&name, &claims())));
        }
        let point = stranger.0.public_key().as_ref();
        let own =
            json!({"kty": "EC", "crv": "P-256", "x": encoded(&point[1..33]), "y": encoded(&point[33..])});
        assert!(refuses(&jws, &stranger.token(&json!({"alg": "ES256", "jwk": own}), &claims())));
    }

    #[test]
    fn a_huge_token_is_refused_like_any_other() {
        let signer = Signer::new();
        let (_directory, jws) = repository(&[&signer]);
        let mut big = claims();
        big["sub"] = json!("a".repeat(1 << 20));
        assert!(!refuses(&jws, &signer.token(&header("ES256"), &big)));
        assert!(refuses(&jws, &Signer::new().token(&header("ES256"), &big)));
        assert!(refuses(&jws, &format!("{}.{}", message(&header("ES256"), &big), "A".repeat(1 << 20))));
        let deep = format!("{{\"alg\":{}1{}}}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(refuses(&jws, &format!("{}.b.c", encoded(deep.as_bytes()))));
    }
}
