//! Crowds: thousands of idle connections and clients that send a byte a second do not slow the others.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::support::{Client, Process};

/// Connections that do nothing.
const IDLE: usize = 5_000;

/// Connections that send a byte a second.
const SLOW: usize = 200;

/// Bytes that each slow client has sent before the measurement ends.
const BYTES: usize = 3;

/// How much slower requests beside the crowd may be than those to a server without one at the same time: on two
/// idle cores both take 0.8 ms, and 99 of 100 less than 2 ms.
const LOOSE: u32 = 10;

/// Less than this says nothing on a machine that runs other tests.
const NOISE: Duration = Duration::from_millis(1);

/// Nobody in the crowd is to be cut off before the end of the test.
const INI: &str = "[listener]\nheader_timeout = 3600\nbody_timeout = 3600\nkeepalive_timeout = 3600\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_does_not_slow_the_others() {
    let files = zaqar::server::raise_open_file_limit().expect("a limit of open files");
    assert!(files > IDLE as u64 * 2, "the hard limit of open files, {files}, is too low for this test");
    let state = tempfile::tempdir().unwrap();
    // The server has to raise its own limit.
    let under = ["sh", "-c", "ulimit -Sn 1024 && exec \"$@\"", "sh"];
    let server = Process::start_under(&under, state.path(), INI).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let quiet = Process::start(elsewhere.path(), "").await;
    let crowd = gather(server.address).await;
    let mut slow = slow(server.address).await;
    let (sent, watched) = tokio::sync::watch::channel(0);
    let mut dripping = JoinSet::new();
    dripping.spawn(async move {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            second.tick().await;
            for (stream, rest) in &mut slow {
                let (byte, others) = rest.split_first().expect("more bytes than seconds");
                stream.write_all(&[*byte]).await.expect("a slow client is served");
                *rest = others;
            }
            sent.send_modify(|bytes| *bytes += 1);
        }
    });
    let more = move || *watched.borrow() < BYTES;
    let (beside, alone) = tokio::join!(measure(&server, more.clone()), measure(&quiet, more));
    println!("alone: {alone:?}; beside the crowd: {beside:?}");
    for percent in [50, 99] {
        let (took, usual) = (beside.percentile(percent), alone.percentile(percent));
        assert!(
            took <= usual.max(NOISE) * LOOSE,
            "{percent} of 100 took up to {took:?}, elsewhere {usual:?}"
        );
    }
    let sockets = std::fs::read_dir(format!("/proc/{}/fd", server.pid().as_raw_pid())).unwrap().count();
    assert!(sockets > IDLE + SLOW, "the server holds {sockets} files");
    for stream in crowd {
        let error = stream.try_read(&mut [0]).expect_err("an idle client is left alone");
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    }
    assert!(dripping.try_join_next().is_none(), "a slow client was cut off");
}

/// How long requests took, ascending.
struct Latencies(Vec<Duration>);

impl Latencies {
    fn percentile(&self, percent: usize) -> Duration {
        self.0[(self.0.len() - 1) * percent / 100]
    }
}

impl std::fmt::Debug for Latencies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [half, most] = [50, 99].map(|percent| self.percentile(percent));
        write!(f, "{} requests, p50 {half:?}, p99 {most:?}", self.0.len())
    }
}

/// Has four clients post, list, claim and delete, at least 100 rounds each and while `more`.
async fn measure(server: &Process, more: impl Fn() -> bool + Clone + Send + 'static) -> Latencies {
    let mut clients = JoinSet::new();
    for number in 0..4 {
        let (client, more) = (server.client(&format!("busy-{number}")), more.clone());
        clients.spawn(async move {
            let (mut took, mut rounds) = (Vec::new(), 0);
            while rounds < 100 || more() {
                round(&client, &mut took).await;
                rounds += 1;
            }
            took
        });
    }
    let mut took = clients.join_all().await.concat();
    took.sort_unstable();
    Latencies(took)
}

async fn round(client: &Client, took: &mut Vec<Duration>) {
    let mut start = Instant::now();
    let mut lap = || took.push(std::mem::replace(&mut start, Instant::now()).elapsed());
    client.post_bodies("q", &[json!("x".repeat(1_000))]).await;
    lap();
    client.get("/v2/queues/q/messages?echo=true").await.expect(200);
    lap();
    let claimed = client.post("/v2/queues/q/claims", &json!({})).await.expect(201).json();
    lap();
    client.delete(claimed["messages"][0]["href"].as_str().unwrap()).await.expect(204);
    lap();
}

/// Connects the idle ones; half of them make one request first.
async fn gather(address: SocketAddr) -> Vec<TcpStream> {
    let mut tasks = JoinSet::new();
    for task in 0..50 {
        tasks.spawn(async move {
            let mut streams = Vec::new();
            for _ in 0..IDLE / 50 {
                let mut stream = connect(address).await;
                if task % 2 == 0 {
                    stream.write_all(b"GET /healthcheck/live HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
                    let mut answer = Vec::new();
                    while !answer.ends_with(b"OK") || !answer.windows(4).any(|end| end == b"\r\n\r\n") {
                        answer.push(stream.read_u8().await.expect("an answer"));
                    }
                }
                streams.push(stream);
            }
            streams
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

/// The slow ones, with what they have to send: half are slow with their headers, half with their bodies.
async fn slow(address: SocketAddr) -> Vec<(TcpStream, &'static [u8])> {
    const HEAD: &[u8] = b"GET /v2/queues HTTP/1.1\r\nhost: x\r\nx-long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
                          aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const BODY: &[u8] = b"{\"messages\":[{\"body\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
                          aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let mut streams = Vec::new();
    for number in 0..SLOW {
        let mut stream = connect(address).await;
        if number % 2 == 0 {
            streams.push((stream, HEAD));
        } else {
            let head = "POST /v2/queues/slow/messages HTTP/1.1\r\nhost: x\r\nx-project-id: slow\r\n\
                        client-id: 3381af92-2b9e-11e3-b191-71861300734c\r\ncontent-length: 100000\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            streams.push((stream, BODY));
        }
    }
    streams
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = tokio::time::timeout(Duration::from_mins(1), TcpStream::connect(address)).await;
    stream.expect("a connection in time").expect("a connection")
}
