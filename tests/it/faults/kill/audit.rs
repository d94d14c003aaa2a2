//! What a restarted server holds, compared with the books.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Instant;

use reqwest::Method;
use serde_json::Value;
use tokio::task::JoinSet;

use super::books::{Books, Claim, End, Entries, Posted, number};
use super::{PATIENCE, Queue, to};
use crate::support::Client;
use crate::support::client::send;

/// A message as the server shows it.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    queue: Queue,
    number: u64,
    /// The claim in its `href`.
    claim: Option<String>,
}

/// All messages by id.
type Stock = BTreeMap<String, Found>;

/// Compares everything that the server lists with the books, and writes into the books what is certain now. What
/// earlier audits have read one by one is read so again only where this is the `last` one.
pub(super) async fn settle(client: &Client, books: &Books, last: bool) {
    let stock = settled_stock(client, books).await;
    if last {
        books.lock().settled.clear();
    }
    fetch_each(client, &stock, books).await;
    nothing_deleted_is_there(client, &stock, books).await;
    let claims = read_claims(client, &stock, books).await;
    let mut entries = books.lock();
    compare_claims(&stock, &claims, &entries);
    settle_posts(&stock, &mut entries);
    settle_deletions(&stock, &mut entries);
    settle_claims(claims, &mut entries);
    entries.settled.extend(stock.into_keys());
}

/// Everything in all queues. Interrupted moves of dead letters are waited for: until then a message may lie in
/// neither queue, or in both.
async fn settled_stock(client: &Client, books: &Books) -> Stock {
    let start = Instant::now();
    loop {
        let (stock, doubled) = list_all(client).await;
        let astray: Vec<_> = {
            let entries = books.lock();
            let lost = entries
                .posted
                .iter()
                .filter(|(id, _)| !entries.deleting.contains(*id) && !stock.contains_key(*id));
            lost.map(|(id, posted)| (id.clone(), *posted)).collect()
        };
        if astray.is_empty() && doubled.is_empty() {
            return stock;
        }
        let moving = astray.iter().all(|(_, posted)| posted.queue == Queue::Deadly);
        assert!(moving && start.elapsed() < PATIENCE, "lost: {astray:?}; in two queues: {doubled:?}");
    }
}

/// Every message of every queue, and the ids that are there twice.
async fn list_all(client: &Client) -> (Stock, Vec<String>) {
    let mut lists = JoinSet::new();
    for queue in Queue::ALL {
        let client = client.clone();
        lists.spawn(async move { list(&client, queue).await });
    }
    let (mut stock, mut doubled) = (Stock::new(), Vec::new());
    for (id, found) in lists.join_all().await.into_iter().flatten() {
        if stock.insert(id.clone(), found).is_some() {
            doubled.push(id);
        }
    }
    (stock, doubled)
}

/// Every message of a queue, by following markers; each comes once.
async fn list(client: &Client, queue: Queue) -> Vec<(String, Found)> {
    let mut path =
        format!("{}/messages?limit=20&echo=true&include_claimed=true&include_delayed=true", queue.path());
    let (mut messages, mut ids) = (Vec::new(), HashSet::new());
    loop {
        let page = client.get(&path).await.expect(200).json();
        let Some(next) = page["links"][0]["href"].as_str() else { return messages };
        next.clone_into(&mut path);
        for message in page["messages"].as_array().expect("messages") {
            let (id, found) = read(queue, message);
            assert!(ids.insert(id.clone()), "{id} was listed twice");
            messages.push((id, found));
        }
    }
}

fn read(queue: Queue, message: &Value) -> (String, Found) {
    let text = |name: &str| message[name].as_str().expect("text").to_owned();
    let claim = text("href").split_once("?claim_id=").map(|(_, claim)| claim.to_owned());
    (text("id"), Found { queue, number: number(message), claim })
}

/// Every message is there by its id too, and looks the same.
async fn fetch_each(client: &Client, stock: &Stock, books: &Books) {
    for queue in Queue::ALL {
        let here: Vec<_> = {
            let settled = &books.lock().settled;
            stock.iter().filter(|(id, found)| found.queue == queue && !settled.contains(*id)).collect()
        };
        for page in here.chunks(20) {
            let ids: Vec<_> = page.iter().map(|(id, _)| id.as_str()).collect();
            let request = to(client, Method::GET, queue, &format!("/messages?ids={}", ids.join(",")));
            let answer = send(request).await.expect(200).json();
            let got =
                answer["messages"].as_array().expect("messages").iter().map(|message| read(queue, message));
            let want: Stock = page.iter().map(|(id, found)| ((*id).clone(), (*found).clone())).collect();
            assert_eq!(got.collect::<Stock>(), want);
        }
    }
}

/// Acknowledged deletions stayed deleted, also for those who ask by id.
async fn nothing_deleted_is_there(client: &Client, stock: &Stock, books: &Books) {
    let deleted: Vec<_> = {
        let entries = books.lock();
        let back = stock.keys().filter(|id| entries.deleted.contains(*id) || entries.gone.contains(*id));
        let back: Vec<_> = back.collect();
        assert!(back.is_empty(), "deleted, and there again: {back:?}");
        let known = |id: &String| entries.posted.get(id).map(|posted| (posted.queue, id.clone()));
        entries.deleted.iter().filter_map(known).collect()
    };
    for queue in Queue::ALL {
        let ids =
            deleted.iter().filter(|(home, _)| home.places().contains(&queue)).map(|(_, id)| id.as_str());
        for page in ids.collect::<Vec<_>>().chunks(20) {
            send(to(client, Method::GET, queue, &format!("/messages?ids={}", page.join(","))))
                .await
                .expect(404);
        }
    }
}

/// The messages of every claim that a message names or that was acknowledged; `None` where a claim is gone.
type Claims = HashMap<String, (Queue, Option<BTreeSet<String>>)>;

async fn read_claims(client: &Client, stock: &Stock, books: &Books) -> Claims {
    let named = stock.values().filter_map(|found| Some((found.claim.clone()?, found.queue)));
    let mut wanted: HashMap<_, _> = named.collect();
    let acknowledged = |(id, claim): (&String, &Claim)| (id.clone(), claim.queue);
    wanted.extend(books.lock().claims.iter().map(acknowledged));
    let mut claims = Claims::new();
    let settled = {
        let entries = books.lock();
        let known = |(id, claim): (&String, &Claim)| (id.clone(), claim.ids.iter().cloned().collect());
        let settled = entries.claims.iter().filter(|(id, _)| entries.settled.contains(*id));
        settled.map(known).collect::<HashMap<_, _>>()
    };
    for (id, queue) in wanted {
        if let Some(messages) = settled.get(&id) {
            claims.insert(id, (queue, Some(BTreeSet::clone(messages))));
            continue;
        }
        let answer = send(to(client, Method::GET, queue, &format!("/claims/{id}"))).await;
        let messages = match answer.status.as_u16() {
            404 => None,
            _ => Some(answer.expect(200).ids().into_iter().collect()),
        };
        claims.insert(id, (queue, messages));
    }
    claims
}

/// Every message is free or in exactly one claim that can be read, and what was acknowledged of claims holds.
fn compare_claims(stock: &Stock, claims: &Claims, entries: &Entries) {
    let mut held = BTreeMap::new();
    for (claim, (queue, messages)) in claims {
        for id in messages.iter().flatten() {
            assert_eq!(
                stock.get(id).map(|found| found.queue),
                Some(*queue),
                "{claim} holds {id}, which is not there"
            );
            let other = held.insert(id, claim);
            assert!(other.is_none(), "{id} is held by {other:?} and {claim}");
        }
    }
    for (id, found) in stock {
        assert_eq!(held.get(id).copied(), found.claim.as_ref(), "the claim of {id}");
    }
    for (id, claim) in &entries.claims {
        let there = claims[id].1.as_ref();
        match claim.end {
            End::Live => {
                let certain = claim.ids.iter().filter(|message| !entries.deleting.contains(*message));
                let lost: Vec<_> =
                    certain.filter(|message| there.is_none_or(|there| !there.contains(*message))).collect();
                assert!(lost.is_empty(), "the live claim {id} lost {lost:?}");
            }
            End::Releasing => {}
            End::Released => assert!(there.is_none(), "the released claim {id} is there"),
        }
    }
}

/// Whatever is there was posted, with this number, to this queue; of a post, all of it happened or nothing.
fn settle_posts(stock: &Stock, entries: &mut Entries) {
    let (mut unknown, mut numbers) = (HashMap::new(), HashSet::new());
    for (id, found) in stock {
        numbers.insert(found.number);
        match entries.posted.get(id) {
            Some(posted) => {
                assert_eq!(posted.number, found.number, "the body of {id}");
                assert!(posted.queue.places().contains(&found.queue), "{id} is in {:?}", found.queue);
            }
            None => assert!(unknown.insert(found.number, id.clone()).is_none(), "{found:?} is there twice"),
        }
    }
    // What a consumer got and deleted was stored too.
    let deleted =
        entries.seen.iter().filter(|(id, _)| entries.deleting.contains(*id)).map(|(_, number)| *number);
    numbers.extend(deleted);
    for batch in std::mem::take(&mut entries.doubtful) {
        let there = batch.numbers.iter().filter(|number| numbers.contains(number)).count();
        assert!(there == 0 || there == batch.numbers.len(), "half of a post was stored: {batch:?}");
        for number in batch.numbers {
            if let Some(id) = unknown.remove(&number) {
                entries.posted.insert(id, Posted { queue: batch.queue, number });
            }
        }
    }
    assert!(unknown.is_empty(), "nobody posted {unknown:?}");
}

/// Now it is certain which deletions happened.
fn settle_deletions(stock: &Stock, entries: &mut Entries) {
    for id in std::mem::take(&mut entries.deleting) {
        if !stock.contains_key(&id) {
            entries.posted.remove(&id);
            entries.gone.insert(id);
        }
    }
    entries.deleted.clear();
    entries.seen.clear();
}

/// Now it is certain which claims there are.
fn settle_claims(claims: Claims, entries: &mut Entries) {
    entries.claims.clear();
    for (id, (queue, messages)) in claims {
        if let Some(ids) = messages {
            entries.settled.insert(id.clone());
            entries.live(&id, queue, ids.into_iter().collect());
        }
    }
}
