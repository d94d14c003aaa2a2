//! Tokens: none, forged, another's, too old, too long, sent twice, and with identity headers beside them.
//!
//! Rules of application credentials are attacked in `identity`, shared caches in `token_cache`.

use reqwest::Method;
use serde_json::json;

use super::raw::raw;
use super::{MESSAGES, SECRET};
use crate::support::client::{CLIENT_ID, send};
use crate::support::fake_keystone::{FakeKeystone, described};
use crate::support::signed::{KEY, Signed};
use crate::support::{Store, TestApp};

/// Every header in which the middleware of the Python service tells the application who calls, and some that others
/// believe.
const IDENTITY: &[(&str, &str)] = &[
    ("X-Identity-Status", "Confirmed"),
    ("X-User-Id", "user-of-victim"),
    ("X-User-Name", "admin"),
    ("X-User-Domain-Id", "default"),
    ("X-User-Domain-Name", "Default"),
    ("X-Project-Id", "victim"),
    ("X-Project-Name", "victim"),
    ("X-Project-Domain-Id", "default"),
    ("X-Project-Domain-Name", "Default"),
    ("X-Domain-Id", "default"),
    ("X-Domain-Name", "Default"),
    ("X-Roles", "admin"),
    ("X-Is-Admin-Project", "True"),
    ("OpenStack-System-Scope", "all"),
    ("X-Service-Catalog", "[]"),
    ("X-Role", "admin"),
    ("X-User", "admin"),
    ("X-Tenant-Id", "victim"),
    ("X-Tenant-Name", "victim"),
    ("X-Tenant", "victim"),
    ("X-Service-Identity-Status", "Confirmed"),
    ("X-Service-Roles", "service,admin"),
    ("X-Service-User-Id", "user-of-victim"),
    ("X-Service-Project-Id", "victim"),
    ("EXTRA-SPEC", "messagecode:123456"),
    ("X-Forwarded-User", "admin"),
    ("Remote-User", "admin"),
    ("Authorization", "Basic YWRtaW46YWRtaW4="),
    ("Cookie", "X-Auth-Token=root"),
];

/// A service whose identity service knows a member of the project `attacker`, one of `victim` (who has secrets in the
/// queue `shared`), and an administrator.
struct Cloud {
    keystone: FakeKeystone,
    app: TestApp,
    message: String,
    claim: String,
}

impl Cloud {
    async fn set() -> Self {
        Self::with("").await
    }

    async fn with(more: &str) -> Self {
        let keystone = FakeKeystone::start().await;
        keystone.knows_member("attacker", "attacker");
        keystone.knows_member("victim", "victim");
        keystone.knows("root", described("admin", &["admin"]));
        let ini = format!("{}{KEY}[DEFAULT]\nadmin_mode = true\npooling = true\n{more}", keystone.ini());
        let ini = format!(
            "{ini}[pooling:catalog]\nenable_virtual_pool = true\n[listener]\nmount_prefix = /messaging\n"
        );
        let app = TestApp::start(Store::Memory, &ini).await;
        let mut cloud = Self { keystone, app, message: String::new(), claim: String::new() };
        cloud.furnish().await;
        cloud
    }

    /// Gives the victim two messages, one of them claimed.
    async fn furnish(&mut self) {
        let victim = |method, path: &str| {
            let request = self.app.client("").bare(method, path).header("client-id", CLIENT_ID);
            request.header("x-auth-token", "victim")
        };
        let messages = json!({ "messages": [{ "body": SECRET }, { "body": SECRET }] });
        let posted = send(victim(Method::POST, MESSAGES).json(&messages)).await;
        let message = posted.expect(201).ids()[0].clone();
        let claimed = victim(Method::POST, "/v2/queues/shared/claims?limit=1")
            .json(&json!({ "ttl": 43_000, "grace": 60 }));
        let claimed = send(claimed).await.expect(201);
        let claim = claimed.header("location").unwrap().rsplit('/').next().unwrap().to_owned();
        (self.message, self.claim) = (message, claim);
    }

    /// The status of a request with that token, if any, and further headers.
    async fn status(&self, line: &str, token: Option<&str>, headers: &[(&str, &str)]) -> u16 {
        let own = [("Client-ID", CLIENT_ID)].into_iter().chain(token.map(|token| ("X-Auth-Token", token)));
        let headers: Vec<_> = own.chain(headers.iter().copied()).collect();
        raw(self.app.address, line, &headers).await.status
    }

    /// What the victim has: free and claimed messages.
    async fn is_untouched(&self) {
        let headers = [("Client-ID", CLIENT_ID), ("X-Auth-Token", "victim")];
        let stats = raw(self.app.address, "GET /v2/queues/shared/stats", &headers).await.text;
        assert!(
            stats.contains(r#""free":1,"claimed":1"#) || stats.contains(r#""claimed":1,"free":1"#),
            "{stats}"
        );
    }
}

#[tokio::test]
async fn headers_in_place_of_a_token_prove_nothing() {
    let cloud = Cloud::set().await;
    for line in [
        "GET /v2/queues",
        "GET /v2/pools",
        "GET /v2/queues/shared/messages?echo=true",
        "POST /v2/queues/shared/share",
    ] {
        assert_eq!(cloud.status(line, None, IDENTITY).await, 401, "{line}");
        for header in IDENTITY {
            assert_eq!(cloud.status(line, None, &[*header]).await, 401, "{line} {header:?}");
        }
        for parameter in ["X-Auth-Token=root", "X-Roles=admin&X-Project-ID=victim", "auth_token=root"] {
            let sign = if line.contains('?') { '&' } else { '?' };
            assert_eq!(
                cloud.status(&format!("{line}{sign}{parameter}"), None, &[]).await,
                401,
                "{parameter}"
            );
        }
    }
}

#[tokio::test]
async fn headers_beside_a_token_change_nothing() {
    let cloud = Cloud::set().await;
    let spelled = |name: &str, kind: usize| match kind {
        0 => name.to_owned(),
        1 => name.to_uppercase(),
        2 => name.to_lowercase(),
        3 => name.replace('-', "_"),
        _ => name.replace('-', "_").to_uppercase(),
    };
    for kind in 0..5 {
        let all: Vec<_> = IDENTITY.iter().map(|(name, value)| (spelled(name, kind), *value)).collect();
        let all: Vec<_> = all.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        // Each once, all together, and each twice.
        let doubled: Vec<_> = all.iter().flat_map(|header| [*header, *header]).collect();
        let sets = all.iter().map(std::slice::from_ref).chain([&all[..], &doubled[..]]);
        for headers in sets {
            let status = async |line: &str| cloud.status(line, Some("attacker"), headers).await;
            assert_eq!(status("GET /v2/pools").await, 403, "{headers:?}");
            assert_eq!(status("GET /v2/health").await, 403, "{headers:?}");
            assert_eq!(status("GET /v2/queues/shared/messages?echo=true&include_claimed=true").await, 200);
            assert_eq!(status(&format!("GET {MESSAGES}/{}", cloud.message)).await, 404, "{headers:?}");
        }
    }
    cloud.is_untouched().await;
}

#[tokio::test]
async fn a_token_of_another_project_reaches_nothing_of_the_victims() {
    let cloud = Cloud::set().await;
    let (message, claim) = (&cloud.message, &cloud.claim);
    let missing = "00000000-0000-7000-8000-000000000000";
    for (line, own) in [
        ("GET /v2/queues/shared/messages/{message}", message),
        ("DELETE /v2/queues/shared/messages/{message}", message),
        ("DELETE /v2/queues/shared/messages/{message}?claim_id={claim}", message),
        ("GET /v2/queues/shared/messages?ids={message}", message),
        ("DELETE /v2/queues/shared/messages?ids={message}", message),
        ("GET /v2/queues/shared/claims/{claim}", claim),
        ("DELETE /v2/queues/shared/claims/{claim}", claim),
        ("GET /v2/queues/shared/messages?echo=true&include_claimed=true&marker={message}", message),
        ("DELETE /v2/queues/shared/messages?pop=10", message),
        ("GET /v2/queues/shared/stats", message),
        ("DELETE /v2/queues/shared", message),
    ] {
        // The same as for an id that nobody has.
        let of = |id: &str, other: &str| line.replace("{message}", id).replace("{claim}", other);
        let with = cloud.status(&of(own, claim), Some("attacker"), &[]).await;
        let claimless = line.replace("{claim}", missing).replace("{message}", missing);
        let without = cloud.status(&claimless, Some("attacker"), &[]).await;
        assert!(with == without && with < 500, "{line}: {with}, {without}");
        if line.contains("/claims/") {
            assert_eq!(cloud.status(&line.replace("{claim}", claim), Some("attacker"), &[]).await, without);
        }
    }
    cloud.is_untouched().await;
}

#[tokio::test]
async fn what_is_no_token_is_refused_without_asking_anybody() {
    let cloud = Cloud::set().await;
    let asked = cloud.keystone.seen().len();
    let long = "x".repeat(60_000);
    for token in [long.as_str(), "", " ", "\t", "t\u{e9}ken", "a,b\u{1f600}"] {
        assert_eq!(cloud.status("GET /v2/queues", Some(token), &[]).await, 401, "{token:.20}");
        assert_eq!(
            cloud.status("GET /v2/queues", Some("attacker"), &[("X-Service-Token", token)]).await,
            if token.trim().is_empty() { 200 } else { 401 }
        );
    }
    // A token of a megabyte is not even read to its end.
    let huge = "x".repeat(1 << 20);
    let status = cloud.status("GET /v2/queues", Some(&huge), &[]).await;
    assert!([0, 431].contains(&status), "{status}");
    let status = cloud.status(&format!("GET {MESSAGES}?URL-Signature={huge}"), Some("attacker"), &[]).await;
    assert!([0, 414, 431].contains(&status), "{status}");
    let asked_for = |token: &str| cloud.keystone.validations(token);
    assert_eq!((asked_for(&long), asked_for(&huge), asked_for("")), (0, 0, 0));
    // Others than the attacker's own token were not asked for at all.
    let others = cloud
        .keystone
        .seen()
        .into_iter()
        .skip(asked)
        .filter(|seen| seen.subject.as_deref() != Some("attacker"));
    assert_eq!(others.count(), 0);
    assert_eq!(cloud.status("GET /v2/queues", Some("attacker"), &[]).await, 200);
}

#[tokio::test]
async fn a_token_that_is_sent_twice_is_none() {
    let cloud = Cloud::set().await;
    for (first, second) in
        [("attacker", "attacker"), ("attacker", "root"), ("root", "attacker"), ("attacker", ""), ("", "root")]
    {
        for name in ["X-Auth-Token", "x-auth-token", "X-AUTH-TOKEN"] {
            assert_eq!(
                cloud.status("GET /v2/queues", Some(first), &[(name, second)]).await,
                401,
                "{first} {second}"
            );
        }
    }
    // Joined by a proxy they are one token that nobody knows.
    for joined in ["attacker, root", "attacker,attacker", "root;attacker"] {
        assert_eq!(cloud.status("GET /v2/queues", Some(joined), &[]).await, 401, "{joined}");
    }
    // With underscores it is another header; under the old name the new one goes before.
    assert_eq!(cloud.status("GET /v2/pools", None, &[("X_Auth_Token", "root")]).await, 401);
    assert_eq!(cloud.status("GET /v2/pools", Some("attacker"), &[("X_Auth_Token", "root")]).await, 403);
    assert_eq!(cloud.status("GET /v2/pools", Some("attacker"), &[("X-Storage-Token", "root")]).await, 403);
}

#[tokio::test]
async fn a_token_ends_when_it_says() {
    let cloud = Cloud::set().await;
    let mut token = described("attacker", &["member"]);
    token["expires_at"] = "2027-01-15T09:00:00.000000Z".into();
    cloud.keystone.knows("short", token);
    // The clock stands at 08:00:00.
    assert_eq!(cloud.status("GET /v2/queues", Some("short"), &[]).await, 200);
    cloud.app.pass(3_599);
    assert_eq!(cloud.status("GET /v2/queues", Some("short"), &[]).await, 200);
    cloud.app.pass(1);
    // Though the identity service, whose clock is slow, and every cache would still have it.
    for _ in 0..3 {
        assert_eq!(cloud.status("GET /v2/queues", Some("short"), &[]).await, 401);
    }
    assert_eq!(cloud.status("GET /v2/queues", Some("attacker"), &[]).await, 200);
    assert_eq!(cloud.status("GET /v2/queues", Some("short"), &[("X-Service-Token", "short")]).await, 401);
}

#[tokio::test]
async fn the_method_is_that_of_the_request_line() {
    let cloud = Cloud::set().await;
    for header in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-Method"] {
        for method in ["DELETE", "PUT", "OPTIONS"] {
            let line = "GET /v2/queues/shared?_method=DELETE";
            assert_eq!(cloud.status(line, Some("victim"), &[(header, method)]).await, 200, "{header}");
            assert_eq!(
                cloud.status("GET /v2/queues/shared", None, &[(header, method)]).await,
                401,
                "{header}"
            );
        }
        let line = "PUT /v2/pools/evil";
        assert_eq!(cloud.status(line, Some("attacker"), &[(header, "GET")]).await, 403, "{header}");
    }
    // Methods are compared letter by letter; one that nobody knows does nothing, with a token or without.
    for method in ["delete", "Delete", "GET2", "PROPFIND", "TRACE", "CONNECT"] {
        let status = cloud.status(&format!("{method} /v2/queues/shared"), Some("victim"), &[]).await;
        assert!([0, 400, 405].contains(&status), "{method}: {status}");
        let status = cloud.status(&format!("{method} /v2/queues/shared"), None, &[]).await;
        assert!([0, 400, 401].contains(&status), "{method}: {status}");
    }
    // OPTIONS is answered to everybody, and tells nothing that a token is needed for.
    assert_eq!(cloud.status("OPTIONS /v2/queues/shared", None, &[]).await, 200);
    cloud.is_untouched().await;
}

/// Ways to write paths of administrators' operations; none of them may be carried out for others.
const ADMIN: &[&str] = &[
    "/v2/pools",
    "/v2/pools/",
    "/v2//pools",
    "//v2/pools",
    "/V2/pools",
    "/v2/Pools",
    "/v2/%70ools",
    "/v2%2fpools",
    "/%76%32/pools",
    "/v2/./pools",
    "/v2/queues/../pools",
    "/v2/queues/%2e%2e/pools",
    "/v2/pools;x",
    "/v2/pools.json",
    "/v2/pools.",
    "/v2/pools%00",
    "/v2/pools%20",
    "/v2/health",
    "/v2/health/",
    "/v2/migrations",
    "/v1/pools",
    "/v1.1/pools",
    "/v1/health",
    "/v1.1/health",
    "/v2.0/pools",
    "/v3/pools",
    "/messaging/v2/pools",
    "/messaging//v2/pools",
    "/messaging/messaging/v2/pools",
    "/messaging/../v2/pools",
    "/messagingv2/pools",
    "/MESSAGING/v2/pools",
    "/healthcheck/../v2/pools",
    "/healthcheck/live/../../v2/pools",
    "/healthcheck%2f..%2fv2%2fpools",
    "/healthcheck;/v2/pools",
    "/;/v2/pools",
    "/?/v2/pools",
    "http://x/v2/pools",
    "http://x//v2/pools",
    "http://x/messaging/v2/pools",
    "https://x/v2/health",
];

#[tokio::test]
async fn no_spelling_of_a_path_passes_by_token_or_policy() {
    let cloud = Cloud::set().await;
    for path in ADMIN {
        let without = cloud.status(&format!("GET {path}"), None, &[]).await;
        // The list of versions is for everybody; a target that is none is 400 before anything is asked.
        let open = if *path == "/?/v2/pools" { vec![300] } else { vec![400, 401, 404] };
        assert!(open.contains(&without), "{path}: {without}");
        let with = cloud.status(&format!("GET {path}"), Some("attacker"), &[]).await;
        let refused = if *path == "/?/v2/pools" { vec![300] } else { vec![400, 403, 404] };
        assert!(refused.contains(&with), "{path}: {with}");
    }
    for path in ["/v2/pools", "/messaging/v2/pools", "/v2/health", "http://evil.example/v2/pools"] {
        assert_eq!(cloud.status(&format!("GET {path}"), None, &[]).await, 401, "{path}");
        assert_eq!(cloud.status(&format!("GET {path}"), Some("attacker"), &[]).await, 403, "{path}");
        assert_eq!(cloud.status(&format!("GET {path}"), Some("root"), &[]).await, 200, "{path}");
    }
}

#[tokio::test]
async fn the_host_plays_no_part() {
    let cloud = Cloud::set().await;
    for host in ["localhost", "127.0.0.1:8888", "evil.example", "/v2/pools", "x\\@y", ""] {
        for name in ["Host", "X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-URL", "X-Rewrite-URL"] {
            let value = if name.ends_with("URL") { "/healthcheck" } else { host };
            let without = cloud.status("GET /v2/pools", None, &[(name, value)]).await;
            let with = cloud.status("GET /v2/pools", Some("attacker"), &[(name, value)]).await;
            assert!([(401, 403), (400, 400)].contains(&(without, with)), "{name}: {value}: {without} {with}");
        }
        let local =
            [("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1"), ("Client-IP", "127.0.0.1")];
        assert_eq!(cloud.status("GET /v2/queues", None, &local).await, 401);
    }
}

#[tokio::test]
async fn a_signature_is_judged_without_the_token_beside_it() {
    let cloud = Cloud::set().await;
    let share =
        cloud.app.client("").bare(Method::POST, "/v2/queues/mine/share").header("client-id", CLIENT_ID);
    let share = share.header("x-auth-token", "attacker").header("x-project-id", "victim").json(&json!({}));
    let url = Signed::of(&send(share).await.expect(200).json());
    assert_eq!(url.project, "attacker", "that of the token, not that of the header");
    let asked = cloud.keystone.seen().len();
    let line = "GET /v2/queues/mine/messages";
    assert_eq!(cloud.status(line, None, &url.values()).await, 200);
    // A token beside it is not looked at, whether it is worth something or not.
    for token in ["root", "victim", "unknown", ""] {
        assert_eq!(cloud.status(line, Some(token), &url.values()).await, 200, "{token}");
        for line in [format!("GET {MESSAGES}?echo=true"), "GET /v2/pools".into(), "GET /v2/queues".into()] {
            assert_eq!(cloud.status(&line, Some(token), &url.values()).await, 404, "{token} {line}");
        }
        for empty in ["", " "] {
            let headers = [("URL-Signature", empty), ("X-Project-ID", "victim")];
            assert_eq!(cloud.status("GET /v2/queues", Some(token), &headers).await, 404, "{token}");
        }
    }
    assert_eq!(cloud.keystone.seen().len(), asked, "nobody was asked");
    let forged = Signed { project: "victim".into(), ..url.clone() };
    assert_eq!(cloud.status(line, None, &forged.values()).await, 404);
    let shared = Signed { project: "victim".into(), paths: MESSAGES.into(), ..url };
    assert_eq!(cloud.status(&format!("GET {MESSAGES}?echo=true"), None, &shared.values()).await, 404);
}

#[tokio::test]
async fn a_policy_that_asks_for_a_role_refuses_signed_requests() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    let rules = "messages:get_all: role:member\nmessages:get: project_id:%(project_id)s\n";
    std::fs::write(&file, rules).unwrap();
    let policy = format!("[oslo_policy]\npolicy_file = {}\n", file.display());
    let cloud = Cloud::with(&policy).await;
    let share =
        cloud.app.client("").bare(Method::POST, "/v2/queues/shared/share").header("client-id", CLIENT_ID);
    let share = share.header("x-auth-token", "victim").json(&json!({}));
    let url = Signed::of(&send(share).await.expect(200).json());
    let mut headers = url.values().to_vec();
    headers.extend([("X-Roles", "member,admin"), ("X-User-Id", "user-of-victim")]);
    assert_eq!(cloud.status(&format!("GET {MESSAGES}"), None, &headers).await, 403);
    assert_eq!(cloud.status(&format!("GET {MESSAGES}"), Some("victim"), &headers).await, 403);
    // What belongs to the project itself may still be read: there is none of that id.
    let one = format!("GET {MESSAGES}/00000000-0000-7000-8000-000000000000");
    assert_eq!(cloud.status(&one, None, &headers).await, 404);
    assert_eq!(cloud.status(&format!("GET {MESSAGES}?limit=1"), Some("attacker"), &[]).await, 200);
}
