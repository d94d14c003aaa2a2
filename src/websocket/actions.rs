//! What actions do: each parses its body, calls the service, and shapes the reply.

mod messages;
mod queues;

use std::sync::Arc;

use http::StatusCode;

use super::envelope::Request;
use super::reply::Reply;
use super::schema::Action;
use crate::api::is_mounted;
use crate::auth::Identity;
use crate::error::{Error, Result};
use crate::model::{ProjectId, QueueName, queue};
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
        is_mounted(action.mounted(), self.admin_mode, self.pooling)
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
        let call = Call::admit(&self.service, identity, request)?;
        match request.action() {
            Action::QueueList => queues::list(call).await,
            Action::MessagePost => messages::post(call).await,
            _ => Err(Error::NoRoute),
        }
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

    /// The queue that a request names which would create it.
    fn named_queue(&self) -> Result<&QueueName> {
        let name = self.request.text("queue_name").unwrap_or_default();
        let words = match (&self.queue, self.context.project.is_well_sized()) {
            (_, false) => "Project ids may not be more than 256 characters long.",
            (Some(queue), true) => return Ok(queue),
            (None, _) if name.chars().count() > queue::MAX_NAME_LENGTH => {
                "Queue names may not be more than 64 characters long."
            }
            (None, _) => "Queue names may only contain ASCII letters, digits, underscores, and dashes.",
        };
        Err(Error::invalid(words))
    }

    fn json(&self, status: StatusCode, body: impl Into<Vec<u8>>) -> Result<Reply> {
        Ok(Reply::json(self.request, status, body))
    }
}
