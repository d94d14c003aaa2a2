//! The home document (rest.md 3.2): what there is, for clients that look before they call.

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};
use strum::VariantArray as _;

use crate::api::dispatch::{Call, Mounted};
use crate::api::{Version, respond};
use crate::error::Result;
use crate::websocket;

/// One relation: its name, the versions that have it, its URI template behind their prefix, the parameter each variable
/// stands for, the methods it takes. v1 writes names with hyphens in place of underscores.
struct Relation {
    name: &'static str,
    versions: &'static [Version],
    template: &'static str,
    variables: &'static [(&'static str, &'static str)],
    methods: &'static [&'static str],
}

const ALL: &[Version] = Version::VARIANTS;
const AFTER_V1: &[Version] = &[Version::V1_1, Version::V2];
const V1: &[Version] = &[Version::V1];
const V1_1: &[Version] = &[Version::V1_1];
const V2: &[Version] = &[Version::V2];

const QUEUE: (&str, &str) = ("queue_name", "param/queue_name");
const MESSAGE: (&str, &str) = ("message_id", "param/message_id");
const CLAIM: (&str, &str) = ("claim_id", "param/claim_id");
const MARKER: (&str, &str) = ("marker", "param/marker");
const WAIT: (&str, &str) = ("wait", "param/wait");

/// The relations of a service without administrators: in v2 exactly those whose routes are mounted; in the older versions,
/// which do not change any more, those that the reference lists.
const RELATIONS: &[Relation] = &[
    Relation {
        name: "rel/queues",
        versions: ALL,
        template: "/queues{?marker,limit,detailed}",
        variables: &[MARKER, ("limit", "param/queue_limit"), ("detailed", "param/detailed")],
        methods: &["GET"],
    },
    Relation {
        name: "rel/queue",
        versions: V2,
        template: "/queues/{queue_name}",
        variables: &[QUEUE],
        methods: &["GET", "PUT", "DELETE", "PATCH"],
    },
    Relation {
        name: "rel/queue",
        versions: V1_1,
        template: "/queues/{queue_name}",
        variables: &[QUEUE],
        methods: &["PUT", "DELETE"],
    },
    Relation {
        name: "rel/queue",
        versions: V1,
        template: "/queues/{queue_name}",
        variables: &[QUEUE],
        methods: &["GET", "HEAD", "PUT", "DELETE"],
    },
    Relation {
        name: "rel/queue_metadata",
        versions: V1,
        template: "/queues/{queue_name}/metadata",
        variables: &[QUEUE],
        methods: &["GET", "PUT"],
    },
    Relation {
        name: "rel/claim",
        versions: V1,
        template: "/queues/{queue_name}/claims{?limit}",
        variables: &[QUEUE, ("limit", "param/claim_limit")],
        methods: &["POST"],
    },
    Relation {
        name: "rel/queue_stats",
        versions: ALL,
        template: "/queues/{queue_name}/stats",
        variables: &[QUEUE],
        methods: &["GET"],
    },
    Relation {
        name: "rel/queue_share",
        versions: V2,
        template: "/queues/{queue_name}/share",
        variables: &[QUEUE],
        methods: &["POST"],
    },
    Relation {
        name: "rel/queue_purge",
        versions: V2,
        template: "/queues/{queue_name}/purge",
        variables: &[QUEUE],
        methods: &["POST"],
    },
    Relation {
        name: "rel/messages",
        versions: ALL,
        template: "/queues/{queue_name}/messages{?marker,limit,echo,include_claimed}",
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
        versions: ALL,
        template: "/queues/{queue_name}/messages",
        variables: &[QUEUE],
        methods: &["POST"],
    },
    Relation {
        name: "rel/messages_delete",
        versions: AFTER_V1,
        template: "/queues/{queue_name}/messages{?ids,pop}",
        variables: &[QUEUE, ("ids", "param/ids"), ("pop", "param/pop")],
        methods: &["DELETE"],
    },
    Relation {
        name: "rel/message_delete",
        versions: AFTER_V1,
        template: "/queues/{queue_name}/messages/{message_id}{?claim}",
        variables: &[QUEUE, MESSAGE, ("claim", "param/claim_id")],
        methods: &["DELETE"],
    },
    Relation {
        name: "rel/message_get",
        versions: V2,
        template: "/queues/{queue_name}/messages/{message_id}",
        variables: &[QUEUE, MESSAGE],
        methods: &["GET"],
    },
    Relation {
        name: "rel/claim",
        versions: AFTER_V1,
        template: "/queues/{queue_name}/claims/{claim_id}",
        variables: &[QUEUE, CLAIM],
        methods: &["GET"],
    },
    Relation {
        name: "rel/post_claim",
        versions: AFTER_V1,
        template: "/queues/{queue_name}/claims{?limit}",
        variables: &[QUEUE, ("limit", "param/claim_limit")],
        methods: &["POST"],
    },
    Relation {
        name: "rel/patch_claim",
        versions: AFTER_V1,
        template: "/queues/{queue_name}/claims/{claim_id}",
        variables: &[QUEUE, CLAIM],
        methods: &["PATCH"],
    },
    Relation {
        name: "rel/delete_claim",
        versions: AFTER_V1,
        template: "/queues/{queue_name}/claims/{claim_id}",
        variables: &[QUEUE, CLAIM],
        methods: &["DELETE"],
    },
    // Extensions of ours, beside the relations that they extend: those stay what they are for clients that compare.
    Relation {
        name: "rel/messages_stream",
        versions: V2,
        template: "/queues/{queue_name}/messages/stream{?marker,echo}",
        variables: &[QUEUE, MARKER, ("echo", "param/echo")],
        methods: &["GET"],
    },
    // The same with a time to wait for messages.
    Relation {
        name: "rel/messages_wait",
        versions: V2,
        template: "/queues/{queue_name}/messages{?marker,limit,echo,include_claimed,wait}",
        variables: &[
            QUEUE,
            MARKER,
            ("limit", "param/messages_limit"),
            ("echo", "param/echo"),
            ("include_claimed", "param/include_claimed"),
            WAIT,
        ],
        methods: &["GET"],
    },
    Relation {
        name: "rel/messages_pop_wait",
        versions: V2,
        template: "/queues/{queue_name}/messages{?pop,wait}",
        variables: &[QUEUE, ("pop", "param/pop"), WAIT],
        methods: &["DELETE"],
    },
    Relation {
        name: "rel/post_claim_wait",
        versions: V2,
        template: "/queues/{queue_name}/claims{?limit,wait}",
        variables: &[QUEUE, ("limit", "param/claim_limit"), WAIT],
        methods: &["POST"],
    },
    Relation { name: "rel/ping", versions: AFTER_V1, template: "/ping", variables: &[], methods: &["GET"] },
];

const ITEM_METHODS: &[&str] = &["GET", "PUT", "PATCH", "DELETE"];

/// The relations of [`Mounted::Pools`].
const POOL_RELATIONS: &[Relation] = &[
    Relation {
        name: "rel/pools",
        versions: AFTER_V1,
        template: "/pools{?detailed,limit,marker}",
        variables: &[("detailed", "param/detailed"), ("limit", "param/pool_limit"), MARKER],
        methods: &["GET"],
    },
    Relation {
        name: "rel/pool",
        versions: AFTER_V1,
        template: "/pools/{pool_name}",
        variables: &[("pool_name", "param/pool_name")],
        methods: ITEM_METHODS,
    },
    // An extension of ours.
    Relation {
        name: "rel/migrations",
        versions: V2,
        template: "/migrations{?limit,marker}",
        variables: &[("limit", "param/migration_limit"), MARKER],
        methods: &["GET"],
    },
    Relation {
        name: "rel/flavors",
        versions: AFTER_V1,
        template: "/flavors{?detailed,limit,marker}",
        variables: &[("detailed", "param/detailed"), ("limit", "param/flavor_limit"), MARKER],
        methods: &["GET"],
    },
    Relation {
        name: "rel/flavor",
        versions: AFTER_V1,
        template: "/flavors/{flavor_name}",
        variables: &[("flavor_name", "param/flavor_name")],
        methods: ITEM_METHODS,
    },
];

/// `GET` of a version's root
pub(crate) async fn get(call: Call) -> Result<Response<Body>> {
    let mut document = document(call.version, call.has(Mounted::Pools), call.has(Mounted::Admin));
    if call.has_websocket() && call.version == Version::V2 {
        let upgrade = json!({ "href": websocket::PATH, "hints": { "allow": ["GET"] } });
        document["resources"]["rel/websocket"] = upgrade;
    }
    let mut response = respond::json(StatusCode::OK, document.to_string());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json-home"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=86400"));
    Ok(response)
}

/// The relations of a version, those of pools and flavors too where they are mounted.
fn relations(version: Version, pools: bool) -> impl Iterator<Item = &'static Relation> {
    let pools = if pools { POOL_RELATIONS } else { &[] };
    RELATIONS.iter().chain(pools).filter(move |relation| relation.versions.contains(&version))
}

impl Relation {
    fn name_in(&self, version: Version) -> String {
        if version == Version::V1 { self.name.replace('_', "-") } else { self.name.to_owned() }
    }

    /// The media type of its answers.
    fn format(&self) -> &'static str {
        if self.name == "rel/messages_stream" { "text/event-stream" } else { JSON_FORMAT }
    }

    fn document(&self, version: Version) -> Value {
        let template = format!("{}{}", version.prefix(), self.template);
        let mut resource = json!({ "href-template": template, "hints": hints(self.methods, self.format()) });
        let variables = self.variables.iter().map(|(name, target)| ((*name).to_owned(), (*target).into()));
        if !self.variables.is_empty() {
            resource["href-vars"] = variables.collect::<Map<_, _>>().into();
        }
        resource
    }
}

/// The document of that version, with or without what is mounted for pools and for administrators.
pub(crate) fn document(version: Version, pools: bool, admin: bool) -> Value {
    let mut resources: Map<_, _> = relations(version, pools)
        .map(|relation| (relation.name_in(version), relation.document(version)))
        .collect();
    if admin && version > Version::V1 {
        let health =
            json!({ "href": format!("{}/health", version.prefix()), "hints": hints(&["GET"], JSON_FORMAT) });
        resources.insert("rel/health".into(), health);
    }
    json!({ "resources": resources })
}

const JSON_FORMAT: &str = "application/json";

fn hints(methods: &[&str], format: &str) -> Value {
    let mut hints = json!({ "allow": methods, "formats": { format: {} } });
    if methods.iter().any(|method| matches!(*method, "POST" | "PATCH")) && !methods.contains(&"GET") {
        hints["accept-post"] = json!(["application/json"]);
    }
    hints
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Methods and paths of the relations, paths written as in the tables of routes.
    fn listed(version: Version, pools: bool) -> BTreeSet<(String, String)> {
        let bare = |template: &str| {
            let path = template.split("{?").next().unwrap_or_default().replace("{queue_name}", "{queue}");
            let item = ["{message_id}", "{claim_id}", "{pool_name}", "{flavor_name}"];
            item.iter().fold(path, |path, item| path.replace(item, "{id}"))
        };
        let listed = relations(version, pools).flat_map(|relation| {
            let path = format!("{}{}", version.prefix(), bare(relation.template));
            relation.methods.iter().map(move |method| ((*method).to_owned(), path.clone()))
        });
        listed.collect()
    }

    fn mounted(version: Version, pools: bool) -> BTreeSet<(String, String)> {
        let of_kind = |mounted| mounted == Mounted::Always || (pools && mounted == Mounted::Pools);
        let routes = version.routes().iter().filter(|route| of_kind(route.mounted));
        routes.map(|route| (route.method.to_string(), route.path.to_owned())).collect()
    }

    #[test]
    fn the_document_lists_exactly_the_routes_that_are_mounted() {
        for pools in [false, true] {
            let mut mounted = mounted(Version::V2, pools);
            mounted.retain(|(method, path)| method != "HEAD" && path != "/v2/");
            assert_eq!(listed(Version::V2, pools), mounted);
        }
    }

    #[test]
    fn what_the_older_documents_list_is_mounted() {
        for version in [Version::V1, Version::V1_1] {
            for pools in [false, true] {
                let listed = listed(version, pools);
                assert!(listed.len() > 8 && listed.is_subset(&mounted(version, pools)), "{listed:?}");
            }
        }
    }
}
