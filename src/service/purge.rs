//! Purge: empties a queue of what nobody holds, and of its subscriptions.

use super::{Context, Service};
use crate::error::Result;
use crate::model::QueueName;
use crate::model::json::PurgeTerms;
use crate::policy::Rule;

impl Service {
    /// Empties a queue; a missing one is no error. In bounded steps, each complete by itself: a purge that is
    /// cut off has removed some.
    pub async fn purge(&self, context: &Context, name: &QueueName, what: PurgeTerms) -> Result<()> {
        context.granted(Rule::QueuesPurge)?;
        let mut more = what.messages;
        while more {
            let step = self
                .on_queue(&context.project, name, "Queue could not be purged.", |known| async move {
                    self.data(&known).await?.purge(known.queue(), self.inner.clock.now()).await
                })
                .await?;
            more = step.is_some_and(|(_, more)| more);
        }
        more = what.subscriptions;
        while more {
            let step = self
                .on_queue(&context.project, name, "Queue could not be purged.", |known| async move {
                    let now = self.inner.clock.now();
                    self.data(&known).await?.purge_subscriptions(known.queue(), now).await
                })
                .await?;
            more = step == Some(true);
        }
        Ok(())
    }
}
