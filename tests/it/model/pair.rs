//! Two stores that are told the same, and whose answers are compared.

use std::sync::Arc;

use zaqar::clock::Timestamp;
use zaqar::model::{Cursor, QueueRef};
use zaqar::storage::DataStore;

use super::call::Call;
use super::operation::{List, Operation, Told};
use crate::contract::fixture::queue_ref;

/// The queues. Dead letters go from the first to the second and from the third to the fourth.
pub(super) const QUEUES: [(&str, &str); 4] = [("p", "a"), ("p", "b"), ("o", "a"), ("o", "b")];

/// The queue that takes the dead letters of that queue: itself where none does.
pub(super) fn target(queue: usize) -> usize {
    queue | 1
}

/// How many cursors are kept.
const MARKS: usize = 400;

/// The stores, and the cursors that both gave at the same point.
pub(super) struct Pair {
    stores: [Arc<dyn DataStore>; 2],
    marks: Vec<Mark>,
}

/// A point in a queue as each store names it.
struct Mark {
    queue: QueueRef,
    cursors: [Cursor; 2],
}

impl Pair {
    pub(super) fn new(model: Arc<dyn DataStore>, store: Arc<dyn DataStore>) -> Self {
        Self { stores: [model, store], marks: Vec::new() }
    }

    /// Tells both stores: an error says how their answers differ.
    pub(super) async fn run(&mut self, told: &Told) -> Result<(), String> {
        let (project, name) = QUEUES[told.queue];
        let queue = queue_ref(project, name, told.epoch);
        let after = self.cursors(told, &queue);
        let [model, store] = [0, 1].map(|n| Call { store: &*self.stores[n], queue: &queue, now: told.now });
        let model = model.answer(&told.operation, after[0]).await;
        let store = store.answer(&told.operation, after[1]).await;
        if model.text != store.text {
            return Err(format!("the model says\n{}\nthe store says\n{}", model.text, store.text));
        }
        if !is_in_time(model.next_due, store.next_due, told.now) {
            let (model, store) = (model.next_due, store.next_due);
            return Err(format!("look again at {model:?}, says the model, at {store:?}, says the store"));
        }
        if let (Some(model), Some(store)) = (model.cursor, store.cursor) {
            self.marks.insert(0, Mark { queue, cursors: [model, store] });
            self.marks.truncate(MARKS);
        }
        Ok(())
    }

    /// Where a listing begins, for each store.
    fn cursors(&self, told: &Told, queue: &QueueRef) -> [Cursor; 2] {
        let Operation::List(List { after: Some(n), .. }) = told.operation else { return [Cursor::Head; 2] };
        // Behind a delayed message whose time has come a reader may see some twice, which is not exact.
        let is_past = |cursor: &Cursor| matches!(cursor, Cursor::AfterDelayed(due, _) if *due <= told.now);
        let usable = |mark: &&Mark| mark.queue == *queue && !mark.cursors.iter().any(is_past);
        let usable: Vec<&Mark> = self.marks.iter().filter(usable).take(20).collect();
        if usable.is_empty() { [Cursor::Head; 2] } else { usable[n % usable.len()].cursors }
    }
}

/// A store may say to look again too early, where what is due then has expired, but not too late.
fn is_in_time(model: Option<Timestamp>, store: Option<Timestamp>, now: Timestamp) -> bool {
    let early_enough = model.is_none_or(|model| store.is_some_and(|store| store <= model));
    early_enough && store.is_none_or(|store| store > now)
}
