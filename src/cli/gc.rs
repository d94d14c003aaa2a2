//! `zaqar gc`: frees the space of what has expired, once; also beside a running server.

use anyhow::Context as _;
use clap::Args;

use super::common::{self, Common};
use crate::app;
use crate::clock::Clock;
use crate::storage::{STEP, Swept};

const TOOL: &str = "zaqar-gc";

/// Options of the verb.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
}

/// Sweeps the message store until nothing is left to do, and says what was done.
#[expect(clippy::print_stdout, reason = "the result of a command")]
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config = arguments.common.config(TOOL)?;
    let _telemetry = common::telemetry(&config, TOOL)?;
    let swept = common::runtime(1)?.block_on(async {
        let Some(store) = app::shared_store(&config).await? else { return Ok(None) };
        let mut sum = Swept::default();
        loop {
            let swept = store.sweep(Clock::system().now(), STEP).await.context("the sweep was cut short")?;
            sum.messages += swept.messages;
            sum.claims += swept.claims;
            if !swept.more {
                store.close().await;
                return anyhow::Ok(Some(sum));
            }
        }
    })?;
    match swept {
        Some(swept) => {
            println!("freed {} expired messages and {} expired claims", swept.messages, swept.claims);
        }
        None => println!("nothing to do: the memory store lives in the server, which sweeps it itself"),
    }
    Ok(())
}
