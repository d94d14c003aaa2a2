//! REST v2: the table of its routes.

mod claims;
mod flavors;
mod health;
mod home;
mod link;
mod messages;
mod migrations;
mod pools;
mod purge;
mod queues;
mod shapes;

use http::Method;

use super::dispatch::{Mounted, Route};

macro_rules! mounted {
    () => {
        Mounted::Always
    };
    ($mounted:ident) => {
        Mounted::$mounted
    };
}

/// One line of the table, with where it is mounted if that is not everywhere.
macro_rules! route {
    ($method:ident $path:literal, $rule:expr, $handler:path $(, $mounted:ident)?) => {
        Route {
            method: Method::$method,
            path: $path,
            rule: $rule,
            mounted: mounted!($($mounted)?),
            handler: |call| Box::pin($handler(call)),
        }
    };
}

/// Every route of the version: method, path, policy rule, handler.
pub const ROUTES: &[Route] = &[
    route!(GET "/v2/", None, home::get),
    route!(GET "/v2/ping", Some("ping:get"), health::ping),
    route!(HEAD "/v2/ping", Some("ping:get"), health::ping_head),
    route!(GET "/v2/health", Some("health:get"), health::health, Admin),
    route!(GET "/v2/queues", Some("queues:get_all"), queues::list),
    route!(PUT "/v2/queues/{queue}", Some("queues:create"), queues::create),
    route!(GET "/v2/queues/{queue}", Some("queues:get"), queues::get),
    route!(PATCH "/v2/queues/{queue}", Some("queues:update"), queues::update),
    route!(DELETE "/v2/queues/{queue}", Some("queues:delete"), queues::delete),
    route!(GET "/v2/queues/{queue}/stats", Some("queues:stats"), queues::stats),
    route!(POST "/v2/queues/{queue}/purge", Some("queues:purge"), purge::purge),
    route!(POST "/v2/queues/{queue}/messages", Some("messages:create"), messages::post),
    route!(GET "/v2/queues/{queue}/messages", Some("messages:get_all"), messages::list_or_get),
    route!(DELETE "/v2/queues/{queue}/messages", Some("messages:delete_all"), messages::delete_or_pop),
    route!(GET "/v2/queues/{queue}/messages/{id}", Some("messages:get"), messages::get),
    route!(DELETE "/v2/queues/{queue}/messages/{id}", Some("messages:delete"), messages::delete),
    route!(POST "/v2/queues/{queue}/claims", Some("claims:create"), claims::create),
    route!(GET "/v2/queues/{queue}/claims/{id}", Some("claims:get"), claims::get),
    route!(PATCH "/v2/queues/{queue}/claims/{id}", Some("claims:update"), claims::update),
    route!(DELETE "/v2/queues/{queue}/claims/{id}", Some("claims:delete"), claims::delete),
    route!(GET "/v2/pools", Some("pools:get_all"), pools::list, Pools),
    route!(PUT "/v2/pools/{id}", Some("pools:create"), pools::put, Pools),
    route!(GET "/v2/pools/{id}", Some("pools:get"), pools::get, Pools),
    route!(PATCH "/v2/pools/{id}", Some("pools:update"), pools::patch, Pools),
    route!(DELETE "/v2/pools/{id}", Some("pools:delete"), pools::delete, Pools),
    route!(GET "/v2/migrations", Some("pools:get_all"), migrations::list, Pools),
    route!(GET "/v2/flavors", Some("flavors:get_all"), flavors::list, Pools),
    route!(PUT "/v2/flavors/{id}", Some("flavors:create"), flavors::put, Pools),
    route!(GET "/v2/flavors/{id}", Some("flavors:get"), flavors::get, Pools),
    route!(PATCH "/v2/flavors/{id}", Some("flavors:update"), flavors::patch, Pools),
    route!(DELETE "/v2/flavors/{id}", Some("flavors:delete"), flavors::delete, Pools),
];
