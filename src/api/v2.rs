//! REST v2: the table of its routes.

use http::Method;

use super::dispatch::Located::Found;
use super::dispatch::{Mounted, Route, route};
use super::resources::{
    claims, flavors, health, home, messages, migrations, pools, purge, queues, share, stream,
};
use crate::policy::Rule;

/// Every route of the version: method, path, policy rule, handler.
pub(super) const ROUTES: &[Route] = &[
    route!(GET "/v2/", None, home::get),
    route!(GET "/v2/ping", Some(Rule::PingGet), health::ping),
    route!(HEAD "/v2/ping", Some(Rule::PingGet), health::ping_head),
    route!(GET "/v2/health", Some(Rule::HealthGet), health::health, Admin),
    route!(GET "/v2/queues", Some(Rule::QueuesGetAll), queues::list),
    route!(PUT "/v2/queues/{queue}", Some(Rule::QueuesCreate), queues::create),
    route!(GET "/v2/queues/{queue}", Some(Rule::QueuesGet), queues::get),
    route!(PATCH "/v2/queues/{queue}", Some(Rule::QueuesUpdate), queues::update),
    route!(DELETE "/v2/queues/{queue}", Some(Rule::QueuesDelete), queues::delete),
    route!(GET "/v2/queues/{queue}/stats", Some(Rule::QueuesStats), queues::stats),
    route!(POST "/v2/queues/{queue}/purge", Some(Rule::QueuesPurge), purge::purge),
    route!(POST "/v2/queues/{queue}/share", Some(Rule::QueuesShare), share::share),
    route!(POST "/v2/queues/{queue}/messages", Some(Rule::MessagesCreate), messages::post),
    route!(GET "/v2/queues/{queue}/messages", Some(Rule::MessagesGetAll), messages::list_or_get),
    route!(DELETE "/v2/queues/{queue}/messages", Some(Rule::MessagesDeleteAll), messages::delete_or_pop),
    route!(GET "/v2/queues/{queue}/messages/stream", Some(Rule::MessagesGetAll), stream::get).streaming(),
    route!(GET "/v2/queues/{queue}/messages/{id}", Some(Rule::MessagesGet), messages::get),
    route!(DELETE "/v2/queues/{queue}/messages/{id}", Some(Rule::MessagesDelete), messages::delete),
    route!(POST "/v2/queues/{queue}/claims", Some(Rule::ClaimsCreate), claims::create),
    route!(GET "/v2/queues/{queue}/claims/{id}", Some(Rule::ClaimsGet), claims::get),
    route!(PATCH "/v2/queues/{queue}/claims/{id}", Some(Rule::ClaimsUpdate), claims::update),
    route!(DELETE "/v2/queues/{queue}/claims/{id}", Some(Rule::ClaimsDelete), claims::delete),
    route!(GET "/v2/pools", Some(Rule::PoolsGetAll), pools::list, Pools).located(Found),
    route!(PUT "/v2/pools/{id}", Some(Rule::PoolsCreate), pools::put, Pools),
    route!(GET "/v2/pools/{id}", Some(Rule::PoolsGet), pools::get, Pools),
    route!(PATCH "/v2/pools/{id}", Some(Rule::PoolsUpdate), pools::patch, Pools),
    route!(DELETE "/v2/pools/{id}", Some(Rule::PoolsDelete), pools::delete, Pools),
    route!(GET "/v2/migrations", Some(Rule::PoolsGetAll), migrations::list, Pools),
    route!(GET "/v2/flavors", Some(Rule::FlavorsGetAll), flavors::list, Pools),
    route!(PUT "/v2/flavors/{id}", Some(Rule::FlavorsCreate), flavors::put, Pools),
    route!(GET "/v2/flavors/{id}", Some(Rule::FlavorsGet), flavors::get, Pools),
    route!(PATCH "/v2/flavors/{id}", Some(Rule::FlavorsUpdate), flavors::patch, Pools),
    route!(DELETE "/v2/flavors/{id}", Some(Rule::FlavorsDelete), flavors::delete, Pools),
];
