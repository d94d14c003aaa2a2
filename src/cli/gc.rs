//! `zaqar gc`: frees the space of what has expired, once; also beside a running server.

use anyhow::Context as _;
use clap::Args;

use super::common::{self, Common};
use crate::app;
use crate::clock::Clock;
use crate::config::Config;
use crate::storage::{self, DataStore, STEP, Swept};

const TOOL: &str = "zaqar-gc";

/// Options of the verb.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
}

/// Sweeps the message store and those of all pools until nothing is left to do, and says what was done. A pool that
/// cannot be swept keeps the others from nothing, and makes the command fail.
#[expect(clippy::print_stdout, reason = "the result of a command")]
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config = arguments.common.config(TOOL)?;
    let _telemetry = common::telemetry(&config, TOOL)?;
    let (swept, failed) = common::runtime(1)?.block_on(sweep(&config))?;
    match swept {
        Some(swept) => {
            println!("freed {} expired messages and {} expired claims", swept.messages, swept.claims);
        }
        None => println!("nothing to do: the memory store lives in the server, which sweeps it itself"),
    }
    anyhow::ensure!(failed.is_empty(), "pools that could not be swept: {}", failed.join("; "));
    Ok(())
}

/// What was freed in all, if there is a store to sweep, and which pools could not be swept and why.
async fn sweep(config: &Config) -> anyhow::Result<(Option<Swept>, Vec<String>)> {
    let (mut sum, mut failed) = (None, Vec::new());
    if let Some(store) = app::shared_store(config).await? {
        sweep_store(&*store, sum.get_or_insert_default()).await.context("the sweep was cut short")?;
    }
    for (pool, store) in app::shared_pools(config).await? {
        let swept = async { sweep_store(&*store?, sum.get_or_insert_default()).await };
        if let Err(error) = swept.await {
            failed.push(format!("{pool}: {:#}", anyhow::Error::new(error)));
        }
    }
    Ok((sum, failed))
}

async fn sweep_store(store: &dyn DataStore, sum: &mut Swept) -> storage::Result<()> {
    loop {
        let swept = store.sweep(Clock::system().now(), STEP).await?;
        sum.messages += swept.messages;
        sum.claims += swept.claims;
        if !swept.more {
            store.close().await;
            return Ok(());
        }
    }
}
