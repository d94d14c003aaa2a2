//! REST v1: the table of its routes.

use http::Method;

use super::dispatch::Located::{Always, Found};
use super::dispatch::{Mounted, Route, route};
use super::resources::{claims, health, home, messages, metadata, pools, queues};
use crate::policy::Rule;

/// Every route of the version: method, path, policy rule, handler; and where `Content-Location` tells the place.
pub(super) const ROUTES: &[Route] = &[
    route!(GET "/v1/", None, home::get),
    route!(GET "/v1/health", Some(Rule::PingGet), health::ping),
    route!(HEAD "/v1/health", Some(Rule::PingGet), health::ping_head),
    route!(GET "/v1/queues", Some(Rule::QueuesGetAll), queues::list).located(Found),
    route!(PUT "/v1/queues/{queue}", Some(Rule::QueuesCreate), queues::create),
    route!(GET "/v1/queues/{queue}", Some(Rule::QueuesGet), queues::exists).located(Always),
    route!(HEAD "/v1/queues/{queue}", Some(Rule::QueuesGet), queues::exists).located(Always),
    route!(DELETE "/v1/queues/{queue}", Some(Rule::QueuesDelete), queues::delete),
    route!(GET "/v1/queues/{queue}/metadata", Some(Rule::QueuesGet), metadata::get).located(Found),
    route!(PUT "/v1/queues/{queue}/metadata", Some(Rule::QueuesUpdate), metadata::replace),
    route!(GET "/v1/queues/{queue}/stats", Some(Rule::QueuesStats), queues::stats).located(Found),
    route!(POST "/v1/queues/{queue}/messages", Some(Rule::MessagesCreate), messages::post),
    route!(GET "/v1/queues/{queue}/messages", Some(Rule::MessagesGetAll), messages::list_or_get)
        .located(Always),
    route!(DELETE "/v1/queues/{queue}/messages", Some(Rule::MessagesDeleteAll), messages::delete_or_pop),
    route!(GET "/v1/queues/{queue}/messages/{id}", Some(Rule::MessagesGet), messages::get).located(Found),
    route!(DELETE "/v1/queues/{queue}/messages/{id}", Some(Rule::MessagesDelete), messages::delete),
    route!(POST "/v1/queues/{queue}/claims", Some(Rule::ClaimsCreate), claims::create),
    route!(GET "/v1/queues/{queue}/claims/{id}", Some(Rule::ClaimsGet), claims::get).located(Found),
    route!(PATCH "/v1/queues/{queue}/claims/{id}", Some(Rule::ClaimsUpdate), claims::update),
    route!(DELETE "/v1/queues/{queue}/claims/{id}", Some(Rule::ClaimsDelete), claims::delete),
    route!(GET "/v1/pools", Some(Rule::PoolsGetAll), pools::list, Pools).located(Found),
    route!(PUT "/v1/pools/{id}", Some(Rule::PoolsCreate), pools::put, Pools),
    route!(GET "/v1/pools/{id}", Some(Rule::PoolsGet), pools::get, Pools).located(Found),
    route!(PATCH "/v1/pools/{id}", Some(Rule::PoolsUpdate), pools::patch, Pools),
    route!(DELETE "/v1/pools/{id}", Some(Rule::PoolsDelete), pools::delete, Pools),
];
