//! What must hold between the keys of a queue, whatever was done to it.

use std::collections::{BTreeMap, BTreeSet};

use redis::Value;

use crate::support::redis::RedisServer;

type Bytes = Vec<u8>;

/// All keys of the server, sorted.
pub(crate) fn keys_of(server: &RedisServer) -> Vec<String> {
    let mut keys: Vec<String> = list(server.command(&["KEYS", "*"])).into_iter().map(text).collect();
    keys.sort();
    keys
}

/// Checks every queue of the server; how many messages there are.
pub(crate) fn check(server: &RedisServer) -> usize {
    let bases = keys_of(server).into_iter().filter_map(|key| key.strip_suffix(":q").map(str::to_owned));
    let bases: Vec<String> = bases.collect();
    for key in keys_of(server) {
        if ["zaqar1:ping", "zaqar1:identity"].contains(&key.as_str()) {
            continue;
        }
        let base = key.rsplit_once(':').map(|(base, _)| base.to_owned());
        let known = base.is_some_and(|base| bases.contains(&base)) || key == "zaqar1:identity";
        assert!(known, "{key} belongs to no queue");
    }
    bases.iter().map(|base| check_queue(server, base)).sum()
}

fn check_queue(server: &RedisServer, base: &str) -> usize {
    let hash = |suffix: &str| pairs(server.command(&["HGETALL", &format!("{base}{suffix}")]));
    let index = |suffix: &str| {
        scores(server.command(&["ZRANGE", &format!("{base}{suffix}"), "0", "-1", "WITHSCORES"]))
    };
    let (messages, states, claims) = (hash(":m"), hash(":s"), hash(":k"));
    let [ready, claimed, delayed, held, expiring] = [":r", ":c", ":d", ":h", ":x"].map(index);

    let ids: BTreeSet<&Bytes> = messages.keys().collect();
    let places: Vec<&Bytes> = ready.keys().chain(claimed.keys()).chain(delayed.keys()).collect();
    assert_eq!(places.len(), ids.len(), "{base}: a message stands in one place");
    assert_eq!(places.into_iter().collect::<BTreeSet<_>>(), ids, "{base}: every message stands somewhere");
    assert_eq!(expiring.keys().collect::<BTreeSet<_>>(), ids, "{base}: every message expires");
    assert_eq!(
        held.keys().collect::<Vec<_>>(),
        claimed.keys().collect::<Vec<_>>(),
        "{base}: held are the claimed"
    );
    assert!(states.keys().all(|id| ids.contains(id)), "{base}: a state without a message");

    let positions: BTreeSet<i64> = ready.values().chain(claimed.values()).copied().collect();
    assert_eq!(positions.len(), ready.len() + claimed.len(), "{base}: no position is taken twice");
    for (id, message) in &messages {
        let state = states.get(id);
        let position = state.map_or(&message[..8], |state| &state[5..13]);
        let expires = state.map_or(&message[8..16], |state| &state[13..21]);
        let stands = ready.get(id).or(claimed.get(id)).copied().unwrap_or(0);
        assert_eq!(number(position), stands, "{base}: a message knows its position");
        assert!(same(expiring[id], number(expires)), "{base}: a message knows its end");
        assert_eq!(state.is_some_and(|state| state.len() == 45), claimed.contains_key(id), "{base}: a claim");
    }
    let mut in_claims = 0;
    for (claim, record) in &claims {
        assert!(record.len() > 16 && record.len() % 16 == 0, "{base}: a claim without messages");
        for id in record[16..].chunks(16) {
            in_claims += 1;
            assert_eq!(&states[id][29..], &claim[..], "{base}: a message knows its claim");
            assert!(same(held[id], number(&record[8..16])), "{base}: a held message ends with its claim");
        }
    }
    assert_eq!(in_claims, claimed.len(), "{base}: every claimed message is in one claim");
    check_parcels(server, base);
    check_subscriptions(&hash(":b"), &hash(":n"), &index(":i"), &index(":e"));
    messages.len()
}

fn check_parcels(server: &RedisServer, base: &str) {
    let parcels = pairs(server.command(&["HGETALL", &format!("{base}:p")]));
    let numbers = [":o", ":t"]
        .map(|list| scores(server.command(&["ZRANGE", &format!("{base}{list}"), "0", "-1", "WITHSCORES"])));
    let listed: Vec<&Bytes> = numbers.iter().flat_map(BTreeMap::keys).collect();
    assert_eq!(listed.len(), parcels.len(), "{base}: a parcel is on one list");
    assert!(listed.iter().all(|number| parcels.contains_key(*number)), "{base}: a number without a parcel");
}

fn check_subscriptions(
    records: &BTreeMap<Bytes, Bytes>,
    subscribers: &BTreeMap<Bytes, Bytes>,
    order: &BTreeMap<Bytes, i64>,
    ends: &BTreeMap<Bytes, i64>,
) {
    let ids: Vec<&Bytes> = records.keys().collect();
    assert_eq!(order.keys().collect::<Vec<_>>(), ids, "every subscription is listed");
    assert_eq!(ends.keys().collect::<Vec<_>>(), ids, "every subscription ends");
    assert!(order.values().all(|score| *score == 0), "their order is that of their ids");
    assert_eq!(subscribers.len(), records.len(), "each subscriber has one subscription");
    for (id, record) in records {
        assert!(same(ends[id], number(&record[8..16])), "a subscription knows its end");
        let length = usize::try_from(u32::from_be_bytes(record[33..37].try_into().unwrap())).unwrap();
        assert_eq!(subscribers[&record[37..37 + length]], *id, "a subscriber knows its subscription");
    }
}

fn number(bytes: &[u8]) -> i64 {
    i64::from_be_bytes(bytes.try_into().expect("8 bytes"))
}

fn list(value: Value) -> Vec<Value> {
    let Value::Array(list) = value else { panic!("{value:?} is no list") };
    list
}

fn bytes(value: Value) -> Bytes {
    let Value::BulkString(bytes) = value else { panic!("{value:?} is no string") };
    bytes
}

fn text(value: Value) -> String {
    String::from_utf8(bytes(value)).expect("a text")
}

fn pairs(value: Value) -> BTreeMap<Bytes, Bytes> {
    match value {
        Value::Map(pairs) => pairs.into_iter().map(|(key, value)| (bytes(key), bytes(value))).collect(),
        list_of => {
            let mut values = list(list_of).into_iter();
            std::iter::from_fn(|| Some((bytes(values.next()?), bytes(values.next()?)))).collect()
        }
    }
}

fn scores(value: Value) -> BTreeMap<Bytes, i64> {
    let mut values = list(value).into_iter();
    let next = || Some((bytes(values.next()?), score(&text(values.next()?))));
    std::iter::from_fn(next).collect()
}

/// A score as a whole number; beyond 2^53 it is one of many.
#[expect(clippy::cast_possible_truncation, reason = "saturates, as times do")]
fn score(text: &str) -> i64 {
    text.parse().unwrap_or_else(|_| text.parse::<f64>().expect("a number") as i64)
}

/// Whether a score is that number, as exactly as it can be.
#[expect(clippy::cast_precision_loss, reason = "that is what is meant")]
fn same(score: i64, number: i64) -> bool {
    (score as f64).to_bits() == (number as f64).to_bits()
}
