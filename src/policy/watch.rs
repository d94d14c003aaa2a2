//! New rules while the service runs: read when a file changes, and at SIGHUP.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Policy;

/// Between two looks at the files.
const PAUSE: Duration = Duration::from_secs(1);

impl Policy {
    /// Looks at the files until `stop`, never in a request's path, and reads them anew when they have changed.
    ///
    /// A change counts once two looks have shown the same, so that a file that is being written is not read half:
    /// within about two seconds.
    pub async fn watch(self, stop: CancellationToken) {
        let endless = async {
            let (mut read, mut last) = (self.look_at_start(), None);
            loop {
                tokio::time::sleep(PAUSE).await;
                let Some(now) = self.look().await else { return };
                if now != read && last.as_ref() == Some(&now) {
                    self.reload_aside().await;
                    read = now.clone();
                }
                last = Some(now);
            }
        };
        stop.run_until_cancelled(endless).await;
    }

    /// The files as they are now; `None` where there are none to look at.
    async fn look(&self) -> Option<super::source::Look> {
        let policy = self.clone();
        self.source()?;
        tokio::task::spawn_blocking(move || policy.source().map(super::Source::look)).await.ok().flatten()
    }

    /// Reads the files beside the requests; what happened is in the log.
    async fn reload_aside(&self) {
        let policy = self.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || policy.reload()).await {
            tracing::error!(error.cause = ?error, "the policy was not read");
        }
    }
}
