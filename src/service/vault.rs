//! Encrypted queues: bodies are sealed before a store sees them and opened for every reader.
//!
//! AES-256-GCM. A key is the SHA-256 of a text that the operator configures; its id, by which a sealed body
//! names it, is the first four bytes of the key's own SHA-256. Project and message id are authenticated too,
//! so that a body that was moved to another message or tenant inside a store does not open there.
//!
//! A sealed body is `01 | key id (4) | nonce (12) | ciphertext | tag (16)`. No JSON text begins with the byte
//! 01, so that plain and sealed bodies may lie in one queue: switching encryption on or off needs no rewriting.
//!
//! Nonces are random. One key may seal 2^32 bodies: up to there the chance that two share a nonce stays below
//! 2^-32 (NIST SP 800-38D, 8.3). Configure a new key before, and keep the old one for reading.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use bytes::Bytes;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::model::{MessageId, ProjectId};

/// The value of `message_encryption_algorithms` under which bodies can be sealed.
pub const ALGORITHM: &str = "AES256";

/// The key text that the reference ships as its default: known to everyone, so that nothing is sealed with it.
const PUBLIC_KEY_TEXT: &str = "AES256";

/// The first byte of a sealed body.
const SEALED: u8 = 1;

/// The bytes before the ciphertext, and behind it.
const HEAD: usize = 1 + 4 + NONCE_LEN;
const TAG: usize = 16;

/// Why a body can be neither sealed nor opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Sealing without a key of one's own.
    #[error("no message encryption key is configured")]
    NoKey,
    /// The body was sealed with a key that is not configured here.
    #[error("no configured key has the id {0:08x} that the body was sealed with")]
    UnknownKey(u32),
    /// The body is not what was sealed, or was sealed for another message.
    #[error("the sealed body is damaged or belongs to another message")]
    Damaged,
    /// The cipher refused to work.
    #[error("the cipher failed")]
    Cipher,
}

/// The keys of the service. It prints their ids at most.
pub struct Vault {
    /// The key that seals.
    sealing: Option<Key>,
    /// Further keys that open.
    opening: Vec<Key>,
}

impl Vault {
    /// A vault that seals with `encryption_key` and opens with all keys.
    ///
    /// Nothing is sealed without a key, with an empty one, with the reference's public default `AES256`, or
    /// under another algorithm than `AES256`.
    pub fn new(
        encryption_key: Option<&SecretString>,
        decryption_keys: &[SecretString],
        algorithm: &str,
    ) -> Self {
        let own = |text: &&SecretString| !["", PUBLIC_KEY_TEXT].contains(&text.expose_secret());
        let key = encryption_key.filter(own).map(Key::new);
        let mut opening: Vec<_> = decryption_keys.iter().map(Key::new).collect();
        if algorithm == ALGORITHM {
            return Self { sealing: key, opening };
        }
        opening.extend(key);
        Self { sealing: None, opening }
    }

    /// True where bodies can be sealed, and so queues be encrypted.
    pub fn can_seal(&self) -> bool {
        self.sealing.is_some()
    }

    /// Seals the body of that message.
    pub fn seal(&self, project: &ProjectId, id: MessageId, body: &[u8]) -> Result<Bytes, Error> {
        let key = self.sealing.as_ref().ok_or(Error::NoKey)?;
        let mut sealed = vec![0; HEAD + body.len()];
        sealed[HEAD..].copy_from_slice(body);
        let bound = Aad::from(bound_to(project, id));
        let (nonce, tag) =
            key.cipher.seal_in_place_separate_tag(bound, &mut sealed[HEAD..]).map_err(|_| Error::Cipher)?;
        sealed[0] = SEALED;
        sealed[1..5].copy_from_slice(&key.id.to_be_bytes());
        sealed[5..HEAD].copy_from_slice(nonce.as_ref());
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed.into())
    }

    /// Opens the body of that message; a plain one is given back as it is.
    pub fn open(&self, project: &ProjectId, id: MessageId, body: Bytes) -> Result<Bytes, Error> {
        if body.first() != Some(&SEALED) {
            return Ok(body);
        }
        if body.len() < HEAD + TAG {
            return Err(Error::Damaged);
        }
        let (head, ciphertext) = body.split_at(HEAD);
        let (key_id, nonce) = (u32::from_be_bytes([head[1], head[2], head[3], head[4]]), &head[5..]);
        let mut error = Error::UnknownKey(key_id);
        // Two keys may have one id by chance.
        for key in self.sealing.iter().chain(&self.opening).filter(|key| key.id == key_id) {
            let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Error::Damaged)?;
            let mut opened = ciphertext.to_vec();
            if key.cipher.open_in_place(nonce, Aad::from(bound_to(project, id)), &mut opened).is_ok() {
                opened.truncate(ciphertext.len() - TAG);
                return Ok(opened.into());
            }
            error = Error::Damaged;
        }
        Err(error)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = |key: &Key| format!("{:08x}", key.id);
        f.debug_struct("Vault")
            .field("sealing", &self.sealing.as_ref().map(id))
            .field("opening", &self.opening.iter().map(id).collect::<Vec<_>>())
            .finish()
    }
}

struct Key {
    id: u32,
    cipher: RandomizedNonceKey,
}

impl Key {
    fn new(text: &SecretString) -> Self {
        let key = Sha256::digest(text.expose_secret());
        let hash = Sha256::digest(key);
        let id = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &key)
            .expect("SHA-256 gives as many bytes as AES-256 takes");
        Self { id, cipher }
    }
}

/// What is authenticated with a body. The length of the project id tells where it ends.
fn bound_to(project: &ProjectId, id: MessageId) -> Vec<u8> {
    let project = project.as_str();
    let mut bound = Vec::with_capacity(64 + project.len());
    bound.extend_from_slice(b"zaqar body");
    bound.push(SEALED);
    bound.extend_from_slice(&(project.len() as u64).to_be_bytes());
    bound.extend_from_slice(project.as_bytes());
    bound.extend_from_slice(id.0.as_bytes());
    bound
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use proptest::prelude::*;

    fn vault(encryption: Option<&str>, decryption: &[&str]) -> Vault {
        let secret = |text: &&str| SecretString::from(*text);
        let decryption: Vec<_> = decryption.iter().map(secret).collect();
        Vault::new(encryption.map(SecretString::from).as_ref(), &decryption, ALGORITHM)
    }

    fn message() -> (ProjectId, MessageId) {
        (ProjectId::new("p"), MessageId::new(Timestamp::from_micros(7)))
    }

    #[test]
    fn only_a_key_of_ones_own_seals() {
        let (project, id) = message();
        for refused in [vault(None, &["old"]), vault(Some(""), &[]), vault(Some("AES256"), &[])] {
            assert!(!refused.can_seal());
            assert_eq!(refused.seal(&project, id, b"1"), Err(Error::NoKey));
        }
        let key = SecretString::from("own");
        let rsa = Vault::new(Some(&key), &[], "RSA");
        assert!(!rsa.can_seal());
        let sealed = vault(Some("own"), &[]).seal(&project, id, b"1").unwrap();
        assert_eq!(rsa.open(&project, id, sealed).unwrap(), "1");
    }

    #[test]
    fn old_keys_open_and_unknown_ones_are_named() {
        let (project, id) = message();
        let sealed = vault(Some("old"), &[]).seal(&project, id, b"{}").unwrap();
        assert_eq!(vault(Some("new"), &["older", "old"]).open(&project, id, sealed.clone()).unwrap(), "{}");
        let error = vault(Some("new"), &[]).open(&project, id, sealed.clone()).unwrap_err();
        let key_id = u32::from_be_bytes(sealed[1..5].try_into().unwrap());
        assert_eq!(error, Error::UnknownKey(key_id));
        assert!(error.to_string().contains(&format!("{key_id:08x}")));
    }

    /// A body that another implementation sealed by the description of the format, which must stay readable.
    #[test]
    fn the_format_stays() {
        let sample = "01af4caba6000102030405060708090a0b511a1a4174cf\
                      072f085e8de6058156c2ed142e8ae7fbe3";
        let byte = |at| u8::from_str_radix(&sample[at..at + 2], 16).unwrap();
        let sealed: Bytes = (0..sample.len()).step_by(2).map(byte).collect();
        let id = MessageId::parse("0198c0de-0000-7000-8000-000000000001").unwrap();
        let opened = vault(Some("sample key"), &[]).open(&ProjectId::new("tenant"), id, sealed);
        assert_eq!(opened.unwrap(), "{\"n\":1}");
    }

    #[test]
    fn two_seals_differ_and_keys_are_not_printed() {
        let (project, id) = message();
        let vault = vault(Some("secret text"), &["other text"]);
        assert_ne!(vault.seal(&project, id, b"1"), vault.seal(&project, id, b"1"));
        let printed = format!("{vault:?}");
        assert!(!printed.contains("text") && printed.len() < 80, "{printed}");
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens_for_its_message_only(
            body in prop::collection::vec(any::<u8>(), 0..200),
            project in ".{0,20}",
            other in ".{0,20}",
            at in any::<prop::sample::Index>(),
            bit in 0_u32..8,
        ) {
            let vault = vault(Some("key"), &[]);
            let (project, other) = (ProjectId::new(&project), ProjectId::new(&other));
            let (id, other_id) = (MessageId::new(Timestamp::default()), MessageId::new(Timestamp::default()));
            let sealed = vault.seal(&project, id, &body).unwrap();
            prop_assert_eq!(&vault.open(&project, id, sealed.clone()).unwrap(), &body);
            prop_assert_eq!(vault.open(&project, other_id, sealed.clone()), Err(Error::Damaged));
            if other != project {
                prop_assert_eq!(vault.open(&other, id, sealed.clone()), Err(Error::Damaged));
            }
            let mut tampered = sealed.to_vec();
            let at = at.index(tampered.len());
            tampered[at] ^= 1_u8 << bit;
            let opened = vault.open(&project, id, tampered.clone().into());
            match at {
                // No longer a sealed body: it is passed on, and is no JSON that anyone posted.
                0 => prop_assert_eq!(opened.unwrap(), tampered),
                1..=4 => prop_assert!(matches!(opened, Err(Error::UnknownKey(_)))),
                _ => prop_assert_eq!(opened, Err(Error::Damaged)),
            }
            let cut = vault.open(&project, id, sealed.slice(..at));
            prop_assert!(at == 0 || cut == Err(Error::Damaged));
        }

        #[test]
        fn a_plain_body_is_not_touched(body in "[^\\x01].{0,40}|") {
            let (project, id) = message();
            let body = Bytes::from(body);
            prop_assert_eq!(vault(None, &[]).open(&project, id, body.clone()).unwrap().as_ptr(), body.as_ptr());
        }
    }
}
