//! REST v1.1: the table of its routes.

use http::Method;

use super::dispatch::Located::Found;
use super::dispatch::{Mounted, Route, route};
use super::resources::{claims, flavors, health, home, messages, pools, queues};
use crate::policy::Rule;

/// Every route of the version: method, path, policy rule, handler.
pub(super) const ROUTES: &[Route] = &[
    route!(GET "/v1.1/", None, home::get),
    route!(GET "/v1.1/ping", Some(Rule::PingGet), health::ping),
    route!(HEAD "/v1.1/ping", Some(Rule::PingGet), health::ping_head),
    route!(GET "/v1.1/health", Some(Rule::HealthGet), health::health, Admin),
    route!(GET "/v1.1/queues", Some(Rule::QueuesGetAll), queues::list),
    route!(PUT "/v1.1/queues/{queue}", Some(Rule::QueuesCreate), queues::create),
    route!(GET "/v1.1/queues/{queue}", Some(Rule::QueuesGet), queues::get),
    route!(DELETE "/v1.1/queues/{queue}", Some(Rule::QueuesDelete), queues::delete),
    route!(GET "/v1.1/queues/{queue}/stats", Some(Rule::QueuesStats), queues::stats),
    route!(POST "/v1.1/queues/{queue}/messages", Some(Rule::MessagesCreate), messages::post),
    route!(GET "/v1.1/queues/{queue}/messages", Some(Rule::MessagesGetAll), messages::list_or_get),
    route!(DELETE "/v1.1/queues/{queue}/messages", Some(Rule::MessagesDeleteAll), messages::delete_or_pop),
    route!(GET "/v1.1/queues/{queue}/messages/{id}", Some(Rule::MessagesGet), messages::get),
    route!(DELETE "/v1.1/queues/{queue}/messages/{id}", Some(Rule::MessagesDelete), messages::delete),
    route!(POST "/v1.1/queues/{queue}/claims", Some(Rule::ClaimsCreate), claims::create),
    route!(GET "/v1.1/queues/{queue}/claims/{id}", Some(Rule::ClaimsGet), claims::get),
    route!(PATCH "/v1.1/queues/{queue}/claims/{id}", Some(Rule::ClaimsUpdate), claims::update),
    route!(DELETE "/v1.1/queues/{queue}/claims/{id}", Some(Rule::ClaimsDelete), claims::delete),
    route!(GET "/v1.1/pools", Some(Rule::PoolsGetAll), pools::list, Pools).located(Found),
    route!(PUT "/v1.1/pools/{id}", Some(Rule::PoolsCreate), pools::put, Pools),
    route!(GET "/v1.1/pools/{id}", Some(Rule::PoolsGet), pools::get, Pools),
    route!(PATCH "/v1.1/pools/{id}", Some(Rule::PoolsUpdate), pools::patch, Pools),
    route!(DELETE "/v1.1/pools/{id}", Some(Rule::PoolsDelete), pools::delete, Pools),
    route!(GET "/v1.1/flavors", Some(Rule::FlavorsGetAll), flavors::list, Pools),
    route!(PUT "/v1.1/flavors/{id}", Some(Rule::FlavorsCreate), flavors::put, Pools),
    route!(GET "/v1.1/flavors/{id}", Some(Rule::FlavorsGet), flavors::get, Pools),
    route!(PATCH "/v1.1/flavors/{id}", Some(Rule::FlavorsUpdate), flavors::patch, Pools),
    route!(DELETE "/v1.1/flavors/{id}", Some(Rule::FlavorsDelete), flavors::delete, Pools),
];
