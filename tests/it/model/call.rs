//! One store that is told something, and its answer as text that can be compared.

use std::fmt::Debug;

use bytes::Bytes;
use zaqar::clock::Timestamp;
use zaqar::model::{Cursor, Epoch, Message, NewMessage, QueueName, QueueRef, Subscription};
use zaqar::storage::{
    ClaimRequest, DataStore, DeadLetters, Error, Landing, ListQuery, Outgoing, Parcel, Result, Way,
};

use super::operation::{Claim, List, Number, Operation, Post};
use crate::contract::fixture::{claim_id, client, id, ids, number, subscription, subscription_id};

/// More calls than any operation needs to come to its end.
const CALLS: usize = 10_000;

/// What a store answered.
#[derive(Default)]
pub(super) struct Answer {
    /// What must be the same in every store.
    pub(super) text: String,
    /// The cursor at which it ended.
    pub(super) cursor: Option<Cursor>,
    /// When to look again, if nothing was found.
    pub(super) next_due: Option<Timestamp>,
}

/// What was found, and when to look again if that is nothing.
type Found<T> = Result<(T, Option<Timestamp>)>;

/// A store, and what all that it is told has in common.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) store: &'a dyn DataStore,
    pub(super) queue: &'a QueueRef,
    pub(super) now: Timestamp,
}

impl Call<'_> {
    pub(super) async fn answer(self, operation: &Operation, after: Cursor) -> Answer {
        let Self { store, queue, now } = self;
        let text = match operation {
            Operation::List(list) => return self.list(list, after).await,
            Operation::Locate(n) => return self.locate(*n).await,
            Operation::Pop(limit) => return waiting(self.pop(*limit).await),
            Operation::Claim(claim) => return waiting(self.claim(claim).await),
            Operation::Open => text(store.open(queue, now).await),
            Operation::Drop => text(store.drop_queue(queue).await),
            Operation::Post(posts) => {
                let messages = posts.iter().map(|post| self.message(post)).collect();
                text(store.post(queue, messages, now).await)
            }
            Operation::Get(numbers) => {
                let found = store.get(queue, &ids(numbers.iter().copied()), now).await;
                text(found.map(|messages| self.show(&messages)))
            }
            Operation::Delete(n, claim) => text(store.delete(queue, id(*n), claim.map(claim_id), now).await),
            Operation::DeleteMany(numbers, claims) => self.delete_many(numbers, claims.as_deref()).await,
            Operation::Purge => text(self.purge().await),
            Operation::Stats => text(store.stats(queue, now).await),
            Operation::Claimed(n) => {
                let found = store.claimed(queue, claim_id(*n), now).await;
                text(found.map(|found| found.map(|(claim, messages)| (claim, self.show(&messages)))))
            }
            Operation::Renew { claim, ttl, grace } => {
                text(store.renew(queue, claim_id(*claim), *ttl, *grace, now).await)
            }
            Operation::Release(n) => text(store.release(queue, claim_id(*n), now).await),
            Operation::Subscribe { .. }
            | Operation::Subscriptions { .. }
            | Operation::Subscription(_)
            | Operation::Subscribed(_)
            | Operation::Unsubscribe(_)
            | Operation::Extend(..)
            | Operation::PurgeSubscriptions => self.subscriptions(operation).await,
            Operation::Outgoing => text(self.outgoing(usize::MAX).await.map(|away| unnumbered(away.parcels))),
            Operation::HandOver { limit, forget, epoch } => {
                text(self.hand_over(*limit, *forget, *epoch).await)
            }
            Operation::Move { to, limit } => text(self.hand_all_over(to, *limit).await),
            Operation::Sweep(budget) => text(self.sweep(*budget).await),
        };
        Answer { text, ..Answer::default() }
    }

    /// The operations on subscriptions.
    async fn subscriptions(self, operation: &Operation) -> String {
        let Self { store, queue, now } = self;
        match operation {
            Operation::Subscribe { subscription: n, subscriber, ttl } => {
                let new = Subscription {
                    confirmed: n.is_multiple_of(3),
                    created: now,
                    ..subscription(*n, &format!("s{subscriber}"), now.plus_seconds(*ttl))
                };
                text(store.subscribe(queue, &new, now).await)
            }
            Operation::Subscriptions { after, limit } => {
                text(store.subscriptions(queue, after.map(subscription_id), *limit, now).await)
            }
            Operation::Subscription(n) => text(store.subscription(queue, subscription_id(*n), now).await),
            Operation::Subscribed(n) => text(store.subscribed(queue, &format!("s{n}"), now).await),
            Operation::Unsubscribe(n) => {
                text(store.unsubscribe(queue, subscription_id(*n), n % 2 == 0, now).await)
            }
            Operation::Extend(numbers, seconds) => {
                let ids: Vec<_> = numbers.iter().copied().map(subscription_id).collect();
                text(store.extend(queue, &ids, now.plus_seconds(*seconds), now).await)
            }
            Operation::PurgeSubscriptions => text(store.purge_subscriptions(queue, now).await),
            other => unreachable!("{other:?} is about messages"),
        }
    }

    fn message(self, post: &Post) -> NewMessage {
        let body = Bytes::from(format!("{post:?} {:?} {:?}", self.queue, self.now));
        let checksum = post.message.is_multiple_of(2).then(|| u128::from(post.message).to_be_bytes());
        NewMessage {
            id: id(post.message),
            ttl: post.ttl,
            delay: post.delay,
            client: client(post.client),
            checksum,
            body,
        }
    }

    /// A full page, resumed as the service does.
    async fn list(self, list: &List, after: Cursor) -> Answer {
        let mut query = ListQuery {
            after,
            limit: list.limit,
            without: list.without.map(client),
            include_claimed: list.claimed,
            include_delayed: list.delayed,
        };
        let mut found: Vec<Message> = Vec::new();
        for _ in 0..CALLS {
            let page = match self.store.list(self.queue, &query, self.now).await {
                Ok(page) => page,
                Err(error) => return waiting::<()>(Err(error)),
            };
            query.limit -= page.messages.len();
            found.extend(page.messages);
            match page.resume.filter(|_| query.limit > 0) {
                Some(cursor) => query.after = cursor,
                None => return self.page(&found, page.next_due),
            }
        }
        panic!("the listing does not end: {query:?}");
    }

    fn page(self, found: &[Message], next_due: Option<Timestamp>) -> Answer {
        assert!(found.is_sorted_by_key(|message| message.cursor), "out of order: {found:?}");
        let next_due = next_due.filter(|_| found.is_empty());
        let cursor = found.last().map(|message| message.cursor);
        Answer { text: format!("{:?}", self.show(found)), cursor, next_due }
    }

    async fn locate(self, n: Number) -> Answer {
        let located = self.store.locate(self.queue, id(n), self.now).await;
        let cursor = located.as_ref().ok().copied().flatten();
        let text = text(located.map(|cursor| cursor.map(|cursor| self.stands(cursor))));
        Answer { text, cursor, next_due: None }
    }

    async fn delete_many(self, numbers: &[Number], claims: Option<&[Number]>) -> String {
        let claims: Option<Vec<_>> = claims.map(|claims| claims.iter().map(|n| claim_id(*n)).collect());
        let ids = ids(numbers.iter().copied());
        text(self.store.delete_many(self.queue, &ids, claims.as_deref(), self.now).await)
    }

    async fn pop(self, limit: usize) -> Found<Vec<String>> {
        let mut found = Vec::new();
        for _ in 0..CALLS {
            let popped = self.store.pop(self.queue, limit - found.len(), self.now).await?;
            found.extend(popped.messages);
            if found.len() == limit || !popped.more {
                let next_due = popped.next_due.filter(|_| found.is_empty());
                return Ok((self.show(&found), next_due));
            }
        }
        panic!("popping does not end");
    }

    async fn purge(self) -> Result<u64> {
        let mut total = 0;
        for _ in 0..CALLS {
            let (purged, more) = self.store.purge(self.queue, self.now).await?;
            total += purged;
            if !more {
                return Ok(total);
            }
        }
        panic!("purging does not end");
    }

    async fn claim(self, claim: &Claim) -> Found<(Vec<String>, usize)> {
        let target = QueueName::parse("b").expect("a legal name");
        let mut request = ClaimRequest {
            id: claim_id(claim.number),
            ttl: claim.ttl,
            grace: claim.grace,
            limit: claim.limit,
            dead_letters: claim.dead.map(|(max_claims, ttl)| DeadLetters { max_claims, target, ttl }),
        };
        let (mut found, mut outgoing) = (Vec::new(), 0);
        for _ in 0..CALLS {
            let won = self.store.claim(self.queue, &request, self.now).await?;
            request.limit -= won.messages.len();
            found.extend(won.messages);
            outgoing += won.outgoing;
            if request.limit == 0 || !won.more {
                let next_due = won.next_due.filter(|_| found.is_empty());
                return Ok(((self.show(&found), outgoing), next_due));
            }
        }
        panic!("claiming does not end");
    }

    async fn outgoing(self, limit: usize) -> Result<Outgoing> {
        self.store.outgoing(self.queue, Way::DeadLetters, limit).await
    }

    /// Carries dead letters from the head of the list to the target of the first one.
    async fn hand_over(self, limit: usize, forget: bool, epoch: i64) -> Result<impl Debug> {
        let Outgoing { line, parcels } = self.outgoing(limit).await?;
        let Some(Landing::End(name)) = parcels.first().map(|parcel| &parcel.landing) else { return Ok(None) };
        let target = QueueRef { name: name.clone(), epoch: Epoch(epoch), ..self.queue.clone() };
        let imported = text(self.store.import(&target, line, &parcels, self.now).await);
        if forget {
            self.store.forget(self.queue, Way::DeadLetters, &by_number(&parcels)).await?;
        }
        Ok(Some((imported, unnumbered(parcels))))
    }

    /// Seals the queue and hands its messages to a new one of the store, at most `limit` at a time, each of them twice.
    /// What is due is moved before, for not all stores do that at the same time. Dead letters are lost with the source.
    async fn hand_all_over(self, to: &QueueRef, limit: usize) -> Result<impl Debug> {
        let Self { store, queue, now } = self;
        let all = List { after: None, limit: CALLS, without: None, claimed: true, delayed: true };
        let before = self.list(&all, Cursor::Head).await.text;
        let ledger = store.seal(queue, now).await?;
        let source = queue.sealed();
        store.adopt(to, &ledger, now).await?;
        let mut seen = Vec::new();
        for _ in 0..CALLS {
            let sent = store.send_off(&source, limit, now).await?;
            let Outgoing { line, parcels } = store.outgoing(&source, Way::Pool, limit).await?;
            if sent.left == 0 && parcels.is_empty() {
                let letters = store.outgoing(&source, Way::DeadLetters, usize::MAX).await?.parcels;
                store.drop_queue(&source).await?;
                return Ok((before, seen, unnumbered(letters)));
            }
            store.import(to, line, &parcels, now).await?;
            store.import(to, line, &parcels, now).await?;
            store.forget(&source, Way::Pool, &by_number(&parcels)).await?;
            seen.extend(parcels.iter().map(Self::show_parcel));
        }
        panic!("the hand-over does not end");
    }

    /// What is in the store once it is swept.
    async fn sweep(self, budget: usize) -> Result<impl Debug> {
        for _ in 0..CALLS {
            let swept = self.store.sweep(self.now, budget).await?;
            assert!(swept.messages <= budget as u64, "{swept:?} with a budget of {budget}");
            if !swept.more {
                let volume = self.store.volume().await?;
                let opened = self.store.opened(None, usize::MAX).await?;
                let unfinished = self.store.unfinished(usize::MAX).await?;
                return Ok((volume, sorted(opened), sorted(unfinished)));
            }
        }
        panic!("the sweep does not end");
    }

    /// The messages without what differs between stores: their positions.
    fn show(self, messages: &[Message]) -> Vec<String> {
        messages.iter().map(|message| self.show_one(message)).collect()
    }

    fn show_one(self, message: &Message) -> String {
        let Message { id, cursor, created, ttl, client, claim, claim_count, checksum, body } = message;
        let stands = self.stands(*cursor);
        format!(
            "{} {stands} {created:?} {ttl} {client:?} {claim:?} {claim_count} {checksum:?} {body:?}",
            number(*id)
        )
    }

    /// A parcel without the positions, which differ between stores.
    fn show_parcel(parcel: &Parcel) -> String {
        let Parcel { id, landing, created, ttl, expires, client, .. } = parcel;
        let Parcel { claim_count, checksum, body, .. } = parcel;
        let landing = match landing {
            Landing::Ready(_) => "ready".to_owned(),
            Landing::Held { claim, ttl, ends, .. } => format!("held {claim:?} {ttl} {ends:?}"),
            Landing::End(_) | Landing::Delayed(_) | Landing::Subscriber { .. } => format!("{landing:?}"),
        };
        let life = format!("{created:?} {ttl} {expires:?}");
        let rest = format!("{client:?} {claim_count} {checksum:?} {body:?}");
        format!("{} {landing} {life} {rest}", number(*id))
    }

    /// Where a message stands, as far as all stores agree: one whose time has come may not have been moved yet.
    fn stands(self, cursor: Cursor) -> String {
        match cursor {
            Cursor::AfterDelayed(due, id) if due > self.now => format!("{due:?} {id:?}"),
            _ => "ready".to_owned(),
        }
    }
}

/// The parcels without their numbers, which differ between stores.
fn unnumbered(parcels: Vec<Parcel>) -> Vec<Parcel> {
    parcels.into_iter().map(|parcel| Parcel { number: 0, ..parcel }).collect()
}

fn by_number(parcels: &[Parcel]) -> Vec<i64> {
    parcels.iter().map(|parcel| parcel.number).collect()
}

fn sorted(mut queues: Vec<QueueRef>) -> Vec<QueueRef> {
    queues.sort_by(|a, b| (&a.project, &a.name).cmp(&(&b.project, &b.name)));
    queues
}

fn waiting<T: Debug>(result: Found<T>) -> Answer {
    let next_due = result.as_ref().ok().and_then(|(_, next_due)| *next_due);
    Answer { text: text(result.map(|(found, _)| found)), next_due, cursor: None }
}

/// The answer as text. Nothing may go wrong but that the queue is gone.
fn text<T: Debug>(result: Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(Error::Gone) => "gone".to_owned(),
        Err(error) => panic!("the store fails: {error}"),
    }
}
