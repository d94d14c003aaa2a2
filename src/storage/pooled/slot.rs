//! One store of a pool: where it is, and the store itself once it is opened.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::super::{DataStore, Error, Result};
use super::Opener;
use crate::model::{Metadata, Pool};

/// How long a store may take to be opened, and to say that it is there.
const OPENING: Duration = Duration::from_secs(2);

/// The same of a file, which is written and synced several times on a disk that may be busy.
const OPENING_A_FILE: Duration = Duration::from_secs(10);

/// After a failure, the store is not tried again for so long.
const PAUSE: Duration = Duration::from_secs(1);

/// How long calls on a store that is no longer used may take to end before it is closed anyway.
const LAST_CALLS: Duration = Duration::from_secs(10);

/// Between two looks at whether they have ended.
const LOOK: Duration = Duration::from_millis(10);

/// Where a store is and how it is spoken to.
#[derive(Clone)]
pub(super) struct Source {
    pub(super) uri: String,
    pub(super) options: Metadata,
}

impl Source {
    pub(super) fn of(pool: &Pool) -> Self {
        Self { uri: pool.uri.clone(), options: pool.options.clone() }
    }

    /// Whether the store is part of this process: it has no options, and its file can be open only once.
    pub(super) fn is_embedded(&self) -> bool {
        self.uri.starts_with("sqlite:") || self.uri.starts_with("memory:")
    }
}

/// A place for a store.
pub(super) struct Slot {
    source: Source,
    store: OnceLock<Arc<dyn DataStore>>,
    /// Locked while the store is being opened; when that last failed.
    turn: tokio::sync::Mutex<Option<Instant>>,
    ended: CancellationToken,
    /// The end of the store that was there before.
    before: Option<CancellationToken>,
}

impl Slot {
    /// A place for the store of that source, to be opened once what was there `before` has ended.
    pub(super) fn new(source: Source, before: Option<CancellationToken>) -> Self {
        let (store, turn) = (OnceLock::new(), tokio::sync::Mutex::default());
        Self { source, store, turn, ended: CancellationToken::new(), before }
    }

    /// Cancelled once the store is ended.
    pub(super) fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// Where its store is.
    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// Whether a pool with that source is served from here.
    pub(super) fn is_at(&self, source: &Source) -> bool {
        self.source.uri == source.uri && (source.is_embedded() || self.source.options == source.options)
    }

    /// The store; one caller opens it, the others wait for that.
    pub(super) async fn open(&self, opener: &Opener) -> Result<Arc<dyn DataStore>> {
        if let Some(store) = self.store.get() {
            return Ok(store.clone());
        }
        let mut failed = self.turn.lock().await;
        if let Some(store) = self.store.get() {
            return Ok(store.clone());
        }
        if self.ended.is_cancelled() {
            return Err(Error::unavailable("no pool is there any more"));
        }
        if failed.is_some_and(|at| at.elapsed() < PAUSE) {
            return Err(Error::unavailable("it could not be opened a moment ago"));
        }
        let opening = async {
            if let Some(before) = &self.before {
                before.cancelled().await;
            }
            opener(&self.source.uri, &self.source.options).await
        };
        let limit = if self.source.is_embedded() { OPENING_A_FILE } else { OPENING };
        let answer = tokio::time::timeout(limit, opening).await;
        let answer = answer.unwrap_or(Err(Error::Timeout(limit)));
        *failed = answer.is_err().then(Instant::now);
        answer.map(|store| self.store.get_or_init(|| store).clone())
    }

    /// Ends the store in order.
    pub(super) async fn close(&self) {
        if let Some(store) = self.store.get() {
            store.close().await;
        }
    }

    /// Ends the store once nobody calls it any more; it is not opened again.
    pub(super) async fn retire(self: Arc<Self>) {
        // Whoever is opening it just now ends first.
        let _turn = self.turn.lock().await;
        let start = Instant::now();
        while self.is_used() && start.elapsed() < LAST_CALLS {
            tokio::time::sleep(LOOK).await;
        }
        self.close().await;
        self.ended.cancel();
    }

    fn is_used(&self) -> bool {
        self.store.get().is_some_and(|store| Arc::strong_count(store) > 1)
    }
}
