//! Real Redis servers: alone, under Sentinels, in a Cluster; on free ports of 127.0.0.1, killed with the test.

pub(crate) mod server;

pub(crate) use server::{RedisServer, Setup};
