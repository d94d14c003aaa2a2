//! What a connection does: one operation of the chosen mode after another.

use std::time::{Duration, Instant};

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
    /// When the next operation is to begin, and how long after it the one that follows.
    pace: Option<(Instant, Duration)>,
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
            step: usize::from(args.rotate || args.mode == Mode::Claim),
            post: post_body(args, args.batch),
            claim: format!("{{\"ttl\":{},\"grace\":60}}", args.claim_ttl),
            first_page: format!("/messages?echo={}&limit={}", !args.no_echo, args.batch),
            next_page: None,
            batch: args.batch,
            pace: pace(args, number),
            tally: Tally::new()?,
        })
    }

    pub async fn run(mut self, limit: Limit) -> anyhow::Result<Tally> {
        while self.tally.operations < limit.operations && Instant::now() < limit.until {
            let start = self.turn_to_begin().await;
            if let Err(error) = self.operation().await {
                self.tally.error(format!("{error:#}"));
            }
            self.tally.operations += 1;
            let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.tally.latency_micros.record(micros)?;
        }
        Ok(self.tally)
    }

    /// Waits for the next operation's time and gives it: latency counts from there, also where the one before it was
    /// late, so that a server that stalls cannot hide what it held up.
    async fn turn_to_begin(&mut self) -> Instant {
        let Some((next, interval)) = &mut self.pace else { return Instant::now() };
        let start = *next;
        *next += *interval;
        tokio::time::sleep_until(start.into()).await;
        start
    }

    async fn operation(&mut self) -> anyhow::Result<()> {
        let queue = self.queues[self.turn % self.queues.len()].clone();
        self.turn += self.step;
        match self.mode {
            Mode::Post => {
                self.post_batch(&queue).await?;
                self.tally.messages += self.batch as u64;
            }
            Mode::List => return self.list(&queue).await,
            Mode::Cycle => return self.cycle(&queue).await,
            Mode::Claim => {
                self.tally.messages += self.claim_batch(&queue).await?.len() as u64;
            }
            Mode::GetQueue => {
                let (status, _) = self.connection.call("GET", &queue, b"").await?;
                ensure!(status == 200, "get queue: {status}");
            }
            Mode::ListQueues => return self.list_queues().await,
            Mode::Stats => {
                let (status, _) = self.connection.call("GET", &format!("{queue}/stats"), b"").await?;
                ensure!(status == 200, "stats: {status}");
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
        let more = !page.messages.is_empty();
        self.next_page = page.links.into_iter().next().map(|link| link.href).filter(|_| more);
        Ok(())
    }

    async fn list_queues(&mut self) -> anyhow::Result<()> {
        let path = self.next_page.take().unwrap_or_else(|| format!("/v2/queues?limit={}", self.batch));
        let (status, body) = self.connection.call("GET", &path, b"").await?;
        ensure!(status == 200, "list queues: {status} {}", excerpt(body));
        let page: Queues = serde_json::from_slice(body)?;
        let more = !page.queues.is_empty();
        self.next_page = page.links.into_iter().next().map(|link| link.href).filter(|_| more);
        Ok(())
    }
}

/// When a connection begins, and how often, so that all together keep the rate.
fn pace(args: &Args, number: usize) -> Option<(Instant, Duration)> {
    let rate = args.rate.filter(|rate| *rate > 0.0)?;
    let apart = Duration::from_secs_f64(1.0 / rate);
    let (conns, number) = (u32::try_from(args.conns).ok()?, u32::try_from(number).ok()?);
    Some((Instant::now() + apart * number, apart * conns))
}

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned()
}
