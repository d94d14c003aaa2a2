//! Measures the embedded store by itself: `cargo bench --bench store [-- <directory> [<measurement>...]]`.
//!
//! Rates count calls from 32 tasks; CPU is that of the whole process, so the callers' share is in it.

#![expect(clippy::print_stdout, reason = "the measurements are its output")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use zaqar::clock::{Clock, Timestamp};
use zaqar::model::{ClaimId, ClientId, Epoch, MessageId, NewMessage, ProjectId, QueueName, QueueRef};
use zaqar::storage::sqlite::{Options, SqliteStore};
use zaqar::storage::{ClaimRequest, Claims as _, ListQuery, Messages as _};

/// The server's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Concurrent callers.
const CALLERS: usize = 32;

/// How long a rate is measured.
const RUN: Duration = Duration::from_secs(5);

/// Bytes of a body.
const BODY: usize = 1024;

type Measured = anyhow::Result<()>;

#[tokio::main(worker_threads = 2)]
async fn main() -> Measured {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let directory = arguments.first().map_or_else(std::env::temp_dir, Into::into);
    let directory = tempfile::tempdir_in(directory)?;
    let wanted = |name: &str| arguments.len() < 2 || arguments[1..].iter().any(|argument| argument == name);
    if wanted("singles") {
        rate(directory.path(), "single posts", 1, post::<1>).await?;
    }
    if wanted("tens") {
        rate(directory.path(), "messages posted in tens", 10, post::<10>).await?;
    }
    if wanted("cycles") {
        rate(directory.path(), "post-claim-delete cycles", 1, cycle).await?;
    }
    if wanted("lists") {
        rate(directory.path(), "lists of ten", 1, list).await?;
    }
    if wanted("queues") {
        many_queues(directory.path()).await?;
    }
    if wanted("claims") {
        claims(directory.path()).await?;
    }
    if wanted("sweeps") {
        sweeps(directory.path()).await?;
    }
    if wanted("beside") {
        beside(directory.path()).await?;
    }
    Ok(())
}

/// A queue of a store, and what callers need.
struct Bench {
    store: SqliteStore,
    clock: Clock,
    queue: QueueRef,
    body: Bytes,
}

impl Bench {
    async fn open(directory: &Path, name: &str) -> anyhow::Result<Arc<Self>> {
        let path = directory.join(format!("{}.db", name.replace(' ', "-")));
        let store = SqliteStore::open(&path, Options::default())?;
        let bench =
            Self { store, clock: Clock::system(), queue: queue("q"), body: Bytes::from(vec![b'x'; BODY]) };
        bench.store.open(&bench.queue, bench.clock.now()).await?;
        Ok(Arc::new(bench))
    }

    fn messages(&self, count: usize) -> Vec<NewMessage> {
        let now = self.clock.now();
        let client = ClientId::new("3381af92-2b9e-11e3-b191-71861300734c");
        let message = || NewMessage {
            id: MessageId::new(now),
            ttl: 3600,
            delay: 0,
            client: client.clone(),
            checksum: None,
            body: self.body.clone(),
        };
        (0..count).map(|_| message()).collect()
    }

    fn claim(&self, limit: usize, ttl: u64) -> ClaimRequest {
        ClaimRequest { id: ClaimId::new(self.clock.now()), ttl, grace: 60, limit, dead_letters: None }
    }
}

fn queue(name: &str) -> QueueRef {
    let name = QueueName::parse(name).expect("a legal name");
    QueueRef { project: ProjectId::new("project"), name, epoch: Epoch(1) }
}

async fn post<const COUNT: usize>(bench: Arc<Bench>) -> Measured {
    Ok(bench.store.post(&bench.queue, bench.messages(COUNT), bench.clock.now()).await?)
}

async fn cycle(bench: Arc<Bench>) -> Measured {
    bench.store.post(&bench.queue, bench.messages(1), bench.clock.now()).await?;
    let request = bench.claim(1, 60);
    let claimed = bench.store.claim(&bench.queue, &request, bench.clock.now()).await?;
    for message in claimed.messages {
        bench.store.delete(&bench.queue, message.id, Some(request.id), bench.clock.now()).await?;
    }
    Ok(())
}

async fn list(bench: Arc<Bench>) -> Measured {
    let query = ListQuery { limit: 10, ..ListQuery::default() };
    let page = bench.store.list(&bench.queue, &query, bench.clock.now()).await?;
    anyhow::ensure!(page.messages.len() == 10, "{} messages", page.messages.len());
    Ok(())
}

/// Calls `act` from all callers for a while and prints how often it was done.
async fn rate<F>(directory: &Path, name: &str, each: u64, act: fn(Arc<Bench>) -> F) -> Measured
where
    F: Future<Output = Measured> + Send + 'static,
{
    let bench = Bench::open(directory, name).await?;
    bench.store.post(&bench.queue, bench.messages(500), bench.clock.now()).await?;
    let done = Arc::new(AtomicU64::new(0));
    let (start, cpu) = (Instant::now(), cpu());
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (bench, done) = (bench.clone(), done.clone());
        callers.spawn(async move {
            while start.elapsed() < RUN {
                act(bench.clone()).await?;
                done.fetch_add(each, Ordering::Relaxed);
            }
            Measured::Ok(())
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    report(name, done.load(Ordering::Relaxed), start.elapsed(), self::cpu().saturating_sub(cpu));
    bench.store.close().await;
    Ok(())
}

fn report(name: &str, count: u64, wall: Duration, cpu: Duration) {
    let per_second = u128::from(count) * 1_000_000 / wall.as_micros().max(1);
    let micros = cpu.as_micros() / u128::from(count.max(1));
    println!("{name:40} {per_second:>8}/s  {micros:>5} us CPU each");
}

/// Single posts spread over a thousand queues.
async fn many_queues(directory: &Path) -> Measured {
    let bench = Bench::open(directory, "many queues").await?;
    let queues: Vec<_> = (0..1000).map(|n| queue(&format!("q{n}"))).collect();
    for queue in &queues {
        bench.store.open(queue, bench.clock.now()).await?;
    }
    let queues = Arc::new(queues);
    let next = Arc::new(AtomicU64::new(0));
    let (start, cpu) = (Instant::now(), cpu());
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (bench, queues, next) = (bench.clone(), queues.clone(), next.clone());
        callers.spawn(async move {
            while start.elapsed() < RUN {
                let n = next.fetch_add(1, Ordering::Relaxed);
                let queue = &queues[usize::try_from(n * 7919 % 1000)?];
                bench.store.post(queue, bench.messages(1), bench.clock.now()).await?;
            }
            Measured::Ok(())
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    let count = next.load(Ordering::Relaxed);
    report("single posts into 1,000 queues", count, start.elapsed(), self::cpu().saturating_sub(cpu));
    bench.store.close().await;
    Ok(())
}

/// Claims of 20 on a short and on a long queue, with 100,000 messages claimed, and right after those ended together.
async fn claims(directory: &Path) -> Measured {
    let short = Bench::open(directory, "short").await?;
    fill(&short, 1_000).await?;
    let base = claim_time(&short, "claim of 20, 1,000 messages", short.clock.now()).await?;
    let long = Bench::open(directory, "long").await?;
    fill(&long, 1_000_000).await?;
    let now = long.clock.now();
    for _ in 0..5_000 {
        long.store.claim(&long.queue, &long.claim(20, 300), now).await?;
    }
    let stats = long.store.stats(&long.queue, now).await?;
    println!("filled: {} free, {} claimed", stats.free, stats.claimed);
    let held = claim_time(&long, "claim of 20, 1,000,000, 100,000 claimed", now).await?;
    let later = now.plus_seconds(301);
    let ended = claim_time(&long, "claim of 20, those 100,000 just ended", later).await?;
    println!("ratios: {:.2} and {:.2}", held / base, ended / base);
    long.store.close().await;
    short.store.close().await;
    Ok(())
}

/// Freeing the space of ended claims, expired messages and a dropped queue, with nobody waiting.
async fn sweeps(directory: &Path) -> Measured {
    const COUNT: usize = 200_000;
    let bench = Bench::open(directory, "sweeps").await?;
    fill(&bench, COUNT).await?;
    let now = bench.clock.now();
    for _ in 0..COUNT / 20 {
        bench.store.claim(&bench.queue, &bench.claim(20, 300), now).await?;
    }
    swept(&bench, "ended claims' messages swept", COUNT, now.plus_seconds(301)).await?;
    swept(&bench, "expired messages swept", COUNT, now.plus_seconds(3601)).await?;
    fill(&bench, COUNT).await?;
    let start = Instant::now();
    bench.store.drop_queue(&bench.queue).await?;
    println!("drop of a queue of {COUNT}: {:?}", start.elapsed());
    swept(&bench, "dropped messages swept", COUNT, now).await?;
    bench.store.close().await;
    Ok(())
}

/// Single posts beside the sweep of a dropped queue: how long they take, without it and with it.
async fn beside(directory: &Path) -> Measured {
    let bench = Bench::open(directory, "beside").await?;
    post_times(&bench, "post, nothing else to do").await?;
    let long = queue("long");
    bench.store.open(&long, bench.clock.now()).await?;
    for _ in 0..3_000 {
        bench.store.post(&long, bench.messages(100), bench.clock.now()).await?;
    }
    bench.store.drop_queue(&long).await?;
    let sweep = async {
        let start = Instant::now();
        while bench.store.sweep(bench.clock.now(), 500).await?.more {}
        anyhow::Ok(start.elapsed())
    };
    let (posted, took) = tokio::join!(post_times(&bench, "post beside the sweep of 300,000"), sweep);
    posted?;
    println!("that sweep took {:?}", took?);
    bench.store.close().await;
    Ok(())
}

async fn post_times(bench: &Arc<Bench>, name: &str) -> Measured {
    let start = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let bench = bench.clone();
        callers.spawn(async move {
            let mut times = Vec::new();
            while start.elapsed() < RUN {
                let begin = Instant::now();
                post::<1>(bench.clone()).await?;
                times.push(begin.elapsed());
            }
            anyhow::Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(caller) = callers.join_next().await {
        times.extend(caller??);
    }
    times.sort_unstable();
    let at = |per_mille: usize| times[times.len() * per_mille / 1000].as_secs_f64() * 1e6;
    let per_second = times.len() as u64 / RUN.as_secs();
    println!(
        "{name:40} {per_second:>8}/s  {:.0} us median, {:.0} us at 99 %, {:.0} us at 99.9 %",
        at(500),
        at(990),
        at(999)
    );
    Ok(())
}

async fn swept(bench: &Arc<Bench>, name: &str, count: usize, now: Timestamp) -> Measured {
    let (start, cpu) = (Instant::now(), cpu());
    while bench.store.sweep(now, 500).await?.more {}
    report(name, count as u64, start.elapsed(), self::cpu().saturating_sub(cpu));
    Ok(())
}

async fn fill(bench: &Arc<Bench>, count: usize) -> Measured {
    for _ in 0..count / 100 {
        bench.store.post(&bench.queue, bench.messages(100), bench.clock.now()).await?;
    }
    Ok(())
}

/// Claims and releases, one after the other: the median microseconds of a claim.
async fn claim_time(bench: &Arc<Bench>, name: &str, now: Timestamp) -> anyhow::Result<f64> {
    let mut times = Vec::new();
    for _ in 0..300 {
        let request = bench.claim(20, 300);
        let start = Instant::now();
        let claimed = bench.store.claim(&bench.queue, &request, now).await?;
        times.push(start.elapsed());
        anyhow::ensure!(claimed.messages.len() == 20, "{} messages", claimed.messages.len());
        bench.store.release(&bench.queue, request.id, now).await?;
    }
    times.sort_unstable();
    let at = |percent: usize| times[times.len() * percent / 100].as_secs_f64() * 1e6;
    println!("{name:40} {:>8.0} us median, {:>8.0} us at 90 %", at(50), at(90));
    Ok(at(50))
}

/// The CPU time of this process, to 10 ms.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}
