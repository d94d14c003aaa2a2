//! Signatures of pre-signed URLs (rest.md 9.2): what they vouch for, how they are made and compared.

use std::fmt::Write as _;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use secrecy::{ExposeSecret as _, SecretString};

use crate::clock::Timestamp;
use crate::model::iso8601;

/// The key of `[signed_url] secret_key`; without one, or with an empty one, nothing is signed and nothing verifies.
/// Cheap to clone. It does not print itself.
#[derive(Clone, Debug, Default)]
pub struct SigningKey {
    key: Option<hmac::Key>,
}

/// What a signature vouches for: whoever shows it may do this until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant<'a> {
    /// Paths of the API, from the version on, and whatever lies below them. The order is of no account.
    pub paths: Vec<&'a str>,
    /// Methods. The order is of no account.
    pub methods: Vec<&'a str>,
    /// The project whose resources they are.
    pub project: &'a str,
    /// The end; whole seconds count.
    pub expires: Timestamp,
}

impl SigningKey {
    /// That key.
    pub fn new(secret: Option<&SecretString>) -> Self {
        let text = secret.map(|secret| secret.expose_secret().as_bytes()).filter(|text| !text.is_empty());
        Self { key: text.map(|text| hmac::Key::new(HMAC_SHA256, text)) }
    }

    /// The signature: 64 hexadecimal digits in lower case. `None` without a key.
    pub fn sign(&self, grant: &Grant<'_>) -> Option<String> {
        let tag = hmac::sign(self.key.as_ref()?, grant.text().as_bytes());
        Some(hex(tag.as_ref()))
    }

    /// Whether that is the signature. Takes the same time for every wrong one of the right form.
    pub fn verifies(&self, grant: &Grant<'_>, signature: &str) -> bool {
        match (&self.key, tag(signature)) {
            (Some(key), Some(tag)) => hmac::verify(key, grant.text().as_bytes(), &tag).is_ok(),
            _ => false,
        }
    }
}

impl Grant<'_> {
    /// What is signed. Between its parts stand a backslash and an `n`, not a line's end.
    fn text(&self) -> String {
        let (mut paths, mut methods) = (self.paths.clone(), self.methods.clone());
        paths.sort_unstable();
        methods.sort_unstable();
        [&paths.join(","), &methods.join(","), self.project, &iso8601::utc(self.expires)].join("\\n")
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes that a signature of the right form stands for.
fn tag(signature: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = signature.as_bytes().as_chunks::<2>() else { return None };
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "4b8a7c6c7e49a29d386158ad96793473686b248c6927fb404190e20891f27f6c";

    fn key(text: &str) -> SigningKey {
        SigningKey::new(Some(&text.into()))
    }

    fn grant() -> Grant<'static> {
        Grant {
            paths: vec!["/v2/queues/cq/subscriptions", "/v2/queues/cq/messages"],
            methods: vec!["POST", "GET"],
            project: "p1",
            expires: iso8601::parse("2099-01-01T00:00:00").unwrap(),
        }
    }

    #[test]
    fn the_signature_is_that_of_the_reference() {
        assert_eq!(key("sekret").sign(&grant()).as_deref(), Some(SIGNATURE));
        assert!(key("sekret").verifies(&grant(), SIGNATURE));
    }

    #[test]
    fn whatever_is_altered_does_not_verify() {
        let key = key("sekret");
        let altered: [Grant<'_>; 6] = [
            Grant { paths: vec!["/v2/queues/cq/messages"], ..grant() },
            Grant { paths: vec!["/v2/queues/cq/messages", "/v2/queues/cq/subscriptions", ""], ..grant() },
            Grant { methods: vec!["GET"], ..grant() },
            Grant { methods: vec!["GET", "POST", "DELETE"], ..grant() },
            Grant { project: "p2", ..grant() },
            Grant { expires: grant().expires.plus_seconds(1), ..grant() },
        ];
        for grant in altered {
            assert!(!key.verifies(&grant, SIGNATURE), "{grant:?}");
        }
        let (upper, flipped) = (SIGNATURE.to_uppercase(), format!("5{}", &SIGNATURE[1..]));
        for signature in ["", "dead", &SIGNATURE[1..], &upper, &flipped, &format!("{SIGNATURE}00"), "é"] {
            assert!(!key.verifies(&grant(), signature), "{signature}");
        }
    }

    #[test]
    fn without_a_key_nothing_is_signed_and_nothing_verifies() {
        for key in [SigningKey::default(), SigningKey::new(None), key("")] {
            assert_eq!(key.sign(&grant()), None);
            // The signature by an empty key.
            let empty = hmac::Key::new(HMAC_SHA256, b"");
            let tag = hmac::sign(&empty, grant().text().as_bytes());
            assert!(!key.verifies(&grant(), &hex(tag.as_ref())));
        }
        assert!(!format!("{:?}", key("s3cret")).contains("s3cret"));
    }
}
