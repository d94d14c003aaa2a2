//! Walks over all keys of a deployment.

use std::future::poll_fn;
use std::task::Poll;

use redis::{Cmd, Value};

use super::connection::{Connection, Node};
use super::{RedisStore, codec, keys};
use crate::model::QueueRef;
use crate::storage::Result;

/// Keys that a server looks at in one step of a walk.
const STEP: usize = 1_000;

/// A walk over the keys of a pattern, server by server. A key that is there from the beginning to the end is found at
/// least once.
pub(super) struct Scan {
    pattern: &'static str,
    /// Servers not yet finished, the current one last.
    nodes: Vec<Node>,
    cursor: String,
}

impl Scan {
    pub(super) async fn begin(connection: &Connection, pattern: &'static str) -> Result<Self> {
        Ok(Self { pattern, nodes: connection.masters().await?, cursor: "0".to_owned() })
    }

    /// The next keys, perhaps none; `None` at the end. What is no text is nobody's.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<String>>> {
        let Some(node) = self.nodes.last() else { return Ok(None) };
        let mut scan = redis::cmd("SCAN");
        scan.arg(&self.cursor).arg("MATCH").arg(self.pattern).arg("COUNT").arg(STEP);
        let [cursor, found] = codec::parts(node.call(&scan).await?)?;
        self.cursor = codec::text(cursor)?;
        if self.cursor == "0" {
            self.nodes.pop();
        }
        Ok(Some(codec::list(found)?.into_iter().filter_map(|key| codec::text(key).ok()).collect()))
    }
}

impl RedisStore {
    /// The answers to a command on a key of each queue, sent all at once.
    pub(super) async fn ask(&self, command: &str, bases: &[String], suffix: &str) -> Result<Vec<Value>> {
        self.ask_each(bases, |base| {
            let mut ask = redis::cmd(command);
            ask.arg(format!("{base}{suffix}"));
            ask
        })
        .await
    }

    /// Some bytes of each queue's own fields, none where it is gone.
    pub(super) async fn ask_fields(
        &self,
        bases: &[String],
        (from, to): (usize, usize),
    ) -> Result<Vec<Value>> {
        self.ask_each(bases, |base| {
            let mut ask = redis::cmd("GETRANGE");
            ask.arg(format!("{base}{}", keys::QUEUE)).arg(from).arg(to);
            ask
        })
        .await
    }

    async fn ask_each(&self, bases: &[String], ask: impl Fn(&str) -> Cmd) -> Result<Vec<Value>> {
        let calls = bases.iter().map(|base| {
            let command = ask(base);
            async move { self.connection.call(base.as_bytes(), &command).await }
        });
        all(calls).await.into_iter().map(|answer| Ok(answer?)).collect()
    }

    /// The queues of those bases that are there.
    pub(super) async fn named(&self, bases: &[String]) -> Result<Vec<QueueRef>> {
        let epochs = self.ask_fields(bases, codec::EPOCH).await?;
        let mut queues = Vec::with_capacity(bases.len());
        for (base, epoch) in bases.iter().zip(epochs) {
            if let (Some((project, name)), Some(epoch)) = (keys::names(base), codec::parse_epoch(epoch)?) {
                queues.push(QueueRef { project, name, epoch });
            }
        }
        Ok(queues)
    }

    /// Free and claimed messages of all queues.
    pub(super) async fn sum_sizes(&self) -> Result<(u64, u64)> {
        let mut scan = Scan::begin(&self.connection, "zaqar1:*:q").await?;
        let (mut free, mut claimed) = (0, 0);
        while let Some(found) = scan.next().await? {
            let bases = bases(found, keys::QUEUE);
            let messages = self.ask("HLEN", &bases, keys::MESSAGES).await?;
            let held = self.ask("ZCARD", &bases, keys::CLAIMED).await?;
            for (messages, held) in messages.iter().zip(&held) {
                let (messages, held) = (codec::count(messages)?, codec::count(held)?);
                free += messages.saturating_sub(held);
                claimed += held;
            }
        }
        Ok((free, claimed))
    }
}

/// The bases of the keys with that suffix.
pub(super) fn bases(found: Vec<String>, suffix: &str) -> Vec<String> {
    let base = |key: String| keys::base_of(&key, suffix).map(str::to_owned);
    found.into_iter().filter_map(base).collect()
}

/// Waits for all of some calls at once; their answers in the same order.
async fn all<F: Future>(calls: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = calls.into_iter().map(|call| (Box::pin(call), None)).collect();
    poll_fn(|context| {
        let mut waiting = false;
        for (call, answer) in &mut running {
            if answer.is_none() {
                match call.as_mut().poll(context) {
                    Poll::Ready(value) => *answer = Some(value),
                    Poll::Pending => waiting = true,
                }
            }
        }
        if waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|(_, answer)| answer).collect()
}
