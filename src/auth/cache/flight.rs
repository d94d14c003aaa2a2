//! One validation for all who want the same token at the same time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::{Key, Outcome};
use crate::auth::Unavailable;

/// The validations under way. Each is a task of its own, so that it does not matter which of those who wait for it
/// go away.
pub(super) struct Flights {
    flying: Mutex<HashMap<Key, watch::Receiver<Option<Outcome>>>>,
    tasks: TaskTracker,
}

/// Ends a flight also when its task panics: who waits is told, who comes later starts another.
struct Landing {
    flights: Arc<Flights>,
    key: Key,
    outcome: watch::Sender<Option<Outcome>>,
}

impl Flights {
    pub(super) fn new(tasks: TaskTracker) -> Self {
        Self { flying: Mutex::default(), tasks }
    }

    /// The outcome of the flight of that key. Where there is none, `known` is looked at once more, since one may have
    /// landed a moment ago; else `validate` starts one. Whatever `validate` is to be remembered for it must have
    /// stored when it gives its outcome; what `afterwards` does, nobody waits for.
    pub(super) async fn join<V, A>(
        self: &Arc<Self>,
        key: Key,
        known: impl FnOnce() -> Option<Outcome>,
        validate: impl FnOnce() -> V,
    ) -> Outcome
    where
        V: Future<Output = (Outcome, A)> + Send + 'static,
        A: Future<Output = ()> + Send + 'static,
    {
        let mut waiting = {
            let mut flying = self.flying();
            match flying.entry(key) {
                Entry::Occupied(flight) => flight.get().clone(),
                Entry::Vacant(free) => {
                    if let Some(known) = known() {
                        return known;
                    }
                    let (outcome, waiting) = watch::channel(None);
                    free.insert(waiting.clone());
                    let landing = Landing { flights: self.clone(), key, outcome };
                    let flight = validate();
                    self.tasks.spawn(async move {
                        let (outcome, afterwards) = flight.await;
                        landing.land(outcome);
                        afterwards.await;
                    });
                    waiting
                }
            }
        };
        match waiting.wait_for(Option::is_some).await.map(|outcome| outcome.clone()) {
            Ok(Some(outcome)) => outcome,
            Ok(None) | Err(_) => Err(Unavailable::because("the validation of a token was broken off")),
        }
    }

    /// The lock is held for a look into the table, never across a wait.
    fn flying(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<Option<Outcome>>>> {
        self.flying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Landing {
    fn land(self, outcome: Outcome) {
        self.outcome.send_replace(Some(outcome));
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.flights.flying().remove(&self.key);
    }
}
