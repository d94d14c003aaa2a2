//! One connection's operations after another, at a pace or each when the one before it has ended.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::report::Tally;

/// Somebody with a connection.
pub trait Client {
    /// Does one operation; gives the number of messages that it moved.
    fn operation(&mut self) -> impl Future<Output = anyhow::Result<u64>> + Send;
}

/// When a connection's run ends: whichever comes first.
#[derive(Clone, Copy)]
pub struct Limit {
    pub until: Instant,
    pub operations: u64,
}

/// When the next operation is to begin, and how long after it the one that follows.
pub struct Pace(Option<(Instant, Duration)>);

impl Pace {
    /// When a connection begins, and how often, so that all together keep the rate.
    pub fn new(args: &Args, number: usize) -> Self {
        let paced = || {
            let rate = args.rate.filter(|rate| *rate > 0.0)?;
            let apart = Duration::from_secs_f64(1.0 / rate);
            let (conns, number) = (u32::try_from(args.conns).ok()?, u32::try_from(number).ok()?);
            Some((Instant::now() + apart * number, apart * conns))
        };
        Self(paced())
    }

    /// Waits for the next operation's time and gives it: latency counts from there, also where the one before it was
    /// late, so that a server that stalls cannot hide what it held up.
    pub async fn turn(&mut self) -> Instant {
        let Some((next, interval)) = &mut self.0 else { return Instant::now() };
        let start = *next;
        *next += *interval;
        tokio::time::sleep_until(start.into()).await;
        start
    }
}

/// Runs until the limit.
pub async fn run(mut client: impl Client, mut pace: Pace, limit: Limit) -> anyhow::Result<Tally> {
    let mut tally = Tally::new()?;
    while tally.operations < limit.operations && Instant::now() < limit.until {
        let start = pace.turn().await;
        match client.operation().await {
            Ok(messages) => tally.messages += messages,
            Err(error) => tally.error(format!("{error:#}")),
        }
        tally.operations += 1;
        tally.record(start.elapsed())?;
    }
    Ok(tally)
}
