//! The home document (rest.md 3.2): what there is, for clients that look before they call.

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::api::dispatch::{Call, Mounted};
use crate::api::respond;
use crate::error::Result;

/// One relation: its name, its URI template, the parameter each variable stands for, the methods it takes.
struct Relation {
    name: &'static str,
    template: &'static str,
    variables: &'static [(&'static str, &'static str)],
    methods: &'static [&'static str],
}

const QUEUE: (&str, &str) = ("queue_name", "param/queue_name");
const MESSAGE: (&str, &str) = ("message_id", "param/message_id");
const CLAIM: (&str, &str) = ("claim_id", "param/claim_id");
const MARKER: (&str, &str) = ("marker", "param/marker");

/// The relations of a service without administrators, exactly those whose routes are mounted.
const RELATIONS: &[Relation] = &[
    Relation {
        name: "rel/queues",
        template: "/v2/queues{?marker,limit,detailed}",
        variables: &[MARKER, ("limit", "param/queue_limit"), ("detailed", "param/detailed")],
        methods: &["GET"],
    },
    Relation {
        name: "rel/queue",
        template: "/v2/queues/{queue_name}",
        variables: &[QUEUE],
        methods: &["GET", "PUT", "DELETE", "PATCH"],
    },
    Relation {
        name: "rel/queue_stats",
        template: "/v2/queues/{queue_name}/stats",
        variables: &[QUEUE],
        methods: &["GET"],
    },
    Relation {
        name: "rel/queue_share",
        template: "/v2/queues/{queue_name}/share",
        variables: &[QUEUE],
        methods: &["POST"],
    },
    Relation {
        name: "rel/queue_purge",
        template: "/v2/queues/{queue_name}/purge",
        variables: &[QUEUE],
        methods: &["POST"],
    },
    Relation {
        name: "rel/messages",
        template: "/v2/queues/{queue_name}/messages{?marker,limit,echo,include_claimed}",
        variables: &[
            QUEUE,
            MARKER,
            ("limit", "param/messages_limit"),
            ("echo", "param/echo"),
            ("include_claimed", "param/include_claimed"),
        ],
        methods: &["GET"],
    },
    Relation {
        name: "rel/post_messages",
        template: "/v2/queues/{queue_name}/messages",
        variables: &[QUEUE],
        methods: &["POST"],
    },
    Relation {
        name: "rel/messages_delete",
        template: "/v2/queues/{queue_name}/messages{?ids,pop}",
        variables: &[QUEUE, ("ids", "param/ids"), ("pop", "param/pop")],
        methods: &["DELETE"],
    },
    Relation {
        name: "rel/message_delete",
        template: "/v2/queues/{queue_name}/messages/{message_id}{?claim}",
        variables: &[QUEUE, MESSAGE, ("claim", "param/claim_id")],
        methods: &["DELETE"],
    },
    Relation {
        name: "rel/message_get",
        template: "/v2/queues/{queue_name}/messages/{message_id}",
        variables: &[QUEUE, MESSAGE],
        methods: &["GET"],
    },
    Relation {
        name: "rel/claim",
        template: "/v2/queues/{queue_name}/claims/{claim_id}",
        variables: &[QUEUE, CLAIM],
        methods: &["GET"],
    },
    Relation {
        name: "rel/post_claim",
        template: "/v2/queues/{queue_name}/claims{?limit}",
        variables: &[QUEUE, ("limit", "param/claim_limit")],
        methods: &["POST"],
    },
    Relation {
        name: "rel/patch_claim",
        template: "/v2/queues/{queue_name}/claims/{claim_id}",
        variables: &[QUEUE, CLAIM],
        methods: &["PATCH"],
    },
    Relation {
        name: "rel/delete_claim",
        template: "/v2/queues/{queue_name}/claims/{claim_id}",
        variables: &[QUEUE, CLAIM],
        methods: &["DELETE"],
    },
    Relation { name: "rel/ping", template: "/v2/ping", variables: &[], methods: &["GET"] },
];

const ITEM_METHODS: &[&str] = &["GET", "PUT", "PATCH", "DELETE"];

/// The relations of [`Mounted::Pools`].
const POOL_RELATIONS: &[Relation] = &[
    Relation {
        name: "rel/pools",
        template: "/v2/pools{?detailed,limit,marker}",
        variables: &[("detailed", "param/detailed"), ("limit", "param/pool_limit"), MARKER],
        methods: &["GET"],
    },
    Relation {
        name: "rel/pool",
        template: "/v2/pools/{pool_name}",
        variables: &[("pool_name", "param/pool_name")],
        methods: ITEM_METHODS,
    },
    // An extension of ours.
    Relation {
        name: "rel/migrations",
        template: "/v2/migrations{?limit,marker}",
        variables: &[("limit", "param/migration_limit"), MARKER],
        methods: &["GET"],
    },
    Relation {
        name: "rel/flavors",
        template: "/v2/flavors{?detailed,limit,marker}",
        variables: &[("detailed", "param/detailed"), ("limit", "param/flavor_limit"), MARKER],
        methods: &["GET"],
    },
    Relation {
        name: "rel/flavor",
        template: "/v2/flavors/{flavor_name}",
        variables: &[("flavor_name", "param/flavor_name")],
        methods: ITEM_METHODS,
    },
];

/// `GET /v2/`
pub(crate) async fn get(call: Call) -> Result<Response<Body>> {
    let pools = if call.has(Mounted::Pools) { POOL_RELATIONS } else { &[] };
    let relations = RELATIONS.iter().chain(pools);
    let mut resources: Map<_, _> =
        relations.map(|relation| (relation.name.to_owned(), resource(relation))).collect();
    if call.has(Mounted::Admin) {
        resources.insert("rel/health".into(), json!({ "href": "/v2/health", "hints": hints(&["GET"]) }));
    }
    let document = json!({ "resources": resources });
    let mut response = respond::json(StatusCode::OK, document.to_string());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json-home"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=86400"));
    Ok(response)
}

fn resource(relation: &Relation) -> Value {
    let mut resource = json!({ "href-template": relation.template, "hints": hints(relation.methods) });
    let variables = relation.variables.iter().map(|(name, target)| ((*name).to_owned(), (*target).into()));
    if !relation.variables.is_empty() {
        resource["href-vars"] = variables.collect::<Map<_, _>>().into();
    }
    resource
}

fn hints(methods: &[&str]) -> Value {
    let mut hints = json!({ "allow": methods, "formats": { "application/json": {} } });
    if methods.iter().any(|method| matches!(*method, "POST" | "PATCH")) && !methods.contains(&"GET") {
        hints["accept-post"] = json!(["application/json"]);
    }
    hints
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api::v2::ROUTES;

    #[test]
    fn the_document_lists_exactly_the_routes_that_are_mounted() {
        let bare = |template: &str| {
            let path = template.split("{?").next().unwrap_or_default().replace("{queue_name}", "{queue}");
            let item = ["{message_id}", "{claim_id}", "{pool_name}", "{flavor_name}"];
            item.iter().fold(path, |path, item| path.replace(item, "{id}"))
        };
        for (relations, kind) in [(RELATIONS, Mounted::Always), (POOL_RELATIONS, Mounted::Pools)] {
            let listed = relations.iter().flat_map(|relation| {
                relation.methods.iter().map(|method| ((*method).to_owned(), bare(relation.template)))
            });
            let routes = ROUTES.iter().filter(|route| route.mounted == kind && route.path != "/v2/");
            let mounted = routes.map(|route| (route.method.to_string(), route.path.to_owned()));
            let mounted: BTreeSet<_> = mounted.filter(|(method, _)| method != "HEAD").collect();
            assert_eq!(listed.collect::<BTreeSet<_>>(), mounted);
        }
    }
}
