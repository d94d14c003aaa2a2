//! What a connection does: one operation of the chosen mode after another.

use std::time::Instant;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::args::{Args, Mode};
use crate::http::Connection;
use crate::report::Tally;

/// Messages that each queue holds before a list run, in posts of twenty.
const LISTED_POSTS: usize = 5;

/// When a connection's run ends: whichever comes first.
#[derive(Clone, Copy)]
pub struct Limit {
    pub until: Instant,
    pub operations: u64,
}

#[derive(Deserialize)]
struct Page {
    messages: Vec<IgnoredAny>,
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
    /// Paths of the queues; operations go over them in turn.
    queues: Vec<String>,
    turn: usize,
    post: String,
    claim: String,
    first_page: String,
    next_page: Option<String>,
    batch: usize,
    tally: Tally,
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

fn post_body(args: &Args, messages: usize) -> String {
    // {"pad":"…"} is ten bytes around the padding.
    let padding = "x".repeat(args.size.saturating_sub(10));
    let message = format!("{{\"ttl\":{},\"body\":{{\"pad\":\"{padding}\"}}}}", args.ttl);
    format!("{{\"messages\":[{}]}}", vec![message; messages].join(","))
}

impl Worker {
    pub async fn connect(args: &Args, number: usize) -> anyhow::Result<Self> {
        Ok(Self {
            connection: Connection::open(args).await?,
            mode: args.mode,
            queues: queue_paths(args),
            turn: number,
            post: post_body(args, args.batch),
            claim: format!("{{\"ttl\":{},\"grace\":60}}", args.claim_ttl),
            first_page: format!("/messages?echo=true&limit={}", args.batch),
            next_page: None,
            batch: args.batch,
            tally: Tally::new()?,
        })
    }

    pub async fn run(mut self, limit: Limit) -> anyhow::Result<Tally> {
        while self.tally.operations < limit.operations && Instant::now() < limit.until {
            let start = Instant::now();
            if let Err(error) = self.operation().await {
                self.tally.error(format!("{error:#}"));
            }
            self.tally.operations += 1;
            let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.tally.latency_micros.record(micros)?;
        }
        Ok(self.tally)
    }

    async fn operation(&mut self) -> anyhow::Result<()> {
        let queue = self.queues[self.turn % self.queues.len()].clone();
        match self.mode {
            Mode::Post => {
                self.post_batch(&queue).await?;
                self.tally.messages += self.batch as u64;
            }
            Mode::List => return self.list(&queue).await,
            Mode::Cycle => return self.cycle(&queue).await,
            Mode::Claim => {
                self.tally.messages += self.claim_batch(&queue).await?.len() as u64;
                self.turn += 1;
            }
            Mode::GetQueue => {
                let (status, _) = self.connection.call("GET", &queue, b"").await?;
                ensure!(status == 200, "get queue: {status}");
            }
        }
        Ok(())
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

    async fn cycle(&mut self, queue: &str) -> anyhow::Result<()> {
        self.post_batch(queue).await?;
        for message in self.claim_batch(queue).await? {
            let (status, body) = self.connection.call("DELETE", &message.href, b"").await?;
            ensure!(status == 204, "delete: {status} {}", excerpt(body));
            self.tally.messages += 1;
        }
        Ok(())
    }

    async fn list(&mut self, queue: &str) -> anyhow::Result<()> {
        let path = self.next_page.take().unwrap_or_else(|| format!("{queue}{}", self.first_page));
        let (status, body) = self.connection.call("GET", &path, b"").await?;
        ensure!(status == 200, "list: {status} {}", excerpt(body));
        let page: Page = serde_json::from_slice(body)?;
        self.tally.messages += page.messages.len() as u64;
        self.next_page = page.links.into_iter().next().map(|link| link.href);
        Ok(())
    }
}

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned()
}
