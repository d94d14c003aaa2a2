//! Names and values of tokens in a cache that other services share: the format of Python's keystonemiddleware
//! (storage-and-operations.md 14.4), so that its services and ours find each other's entries.

use aws_lc_rs::cipher::{
    AES_128, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// A third of a SHA-384: the length of each of the three keys of an entry.
const PART: usize = 16;

/// A signature in text form.
const SIGNATURE: usize = 64;

/// What is done to entries, `memcache_security_strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Signed.
    Mac,
    /// Encrypted and signed.
    Encrypt,
}

/// The protection of all entries: a strategy with its secret, or none.
pub struct Protection(Option<(Strategy, hmac::Key)>);

/// The entry of one token.
pub(super) struct Slot {
    /// Its name in the cache.
    pub(super) name: String,
    keys: Option<Keys>,
}

struct Keys {
    signing: hmac::Key,
    /// Where entries are encrypted.
    cipher: Option<[u8; PART]>,
}

impl Strategy {
    /// The text that goes into the keys. Always in upper case: what a Python service with `encrypt` in lower case
    /// stores is not encrypted, and is not shared with it.
    const fn text(self) -> &'static [u8] {
        match self {
            Self::Mac => b"MAC",
            Self::Encrypt => b"ENCRYPT",
        }
    }
}

impl Protection {
    /// Entries lie open: whoever can write to the cache can make himself anybody.
    pub fn none() -> Self {
        Self(None)
    }

    /// Entries are protected with that `memcache_secret_key`.
    pub fn new(strategy: Strategy, secret: &str) -> Self {
        Self(Some((strategy, hmac::Key::new(hmac::HMAC_SHA384, secret.as_bytes()))))
    }

    /// The entry of that token.
    pub(super) fn slot(&self, token: &str) -> Slot {
        let Some((strategy, secret)) = &self.0 else {
            return Slot { name: format!("tokens/{}", hex(&sha256(token))), keys: None };
        };
        let mut derived = hmac::Context::with_key(secret);
        derived.update(token.as_bytes());
        derived.update(strategy.text());
        let derived = derived.sign();
        let (name, keys) = derived.as_ref().split_at(PART);
        let (signing, cipher) = keys.split_at(PART);
        let cipher = cipher.try_into().ok().filter(|_| *strategy == Strategy::Encrypt);
        let keys = Keys { signing: hmac::Key::new(hmac::HMAC_SHA384, signing), cipher };
        // The Python service puts a byte string into its text as Python prints it, with b and quotes.
        Slot { name: format!("tokens/b'{}'", BASE64_STANDARD.encode(name)), keys: Some(keys) }
    }
}

impl Slot {
    /// The document as it is stored; `None` where the cipher fails.
    pub(super) fn protect(&self, document: &[u8]) -> Option<Vec<u8>> {
        let Some(Keys { signing, cipher }) = &self.keys else { return Some(document.to_vec()) };
        let payload = match cipher {
            Some(key) => BASE64_STANDARD.encode(encrypt(key, document)?),
            None => BASE64_STANDARD.encode(document),
        };
        let mut stored = BASE64_STANDARD.encode(hmac::sign(signing, payload.as_bytes())).into_bytes();
        stored.extend_from_slice(payload.as_bytes());
        Some(stored)
    }

    /// The document of a stored value; `None` where it was not stored for this token by somebody with the secret.
    /// Of entries that lie open nothing can be said but that they are.
    pub(super) fn reveal(&self, stored: Vec<u8>) -> Option<Vec<u8>> {
        let Some(Keys { signing, cipher }) = &self.keys else { return Some(stored) };
        let (signature, payload) = stored.split_at_checked(SIGNATURE)?;
        let signature = BASE64_STANDARD.decode(signature).ok()?;
        hmac::verify(signing, payload, &signature).ok()?;
        let payload = BASE64_STANDARD.decode(payload).ok()?;
        match cipher {
            Some(key) => decrypt(key, &payload),
            None => Some(payload),
        }
    }
}

/// The SHA-256 of a token, by which caches know it.
pub(super) fn sha256(token: &str) -> [u8; digest::SHA256_OUTPUT_LEN] {
    let mut sum = [0; digest::SHA256_OUTPUT_LEN];
    sum.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    sum
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// A random initialisation vector, and the ciphertext behind it.
fn encrypt(key: &[u8; PART], document: &[u8]) -> Option<Vec<u8>> {
    let key = UnboundCipherKey::new(&AES_128, key).ok()?;
    let mut text = document.to_vec();
    let context = PaddedBlockEncryptingKey::cbc_pkcs7(key).ok()?.encrypt(&mut text).ok()?;
    let DecryptionContext::Iv128(vector) = context else { return None };
    let mut payload = vector.as_ref().to_vec();
    payload.append(&mut text);
    Some(payload)
}

fn decrypt(key: &[u8; PART], payload: &[u8]) -> Option<Vec<u8>> {
    let key = UnboundCipherKey::new(&AES_128, key).ok()?;
    let (vector, text) = payload.split_at_checked(PART)?;
    let context = DecryptionContext::Iv128(FixedLength::from(<[u8; PART]>::try_from(vector).ok()?));
    let mut text = text.to_vec();
    let plain = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?.decrypt(&mut text, context).ok()?;
    Some(plain.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "gAAAAtoken";
    const DOCUMENT: &[u8] = br#"{"token": {"a": 1}}"#;

    fn slots() -> [Slot; 3] {
        let secret = "secret key";
        let protections = [
            Protection::none(),
            Protection::new(Strategy::Mac, secret),
            Protection::new(Strategy::Encrypt, secret),
        ];
        protections.map(|protection| protection.slot(TOKEN))
    }

    // The expected texts are what keystonemiddleware 13.0.1 made of the same token and secret.

    #[test]
    fn entries_have_the_names_of_the_python_service() {
        let names = slots().map(|slot| slot.name);
        assert_eq!(names[0], "tokens/518262ec60bcbd849f29183d1ed193ec83ee5ad155d25a61143b8da95490f784");
        assert_eq!(names[1], "tokens/b'Qxlw6aB9ON1sl08JvNkLGg=='");
        assert_eq!(names[2], "tokens/b'wbqaIyaRJ39NBCPesu+F6w=='");
    }

    #[test]
    fn entries_of_the_python_service_are_read() {
        let signed =
            "ylc/DPY+tzJMiEKoUI4lX5dG6NzHOUvuG8N9lTCoPjP84dzwFmqX2MVggp7QLYlEeyJ0b2tlbiI6IHsiYSI6IDF9fQ==";
        let sealed = "Xkm0B7V28m4P2gVQjVr4lO614ksy1k0QpC0yHDxBJP17rYpSVAYjVsf0EbUz4RmqzKps6DUPg/QQLs/wDeyew2lmCofr5\
                      EOjcWT6KqcPb2tyVWSt2FYO2D4rGoinVqUM";
        let [open, mac, encrypt] = slots();
        assert_eq!(open.reveal(DOCUMENT.to_vec()).as_deref(), Some(DOCUMENT));
        assert_eq!(mac.reveal(signed.into()).as_deref(), Some(DOCUMENT));
        assert_eq!(encrypt.reveal(sealed.into()).as_deref(), Some(DOCUMENT));
        assert_eq!(mac.protect(DOCUMENT).unwrap(), signed.as_bytes());
    }

    #[test]
    fn what_is_protected_can_be_read_only_as_it_was_stored_for_that_token() {
        for strategy in [Strategy::Mac, Strategy::Encrypt] {
            let protection = Protection::new(strategy, "secret key");
            let slot = protection.slot(TOKEN);
            let stored = slot.protect(DOCUMENT).unwrap();
            assert_eq!(slot.reveal(stored.clone()).as_deref(), Some(DOCUMENT));
            for place in 0..stored.len() {
                let mut altered = stored.clone();
                altered[place] ^= 1;
                assert_eq!(slot.reveal(altered), None, "{strategy:?}, byte {place}");
                assert_eq!(slot.reveal(stored[..place].to_vec()), None, "{strategy:?}, cut at {place}");
            }
            assert_eq!(protection.slot("another").reveal(stored.clone()), None);
            assert_eq!(Protection::new(strategy, "another").slot(TOKEN).reveal(stored), None);
        }
    }

    #[test]
    fn an_encrypted_entry_shows_nothing_and_never_repeats() {
        let [_, _, slot] = slots();
        let stored = [slot.protect(DOCUMENT).unwrap(), slot.protect(DOCUMENT).unwrap()];
        assert_ne!(stored[0], stored[1]);
        let payload = BASE64_STANDARD.decode(&stored[0][SIGNATURE..]).unwrap();
        assert!(!payload.windows(7).any(|part| part == b"\"token\""));
    }
}
