//! Load generator for the REST API v2. It costs little itself: requests are written ahead, HTTP/1.1 with
//! keep-alive goes straight over TCP, and answers are read no further than a workload needs.
//!
//! Prints one line, or with `--json` one JSON object: operations and messages per second, latencies, errors
//! and, for the processes of `--pids`, CPU time per operation and resident memory.

mod args;
mod http;
mod process;
mod report;
mod work;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use tokio::task::JoinSet;

use crate::args::Args;
use crate::report::{Report, Tally};
use crate::work::{Limit, Worker};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let args = Arc::new(Args::parse());
    if !args.as_is {
        work::prepare(&args).await?;
    }
    let cpu_before = process::cpu_micros(&args.pids);
    let start = Instant::now();
    let limit = Limit {
        until: start + Duration::from_secs(args.seconds),
        operations: args.count.unwrap_or(u64::MAX),
    };
    let mut workers = JoinSet::new();
    for number in 0..args.conns {
        let args = Arc::clone(&args);
        workers.spawn(async move { Worker::connect(&args, number).await?.run(limit).await });
    }
    let mut total = Tally::new()?;
    while let Some(worker) = workers.join_next().await {
        total.add(worker??)?;
    }
    let cpu = process::cpu_micros(&args.pids).saturating_sub(cpu_before);
    let report = Report::new(&args, &total, start.elapsed(), cpu);
    println!("{}", if args.json { serde_json::to_string(&report)? } else { report.to_string() });
    Ok(())
}
