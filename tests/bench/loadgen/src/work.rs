//! What a connection does: one operation of the chosen mode after another.

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::args::{Args, Mode};
use crate::http::Connection;
use crate::report::excerpt;
use crate::run::Client;

/// Messages that each queue holds before a list run, in posts of twenty.
const LISTED_POSTS: usize = 5;

#[derive(Deserialize)]
struct Page {
    messages: Vec<IgnoredAny>,
    links: Vec<Href>,
}

#[derive(Deserialize)]
struct Queues {
    queues: Vec<IgnoredAny>,
    links: Vec<Href>,
}

#[derive(Deserialize)]
struct Claimed {
    messages: Vec<Href>,
}

#[derive(Deserialize)]
struct Href {
    href: String,
}

/// One connection with its requests.
pub struct Worker {
    connection: Connection,
    mode: Mode,
    /// Paths of the queues, which of them is next, and how far it is to the one after it.
    queues: Vec<String>,
    turn: usize,
    step: usize,
    post: String,
    claim: String,
    first_page: String,
    next_page: Option<String>,
    batch: usize,
}

/// Makes the queues, and fills them for a list run.
pub async fn prepare(args: &Args) -> anyhow::Result<()> {
    let mut connection =
        Connection::open(args).await.with_context(|| format!("cannot connect to {}", args.addr))?;
    for path in queue_paths(args) {
        let (status, body) = connection.call("PUT", &path, b"{}").await?;
        ensure!(matches!(status, 201 | 204), "making {path}: {status} {}", String::from_utf8_lossy(body));
        let posts = if args.mode == Mode::List { LISTED_POSTS } else { 0 };
        for _ in 0..posts {
            let messages = post_body(args, 20);
            let (status, _) =
                connection.call("POST", &format!("{path}/messages"), messages.as_bytes()).await?;
            ensure!(status == 201, "filling {path}: {status}");
        }
    }
    Ok(())
}

fn queue_paths(args: &Args) -> Vec<String> {
    (0..args.queues).map(|number| format!("/v2/queues/{}{number}", args.prefix)).collect()
}

fn post_body(args: &Args, count: usize) -> String {
    format!("{{\"messages\":{}}}", messages(args, count))
}

/// So many messages, as a list.
pub fn messages(args: &Args, count: usize) -> String {
    // {"pad":"…"} is ten bytes around the padding.
    let padding = "x".repeat(args.size.saturating_sub(10));
    let message = format!("{{\"ttl\":{},\"body\":{{\"pad\":\"{padding}\"}}}}", args.ttl);
    format!("[{}]", vec![message; count].join(","))
}

impl Worker {
    pub async fn connect(args: &Args, number: usize) -> anyhow::Result<Self> {
        Ok(Self {
            connection: Connection::open(args).await?,
            mode: args.mode,
            queues: queue_paths(args),
            turn: number,
            step: usize::from(args.rotate || args.mode == Mode::Claim),
            post: post_body(args, args.batch),
            claim: format!("{{\"ttl\":{},\"grace\":60}}", args.claim_ttl),
            first_page: format!("/messages?echo={}&limit={}", !args.no_echo, args.batch),
            next_page: None,
            batch: args.batch,
        })
    }

    async fn post_batch(&mut self, queue: &str) -> anyhow::Result<()> {
        let path = format!("{queue}/messages");
        let (status, body) = self.connection.call("POST", &path, self.post.as_bytes()).await?;
        ensure!(status == 201, "post: {status} {}", excerpt(body));
        Ok(())
    }

    async fn claim_batch(&mut self, queue: &str) -> anyhow::Result<Vec<Href>> {
        let path = format!("{queue}/claims?limit={}", self.batch);
        let (status, body) = self.connection.call("POST", &path, self.claim.as_bytes()).await?;
        if status == 204 {
            return Ok(Vec::new());
        }
        ensure!(status == 201, "claim: {status} {}", excerpt(body));
        Ok(serde_json::from_slice::<Claimed>(body)?.messages)
    }

    async fn cycle(&mut self, queue: &str) -> anyhow::Result<u64> {
        self.post_batch(queue).await?;
        let claimed = self.claim_batch(queue).await?;
        for message in &claimed {
            let (status, body) = self.connection.call("DELETE", &message.href, b"").await?;
            ensure!(status == 204, "delete: {status} {}", excerpt(body));
        }
        Ok(claimed.len() as u64)
    }

    async fn list(&mut self, queue: &str) -> anyhow::Result<u64> {
        let path = self.next_page.take().unwrap_or_else(|| format!("{queue}{}", self.first_page));
        let (status, body) = self.connection.call("GET", &path, b"").await?;
        ensure!(status == 200, "list: {status} {}", excerpt(body));
        let page: Page = serde_json::from_slice(body)?;
        let count = page.messages.len() as u64;
        self.next_page = page.links.into_iter().next().map(|link| link.href).filter(|_| count > 0);
        Ok(count)
    }

    async fn get(&mut self, path: &str) -> anyhow::Result<u64> {
        let (status, body) = self.connection.call("GET", path, b"").await?;
        ensure!(status == 200, "{path}: {status} {}", excerpt(body));
        Ok(0)
    }

    async fn list_queues(&mut self) -> anyhow::Result<u64> {
        let path = self.next_page.take().unwrap_or_else(|| format!("/v2/queues?limit={}", self.batch));
        let (status, body) = self.connection.call("GET", &path, b"").await?;
        ensure!(status == 200, "list queues: {status} {}", excerpt(body));
        let page: Queues = serde_json::from_slice(body)?;
        let more = !page.queues.is_empty();
        self.next_page = page.links.into_iter().next().map(|link| link.href).filter(|_| more);
        Ok(0)
    }
}

impl Client for Worker {
    async fn operation(&mut self) -> anyhow::Result<u64> {
        let queue = self.queues[self.turn % self.queues.len()].clone();
        self.turn += self.step;
        match self.mode {
            Mode::Post => self.post_batch(&queue).await.map(|()| self.batch as u64),
            Mode::List => self.list(&queue).await,
            Mode::Cycle => self.cycle(&queue).await,
            Mode::Claim => Ok(self.claim_batch(&queue).await?.len() as u64),
            Mode::GetQueue => self.get(&queue).await,
            Mode::ListQueues => self.list_queues().await,
            Mode::Stats => self.get(&format!("{queue}/stats")).await,
            Mode::Idle | Mode::Fanout | Mode::Push => bail!("only over WebSocket"),
        }
    }
}
