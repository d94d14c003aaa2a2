//! What the other tenants have, and what of it the acting one got hold of.

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use reqwest::Method;
use serde_json::json;

use crate::support::Client;
use crate::support::client::{OTHER_ID, send};

/// Queues that every tenant has.
pub(super) const QUEUES: [&str; 4] = ["q", "q.q", "delayed", "dead"];

/// Messages in each of them.
const MESSAGES: usize = 12;

/// Ids and markers of other tenants.
#[derive(Clone, Default)]
pub(super) struct Loot {
    pub(super) messages: Vec<String>,
    pub(super) claims: Vec<String>,
    pub(super) markers: Vec<String>,
    /// What stands in their bodies and metadata, and nowhere else.
    secrets: Vec<String>,
}

/// What a tenant sees of itself at some path: status and body.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    path: String,
    status: u16,
    body: String,
}

impl Loot {
    /// Adds more.
    pub(super) fn add(&mut self, more: Self) {
        self.messages.extend(more.messages);
        self.claims.extend(more.claims);
        self.markers.extend(more.markers);
        self.secrets.extend(more.secrets);
    }

    /// Sees that an answer tells nothing that only the others know.
    pub(super) fn is_not_in(&self, answer: &str) {
        for secret in &self.secrets {
            assert!(!answer.contains(secret), "{answer}");
        }
    }

    /// Whether the word is an id or a marker of the others.
    pub(super) fn has(&self, word: &str) -> bool {
        [&self.messages, &self.claims, &self.markers].into_iter().flatten().any(|known| known == word)
    }
}

/// Gives a tenant queues with free, claimed and delayed messages.
pub(super) async fn furnish(client: &Client, tenant: &str) -> Loot {
    let secret = format!("secret-of-{}", percent_encode(tenant.as_bytes(), NON_ALPHANUMERIC));
    let mut loot = Loot { secrets: vec![secret.clone()], ..Loot::default() };
    for queue in QUEUES {
        let path = format!("/v2/queues/{queue}");
        let delay = if queue == "delayed" { 600 } else { 0 };
        let mut metadata = json!({ "owner": secret, "_default_message_delay": delay });
        if queue != "dead" {
            metadata["_max_claim_count"] = json!(1);
            metadata["_dead_letter_queue"] = json!("dead");
        }
        client.put_json(&path, &metadata).await.expect(201);
        let message = |index| json!({ "ttl": 86_400, "body": { "secret": secret, "index": index } });
        let list: Vec<_> = (0..MESSAGES).map(message).collect();
        let posted = client.post(&format!("{path}/messages"), &json!({ "messages": list })).await.expect(201);
        loot.messages.extend(posted.ids());
        for _ in 0..2 {
            let terms = json!({ "ttl": 43_200, "grace": 60 });
            let claimed = client.post(&format!("{path}/claims?limit=2"), &terms).await;
            loot.claims.extend(
                claimed.header("location").and_then(|path| path.rsplit('/').next()).map(str::to_owned),
            );
        }
        let page = client.get(&format!("{path}/messages?limit=3&echo=true&include_delayed=true")).await;
        let next = page.expect(200).json()["links"][0]["href"].as_str().expect("a next page").to_owned();
        let marker = next.split_once("marker=").expect("a marker").1;
        loot.markers.push(marker.split('&').next().unwrap_or_default().to_owned());
    }
    assert_eq!((loot.messages.len(), loot.claims.len()), (QUEUES.len() * MESSAGES, 6));
    loot
}

/// Everything that a tenant can see of itself, as it comes.
pub(super) async fn snapshot(client: &Client, own: &Loot) -> Vec<Seen> {
    let mut paths = vec![
        "/v2/queues?detailed=true&with_count=true&limit=20".to_owned(),
        format!("/v2/queues?name=q&owner={}", own.secrets[0].replace('%', "%25")),
    ];
    for (queue, ids) in QUEUES.into_iter().zip(own.messages.chunks(MESSAGES)) {
        let path = format!("/v2/queues/{queue}");
        let every = "include_claimed=true&include_delayed=true";
        paths.extend([
            path.clone(),
            format!("{path}/stats"),
            format!("{path}/messages?ids={}", ids.join(",")),
        ]);
        paths.extend(ids.iter().map(|id| format!("{path}/messages/{id}")));
        paths.extend(own.claims.iter().map(|claim| format!("{path}/claims/{claim}")));
        paths.push(format!("{path}/messages?limit=20&echo=true&{every}"));
        paths.push(format!("{path}/messages?limit=20&{every}"));
    }
    let mut seen = Vec::new();
    for path in paths {
        let answer = send(client.with_id(OTHER_ID).request(Method::GET, &path)).await;
        let body = String::from_utf8_lossy(&answer.bytes).into_owned();
        seen.push(Seen { path, status: answer.status.as_u16(), body });
    }
    let there = seen.iter().filter(|seen| seen.path.contains("/messages/") && seen.status == 200);
    assert_eq!(there.count(), own.messages.len(), "messages of another tenant are gone");
    seen
}
