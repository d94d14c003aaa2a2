//! Who a request is believed to come from: its tokens say so, and nothing else.

use reqwest::Method;
use serde_json::json;

use super::common::{guarded, names};
use crate::support::client::send;
use crate::support::fake_keystone::described;

const ADMIN: &str = "[DEFAULT]\nadmin_mode = true\npooling = true\n";

#[tokio::test]
async fn the_project_is_that_of_the_token_whatever_headers_say() {
    let guarded = guarded("").await;
    guarded.keystone.knows_member("alice", "alpha");
    guarded.keystone.knows_member("bob", "beta");
    guarded.put("/v2/queues/mine", "alice").await.expect(201);
    for name in [
        "X-Project-ID",
        "x-project-id",
        "X-PROJECT-ID",
        "X-Tenant-Id",
        "X-Tenant",
        "X_Project_Id",
        "x-tenant-name",
    ] {
        for value in ["alpha", "", "alpha, beta"] {
            let forged = guarded.request(Method::GET, "/v2/queues", "bob").header(name, value);
            assert_eq!(names(&send(forged).await.expect(200)), [""; 0], "{name}: {value}");
        }
    }
    let twice = guarded.request(Method::GET, "/v2/queues", "bob").header("x-project-id", "alpha");
    assert_eq!(names(&send(twice.header("x-project-id", "alpha")).await.expect(200)), [""; 0]);
    let own = guarded.request(Method::GET, "/v2/queues", "alice").header("x-project-id", "beta");
    assert_eq!(names(&send(own).await.expect(200)), ["mine"]);
}

#[tokio::test]
async fn roles_are_those_of_the_token_whatever_headers_say() {
    let guarded = guarded(ADMIN).await;
    guarded.keystone.knows_member("alice", "alpha");
    guarded.keystone.knows("root", described("alpha", &["admin"]));
    guarded.get("/v2/pools", "alice").await.expect(403);
    for (name, value) in [
        ("X-Roles", "admin"),
        ("X-Role", "admin"),
        ("x_roles", "admin"),
        ("X-Service-Roles", "admin"),
        ("X-Is-Admin-Project", "True"),
        ("X-Identity-Status", "Confirmed"),
        ("OpenStack-System-Scope", "all"),
        ("X-User-Id", "root"),
    ] {
        let forged = guarded.request(Method::GET, "/v2/pools", "alice").header(name, value);
        send(forged).await.expect(403);
    }
    guarded.get("/v2/pools", "root").await.expect(200);
    let forged = guarded.request(Method::GET, "/v2/pools", "root").header("x-roles", "member");
    send(forged).await.expect(200);
}

#[tokio::test]
async fn a_validation_is_asked_for_as_the_specification_says() {
    let guarded = guarded("").await;
    guarded.keystone.knows_member("t", "p");
    guarded.get("/v2/queues", "t").await.expect(200);
    let seen = guarded.keystone.seen();
    let [login, validation] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((&login.method, login.target.as_str()), (&Method::POST, "/v3/auth/tokens"));
    let user = json!({"id": "zaqar", "password": "s3cret"});
    let identity = json!({"methods": ["password"], "password": {"user": user}});
    assert_eq!(login.body, json!({"auth": {"identity": identity, "scope": {"project": {"id": "service"}}}}));
    assert_eq!((&validation.method, validation.target.as_str()), (&Method::GET, "/v3/auth/tokens"));
    assert_eq!((validation.own.as_deref(), validation.subject.as_deref()), (Some("own-1"), Some("t")));
    assert_eq!(validation.access_rules.as_deref(), Some("1"));
}

#[tokio::test]
async fn the_catalogue_is_left_out_where_that_is_wanted() {
    let guarded = guarded("include_service_catalog = false\n").await;
    guarded.keystone.knows_member("t", "p");
    guarded.get("/v2/queues", "t").await.expect(200);
    assert_eq!(guarded.keystone.seen()[1].target, "/v3/auth/tokens?nocatalog");
}

#[tokio::test]
async fn a_service_may_pass_on_a_token_that_has_expired() {
    let guarded = guarded("").await;
    let keystone = &guarded.keystone;
    let mut old = described("alpha", &["member"]);
    old["expires_at"] = "2020-06-01T00:00:00.000000Z".into();
    keystone.knows("old", old);
    keystone.knows_member("alice", "alpha");
    keystone.knows("nova", described("service", &["service"]));
    let beside = async |user: &str, service: &str| {
        send(guarded.request(Method::GET, "/v2/queues", user).header("x-service-token", service))
            .await
            .status
            .as_u16()
    };
    guarded.get("/v2/queues", "old").await.expect(401);
    assert_eq!(beside("old", "nova").await, 200);
    assert_eq!(keystone.seen().last().unwrap().target, "/v3/auth/tokens?allow_expired=1");
    // Alone it is as worthless as before.
    guarded.get("/v2/queues", "old").await.expect(401);
    assert_eq!(beside("old", "alice").await, 401, "a user is no service");
    assert_eq!(beside("alice", "alice").await, 401);
    assert_eq!(beside("alice", "unknown").await, 401);
    assert_eq!(beside("alice", "").await, 200);
}

#[tokio::test]
async fn other_roles_may_make_a_service() {
    let guarded = guarded("service_token_roles = glance, nova\n").await;
    guarded.keystone.knows_member("alice", "alpha");
    for (token, role) in [("s", "service"), ("n", "nova"), ("g", "glance")] {
        guarded.keystone.knows(token, described("service", &[role]));
    }
    let beside = async |service: &str| {
        let request = guarded.request(Method::GET, "/v2/queues", "alice").header("x-service-token", service);
        send(request).await.status.as_u16()
    };
    assert_eq!([beside("s").await, beside("n").await, beside("g").await], [401, 200, 200]);
}

#[tokio::test]
async fn any_token_makes_a_service_where_no_role_is_required() {
    let guarded = guarded("service_token_roles_required = false\n").await;
    guarded.keystone.knows_member("alice", "alpha");
    let beside = async |service: &str| {
        let request = guarded.request(Method::GET, "/v2/queues", "alice").header("x-service-token", service);
        send(request).await.status.as_u16()
    };
    assert_eq!([beside("alice").await, beside("unknown").await], [200, 401]);
}

#[tokio::test]
async fn a_delayed_decision_is_made_by_the_routes() {
    let guarded = guarded(&format!("delay_auth_decision = true\n{ADMIN}")).await;
    guarded.keystone.knows_member("alice", "alpha");
    guarded.get("/v2/queues", "alice").await.expect(200);
    for path in ["/v2/queues", "/v2/pools", "/v2/ping", "/v2/"] {
        for token in ["", "unknown"] {
            let forged = guarded.request(Method::GET, path, token).header("x-project-id", "alpha");
            let answer =
                send(forged.header("x-roles", "admin").header("openstack-system-scope", "all")).await;
            assert_eq!(answer.expect(400).json()["title"], "Project-Id Missing", "{path}");
        }
    }
    guarded.get("/nowhere", "").await.expect(404);
}

#[tokio::test]
async fn a_token_that_is_bound_is_refused_where_that_is_demanded() {
    for (mode, free, kerberos, other) in [
        ("disabled", 200, 200, 200),
        ("permissive", 200, 401, 200),
        ("Strict", 200, 401, 401),
        ("required", 401, 401, 401),
        ("kerberos", 401, 401, 401),
    ] {
        let guarded = guarded(&format!("enforce_token_bind = {mode}\n")).await;
        for (token, bind) in [("kerberos", "kerberos"), ("other", "x509")] {
            let mut bound = described("p", &["member"]);
            bound["bind"] = json!({ bind: "alice@REALM" });
            guarded.keystone.knows(token, bound);
        }
        guarded.keystone.knows_member("free", "p");
        for (token, status) in [("free", free), ("kerberos", kerberos), ("other", other)] {
            assert_eq!(guarded.get("/v2/queues", token).await.status.as_u16(), status, "{mode} {token}");
        }
    }
}

#[tokio::test]
async fn access_rules_see_the_whole_path() {
    let guarded = guarded("[listener]\nmount_prefix = /messaging\n").await;
    let rule = |path: &str| json!({"id": "r", "service": "messaging", "method": "GET", "path": path});
    let restricted = |rules: &[serde_json::Value]| {
        let mut token = described("p", &["member"]);
        token["catalog"] = json!([{"type": "messaging", "endpoints": []}]);
        token["application_credential"] =
            json!({"id": "a", "name": "n", "restricted": true, "access_rules": rules});
        token
    };
    guarded.keystone.knows("plain", restricted(&[rule("/v2/queues/{name}/stats")]));
    guarded.keystone.knows("mounted", restricted(&[rule("/messaging/v2/**")]));
    guarded.keystone.knows("nothing", restricted(&[]));
    let status = async |path: &str, token: &str| guarded.get(path, token).await.status.as_u16();
    assert_eq!(status("/v2/queues/q/stats", "plain").await, 200);
    assert_eq!(status("/v2/queues/a%2Fb/stats", "plain").await, 400);
    for path in
        ["/v2/queues/q", "/v2/queues/q/stats/", "/v2/queues/q/x/stats", "/messaging/v2/queues/q/stats"]
    {
        assert_eq!(status(path, "plain").await, 401, "{path}");
    }
    assert_eq!(status("/messaging/v2/queues", "mounted").await, 200);
    assert_eq!(status("/v2/queues", "mounted").await, 401);
    assert_eq!(status("/v2/queues", "nothing").await, 401);
    guarded.put("/messaging/v2/queues/q", "mounted").await.expect(401);
}
