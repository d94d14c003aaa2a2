//! An identity service that says what a test wants it to say: for faults, and for tokens that no real one gives.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::serve::Listener;
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// As it should.
    None,
    /// That much later.
    Slow(Duration),
    /// With this status and text.
    Says(u16, String),
    /// With a redirection to there.
    Redirect(String),
    /// With an answer that never ends.
    Endless,
}

/// A request that it got.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: String,
    /// `X-Auth-Token`: whose token it came with.
    pub(crate) own: Option<String>,
    /// `X-Subject-Token`: the token in question.
    pub(crate) subject: Option<String>,
    pub(crate) access_rules: Option<String>,
    pub(crate) body: Value,
}

/// The identity service; it ends when this is dropped.
pub(crate) struct FakeKeystone {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    _server: JoinSet<()>,
}

struct State {
    tokens: HashMap<String, Value>,
    /// The tokens of the service, by number; only the last counts, unless it was revoked.
    logins: usize,
    revoked: usize,
    own_expires_at: String,
    catalogue: Value,
    validation: Fault,
    login: Fault,
    /// So many of the next connections are closed at once.
    dropped: usize,
    seen: Vec<Seen>,
}

impl FakeKeystone {
    /// Starts one that knows no token yet.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let state = Arc::new(Mutex::new(State {
            tokens: HashMap::new(),
            logins: 0,
            revoked: 0,
            own_expires_at: FAR.to_owned(),
            catalogue: catalogue(&[("internal", "RegionOne", format!("http://{address}"))]),
            validation: Fault::None,
            login: Fault::None,
            dropped: 0,
            seen: Vec::new(),
        }));
        let (answering, accepting) = (state.clone(), Dropping { listener, state: state.clone() });
        let router = Router::new().fallback(move |request| answer(answering.clone(), request));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(accepting, router).await.expect("it serves") });
        Self { address, state, _server: server }
    }

    /// The configuration of a service that asks it.
    pub(crate) fn ini(&self) -> String {
        format!(
            "[DEFAULT]\nauth_strategy = keystone\n[keystone_authtoken]\nauth_type = password\n\
             auth_url = http://{}/v3\nuser_id = zaqar\npassword = s3cret\nproject_id = service\n\
             www_authenticate_uri = http://keystone.example/v3\nservice_type = messaging\n",
            self.address
        )
    }

    /// Knows that token from now on; `document` is what stands under `token`.
    pub(crate) fn knows(&self, token: &str, document: Value) {
        self.state().tokens.insert(token.to_owned(), document);
    }

    /// Knows a member's token for that project.
    pub(crate) fn knows_member(&self, token: &str, project: &str) {
        self.knows(token, described(project, &["member"]));
    }

    /// Says of every token of the service that it gave so far: it is not valid.
    pub(crate) fn revoke_own(&self) {
        let mut state = self.state();
        state.revoked = state.logins;
    }

    /// From now on its tokens for the service end then.
    pub(crate) fn set_own_expiry(&self, time: &str) {
        time.clone_into(&mut self.state().own_expires_at);
    }

    /// The endpoints of the identity service in its catalogue: interface, region, URL.
    pub(crate) fn set_endpoints(&self, endpoints: &[(&str, &str, String)]) {
        self.state().catalogue = catalogue(endpoints);
    }

    /// How it answers validations.
    pub(crate) fn set(&self, fault: Fault) {
        self.state().validation = fault;
    }

    /// How it answers logins.
    pub(crate) fn set_login(&self, fault: Fault) {
        self.state().login = fault;
    }

    /// Closes so many of the next connections.
    pub(crate) fn drop_next(&self, connections: usize) {
        self.state().dropped = connections;
    }

    /// How many of those are still to be closed.
    pub(crate) fn to_drop(&self) -> usize {
        self.state().dropped
    }

    /// What it was asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    /// How often it was asked for that token.
    pub(crate) fn validations(&self, token: &str) -> usize {
        self.state().seen.iter().filter(|seen| seen.subject.as_deref() == Some(token)).count()
    }

    /// How often the service logged in.
    pub(crate) fn logins(&self) -> usize {
        self.state().seen.iter().filter(|seen| seen.method == Method::POST).count()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test panics with it")
    }
}

/// When the clocks of tests begin to run.
const BEGIN: &str = "2027-01-15T08:00:00.000000Z";

/// Later than any clock of a test.
const FAR: &str = "2099-01-01T00:00:00.000000Z";

/// What stands under `token` for a user with these roles in that project.
pub(crate) fn described(project: &str, roles: &[&str]) -> Value {
    let domain = json!({ "id": "default", "name": "Default" });
    let roles: Vec<_> =
        roles.iter().map(|role| json!({ "id": format!("id-{role}"), "name": role })).collect();
    json!({
        "methods": ["password"], "issued_at": "2020-01-01T00:00:00.000000Z", "expires_at": FAR,
        "user": { "id": format!("user-of-{project}"), "name": "somebody", "domain": domain },
        "project": { "id": project, "name": project, "domain": domain },
        "roles": roles,
    })
}

fn catalogue(endpoints: &[(&str, &str, String)]) -> Value {
    let endpoint = |(interface, region, url): &(&str, &str, String)| json!({ "interface": interface, "region": region, "region_id": region, "url": url, "id": "e" });
    let endpoints: Vec<_> = endpoints.iter().map(endpoint).collect();
    json!([{ "type": "identity", "name": "keystone", "id": "k", "endpoints": endpoints }])
}

/// A listener that closes the first connections, where it is told so.
struct Dropping {
    listener: TcpListener,
    state: Arc<Mutex<State>>,
}

impl Listener for Dropping {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let accepted = Listener::accept(&mut self.listener).await;
            let mut state = self.state.lock().expect("no test panics with it");
            match state.dropped.checked_sub(1) {
                Some(left) => state.dropped = left,
                None => return accepted,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

async fn answer(state: Arc<Mutex<State>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().expect("text").to_owned());
    let seen = Seen {
        method: parts.method.clone(),
        target: parts.uri.to_string(),
        own: header("x-auth-token"),
        subject: header("x-subject-token"),
        access_rules: header("openstack-identity-access-rules"),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    let (fault, response) = {
        let mut state = state.lock().expect("no test panics with it");
        state.seen.push(seen.clone());
        if parts.uri.path() != "/v3/auth/tokens" {
            return text(StatusCode::NOT_FOUND, String::new());
        }
        match parts.method {
            Method::POST => (state.login.clone(), state.log_in()),
            _ => (state.validation.clone(), state.validate(&seen)),
        }
    };
    match fault {
        Fault::None => response,
        Fault::Slow(time) => {
            tokio::time::sleep(time).await;
            response
        }
        Fault::Says(status, words) => text(StatusCode::from_u16(status).expect("a status"), words),
        Fault::Redirect(to) => {
            let mut response = text(StatusCode::TEMPORARY_REDIRECT, String::new());
            response.headers_mut().insert("location", to.parse().expect("a URL"));
            response
        }
        Fault::Endless => Response::new(Body::new(Endless)),
    }
}

impl State {
    fn log_in(&mut self) -> Response<Body> {
        self.logins += 1;
        let mut token = described("service", &["service"]);
        token["expires_at"] = self.own_expires_at.clone().into();
        token["catalog"] = self.catalogue.clone();
        let mut response = text(StatusCode::CREATED, json!({ "token": token }).to_string());
        let own = format!("own-{}", self.logins).parse().expect("a header");
        response.headers_mut().insert("x-subject-token", own);
        response
    }

    fn validate(&self, seen: &Seen) -> Response<Body> {
        let current = format!("own-{}", self.logins);
        if seen.own.as_ref() != Some(&current) || self.revoked == self.logins {
            return text(StatusCode::UNAUTHORIZED, r#"{"error": {"code": 401}}"#.to_owned());
        }
        let subject = seen.subject.as_deref().unwrap_or_default();
        // A real one describes what has expired only where that is asked for.
        let described = self.tokens.get(subject).filter(|token| {
            token["expires_at"].as_str() > Some(BEGIN) || seen.target.contains("allow_expired=1")
        });
        match described {
            Some(token) => text(StatusCode::OK, json!({ "token": token }).to_string()),
            None => text(StatusCode::NOT_FOUND, r#"{"error": {"code": 404}}"#.to_owned()),
        }
    }
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

/// A body of blanks without an end.
struct Endless;

impl http_body::Body for Endless {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        let blanks = bytes::Bytes::from_static(&[b' '; 16_384]);
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(blanks))))
    }
}
