//! From a table of routes to a router: the order of checks of rest.md 1.2 stands here, once for all versions.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{RawPathParams, Request};
use axum::routing::any;
use bytes::Bytes;
use http::header::ALLOW;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};

use super::extract::Owner;
use super::query::Query;
use super::version::Version;
use super::{Api, body, extract, respond};
use crate::auth::{Caller, Gate};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::model::QueueName;
use crate::model::json::{self, BodyError};
use crate::policy::Rule;
use crate::service::{Context, Service};

macro_rules! mounted {
    () => {
        Mounted::Always
    };
    ($mounted:ident) => {
        Mounted::$mounted
    };
}
pub(crate) use mounted;

/// One line of a version's table, with where it is mounted if that is not everywhere.
macro_rules! route {
    ($method:ident $path:literal, $rule:expr, $handler:path $(, $mounted:ident)?) => {
        Route {
            method: Method::$method,
            path: $path,
            rule: $rule,
            mounted: $crate::api::dispatch::mounted!($($mounted)?),
            located: $crate::api::dispatch::Located::Never,
            streams: false,
            handler: |call| Box::pin($handler(call)),
        }
    };
}
pub(crate) use route;

/// One method of one path.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with its parameters in braces: `{queue}`, and `{id}` for whatever lies in the queue.
    pub path: &'static str,
    /// The policy rule of the operation; home documents have none.
    pub rule: Option<Rule>,
    /// Where it is mounted.
    pub mounted: Mounted,
    pub(crate) located: Located,
    /// Whether it answers with server-sent events.
    pub(crate) streams: bool,
    pub(crate) handler: Handler,
}

impl Route {
    /// The same with `Content-Location` in its answers.
    pub(crate) const fn located(mut self, located: Located) -> Self {
        self.located = located;
        self
    }

    /// The same as a stream of events.
    pub(crate) const fn streaming(mut self) -> Self {
        self.streams = true;
        self
    }
}

/// In which answers `Content-Location` repeats where they were got (rest.md 1.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Located {
    /// In none.
    Never,
    /// In those with status 200.
    Found,
    /// In all that the handler gives, also in its errors.
    Always,
}

/// Where a route is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mounted {
    /// On every service.
    Always,
    /// In `admin_mode`.
    Admin,
    /// In `admin_mode` with `pooling`.
    Pools,
}

/// What answers a route.
pub(crate) type Handler = fn(Call) -> Answer;

/// The answer of a handler, on its way.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>>> + Send>>;

/// A request as its handler gets it: checked, its parts read but for the body.
pub(crate) struct Call {
    pub(crate) service: Service,
    pub(crate) context: Context,
    pub(crate) query: Query,
    pub(crate) version: Version,
    admin_mode: bool,
    pooling: bool,
    websocket: bool,
    uri: http::Uri,
    queue: Option<QueueName>,
    expires: Option<Timestamp>,
    id: String,
    headers: HeaderMap,
    body: Body,
}

impl Call {
    /// The queue of the path; routes without one have no business asking.
    pub(crate) fn queue(&self) -> Result<&QueueName> {
        self.queue.as_ref().ok_or(Error::Internal)
    }

    /// When the caller's proof counts no more, if it has an end: what lasts longer than a request ends then.
    pub(crate) fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// The id at the end of the path, as it was sent.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// How long the client waits for messages where there are none: an extension of v2.
    pub(crate) fn wait(&self) -> Result<Duration> {
        let asked = if self.version == Version::V2 { self.query.integer("wait")? } else { None };
        Service::waiting_time(asked)
    }

    /// Whether routes of that kind are mounted.
    pub(crate) fn has(&self, mounted: Mounted) -> bool {
        is_mounted(mounted, self.admin_mode, self.pooling)
    }

    /// Whether the WebSocket API is served beside this one.
    pub(crate) fn has_websocket(&self) -> bool {
        self.websocket
    }

    /// Refuses a request without `Client-ID` where that is needed although v1 lets it be left out elsewhere.
    pub(crate) fn needs_client(&self) -> Result<()> {
        let left_out = self.version == Version::V1 && !self.headers.contains_key("client-id");
        if left_out { Err(Error::ClientIdMissing) } else { Ok(()) }
    }

    /// Path and query as the client sent them, without a prefix of the mount.
    fn target(&self) -> &str {
        self.uri.path_and_query().map_or("", http::uri::PathAndQuery::as_str)
    }

    /// The body as a JSON object; null where it is an array.
    pub(crate) async fn json(&mut self) -> Result<serde_json::Value> {
        let malformed = || Error::body("JSON could not be parsed.");
        match json::object(&self.small_body().await?.ok_or_else(malformed)?) {
            Ok(object) => Ok(serde_json::Value::Object(object)),
            Err(BodyError::Unsupported) => Ok(serde_json::Value::Null),
            Err(BodyError::Malformed) => Err(malformed()),
            Err(problem) => Err(problem.into()),
        }
    }

    /// Asks the policy for the route's rule.
    fn authorise(&mut self, rule: Option<Rule>) -> Result<()> {
        rule.map_or(Ok(()), |rule| self.service.authorise(&mut self.context, rule, self.queue.as_ref()))
    }

    /// The request's headers.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body, at most `limit` bytes long. `None` where the request has none and declares none.
    pub(crate) async fn body(&mut self, limit: u64, too_large: impl Fn() -> Error) -> Result<Option<Bytes>> {
        body::read(&self.headers, std::mem::take(&mut self.body), limit, too_large).await
    }

    /// The body of a small document, such as a claim's. The reference has no limit there; ours is that of a post.
    pub(crate) async fn small_body(&mut self) -> Result<Option<Bytes>> {
        let limit = self.service.limits().max_messages_post_size;
        self.body(limit, || Error::invalid(format!("Request body is too large. Max size {limit}"))).await
    }
}

/// A path with its methods.
struct Resource {
    version: Version,
    door: Door,
    service: Service,
    pooling: bool,
    admin_mode: bool,
    websocket: bool,
    owner: Owner,
    /// By name, which is also the order of an `Allow` header.
    methods: Vec<&'static Route>,
}

/// The gate before every route, also before those that are none; and the prefix that it stands behind.
///
/// It is no layer around the routes: each answer begins with it, and costs no further copy of the request.
#[derive(Clone)]
struct Door {
    gate: Gate,
    prefix: Arc<str>,
}

impl Door {
    async fn admit(&self, request: &Parts) -> Result<Caller> {
        self.gate.admit(request, &self.prefix).await
    }
}

/// The router of the tables of the enabled versions, mounted at that prefix; all other paths there are 404.
pub(crate) fn router(api: &Api, prefix: &str) -> Router {
    let door = Door { gate: api.gate.clone(), prefix: prefix.into() };
    let mut paths = Paths::new();
    let mounted = |route: &&Route| is_mounted(route.mounted, api.admin_mode, api.pooling);
    for version in api.versions() {
        for route in version.routes().iter().filter(mounted) {
            paths.entry(route.path).or_insert((version, Vec::new())).1.push(route);
        }
    }
    let outside = door.clone();
    let nowhere = Router::new().fallback(move |request| no_route(outside.clone(), request));
    paths.iter().fold(nowhere, |router, (path, (version, own))| {
        let mut methods: Vec<_> = own.iter().copied().chain(others(&paths, path, own)).collect();
        methods.sort_by_key(|route| route.method.as_str());
        let resource = Arc::new(Resource {
            version: *version,
            door: door.clone(),
            service: api.service.clone(),
            pooling: api.pooling,
            admin_mode: api.admin_mode,
            websocket: api.websocket.is_some(),
            owner: owner(&methods),
            methods,
        });
        let endpoint = any(move |parameters, request| answer(resource.clone(), parameters, request));
        // An empty last parameter is a parameter too: `/v2/queues/` names the queue "".
        match path.rsplit_once('{') {
            Some((stem, rest)) if rest.ends_with('}') => router.route(stem, endpoint.clone()),
            _ => router,
        }
        .route(path, endpoint)
    })
}

/// The routes of a version by their paths.
type Paths = BTreeMap<&'static str, (Version, Vec<&'static Route>)>;

/// What else can be done at a path whose last segment is a name: what can be done there where it is taken for an id,
/// as by clients that know of no such name.
fn others<'a>(
    paths: &'a Paths,
    path: &str,
    own: &'a [&'static Route],
) -> impl Iterator<Item = &'static Route> + 'a {
    let stem = path.rsplit_once('/').map_or("", |(stem, _)| stem);
    let items = paths.get(format!("{stem}/{{id}}").as_str()).filter(|_| !path.ends_with('}'));
    let items = items.into_iter().flat_map(|(_, routes)| routes.iter().copied());
    items.filter(|item| own.iter().all(|route| route.method != item.method))
}

/// Whose the resource with these methods is.
fn owner(methods: &[&Route]) -> Owner {
    let of_system = |route: &&Route| route.rule.map(Owner::of) == Some(Owner::System);
    if methods.iter().all(of_system) { Owner::System } else { Owner::Project }
}

/// Whether what is mounted there is part of a service with these settings.
pub(crate) fn is_mounted(mounted: Mounted, admin_mode: bool, pooling: bool) -> bool {
    match mounted {
        Mounted::Always => true,
        Mounted::Admin => admin_mode,
        Mounted::Pools => admin_mode && pooling,
    }
}

/// 404, without any check but the gate's.
async fn no_route(door: Door, request: Request) -> Response<Body> {
    let (parts, _) = request.into_parts();
    match door.admit(&parts).await {
        Ok(_) if parts.method == Method::OPTIONS => respond::empty(StatusCode::OK),
        Ok(_) => respond::error(&Error::NoRoute, &parts.headers),
        Err(error) => respond::error(&error, &parts.headers),
    }
}

async fn answer(
    resource: Arc<Resource>,
    parameters: std::result::Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let caller = match resource.door.admit(&parts).await {
        Ok(caller) => caller,
        Err(error) => return respond::error(&error, &parts.headers),
    };
    let mut call = match call(&resource, &caller, parameters.ok(), &parts, body) {
        Ok(call) => call,
        // Any OPTIONS is answered, whatever the checks say (rest.md 1.9).
        Err(_) if parts.method == Method::OPTIONS => return respond::empty(StatusCode::OK),
        Err(error) => return respond::error(&error, &parts.headers),
    };
    let names = || resource.methods.iter().map(|route| route.method.clone()).collect::<Vec<_>>();
    if parts.method == Method::OPTIONS {
        let mut response = respond::empty(StatusCode::OK);
        response.headers_mut().insert(ALLOW, respond::allow(&names(), false));
        return response;
    }
    let Some(route) = resource.methods.iter().find(|route| route.method == parts.method) else {
        return respond::error(&Error::MethodNotAllowed(names()), &parts.headers);
    };
    if let Err(error) = call.authorise(route.rule) {
        return respond::error(&error, &parts.headers);
    }
    let here =
        (route.located != Located::Never).then(|| format!("{}{}", resource.door.prefix, call.target()));
    let response = (route.handler)(call).await;
    let response = response.unwrap_or_else(|error| respond::error(&error, &parts.headers));
    match here {
        Some(here) if route.located == Located::Always || response.status() == StatusCode::OK => {
            respond::located(response, &here)
        }
        _ => response,
    }
}

/// The checks that come before any handler.
fn call(
    resource: &Resource,
    caller: &Caller,
    parameters: Option<RawPathParams>,
    parts: &Parts,
    body: Body,
) -> Result<Call> {
    let headers = &parts.headers;
    extract::not_a_form(headers)?;
    let streams = resource.methods.iter().any(|route| route.streams && route.method == parts.method);
    extract::takes_answer(headers, streams)?;
    let context = extract::context(parts, caller, &resource.service, resource.version, resource.owner)?;
    // A path whose escapes are not UTF-8 names no queue.
    let parameters = parameters.ok_or(Error::QueueIdentification)?;
    let parameter = |name| parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| value);
    let queue = match parameter("queue") {
        None if parts.uri.path().ends_with("/queues/") => return Err(Error::QueueIdentification),
        None => None,
        Some(name) => Some(Service::queue_name(&context.project, name)?),
    };
    Ok(Call {
        service: resource.service.clone(),
        context,
        version: resource.version,
        admin_mode: resource.admin_mode,
        pooling: resource.pooling,
        websocket: resource.websocket,
        uri: parts.uri.clone(),
        query: Query::parse(parts.uri.query().unwrap_or("")),
        queue,
        expires: caller.expires(),
        // Where a route names it outright it is an id all the same to its other methods.
        id: parameter("id").or(parts.uri.path().rsplit('/').next()).unwrap_or("").to_owned(),
        headers: headers.clone(),
        body,
    })
}
