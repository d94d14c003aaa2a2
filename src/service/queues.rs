//! Queues: create, read, change, delete, list.

use std::sync::Arc;

use super::placement::{self, Choice};
use super::registry::Known;
use super::{Context, MessageView, Service};
use crate::error::{Error, Result};
use crate::model::limits::DEFAULT_PAGE;
use crate::model::metadata::{self, Metadata};
use crate::model::patch::Operation;
use crate::model::{Epoch, PoolName, ProjectId, QueueName, QueueRef};
use crate::policy::Rule;
use crate::storage::{self, Placing, QueueFilter, QueueRecord, Stats};

/// How often a change of metadata is tried again when another one came between.
const PATCH_ATTEMPTS: usize = 20;

/// Why a reserved attribute is refused, in the words of the reference.
const RESERVED: &str =
    "Reserved queue attributes in metadata (which names start with \"_\") can not be set in API v1.";

/// How often a data call is made while others delete and create its queue.
const ATTEMPTS: usize = 16;

/// Which queues a client wants listed.
#[derive(Clone, Debug, Default)]
pub struct QueueListRequest {
    /// Only names after this one.
    pub marker: Option<String>,
    /// At most this many; 10 where it is not given.
    pub limit: Option<i64>,
    /// With their metadata.
    pub detailed: bool,
    /// Only names that contain this text.
    pub name: Option<String>,
    /// With the number of all queues of the project.
    pub with_count: bool,
    /// Only queues whose stored metadata has each key with that value, given as text.
    pub metadata: Vec<(String, String)>,
    /// What is shown of the metadata.
    pub shown: Shown,
}

/// What a client is shown of a queue's metadata (rest.md 4.4). Reserved attributes begin with `_`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// What was stored, and the defaults of the reserved attributes that were not: v2.
    #[default]
    WithDefaults,
    /// What was stored: v1.1.
    Stored,
    /// What was stored, without the reserved attributes, which v1 neither sets nor removes.
    Unreserved,
}

/// A page of queues.
#[derive(Clone, Debug, Default)]
pub struct QueueListing {
    /// Names, ascending, with metadata where it was asked for.
    pub queues: Vec<(QueueName, Option<Metadata>)>,
    /// The number of all queues of the project, where it was asked for and is not zero.
    pub count: Option<u64>,
}

impl Service {
    /// Checks a queue's name as a client sent it, together with the length of its project's id.
    pub fn queue_name(project: &ProjectId, name: &str) -> Result<QueueName> {
        QueueName::parse(name).filter(|_| project.is_well_sized()).ok_or(Error::QueueIdentification)
    }

    /// Creates a queue, or leaves an existing one as it is: whether it is new. The metadata is checked in
    /// either case.
    pub async fn create_queue(
        &self,
        context: &Context,
        name: &QueueName,
        metadata: &Metadata,
    ) -> Result<bool> {
        context.granted(Rule::QueuesCreate)?;
        self.check_metadata(metadata).map_err(Error::invalid)?;
        self.check_flavor_name(metadata).map_err(Error::invalid)?;
        Ok(self.create(context, name, metadata, "Queue could not be created.").await?.1)
    }

    /// Creates the queue or finds it: what is known of it, and whether it is new.
    pub(super) async fn create(
        &self,
        context: &Context,
        name: &QueueName,
        metadata: &Metadata,
        sentence: &'static str,
    ) -> Result<(Arc<Known>, bool)> {
        let (failed, management) = (|| Error::unavailable(sentence), &self.inner.stores.management);
        let pool = match self.choose(&context.project, metadata).await.map_err(failed())? {
            Choice::Pool(pool) => Some(pool),
            Choice::Default => None,
            Choice::NoFlavor(flavor) => return Err(Error::invalid(placement::no_flavor(&flavor))),
            Choice::Nowhere => {
                // One that has a place already needs none.
                let found = management.queue(&context.project, name).await.map_err(failed())?;
                let placed = found.filter(|record| !self.lies_nowhere(record));
                let record = placed.ok_or_else(|| failed()(placement::no_pool()))?;
                return Ok((Arc::new(Known::new(record)), false));
            }
        };
        let epoch = Epoch(self.inner.clock.now().micros());
        let queue = QueueRef { project: context.project.clone(), name: name.clone(), epoch };
        let (record, new) =
            management.create_queue(&queue, metadata, pool.as_ref()).await.map_err(failed())?;
        if new {
            self.inner.registry.forget(&context.project, name);
        }
        let known = Arc::new(Known::new(record));
        if !new && self.lies_nowhere(&known.record) {
            return Ok((self.place(&known, sentence).await?, false));
        }
        if new {
            // Where this is cut off, the first call that finds the data missing opens it.
            self.open_again(&known, sentence).await?;
        }
        Ok((known, new))
    }

    /// The queue with a place for its data; a missing one is created.
    pub(super) async fn known_or_new(
        &self,
        context: &Context,
        name: &QueueName,
        sentence: &'static str,
    ) -> Result<Arc<Known>> {
        match self.known(&context.project, name).await? {
            Some(known) if !self.lies_nowhere(&known.record) => Ok(known),
            Some(known) => self.place(&known, sentence).await,
            None => Ok(self.create(context, name, &Metadata::new(), sentence).await?.0),
        }
    }

    /// The metadata of a queue with defaults merged; that of a missing queue is the defaults alone.
    pub async fn queue_metadata(&self, context: &Context, name: &QueueName) -> Result<Metadata> {
        self.shown_metadata(context, name, Shown::WithDefaults).await
    }

    /// So much of the metadata of a queue as is shown.
    pub async fn shown_metadata(
        &self,
        context: &Context,
        name: &QueueName,
        shown: Shown,
    ) -> Result<Metadata> {
        context.granted(Rule::QueuesGet)?;
        let known = self.known(&context.project, name).await?;
        let stored = known.as_ref().map(|known| &known.record.metadata);
        Ok(self.part_of(stored.unwrap_or(&Metadata::new()), shown))
    }

    /// An error where there is no such queue; for the operation that has that rule.
    pub async fn must_exist(&self, context: &Context, rule: Rule, name: &QueueName) -> Result<()> {
        context.granted(rule)?;
        let missing = || Error::QueueMissing(name.clone(), context.project.clone());
        self.known(&context.project, name).await?.map(drop).ok_or_else(missing)
    }

    /// Changes the metadata of a queue by a JSON-patch: all operations or none. The metadata after it, with
    /// defaults merged.
    pub async fn patch_queue(
        &self,
        context: &Context,
        name: &QueueName,
        operations: &[Operation],
    ) -> Result<Metadata> {
        let change = |stored: &Metadata| {
            crate::model::patch::apply(stored, operations)
                .map_err(|conflict| Error::Conflict(conflict.to_string().into()))
        };
        Ok(self.with_defaults(&self.change_metadata(context, name, change).await?))
    }

    /// Replaces the metadata of a queue but for its reserved attributes, which stay, and may not be among the new.
    pub async fn replace_metadata(
        &self,
        context: &Context,
        name: &QueueName,
        metadata: &Metadata,
    ) -> Result<()> {
        if metadata.keys().any(|key| metadata::is_reserved(key)) {
            return Err(Error::invalid(RESERVED));
        }
        let change = |stored: &Metadata| {
            let kept = stored.iter().filter(|(key, _)| metadata::is_reserved(key));
            let all = metadata.iter().chain(kept);
            Ok(all.map(|(key, value)| (key.clone(), value.clone())).collect())
        };
        self.change_metadata(context, name, change).await.map(drop)
    }

    /// Changes the metadata of a queue to what `change` makes of it: the metadata then.
    async fn change_metadata(
        &self,
        context: &Context,
        name: &QueueName,
        change: impl Fn(&Metadata) -> Result<Metadata>,
    ) -> Result<Metadata> {
        context.granted(Rule::QueuesUpdate)?;
        let failed = || Error::unavailable("Queue could not be updated.");
        let (project, management) = (&context.project, &self.inner.stores.management);
        for _ in 0..PATCH_ATTEMPTS {
            let seen = management.queue(project, name).await.map_err(failed())?;
            let seen = seen.ok_or_else(|| Error::QueueMissing(name.clone(), project.clone()))?;
            let changed = change(&seen.metadata)?;
            self.check_metadata(&changed).map_err(Error::body)?;
            let placing = self.placing(&seen, &changed).await?;
            let replaced = management.replace_metadata(&seen, &changed, placing.as_ref()).await;
            let replaced = replaced.map_err(failed())?;
            if let Some(record) = replaced {
                self.inner.registry.forget(project, name);
                if matches!(placing, Some(Placing::Move(_))) {
                    self.set_off(record.queue);
                }
                return Ok(changed);
            }
        }
        Err(Error::Conflict("The queue is being changed by others; nothing was changed.".into()))
    }

    /// Deletes a queue with its messages and claims; a missing one is no error.
    pub async fn delete_queue(&self, context: &Context, name: &QueueName) -> Result<()> {
        context.granted(Rule::QueuesDelete)?;
        let (service, project, name) = (self.clone(), context.project.clone(), name.clone());
        // Not to be cut off between the two stores when the client goes away.
        let deletion =
            self.inner.tasks.spawn(async move { service.delete_everywhere(&project, &name).await });
        deletion
            .await
            .unwrap_or_else(|lost| Err(storage::Error::unavailable(lost)))
            .map_err(Error::unavailable("Queue could not be deleted."))
    }

    async fn delete_everywhere(&self, project: &ProjectId, name: &QueueName) -> storage::Result<()> {
        let deleted = self.inner.stores.management.delete_queue(project, name).await?;
        self.inner.registry.forget(project, name);
        match deleted {
            Some(record) => self.drop_data(&record).await,
            None => Ok(()),
        }
    }

    /// Drops the data of a deleted queue wherever it may be.
    async fn drop_data(&self, record: &QueueRecord) -> storage::Result<()> {
        let (queue, placement) = (&record.queue, &record.placement);
        let drop = async |pool: Option<&PoolName>, queue: &QueueRef| {
            match self.inner.pools.store(pool).await {
                // The pool was deleted; what lies there is out of reach.
                Err(storage::Error::Gone) => Ok(()),
                store => store?.drop_queue(queue).await,
            }
        };
        drop(placement.pool.as_ref(), queue).await?;
        if let Some(motion) = &placement.motion {
            drop(motion.source.as_ref(), queue).await?;
            drop(motion.source.as_ref(), &queue.sealed()).await?;
            drop(Some(&motion.target), queue).await?;
        }
        Ok(())
    }

    /// The numbers of a queue; those of a missing one are zero.
    pub async fn stats(&self, context: &Context, name: &QueueName) -> Result<Stats> {
        context.granted(Rule::QueuesStats)?;
        let stats = self
            .on_queue(&context.project, name, "Queue stats could not be read.", |known| async move {
                self.data(&known).await?.stats(known.queue(), self.inner.clock.now()).await
            })
            .await?;
        Ok(stats.unwrap_or_default())
    }

    /// The numbers of a queue, with the messages at its ends (one, where they are the same; none, where they expired
    /// meanwhile); `None` where the queue is missing.
    pub async fn stats_with_ends(
        &self,
        context: &Context,
        name: &QueueName,
    ) -> Result<Option<(Stats, Vec<MessageView>)>> {
        context.granted(Rule::QueuesStats)?;
        let found = self
            .on_queue(&context.project, name, "Queue stats could not be read.", |known| async move {
                let (data, now) = (self.data(&known).await?, self.inner.clock.now());
                let stats = data.stats(known.queue(), now).await?;
                let ends = [stats.oldest, stats.newest].into_iter().flatten().map(|(id, _)| id);
                let ends: Vec<_> = ends.collect();
                let messages = data.get(known.queue(), &ends, now).await?;
                Ok((stats, messages))
            })
            .await?;
        let Some((stats, messages)) = found else { return Ok(None) };
        Ok(Some((stats, self.views(context, messages)?)))
    }

    /// A page of the project's queues, by name.
    pub async fn list_queues(&self, context: &Context, request: QueueListRequest) -> Result<QueueListing> {
        context.granted(Rule::QueuesGetAll)?;
        let failed = || Error::unavailable("Queues could not be listed.");
        let most = self.limits().max_queues_per_page;
        let limit = page_size(request.limit, most)
            .ok_or_else(|| format!("Limit must be at least 1 and no greater than {most}."))
            .map_err(Error::invalid)?;
        let metadata = request.metadata.into_iter().map(|(key, value)| (key, filter_value(value)));
        let filter =
            QueueFilter { marker: request.marker, name: request.name, metadata: metadata.collect(), limit };
        let management = &self.inner.stores.management;
        let records = management.queues(&context.project, &filter).await.map_err(failed())?;
        let count = if request.with_count {
            Some(management.count_queues(&context.project).await.map_err(failed())?)
        } else {
            None
        };
        let queues = records.into_iter().map(|record| {
            let metadata = request.detailed.then(|| self.part_of(&record.metadata, request.shown));
            (record.queue.name, metadata)
        });
        Ok(QueueListing { queues: queues.collect(), count: count.filter(|count| *count > 0) })
    }

    /// Runs a data call on a queue, or gives `None` where the queue is missing. Where the store says that what
    /// is known is stale, the record is read again, the data opened, and the call made again.
    pub(super) async fn on_queue<T, F>(
        &self,
        project: &ProjectId,
        name: &QueueName,
        sentence: &'static str,
        call: impl Fn(Arc<Known>) -> F,
    ) -> Result<Option<T>>
    where
        F: Future<Output = storage::Result<T>>,
    {
        let find = || async move {
            let known = self.known(project, name).await?;
            Ok(known.filter(|known| !self.lies_nowhere(&known.record)))
        };
        self.on_found(project, name, sentence, find, call).await
    }

    /// The same on a queue that is created where it is missing.
    pub(super) async fn on_queue_or_new<T, F>(
        &self,
        context: &Context,
        name: &QueueName,
        sentence: &'static str,
        call: impl Fn(Arc<Known>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = storage::Result<T>>,
    {
        let find = || async move { self.known_or_new(context, name, sentence).await.map(Some) };
        let done = self.on_found(&context.project, name, sentence, find, call).await?;
        done.ok_or_else(|| Error::unavailable(sentence)(storage::Error::Gone))
    }

    /// The same on the queue that `find` finds; `None` where it finds none, or each time one that is gone again.
    pub(super) async fn on_found<T, K, F>(
        &self,
        project: &ProjectId,
        name: &QueueName,
        sentence: &'static str,
        find: impl Fn() -> K,
        call: impl Fn(Arc<Known>) -> F,
    ) -> Result<Option<T>>
    where
        K: Future<Output = Result<Option<Arc<Known>>>>,
        F: Future<Output = storage::Result<T>>,
    {
        for attempt in 0..ATTEMPTS {
            let Some(known) = find().await? else { return Ok(None) };
            if attempt > 0 {
                self.open_again(&known, sentence).await?;
            }
            match call(known).await {
                Err(storage::Error::Gone) => self.inner.registry.forget(project, name),
                answer => return answer.map(Some).map_err(Error::unavailable(sentence)),
            }
        }
        // Deleted and created again each time: it was missing for a moment, which is an answer.
        Ok(None)
    }

    /// Makes the data of a queue exist, where a crash kept its creator from it. Where it is sealed, but the record does
    /// not say so yet, the mover or a crash is between the two: what is missing is done here.
    ///
    /// The queue cannot be deleted meanwhile. Data that was made to exist after a deletion would take messages from all
    /// who do not know of it yet, and lose them to the next queue of the name.
    pub(super) async fn open_again(&self, known: &Known, sentence: &'static str) -> Result<()> {
        let opened = async {
            let (store, queue, now) = (self.taker(known).await?, known.queue(), self.inner.clock.now());
            let management = &self.inner.stores.management;
            match management.while_current(queue, Box::pin(async move { store.open(queue, now).await })).await
            {
                // Deleted meanwhile.
                Ok(false) => self.inner.registry.forget(&queue.project, &queue.name),
                Ok(true) => {}
                // Else it was deleted and created again meanwhile, by somebody else.
                Err(storage::Error::Gone) => self.complete_seal(known).await?,
                Err(error) => return Err(error),
            }
            Ok(())
        };
        match opened.await {
            Err(storage::Error::Gone) => Ok(()),
            opened => opened.map_err(Error::unavailable(sentence)),
        }
    }

    fn check_metadata(&self, metadata: &Metadata) -> std::result::Result<(), String> {
        metadata::validate(metadata, self.limits()).map_err(|problem| problem.to_string())?;
        if metadata::encrypts(metadata) && !self.inner.vault.can_seal() {
            return Err("_enable_encrypt_messages needs an encryption key, and this service has none.".into());
        }
        Ok(())
    }

    fn part_of(&self, metadata: &Metadata, shown: Shown) -> Metadata {
        match shown {
            Shown::WithDefaults => self.with_defaults(metadata),
            Shown::Stored => metadata.clone(),
            Shown::Unreserved => {
                let open = metadata.iter().filter(|(key, _)| !metadata::is_reserved(key));
                open.map(|(key, value)| (key.clone(), value.clone())).collect()
            }
        }
    }

    fn with_defaults(&self, metadata: &Metadata) -> Metadata {
        metadata::with_defaults(metadata, self.limits())
    }
}

/// The page size that was asked for, 10 if none, or `None` if it is outside 1 to `most`.
pub(super) fn page_size(asked: Option<i64>, most: usize) -> Option<usize> {
    match asked {
        None => Some(most.min(DEFAULT_PAGE)),
        Some(asked) => usize::try_from(asked).ok().filter(|asked| (1..=most).contains(asked)),
    }
}

/// A metadata filter's value: an integer where it reads as one (rest.md 4.3), else text.
fn filter_value(text: String) -> serde_json::Value {
    text.parse::<i64>().map_or(serde_json::Value::String(text), Into::into)
}
