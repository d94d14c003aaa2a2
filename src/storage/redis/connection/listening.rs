//! A connection on which a server tells what others publish.

use redis::Cmd;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::error::CallError;
use super::link::Link;
use super::resp::Reply;
use super::{Connection, Node};

/// A connection in use for listening alone. It ends when this is dropped.
pub(in crate::storage::redis) struct Listening {
    link: Link,
    said: mpsc::UnboundedReceiver<Reply>,
}

impl Node {
    /// Connects to the server, logged in, to listen.
    pub(in crate::storage::redis) async fn listen(&self) -> Result<Listening, CallError> {
        let deadline = Instant::now() + self.connection.timeout();
        let link = self.server.connect(deadline).await.map_err(CallError::Unavailable)?;
        let said = link.listen();
        Ok(Listening { link, said })
    }

    /// Where the server is.
    pub(in crate::storage::redis) fn place(&self) -> String {
        self.server.place.to_string()
    }
}

impl Listening {
    /// Sends a command; its answer is told as everything else is.
    pub(in crate::storage::redis) fn tell(&self, command: &Cmd) {
        self.link.tell(command);
    }

    /// What the server says next. Cancel-safe.
    pub(in crate::storage::redis) async fn said(&mut self) -> Result<Reply, CallError> {
        self.said.recv().await.ok_or_else(|| CallError::Unavailable(self.link.cause()))
    }
}

impl Connection {
    /// Whether that is still the server that has the key, as far as is known without looking.
    pub(in crate::storage::redis) async fn is_at(&self, place: &str, key: &[u8]) -> bool {
        self.node(key).await.is_ok_and(|node| node.place() == place)
    }
}
