//! What actions do: each parses its body, calls the service, and shapes the reply.

mod claims;
mod flavors;
mod messages;
mod node;
mod nowhere;
mod pools;
mod queues;
pub(super) mod subscriptions;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use super::envelope::Request;
use super::reply::Reply;
use super::schema::Action;
use crate::api::{Mounted, is_mounted};
use crate::auth::Identity;
use crate::error::{Error, Result};
use crate::model::json::{self, BodyError, Kind};
use crate::model::{Metadata, ProjectId, QueueName, project, queue};
use crate::service::{Context, Service};

/// Which actions a service offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// `[DEFAULT] admin_mode`: those of administrators.
    pub admin_mode: bool,
    /// `[DEFAULT] pooling`: with `admin_mode`, those for pools and flavors.
    pub pooling: bool,
}

impl Offer {
    /// Whether that action is on offer.
    pub fn has(self, action: Action) -> bool {
        self.mounts(action.mounted())
    }

    /// Whether what is mounted there is.
    fn mounts(self, mounted: Mounted) -> bool {
        is_mounted(mounted, self.admin_mode, self.pooling)
    }
}

/// Carries out actions. Cheap to clone.
#[derive(Clone)]
pub struct Actions {
    service: Service,
    offer: Offer,
}

/// A request with its caller, on its way through the service.
struct Call<'a> {
    service: &'a Service,
    request: &'a Request,
    context: Context,
    /// The queue that it names, if the name is legal; no other queue exists.
    queue: Option<QueueName>,
}

impl Actions {
    /// The actions of that service.
    pub fn new(service: Service, offer: Offer) -> Self {
        Self { service, offer }
    }

    /// What is on offer.
    pub fn offer(&self) -> Offer {
        self.offer
    }

    /// The operations behind the actions.
    pub fn service(&self) -> &Service {
        &self.service
    }

    /// Carries out every action but those of the connection itself, `authenticate`, `subscription_create` and its
    /// like. The project is the caller's, whatever the request says.
    pub async fn perform(&self, identity: &Arc<Identity>, request: &Request) -> Reply {
        match self.answer(identity, request).await {
            Ok(reply) => reply,
            Err(error) => Reply::failure(request, &error),
        }
    }

    async fn answer(&self, identity: &Arc<Identity>, request: &Request) -> Result<Reply> {
        let call = &Call::admit(&self.service, identity, request)?;
        match (request.action(), &call.queue) {
            (Action::QueueList, _) => queues::list(call).await,
            (Action::QueueCreate, _) => queues::create(call).await,
            (Action::MessagePost, _) => messages::post(call).await,
            (Action::GetHomeDoc, _) => Ok(node::home(call, self.offer)),
            (Action::CheckNodeHealth, _) => node::health(call).await,
            (Action::PingNode, _) => Ok(node::ping(call).await),
            (Action::PoolList, _) => pools::list(call).await,
            (Action::PoolCreate, _) => pools::create(call).await,
            (Action::PoolGet, _) => pools::get(call).await,
            (Action::PoolUpdate, _) => pools::update(call).await,
            (Action::PoolDelete, _) => pools::delete(call).await,
            (Action::FlavorList, _) => flavors::list(call).await,
            (Action::FlavorCreate, _) => flavors::create(call).await,
            (Action::FlavorGet, _) => flavors::get(call).await,
            (Action::FlavorUpdate, _) => flavors::update(call).await,
            (Action::FlavorDelete, _) => flavors::delete(call).await,
            (action, Some(queue)) => on_queue(call, action, queue).await,
            (_, None) => nowhere::answer(call).await,
        }
    }
}

/// Carries out an action on a queue that may exist.
async fn on_queue(call: &Call<'_>, action: Action, queue: &QueueName) -> Result<Reply> {
    match action {
        Action::QueueGet => queues::get(call, queue).await,
        Action::QueueGetStats => queues::stats(call, queue).await,
        Action::QueuePurge => queues::purge(call, queue).await,
        Action::QueueDelete => queues::delete(call, queue).await,
        Action::MessageList => messages::list(call, queue).await,
        Action::MessageGet => messages::get(call, queue).await,
        Action::MessageGetMany => messages::get_many(call, queue).await,
        Action::MessageDelete => messages::delete(call, queue).await,
        Action::MessageDeleteMany => messages::delete_many(call, Some(queue)).await,
        Action::ClaimCreate => claims::create(call, queue).await,
        Action::ClaimGet => claims::get(call, queue).await,
        Action::ClaimUpdate => claims::update(call, queue).await,
        Action::ClaimDelete => claims::delete(call, queue).await,
        Action::SubscriptionList => subscriptions::list(call, queue).await,
        Action::SubscriptionGet => subscriptions::get(call, queue).await,
        Action::SubscriptionDelete => subscriptions::delete(call, queue).await,
        _ => Err(Error::Internal),
    }
}

impl<'a> Call<'a> {
    /// The request as its caller's, if the policy lets him.
    fn admit(service: &'a Service, identity: &Arc<Identity>, request: &'a Request) -> Result<Self> {
        let project = identity.project.clone().unwrap_or_else(|| ProjectId::new(""));
        let mut context = Context::new(identity.clone(), project, request.client());
        let queue = request.text("queue_name").and_then(|name| QueueName::parse(&name));
        if let Some(rule) = request.action().rule() {
            service.authorise(&mut context, rule, queue.as_ref())?;
        }
        Ok(Self { service, request, context, queue })
    }

    /// The queue of a request that creates it where it is missing.
    fn new_queue(&self) -> Result<&QueueName> {
        let words = match &self.queue {
            _ if !self.context.project.is_well_sized() => {
                format!("Project ids may not be more than {} characters long.", project::MAX_LENGTH)
            }
            Some(queue) => return Ok(queue),
            None if self.text("queue_name").chars().count() > queue::MAX_NAME_LENGTH => {
                format!("Queue names may not be more than {} characters long.", queue::MAX_NAME_LENGTH)
            }
            None => "Queue names may only contain ASCII letters, digits, underscores, and dashes.".into(),
        };
        Err(Error::invalid(words))
    }

    /// Refuses an illegal `Client-ID`, where the reference looks at it.
    fn check_client(&self) -> Result<()> {
        let legal = self.service.takes_client(&self.request.header("Client-ID").unwrap_or_default());
        let words = if self.service.free_client_ids() {
            let limits = self.service.limits();
            format!(
                "Length of client id must be at least {} and no greater than {}.",
                limits.min_length_client_id, limits.max_length_client_id
            )
        } else {
            "badly formed hexadecimal UUID string".into()
        };
        if legal { Ok(()) } else { Err(Error::invalid(words)) }
    }

    /// A member that the schema demands to be a text.
    fn text(&self, name: &str) -> Cow<'a, str> {
        self.request.text(name).unwrap_or_default()
    }

    /// Whether details are wanted.
    fn is_detailed(&self) -> bool {
        self.request.boolean("detailed").unwrap_or(false)
    }

    /// A member that no schema speaks of, but should be an integer; Python takes true for 1 and false for 0.
    fn lenient_integer(&self, name: &'static str) -> Result<Option<i64>> {
        match self.request.value(name).map(|(kind, _)| kind) {
            None => Ok(None),
            Some(Kind::Integer(value)) => Ok(Some(value)),
            Some(Kind::Bool(value)) => Ok(Some(value.into())),
            Some(_) => Err(bad_request(BodyError::NotInteger(name))),
        }
    }

    /// How long the client waits for messages where there are none: an extension.
    fn wait(&self) -> Result<Duration> {
        Service::waiting_time(self.lenient_integer("wait")?)
    }

    /// Those of these members that the request has, as a document.
    fn document(&self, names: &[&str]) -> Result<Metadata> {
        let members = names.iter().filter_map(|name| Some((name, self.request.share(name)?)));
        let members: Vec<_> =
            members.map(|(name, text)| [b"\"", name.as_bytes(), b"\":", &text].concat()).collect();
        Ok(json::object(&[b"{", &members.join(&b","[..])[..], b"}"].concat())?)
    }

    fn json(&self, status: StatusCode, body: impl Into<Vec<u8>>) -> Reply {
        Reply::json(self.request, status, body)
    }

    fn sentence(&self, status: StatusCode, sentence: &str) -> Reply {
        Reply::sentence(self.request, status, sentence)
    }

    /// 404 for what a request names: what is missing, and which part of the work that ended.
    fn missing(&self, exception: &str, error: Option<&str>) -> Reply {
        self.json(StatusCode::NOT_FOUND, json!({ "exception": exception, "error": error }).to_string())
    }

    fn empty(&self, status: StatusCode) -> Reply {
        Reply::empty(self.request, status)
    }
}

/// What is wrong with a document inside a body, in the words of the reference.
fn bad_request(problem: BodyError) -> Error {
    match problem {
        BodyError::Missing(_) | BodyError::NotInteger(_) => Error::invalid(format!("Bad request. {problem}")),
        _ => problem.into(),
    }
}
