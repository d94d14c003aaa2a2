//! `kill -9` at random points, of the service or of its Redis: nothing that was acknowledged is lost, doubled or
//! stuck.

mod audit;
mod books;
mod load;
mod redis;

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::RngExt as _;

use self::books::Books;
use crate::sql::common::Kind;
use crate::support::cloud;
use crate::support::random;
use crate::support::redis::{RedisCluster, RedisSentinels, RedisServer};
use crate::support::{Client, Process};

/// How often the server is killed.
const RUNS: usize = 20;

/// Posts that each run has acknowledged before its end, on the embedded store.
const POSTS: usize = 1_000;

/// The same on stores that answer to more than one caller at a time and so fill up sooner.
const FEWER: usize = 150;

/// The sweep takes up interrupted moves of dead letters; often, so that the audit need not wait for it.
const INI: &str = "[sweeper]\ninterval = 1\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_keeps_what_it_acknowledged() {
    is_killed("", POSTS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_before_redis_and_mariadb_keeps_it_too() {
    let redis = RedisServer::start();
    is_killed(&cloud::ini(&redis.uri(), &cloud::database(Kind::MariaDb).await), FEWER).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_before_sentinels_and_postgres_keeps_it_too() {
    let redis = RedisSentinels::start();
    is_killed(&cloud::ini(&redis.uri(), &cloud::database(Kind::Postgres).await), FEWER).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_before_a_cluster_keeps_it_too() {
    let redis = RedisCluster::start();
    is_killed(&cloud::messages_in(&cloud::patient(&redis.uri())), FEWER).await;
}

/// Kills a server on these stores again and again, each time after so many posts.
async fn is_killed(stores: &str, posts: usize) {
    let mut rng = random::seeded();
    let state = tempfile::tempdir().unwrap();
    let books = Arc::new(Books::default());
    let ini = format!("{stores}{INI}");
    load::create_queues(&Process::start(state.path(), &ini).await.client("p")).await;
    for run in 1..=RUNS {
        let server = Process::start(state.path(), &ini).await;
        let enough = posts + rng.random_range(0..posts / 2);
        let workers = load::start(&server.client("p"), &books, &mut rng);
        books.until_posted(enough).await;
        server.kill();
        load::finish(workers).await;
        let server = Process::start(state.path(), &ini).await;
        audit::settle(&server.client("p"), &books, run == RUNS).await;
        server.kill();
    }
    let books = books.lock();
    assert!(books.doubts > RUNS, "the kills interrupted nothing");
}

/// How long an audit waits for what a crash left unfinished.
const PATIENCE: Duration = Duration::from_secs(30);

/// The queues under load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Queue {
    /// Ordinary queues.
    Work(usize),
    /// One whose messages go to `Graves` at their third claim.
    Deadly,
    /// Where dead letters go.
    Graves,
    /// One whose messages are delayed longer than the test lasts.
    Later,
}

impl Queue {
    const ALL: [Self; 5] = [Self::Work(0), Self::Work(1), Self::Deadly, Self::Graves, Self::Later];

    /// Its path.
    fn path(self) -> String {
        let name = match self {
            Self::Work(number) => format!("work-{number}"),
            Self::Deadly => "deadly".into(),
            Self::Graves => "graves".into(),
            Self::Later => "later".into(),
        };
        format!("/v2/queues/{name}")
    }

    /// Where messages posted to it may be found.
    fn places(self) -> &'static [Self] {
        match self {
            Self::Work(0) => &[Self::Work(0)],
            Self::Work(_) => &[Self::Work(1)],
            Self::Deadly => &[Self::Deadly, Self::Graves],
            Self::Graves => &[Self::Graves],
            Self::Later => &[Self::Later],
        }
    }
}

/// Sends a request to a server that may be killed: the answer, if a whole one came.
async fn ask(request: reqwest::RequestBuilder) -> Option<crate::support::client::Answer> {
    let response = request.send().await.ok()?;
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.bytes().await.ok()?;
    Some(crate::support::client::Answer { status, headers, bytes })
}

/// A request to a path below a queue.
fn to(client: &Client, method: reqwest::Method, queue: Queue, rest: &str) -> reqwest::RequestBuilder {
    client.request(method, &(queue.path() + rest))
}
