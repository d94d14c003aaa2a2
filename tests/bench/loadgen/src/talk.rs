//! What a WebSocket connection does: the operations of `work`, as requests of the WebSocket API.

use anyhow::{bail, ensure};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::args::{Args, Mode};
use crate::report::excerpt;
use crate::run::Client;
use crate::websocket::{self, Socket};
use crate::work;

#[derive(Deserialize)]
struct Claimed {
    claim_id: String,
    messages: Vec<Id>,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

#[derive(Deserialize)]
struct Page {
    messages: Vec<IgnoredAny>,
}

/// One connection with its requests.
pub struct Talker {
    socket: Socket,
    mode: Mode,
    queue: String,
    /// The value of `messages` in a post.
    messages: String,
    claim_ttl: u64,
    batch: usize,
}

/// Makes the queues.
pub async fn prepare(args: &Args) -> anyhow::Result<()> {
    let mut socket = Socket::open(args).await?;
    for number in 0..args.queues {
        let body = format!(r#"{{"queue_name":"{}"}}"#, queue(args, number));
        let (status, answer) = socket.call("queue_create", &body).await?;
        ensure!(matches!(status, 201 | 204), "making a queue: {status} {}", excerpt(answer));
    }
    Ok(())
}

pub fn queue(args: &Args, number: usize) -> String {
    format!("{}{}", args.prefix, number % args.queues)
}

impl Talker {
    pub async fn connect(args: &Args, number: usize) -> anyhow::Result<Self> {
        Ok(Self {
            socket: Socket::open(args).await?,
            mode: args.mode,
            queue: queue(args, number),
            messages: work::messages(args, args.batch),
            claim_ttl: args.claim_ttl,
            batch: args.batch,
        })
    }

    async fn post(&mut self) -> anyhow::Result<()> {
        let body = format!(r#"{{"queue_name":"{}","messages":{}}}"#, self.queue, self.messages);
        let (status, answer) = self.socket.call("message_post", &body).await?;
        ensure!(status == 201, "post: {status} {}", excerpt(answer));
        Ok(())
    }

    async fn claim(&mut self) -> anyhow::Result<Option<Claimed>> {
        let (queue, ttl, limit) = (&self.queue, self.claim_ttl, self.batch);
        let body = format!(r#"{{"queue_name":"{queue}","ttl":{ttl},"grace":60,"limit":{limit}}}"#);
        let (status, answer) = self.socket.call("claim_create", &body).await?;
        ensure!(matches!(status, 201 | 204), "claim: {status} {}", excerpt(answer));
        if status == 204 { Ok(None) } else { websocket::content(answer).map(Some) }
    }

    async fn cycle(&mut self) -> anyhow::Result<u64> {
        self.post().await?;
        let Some(claimed) = self.claim().await? else { return Ok(0) };
        for message in &claimed.messages {
            let (queue, claim) = (&self.queue, &claimed.claim_id);
            let body =
                format!(r#"{{"queue_name":"{queue}","message_id":"{}","claim_id":"{claim}"}}"#, message.id);
            let (status, answer) = self.socket.call("message_delete", &body).await?;
            ensure!(status == 204, "delete: {status} {}", excerpt(answer));
        }
        Ok(claimed.messages.len() as u64)
    }

    async fn list(&mut self) -> anyhow::Result<u64> {
        let (queue, limit) = (&self.queue, self.batch);
        let body = format!(r#"{{"queue_name":"{queue}","echo":true,"limit":{limit}}}"#);
        let (status, answer) = self.socket.call("message_list", &body).await?;
        ensure!(status == 200, "list: {status} {}", excerpt(answer));
        Ok(websocket::content::<Page>(answer)?.messages.len() as u64)
    }
}

impl Client for Talker {
    async fn operation(&mut self) -> anyhow::Result<u64> {
        match self.mode {
            Mode::Post => self.post().await.map(|()| self.batch as u64),
            Mode::Cycle => self.cycle().await,
            Mode::Claim => Ok(self.claim().await?.map_or(0, |claimed| claimed.messages.len() as u64)),
            Mode::List => self.list().await,
            _ => bail!("not over WebSocket"),
        }
    }
}
