//! Listens on one connection to one server.

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, Value};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Heard, channel, queue_of};
use crate::storage::redis::codec;
use crate::storage::redis::connection::{CallError, Listening, Node};
use crate::wake::Key;

/// Between two looks at whether the other end is still there.
const PING: Duration = Duration::from_secs(3);

/// A server that says nothing for so long, whatever it is asked, is gone.
const SILENCE: Duration = Duration::from_secs(8);

/// Channels in one command.
const CHUNK: usize = 500;

/// What an ear is told to do.
pub(super) enum Order {
    Listen(Vec<Key>),
    Stop(Vec<Key>),
}

/// What an ear tells of itself.
pub(super) enum Event {
    /// The server at that place confirmed a subscription.
    Serves,
    /// A server has ended the subscription of a queue, which is elsewhere now.
    Moved(Key),
    /// The connection of the ear of that number is over, or there was none.
    Ended(u64, CallError),
}

/// One who listens.
pub(super) struct Ear {
    pub(super) number: u64,
    pub(super) node: Node,
    /// A server of a Cluster, which has channels of its shard.
    pub(super) shard: bool,
    pub(super) heard: Arc<Heard>,
    pub(super) events: mpsc::UnboundedSender<Event>,
}

impl Ear {
    /// Listens until there are no more orders, or the connection is over.
    pub(super) async fn run(self, orders: mpsc::UnboundedReceiver<Order>) {
        if let Err(error) = self.listen(orders).await {
            self.tell(Event::Ended(self.number, error));
        }
    }

    async fn listen(&self, mut orders: mpsc::UnboundedReceiver<Order>) -> Result<(), CallError> {
        let mut line = self.node.listen().await?;
        let (mut pings, mut last) = (interval(PING), Instant::now());
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.carry_out(&line, order),
                    None => return Ok(()),
                },
                said = line.said() => {
                    last = Instant::now();
                    self.take_in(said?.map_err(CallError::Server))?;
                }
                _ = pings.tick() => {
                    if last.elapsed() > SILENCE {
                        return Err(CallError::Timeout(SILENCE));
                    }
                    line.tell(&redis::cmd("PING"));
                }
            }
        }
    }

    /// On a Cluster both kinds of channel, for nodes that call functions and for those that have to use scripts; the
    /// ordinary one last, for its confirmation counts.
    fn carry_out(&self, line: &Listening, order: Order) {
        let (shard, all, keys) = match order {
            Order::Listen(keys) => ("SSUBSCRIBE", "SUBSCRIBE", keys),
            Order::Stop(keys) => ("SUNSUBSCRIBE", "UNSUBSCRIBE", keys),
        };
        for keys in keys.chunks(CHUNK) {
            let mut command = redis::cmd(all);
            for channel in keys.iter().map(channel) {
                if self.shard {
                    line.tell(Cmd::new().arg(shard).arg(&channel));
                }
                command.arg(channel);
            }
            line.tell(&command);
        }
    }

    fn take_in(&self, said: Result<Value, CallError>) -> Result<(), CallError> {
        let said = match said {
            // A Cluster from before there were channels of shards.
            Err(CallError::Server(error)) if self.shard && error.text.contains("unknown command") => {
                return Ok(());
            }
            said => said?,
        };
        let Value::Array(parts) = said else { return Ok(()) };
        let mut parts = parts.into_iter();
        let mut text = || codec::text(parts.next().unwrap_or(Value::Nil)).ok();
        let (Some(kind), Some(key)) = (text(), text().and_then(|channel| queue_of(&channel))) else {
            return Ok(());
        };
        match kind.as_str() {
            "message" | "smessage" => {
                let said = text().and_then(|said| said.parse().ok());
                self.heard.ring(&key, said.unwrap_or(-1));
            }
            "subscribe" => {
                self.heard.confirmed(&key, self.number);
                self.tell(Event::Serves);
            }
            "sunsubscribe" if self.heard.is_wanted(&key) => self.tell(Event::Moved(key)),
            _ => {}
        }
        Ok(())
    }

    fn tell(&self, event: Event) {
        // The fetcher ends first where the store is closed.
        let _ = self.events.send(event);
    }
}
