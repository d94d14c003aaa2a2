//! What the acting tenant does, the same in every world.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::RngExt as _;
use proptest::test_runner::TestRng;
use reqwest::Method;
use serde_json::{Value, json};

use super::loot::{Loot, QUEUES};
use crate::support::Client;
use crate::support::client::send;

/// The media type of a change of metadata.
const PATCH: &str = "application/openstack-messaging-v2.0-json-patch";

/// An operation, its ids told by where they come from.
#[derive(Clone, Debug)]
pub(super) struct Step {
    method: Method,
    path: String,
    ids: Vec<Pick>,
    body: Option<Value>,
}

/// An id: the one at this place, modulo their number.
#[derive(Clone, Copy, Debug)]
enum Pick {
    Message(usize),
    Claim(usize),
    Marker(usize),
    /// One that the tenant was told itself; all kinds in one list.
    Own(usize),
}

impl Step {
    /// Any operation; `{}` in its path stands for the next of its ids.
    pub(super) fn any(rng: &mut TestRng) -> Self {
        let queue = if rng.random_bool(0.9) { QUEUES[rng.random_range(0..QUEUES.len())] } else { "own" };
        let at = |rest: &str| format!("/v2/queues/{queue}{rest}");
        let (message, claim) = (Pick::message(rng), Pick::claim(rng));
        let step = |method, path: String, ids: Vec<Pick>| Self { method, path, ids, body: None };
        let step = match rng.random_range(0..30) {
            0 => step(Method::GET, at("/messages/{}"), vec![message]),
            1 => step(Method::DELETE, at("/messages/{}"), vec![message]),
            2 | 3 => step(Method::DELETE, at("/messages/{}?claim_id={}"), vec![message, claim]),
            4 => step(Method::GET, at("/messages?ids={},{},{}"), Pick::messages(rng, 3)),
            5 => step(Method::DELETE, at("/messages?ids={},{}"), Pick::messages(rng, 2)),
            6 => {
                let ids = [Pick::messages(rng, 2), vec![claim, Pick::claim(rng)]].concat();
                step(Method::DELETE, at("/messages?ids={},{}&claim_ids={},{}"), ids)
            }
            7 => step(Method::DELETE, at("/messages?pop=3"), vec![]),
            8 | 9 => step(Method::GET, at("/claims/{}"), vec![claim]),
            10 | 11 => {
                step(Method::PATCH, at("/claims/{}"), vec![claim]).with(json!({ "ttl": 100, "grace": 60 }))
            }
            12 | 13 => step(Method::DELETE, at("/claims/{}"), vec![claim]),
            14 | 15 => {
                let marker =
                    if rng.random_bool(0.5) { Pick::Marker(rng.random_range(0..99)) } else { message };
                let flags = "echo=true&include_claimed=true&include_delayed=true";
                step(Method::GET, at("/messages?marker={}&") + flags, vec![marker])
            }
            16 => step(Method::GET, at("/messages?echo=true&limit=20"), vec![]),
            17..20 => {
                step(Method::POST, at("/claims?limit=4"), vec![]).with(json!({ "ttl": 300, "grace": 60 }))
            }
            20..23 => {
                let message = |body| json!({ "ttl": 300, "delay": 60, "body": body });
                let list: Vec<_> = (0..rng.random_range(1..8)).map(message).collect();
                step(Method::POST, at("/messages"), vec![]).with(json!({ "messages": list }))
            }
            23 => step(Method::GET, at("/stats"), vec![]),
            24 => step(Method::GET, "/v2/queues?detailed=true&with_count=true".into(), vec![]),
            25 => step(Method::GET, format!("/v2/queues?name=q&marker={queue}&owner=secret-of-a"), vec![]),
            26 => {
                let dead = QUEUES[rng.random_range(0..QUEUES.len())];
                step(Method::PUT, at(""), vec![])
                    .with(json!({ "_max_claim_count": 1, "_dead_letter_queue": dead }))
            }
            27 => {
                let add = |name, value: Value| json!({ "op": "add", "path": format!("/metadata/{name}"), "value": value });
                let operations = [
                    add("_dead_letter_queue", json!("dead")),
                    add("_max_claim_count", json!(1)),
                    add("a", json!({})),
                ];
                step(Method::PATCH, at(""), vec![]).with(json!(operations))
            }
            28 => step(Method::POST, at("/purge"), vec![]),
            _ if rng.random_bool(0.3) => step(Method::DELETE, at(""), vec![]),
            _ => step(Method::GET, at(""), vec![]),
        };
        step.in_some_version(rng)
    }

    /// The same in an older version, perhaps, as far as that has it.
    fn in_some_version(mut self, rng: &mut TestRng) -> Self {
        let version = match rng.random_range(0..4) {
            0 => "/v1/",
            1 => "/v1.1/",
            _ => return self,
        };
        self.path = self.path.replacen("/v2/", version, 1);
        if version == "/v1/"
            && let Some(list) = self.body.as_mut().and_then(|body| body.get_mut("messages"))
        {
            self.body = Some(list.take());
        }
        self
    }

    fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }
}

impl Pick {
    fn message(rng: &mut TestRng) -> Self {
        let place = rng.random_range(0..10_000);
        if rng.random_bool(0.5) { Self::Message(place) } else { Self::Own(place) }
    }

    fn messages(rng: &mut TestRng, count: usize) -> Vec<Self> {
        (0..count).map(|_| Self::message(rng)).collect()
    }

    fn claim(rng: &mut TestRng) -> Self {
        let place = rng.random_range(0..10_000);
        if rng.random_bool(0.6) { Self::Claim(place) } else { Self::Own(place) }
    }
}

/// The acting tenant in one world.
pub(super) struct Actor {
    client: Client,
    loot: Loot,
    /// Its own ids and markers, in the order in which it was told them.
    own: Vec<String>,
    places: HashMap<String, usize>,
    statuses: BTreeMap<u16, usize>,
}

impl Actor {
    pub(super) fn new(client: Client, loot: &Loot) -> Self {
        Self {
            client,
            loot: loot.clone(),
            own: Vec::new(),
            places: HashMap::new(),
            statuses: BTreeMap::new(),
        }
    }

    /// Carries out a step: status, location and body, its own ids replaced by their places.
    pub(super) async fn take(&mut self, step: &Step) -> String {
        let mut path = step.path.clone();
        for pick in &step.ids {
            path = path.replacen("{}", self.id(*pick), 1);
        }
        let mut request = self.client.request(step.method.clone(), &path);
        if let Some(body) = &step.body {
            let media_type = if body.is_array() { PATCH } else { "application/json" };
            request = request.header("content-type", media_type);
            request = request.body(body.to_string());
        }
        let answer = send(request).await;
        *self.statuses.entry(answer.status.as_u16()).or_default() += 1;
        let body = String::from_utf8_lossy(&answer.bytes);
        let text = format!("{} {} {body}", answer.status, answer.header("location").unwrap_or_default());
        self.anonymous(&text)
    }

    fn id(&self, pick: Pick) -> &str {
        let (list, place) = match pick {
            Pick::Message(place) => (&self.loot.messages, place),
            Pick::Claim(place) => (&self.loot.claims, place),
            Pick::Marker(place) => (&self.loot.markers, place),
            // Before it has any of its own.
            Pick::Own(place) if self.own.is_empty() => (&self.loot.messages, place),
            Pick::Own(place) => (&self.own, place),
        };
        // The newest are the most alive.
        let recent =
            &list[list.len().saturating_sub(if list.len() == self.own.len() { 60 } else { 10_000 })..];
        &recent[place % recent.len()]
    }

    /// The text with the tenant's own ids and markers replaced by their places. Those of others stay.
    fn anonymous(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            let end = rest.find(|c| !inside(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            if is_id(word) && !self.loot.has(word) {
                out.extend(["#", &self.place(word).to_string()]);
            } else {
                out += word;
            }
            let next = after.find(inside).unwrap_or(after.len());
            out += &after[..next];
            rest = &after[next..];
        }
        out
    }

    fn place(&mut self, id: &str) -> usize {
        let next = self.own.len();
        let place = *self.places.entry(id.to_owned()).or_insert(next);
        if place == next {
            self.own.push(id.to_owned());
        }
        place
    }

    /// Sees that the tenant did things of its own, too.
    pub(super) fn was_busy(&self) {
        for status in [200, 201, 204, 404] {
            assert!(self.statuses.contains_key(&status), "never {status}: {:?}", self.statuses);
        }
    }
}

/// Whether the word looks like an id or a marker.
fn is_id(word: &str) -> bool {
    let hexadecimal = |part: &str| part.bytes().all(|b| b.is_ascii_hexdigit());
    let uuid = word.len() == 36 && word.split('-').all(hexadecimal);
    uuid || (word.len() >= 16 && word.starts_with('m') && word.bytes().any(|b| b.is_ascii_uppercase()))
}
