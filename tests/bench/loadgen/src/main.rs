//! Load generator for the REST API v2 and the WebSocket API. It costs little itself: requests are written ahead,
//! HTTP/1.1 with keep-alive and frames go straight over TCP, and answers are read no further than a workload needs.
//!
//! Prints one line, or with `--json` one JSON object: operations and messages per second, latencies, errors
//! and, for the processes of `--pids`, CPU time per operation and resident memory.

mod args;
mod http;
mod process;
mod push;
mod report;
mod run;
mod talk;
mod websocket;
mod work;

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use tokio::task::JoinSet;

use crate::args::{Args, Mode};
use crate::push::Measured;
use crate::report::{Report, Tally};
use crate::run::{Limit, Pace};
use crate::talk::Talker;
use crate::work::Worker;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let mut args = Args::parse();
    args.websocket |= matches!(args.mode, Mode::Idle | Mode::Fanout | Mode::Push);
    let args = Arc::new(args);
    match (args.as_is, args.websocket) {
        (true, _) => {}
        (false, true) => talk::prepare(&args).await?,
        (false, false) => work::prepare(&args).await?,
    }
    let measured = match args.mode {
        Mode::Idle => push::idle(&args).await?,
        Mode::Fanout => push::fanout(&args).await?,
        Mode::Push => push::push(&args).await?,
        _ => load(&args).await?,
    };
    let report = Report::new(&args, &measured);
    println!("{}", if args.json { serde_json::to_string(&report)? } else { report.to_string() });
    Ok(())
}

/// All connections at work.
async fn load(args: &Arc<Args>) -> anyhow::Result<Measured> {
    let cpu_before = process::cpu_micros(&args.pids);
    let start = Instant::now();
    let limit = Limit {
        until: start + Duration::from_secs(args.seconds),
        operations: args.count.unwrap_or(u64::MAX),
    };
    let mut workers = JoinSet::new();
    for number in 0..args.conns {
        let args = Arc::clone(args);
        workers.spawn(async move {
            if args.websocket {
                run::run(Talker::connect(&args, number).await?, Pace::new(&args, number), limit).await
            } else {
                run::run(Worker::connect(&args, number).await?, Pace::new(&args, number), limit).await
            }
        });
    }
    let mut tally = Tally::new()?;
    while let Some(worker) = workers.join_next().await {
        tally.add(worker??)?;
    }
    let cpu_micros = process::cpu_micros(&args.pids).saturating_sub(cpu_before);
    Ok(Measured { tally, elapsed: start.elapsed(), cpu_micros })
}
