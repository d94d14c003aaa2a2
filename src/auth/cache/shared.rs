//! The cache of tokens that other services share, on memcached.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Deserialize;

use super::protect::{Protection, Slot};
use crate::auth::Token;
use crate::auth::memcached::Memcached;

/// Entries of tokens on memcached, as the Python services know them.
pub struct SharedCache {
    servers: Memcached,
    protection: Protection,
    /// An entry was not what it should be, and no good one was read since.
    suspicious: AtomicBool,
}

/// What the Python service adds to the document: the token itself.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    token: Owner<'a>,
}

#[derive(Deserialize)]
struct Owner<'a> {
    #[serde(borrow)]
    auth_token: Option<std::borrow::Cow<'a, str>>,
}

impl SharedCache {
    /// A cache on these servers, its entries so protected.
    pub fn new(servers: Memcached, protection: Protection) -> Self {
        Self { servers, protection, suspicious: AtomicBool::new(false) }
    }

    /// What the entry of that token says. An entry that was not stored for it, or cannot be read, is none.
    pub(super) async fn get(&self, token: &str) -> Option<Arc<Token>> {
        let slot = self.protection.slot(token);
        let stored = self.servers.get(&slot.name).await?;
        let found = read(&slot, stored, token);
        match &found {
            Some(_) => self.suspicious.store(false, Ordering::Relaxed),
            // Said once, not for every request: whoever can spoil entries could fill the log.
            None if !self.suspicious.swap(true, Ordering::Relaxed) => {
                tracing::warn!(
                    "entries of the shared cache of tokens are not what they should be, and not used"
                );
            }
            None => {}
        }
        found
    }

    /// Stores the identity service's document of that token for so many seconds.
    pub(super) async fn set(&self, token: &str, document: &[u8], seconds: u64) {
        let slot = self.protection.slot(token);
        if let Some(value) = slot.protect(document) {
            self.servers.set(&slot.name, &value, seconds).await;
        }
    }
}

fn read(slot: &Slot, stored: Vec<u8>, token: &str) -> Option<Arc<Token>> {
    let document = slot.reveal(stored)?;
    let owner = serde_json::from_slice::<Document<'_>>(&document).ok()?.token.auth_token;
    if owner.is_some_and(|owner| owner != token) {
        return None;
    }
    Token::parse(&document).ok().map(Arc::new)
}
