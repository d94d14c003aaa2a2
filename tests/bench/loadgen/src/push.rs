//! What is measured of pushes: connections that only wait, one message to many connections, many messages to one each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde::Deserialize;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use crate::args::Args;
use crate::process;
use crate::report::{Tally, excerpt};
use crate::run::Pace;
use crate::talk;
use crate::websocket::Socket;

/// So many connections are opened at a time.
const OPENING: usize = 64;
/// So long a server may take to come to rest when all are open.
const SETTLING: Duration = Duration::from_secs(3);
/// A push that takes longer counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was measured, how long it took, and the CPU time of the servers in it, in microseconds.
pub struct Measured {
    pub tally: Tally,
    pub elapsed: Duration,
    pub cpu_micros: u64,
}

/// Messages carry a number; a push of it came, or the post of it was answered.
#[derive(Clone, Copy)]
enum Seen {
    Pushed(u64, Instant),
    Answered(u64, Instant),
}

#[derive(Deserialize)]
struct Push {
    body: Numbered,
}

#[derive(Deserialize)]
struct Numbered {
    number: u64,
}

/// `conns` connections that wait, each subscribed to one of the queues if `subscribe` says so.
pub async fn idle(args: &Arc<Args>) -> anyhow::Result<Measured> {
    let sockets = open_all(args, args.subscribe).await?;
    tokio::time::sleep(SETTLING).await;
    let (before, start) = (process::cpu_micros(&args.pids), Instant::now());
    tokio::time::sleep(Duration::from_secs(args.seconds)).await;
    let cpu_micros = process::cpu_micros(&args.pids) - before;
    let mut tally = Tally::new()?;
    tally.operations = sockets.len() as u64;
    Ok(Measured { tally, elapsed: start.elapsed(), cpu_micros })
}

/// One message after another to `conns` connections: the time until the last of them has it, from its post on.
pub async fn fanout(args: &Arc<Args>) -> anyhow::Result<Measured> {
    let (sender, mut arrived) = unbounded_channel();
    let mut readers = JoinSet::new();
    for socket in open_all(args, true).await? {
        readers.spawn(read_pushes(socket, sender.clone()));
    }
    let mut poster = Socket::open(args).await?;
    let mut tally = Tally::new()?;
    let (before, begin) = (process::cpu_micros(&args.pids), Instant::now());
    for number in 0..args.count.unwrap_or(10) {
        let start = Instant::now();
        post(&mut poster, &talk::queue(args, 0), number).await?;
        let mut last = start;
        for _ in 0..args.conns {
            let seen =
                next(&mut arrived).await.with_context(|| format!("after {} pushes", tally.messages))?;
            let Seen::Pushed(found, at) = seen else { continue };
            ensure!(found == number, "message {found} came instead of {number}");
            last = last.max(at);
            tally.messages += 1;
        }
        tally.operations += 1;
        tally.record(last - start)?;
    }
    let cpu_micros = process::cpu_micros(&args.pids) - before;
    Ok(Measured { tally, elapsed: begin.elapsed(), cpu_micros })
}

/// Posts at a rate, each to a queue with one subscriber: the time from the post's answer to the push, which is 0 for a
/// push that was there first.
pub async fn push(args: &Arc<Args>) -> anyhow::Result<Measured> {
    let (sender, mut seen) = unbounded_channel();
    let mut tasks = JoinSet::new();
    for socket in open_all(args, true).await? {
        tasks.spawn(read_pushes(socket, sender.clone()));
    }
    let (before, start) = (process::cpu_micros(&args.pids), Instant::now());
    let until = start + Duration::from_secs(args.seconds);
    let mut posters = JoinSet::new();
    for number in 0..args.conns {
        posters.spawn(post_paced(Arc::clone(args), number, until, sender.clone()));
    }
    let mut posted = 0;
    while let Some(count) = posters.join_next().await {
        posted += count??;
    }
    let (elapsed, cpu) = (start.elapsed(), process::cpu_micros(&args.pids) - before);
    Ok(Measured { tally: paired(posted, &mut seen).await?, elapsed, cpu_micros: cpu })
}

/// Puts answers and pushes of `posted` messages together.
async fn paired(posted: u64, seen: &mut UnboundedReceiver<Seen>) -> anyhow::Result<Tally> {
    let mut tally = Tally::new()?;
    let mut waiting = HashMap::new();
    while tally.operations < posted {
        let this = next(seen).await.with_context(|| format!("{} of {posted} pushed", tally.operations))?;
        let (Seen::Pushed(number, _) | Seen::Answered(number, _)) = this;
        let Some(other) = waiting.remove(&number) else {
            waiting.insert(number, this);
            continue;
        };
        let (Seen::Pushed(_, pushed), Seen::Answered(_, answered)) = (match this {
            Seen::Pushed(..) => (this, other),
            Seen::Answered(..) => (other, this),
        }) else {
            tally.error(format!("message {number} was pushed twice"));
            continue;
        };
        tally.operations += 1;
        tally.messages += 1;
        tally.record(pushed.saturating_duration_since(answered))?;
    }
    Ok(tally)
}

async fn next(seen: &mut UnboundedReceiver<Seen>) -> anyhow::Result<Seen> {
    tokio::time::timeout(PATIENCE, seen.recv())
        .await
        .context("a push is missing")?
        .context("all readers are gone")
}

async fn post_paced(
    args: Arc<Args>,
    number: usize,
    until: Instant,
    seen: UnboundedSender<Seen>,
) -> anyhow::Result<u64> {
    let mut socket = Socket::open_at(&args, args.post_addr.as_ref().unwrap_or(&args.addr)).await?;
    let (queue, mut pace, mut posted) = (talk::queue(&args, number), Pace::new(&args, number), 0);
    while Instant::now() < until {
        pace.turn().await;
        let message = number as u64 * 1_000_000_000 + posted;
        post(&mut socket, &queue, message).await?;
        seen.send(Seen::Answered(message, Instant::now()))?;
        posted += 1;
    }
    Ok(posted)
}

async fn post(socket: &mut Socket, queue: &str, number: u64) -> anyhow::Result<()> {
    let body =
        format!(r#"{{"queue_name":"{queue}","messages":[{{"ttl":300,"body":{{"number":{number}}}}}]}}"#);
    let (status, answer) = socket.call("message_post", &body).await?;
    ensure!(status == 201, "post: {status} {}", excerpt(answer));
    Ok(())
}

async fn read_pushes(mut socket: Socket, seen: UnboundedSender<Seen>) -> anyhow::Result<()> {
    loop {
        let frame = socket.receive().await?;
        let at = Instant::now();
        let push: Push = serde_json::from_slice(frame).with_context(|| excerpt(frame))?;
        seen.send(Seen::Pushed(push.body.number, at))?;
    }
}

/// Opens `conns` connections, and subscribes each to the queue of its number.
async fn open_all(args: &Arc<Args>, subscribe: bool) -> anyhow::Result<Vec<Socket>> {
    let (mut opening, mut open) = (JoinSet::new(), Vec::with_capacity(args.conns));
    for number in 0..args.conns {
        if opening.len() >= OPENING
            && let Some(done) = opening.join_next().await
        {
            open.push(done??);
        }
        let args = Arc::clone(args);
        opening.spawn(async move { open_one(&args, number, subscribe).await });
    }
    while let Some(done) = opening.join_next().await {
        open.push(done??);
    }
    Ok(open)
}

async fn open_one(args: &Args, number: usize, subscribe: bool) -> anyhow::Result<Socket> {
    let mut socket = Socket::open(args).await.with_context(|| format!("opening connection {number}"))?;
    if subscribe {
        let body = format!(r#"{{"queue_name":"{}","ttl":3600}}"#, talk::queue(args, number));
        let (status, answer) = socket.call("subscription_create", &body).await?;
        ensure!(status == 201, "subscribing: {status} {}", excerpt(answer));
    }
    Ok(socket)
}
