//! The least that a post of one message to Redis over REST can cost on this machine: a bare route, no limits, no
//! checks, no identity; one call to Redis for each post, on one connection that all share.
//!
//! Prints its address, `host:port`, once it listens, and serves until it is ended.

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{post, put};
use clap::{Parser, ValueEnum};
use redis::aio::MultiplexedConnection;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Counter, body, order, end of life: without any of them there is no queue of messages that expire.
const SCRIPT: &str = "
local n = redis.call('INCR', KEYS[1] .. ':n')
redis.call('HSET', KEYS[1] .. ':m', n, ARGV[1])
redis.call('ZADD', KEYS[1] .. ':i', n, n)
redis.call('ZADD', KEYS[1] .. ':x', ARGV[2], n)
return n";

/// An end of life far away: nothing here expires.
const END: u64 = 1_900_000_000;

/// What a post does in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    /// one XADD to a stream of at most about 100,000 entries
    Stream,
    /// one call of a Lua script of four commands
    Script,
}

/// The floor under posts to Redis over REST.
#[derive(Parser)]
struct Args {
    /// redis://host:port
    redis: String,
    #[arg(long, value_enum, default_value = "script")]
    way: Way,
}

#[derive(Clone)]
struct Floor {
    connection: MultiplexedConnection,
    way: Way,
    /// The script's name in Redis.
    digest: Arc<str>,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let client = redis::Client::open(args.redis)?;
    let mut connection =
        client.get_multiplexed_async_connection().await.context("cannot connect to Redis")?;
    let digest: String = redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query_async(&mut connection).await?;
    let app = Router::new()
        .route("/v2/queues/{queue}", put(|| async { StatusCode::CREATED }))
        .route("/v2/queues/{queue}/messages", post(store))
        .with_state(Floor { connection, way: args.way, digest: digest.into() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    axum::serve(listener, app).await?;
    Ok(())
}

async fn store(
    Path(queue): Path<String>,
    State(mut floor): State<Floor>,
    body: Bytes,
) -> Result<(StatusCode, String), (StatusCode, String)> {
    let mut command = match floor.way {
        Way::Stream => redis::cmd("XADD"),
        Way::Script => redis::cmd("EVALSHA"),
    };
    match floor.way {
        Way::Stream => {
            command.arg(&queue).arg("MAXLEN").arg("~").arg(100_000).arg("*").arg("b").arg(&body[..])
        }
        Way::Script => command.arg(&*floor.digest).arg(1).arg(format!("{{{queue}}}")).arg(&body[..]).arg(END),
    };
    let stored: redis::RedisResult<String> = command.query_async(&mut floor.connection).await;
    let id = stored.map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    Ok((StatusCode::CREATED, format!("{{\"resources\":[\"/v2/queues/{queue}/messages/{id}\"]}}")))
}
