//! Every route names its rule, and asks it before it looks at what was sent.

use reqwest::Method;
use strum::VariantArray as _;
use zaqar::api::Version;
use zaqar::policy::Rule;

use super::{REFUSED, under};
use crate::support::Client;
use crate::support::client::{Answer, send};

/// The home documents. With the document of versions, which is no route of a version, they are for everybody.
const WITHOUT_RULE: &[(&str, &str)] = &[("GET", "/v1/"), ("GET", "/v1.1/"), ("GET", "/v2/")];

/// Rules of what is still to come.
fn is_of_later(rule: Rule) -> bool {
    ["topics:", "subscription:"].iter().any(|prefix| rule.name().starts_with(prefix))
}

#[test]
fn every_route_of_every_version_names_its_rule() {
    let routes = || Version::VARIANTS.iter().flat_map(|version| version.routes());
    let without: Vec<_> = routes()
        .filter(|route| route.rule.is_none())
        .map(|route| (route.method.as_str(), route.path))
        .collect();
    assert_eq!(without, WITHOUT_RULE);
    for rule in Rule::ALL.iter().filter(|rule| !is_of_later(**rule)) {
        assert!(routes().any(|route| route.rule == Some(*rule)), "{} guards nothing", rule.name());
    }
}

#[tokio::test]
async fn a_rule_that_nobody_passes_closes_its_routes_before_anything_sent_is_looked_at() {
    for rule in Rule::ALL.iter().filter(|rule| !is_of_later(**rule)) {
        let line = |other: &Rule| format!("{:?}: {:?}", other.name(), if other == rule { "!" } else { "" });
        let (_folder, app) = under(&Rule::ALL.iter().map(line).collect::<Vec<_>>().join("\n")).await;
        let client = app.client("p");
        for route in Version::VARIANTS.iter().flat_map(|version| version.routes()) {
            let answer = nonsense(&client, route.method.as_str(), route.path).await;
            if route.rule == Some(*rule) {
                assert_eq!(answer.status, 403, "{} {}", route.method, route.path);
                let body = if route.method == Method::HEAD { "" } else { REFUSED };
                assert_eq!(answer.bytes, body, "{} {}", route.method, route.path);
            } else {
                assert_ne!(answer.status, 403, "{} {} under {}", route.method, route.path, rule.name());
            }
        }
    }
}

/// A request with parameters, a body and a media type that its handler would refuse, and ids of nothing.
async fn nonsense(client: &Client, method: &str, path: &str) -> Answer {
    let path = path.replace("{queue}", "nowhere").replace("{id}", "nothing");
    let request =
        client.request(method.parse().unwrap(), &format!("{path}?limit=many&pop=x&detailed=7&echo=x"));
    let request = if method == "HEAD" { request } else { request.header("content-type", "x/y").body("{]") };
    send(request).await
}

#[tokio::test]
async fn names_and_methods_are_checked_before_the_policy() {
    let closed: Vec<_> = Rule::ALL.iter().map(|rule| format!("{:?}: '!'", rule.name())).collect();
    let (_folder, app) = under(&closed.join("\n")).await;
    let client = app.client("p");
    client.get("/v2/queues/%20").await.expect(400);
    client.put("/v2/queues").await.expect(405);
    client.get("/v2/nothing").await.expect(404);
    send(client.bare(Method::GET, "/v2/queues")).await.expect(400);
    send(client.bare(Method::GET, "/")).await.expect(300);
    client.get("/v2/").await.expect(200);
    send(client.request(Method::OPTIONS, "/v2/queues/q")).await.expect(200);
}
