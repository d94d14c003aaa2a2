//! Tokens of a validator that knows a few by name.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;

use super::*;
use crate::auth::{Access, Validated};
use crate::clock::Timestamp;
use crate::model::ProjectId;

const NOW: i64 = 1_000_000_000;

/// Knows tokens by their text: `member`, `service`, `both` name a role; `old-…` has expired, `long-…` lasts longer than
/// others, `bound-…` is bound,
/// `rules-…` has access rules that allow nothing; `down` cannot be asked for.
#[derive(Default)]
struct Known {
    asked: Mutex<Vec<(String, bool)>>,
}

#[async_trait]
impl Validator for Known {
    async fn validate(
        &self,
        token: &str,
        allow_expired: bool,
    ) -> std::result::Result<Option<Validated>, Unavailable> {
        self.asked.lock().unwrap().push((token.to_owned(), allow_expired));
        if token == "down" {
            return Err(Unavailable::because("down"));
        }
        let Some(role) = ["member", "service"].into_iter().find(|role| token.ends_with(role)) else {
            return Ok(None);
        };
        let is = |prefix| token.starts_with(prefix);
        let identity = Identity {
            project: Some(ProjectId::new(&format!("project-of-{role}"))),
            roles: vec![role.to_owned()],
            ..Identity::default()
        };
        let nothing = Access { rules: Box::default(), service_types: ["messaging".into()].into() };
        let token = Token {
            identity: Arc::new(identity),
            expires_at: Timestamp::from_micros(
                NOW + [0, 1, 9][1 - usize::from(is("old")) + usize::from(is("long"))],
            ),
            access: is("rules").then(|| Arc::new(nothing)),
            bind: is("bound").then(|| "kerberos".into()).into_iter().collect(),
        };
        Ok(Some(Validated { token: Arc::new(token), document: Bytes::new() }))
    }
}

fn settings() -> TokenSettings {
    TokenSettings {
        delay_decision: false,
        service_roles: vec!["service".to_owned()],
        service_roles_required: true,
        service_type: Some("messaging".to_owned()),
        binding: Binding::Permissive,
    }
}

/// Who these headers prove, by role and the role of the service beside it; or the status of the refusal.
async fn admit(
    settings: TokenSettings,
    headers: &[(&str, &str)],
) -> std::result::Result<(String, Option<String>), u16> {
    let known = Arc::new(Known::default());
    let clock = Clock::manual(Timestamp::from_micros(NOW));
    let at = Arc::new(ArcSwap::from_pointee("http://keystone/v3".to_owned()));
    let tokens = Tokens::new(settings, known, at, clock);
    let request = headers
        .iter()
        .fold(Request::get("/v2/queues"), |request, (name, value)| request.header(*name, *value));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let admitted = tokens.admit(&parts, "").await.map_err(|error| error.status().as_u16())?;
    let admitted = admitted.identity;
    let service = admitted.service.as_ref().map(|service| service.roles.join(","));
    Ok((admitted.roles.join(","), service))
}

fn user(role: &str) -> (String, Option<String>) {
    (role.to_owned(), None)
}

#[tokio::test]
async fn a_valid_token_proves_and_nothing_else_does() {
    let ask = |headers| admit(settings(), headers);
    assert_eq!(ask(&[("x-auth-token", "member")]).await, Ok(user("member")));
    assert_eq!(ask(&[("x-auth-token", " member\t")]).await, Ok(user("member")));
    assert_eq!(ask(&[("x-storage-token", "member")]).await, Ok(user("member")));
    for headers in [
        &[][..],
        &[("x-auth-token", "")],
        &[("x-auth-token", "unknown")],
        &[("x-auth-token", "old-member")],
        &[("x-auth-token", "rules-member")],
        &[("x-auth-token", ""), ("x-storage-token", "member")],
        &[("x-auth-token", "member"), ("x-auth-token", "member")],
        &[("x-roles", "admin"), ("x-project-id", "p"), ("x-identity-status", "Confirmed")],
        &[("x_auth_token", "member")],
    ] {
        assert_eq!(ask(headers).await, Err(401), "{headers:?}");
    }
    assert_eq!(ask(&[("x-auth-token", "down")]).await, Err(503));
}

#[tokio::test]
async fn a_token_that_cannot_be_one_is_not_asked_for() {
    let known = Arc::new(Known::default());
    let at = Arc::new(ArcSwap::from_pointee(String::new()));
    let tokens = Tokens::new(settings(), known.clone(), at, Clock::manual(Timestamp::from_micros(NOW)));
    for token in ["member".repeat(2_000).as_bytes(), b"\xffmember"] {
        let (parts, ()) = Request::get("/").header("x-auth-token", token).body(()).unwrap().into_parts();
        assert!(matches!(tokens.admit(&parts, "").await, Err(Error::Unauthorized(_))));
    }
    assert!(known.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_service_passes_on_tokens_whose_time_has_passed() {
    let with = |user: &'static str, service: &'static str, settings: TokenSettings| async move {
        admit(settings, &[("x-auth-token", user), ("x-service-token", service)]).await
    };
    let beside = |role: &str| Ok(("member".to_owned(), Some(role.to_owned())));
    assert_eq!(with("member", "service", settings()).await, beside("service"));
    assert_eq!(with("old-member", "service", settings()).await, beside("service"));
    assert_eq!(with("rules-member", "service", settings()).await, beside("service"));
    assert_eq!(with("bound-member", "service", settings()).await, beside("service"));
    // A service token is checked like any other, and must have the role.
    for service in ["member", "unknown", "old-service", "bound-service"] {
        assert_eq!(with("member", service, settings()).await, Err(401), "{service}");
    }
    assert_eq!(with("member", "down", settings()).await, Err(503));
    // An empty header is none.
    assert_eq!(with("member", "", settings()).await, Ok(user("member")));
    assert_eq!(with("old-member", "", settings()).await, Err(401));
    // Where the role is not required, any token counts, but lets nothing expired pass.
    let loose = TokenSettings { service_roles_required: false, ..settings() };
    assert_eq!(with("member", "member", loose.clone()).await, beside("member"));
    assert_eq!(with("old-member", "member", loose.clone()).await, Err(401));
    assert_eq!(with("old-member", "service", loose).await, beside("service"));
}

#[tokio::test]
async fn a_delayed_decision_lets_nobody_pass_as_somebody() {
    let delayed = || TokenSettings { delay_decision: true, ..settings() };
    let nobody = Ok(user(""));
    assert_eq!(admit(delayed(), &[]).await, nobody);
    assert_eq!(admit(delayed(), &[("x-roles", "admin"), ("x-project-id", "p")]).await, nobody);
    assert_eq!(admit(delayed(), &[("x-auth-token", "unknown")]).await, nobody);
    assert_eq!(admit(delayed(), &[("x-auth-token", "down")]).await, nobody);
    assert_eq!(
        admit(delayed(), &[("x-auth-token", "old-member"), ("x-service-token", "member")]).await,
        nobody
    );
    assert_eq!(admit(delayed(), &[("x-auth-token", "member")]).await, Ok(user("member")));
    // A service token that proves nothing takes nothing from the user's.
    let both = [("x-auth-token", "member"), ("x-service-token", "unknown")];
    assert_eq!(admit(delayed(), &both).await, Ok(user("member")));
}

#[tokio::test]
async fn a_bound_token_is_refused_where_that_is_demanded() {
    let with = |binding| admit(TokenSettings { binding, ..settings() }, &[("x-auth-token", "bound-member")]);
    assert_eq!(with(Binding::Disabled).await, Ok(user("member")));
    assert_eq!(with(Binding::Permissive).await, Err(401));
    assert_eq!(with(Binding::Required).await, Err(401));
    let unbound = TokenSettings { binding: Binding::Required, ..settings() };
    assert_eq!(admit(unbound, &[("x-auth-token", "member")]).await, Err(401));
}

#[tokio::test]
async fn a_proof_counts_as_long_as_the_tokens_it_rests_on() {
    let until = |micros| Some(Timestamp::from_micros(NOW + micros));
    let expires = async |user: &str, service: Option<&str>, settings: TokenSettings| {
        let clock = Clock::manual(Timestamp::from_micros(NOW));
        let at = Arc::new(ArcSwap::from_pointee(String::new()));
        let tokens = Tokens::new(settings, Arc::new(Known::default()), at, clock);
        let request = Request::get("/v2/queues").header("x-auth-token", user);
        let request =
            service.into_iter().fold(request, |request, token| request.header("x-service-token", token));
        tokens.admit(&request.body(()).unwrap().into_parts().0, "").await.unwrap().expires
    };
    assert_eq!(expires("member", None, settings()).await, until(1));
    assert_eq!(expires("long-member", None, settings()).await, until(9));
    assert_eq!(
        expires("old-member", Some("long-service"), settings()).await,
        until(9),
        "the service stands for it"
    );
    assert_eq!(expires("long-member", Some("service"), settings()).await, until(1));
    let any = || TokenSettings { service_roles_required: false, ..settings() };
    assert_eq!(expires("member", Some("long-member"), any()).await, until(1), "no service's role");
    let delayed = TokenSettings { delay_decision: true, ..settings() };
    assert_eq!(expires("unknown", None, delayed).await, None, "nobody");
}
