//! `subscription_*`. Without a `subscriber`, it is the connection itself that subscribes.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::Call;
use crate::api::resources::shapes::Document;
use crate::auth::Identity;
use crate::error::{Error, Result};
use crate::model::json::Kind;
use crate::model::{ClientId, Metadata, QueueName, Subscription, SubscriptionId};
use crate::policy::Rule;
use crate::service::{Context, Start, Subscriber, SubscriptionView};
use crate::wake::Key;
use crate::websocket::envelope::Request;
use crate::websocket::hub::Hub;
use crate::websocket::push::Push;
use crate::websocket::reply::Reply;
use crate::websocket::requests::Then;

/// `subscription_create`: 201, and what is pushed from then on; 409 where the connection has subscribed already.
pub(in crate::websocket) async fn create(
    hub: &Hub,
    connection: Uuid,
    identity: &Arc<Identity>,
    request: &Request,
) -> (Reply, Then) {
    match subscribe(hub, connection, identity, request).await {
        Ok((reply, push)) => (reply, Then::Subscribed(Box::new(push))),
        Err(Error::SubscriptionExists) => {
            let words =
                format!("Subscription {} not created.", request.text("queue_name").unwrap_or_default());
            (Reply::sentence(request, StatusCode::CONFLICT, &words), Then::Nothing)
        }
        Err(error) => (Reply::failure(request, &error), Then::Nothing),
    }
}

/// Whether messages of that queue may be pushed to that caller. Who has subscribed may be somebody else by now.
pub(in crate::websocket) fn may_go_on(hub: &Hub, caller: &Arc<Identity>, (project, queue): &Key) -> bool {
    let mut context = Context::new(caller.clone(), project.clone(), ClientId::new(""));
    caller.project.as_ref() == Some(project)
        && hub.service().authorise(&mut context, Rule::SubscriptionCreate, Some(queue)).is_ok()
}

async fn subscribe(
    hub: &Hub,
    connection: Uuid,
    identity: &Arc<Identity>,
    request: &Request,
) -> Result<(Reply, Push)> {
    let call = Call::admit(hub.service(), identity, request)?;
    let (queue, start, options) = (call.new_queue()?, start(request)?, options(request)?);
    let address = request.text("subscriber").filter(|address| !address.is_empty());
    let subscriber = address.as_deref().map_or(Subscriber::Connection(connection), Subscriber::Address);
    let marked = start.is_some();
    // Before anything is stored, for a marker may be wrong.
    let follower = call.service.follow(&call.context, queue, start.unwrap_or(Start::Now)).await?;
    let project = &call.context.project;
    let before = call.service.data_origin(project, queue).await?;
    let made =
        call.service.subscribe(&call.context, queue, subscriber, request.integer("ttl"), options).await?;
    let id = made.id;
    let origin = match before {
        Some(before) => Some(before),
        // Of a queue that was created with it. A store that fails now is asked again by the keeper.
        None => call.service.data_origin(project, queue).await.unwrap_or_default(),
    };
    // From here on the subscription ends with whoever holds the lease, whatever becomes of this request.
    let lease = hub.leases.hold(project, queue, made, origin);
    let body =
        json!({ "subscription_id": id.to_string(), "message": format!("Subscription {queue} created.") });
    let push = Push::new(marked, lease, follower);
    Ok((call.json(StatusCode::CREATED, body.to_string()), push))
}

/// Where `from` lets pushing begin; `None` where it is not given, and frames are in the reference's bare shape.
fn start(request: &Request) -> Result<Option<Start>> {
    match (request.value("from"), request.text("from").as_deref()) {
        (None, _) => Ok(None),
        (Some(_), Some("now")) => Ok(Some(Start::Now)),
        (Some(_), Some(marker)) => Ok(Some(Start::Behind(marker.to_owned()))),
        (Some(_), None) => Err(Error::invalid(r#"The value of "from" must be a marker or "now"."#)),
    }
}

fn options(request: &Request) -> Result<Metadata> {
    let Some((_, options)) = request.value("options") else { return Ok(Metadata::new()) };
    Subscription::options_of(options).ok_or(Error::invalid("Options must be a dict."))
}

/// `subscription_list`
pub(super) async fn list(call: &Call<'_>, queue: &QueueName) -> Result<Reply> {
    let (marker, limit) = (call.request.text("marker"), limit(call)?);
    let page = call.service.subscriptions(&call.context, queue, marker.as_deref(), limit).await?;
    Ok(call.json(StatusCode::OK, Document::list("subscriptions", &page, item).end()))
}

/// How many a page has. No schema speaks of it, and the reference takes what Python can make an integer of.
fn limit(call: &Call<'_>) -> Result<Option<i64>> {
    let refused = |text: &str| Error::invalid(format!("invalid literal for int() with base 10: '{text}'"));
    match (call.request.value("limit"), call.request.text("limit")) {
        (None | Some((Kind::Null, _)), _) => Ok(None),
        (_, Some(text)) => text.trim().parse().map(Some).map_err(|_| refused(&text)),
        _ => call.lenient_integer("limit"),
    }
}

/// The listing of what has no subscriptions.
pub(super) fn none(call: &Call<'_>) -> Reply {
    call.json(StatusCode::OK, Document::list::<SubscriptionView>("subscriptions", &[], item).end())
}

/// `subscription_get`
pub(super) async fn get(call: &Call<'_>, queue: &QueueName) -> Result<Reply> {
    let id = call.text("subscription_id");
    match call.service.subscription(&call.context, queue, &id).await {
        Ok(subscription) => Ok(call.json(StatusCode::OK, described(&subscription).to_string())),
        Err(Error::SubscriptionMissing(_)) => Ok(missing(call)),
        Err(error) => Err(error),
    }
}

/// The answer for a subscription that is gone, or never was.
pub(super) fn missing(call: &Call<'_>) -> Reply {
    let (id, queue) = (call.text("subscription_id"), call.text("queue_name"));
    let error = format!("Subscription {id} for queue {queue} does not exist.");
    call.missing(&format!("Subscription {id} does not exist"), Some(&error))
}

/// `subscription_delete`
pub(super) async fn delete(call: &Call<'_>, queue: &QueueName) -> Result<Reply> {
    call.service.unsubscribe(&call.context, queue, &call.text("subscription_id")).await?;
    Ok(deleted(call))
}

/// The answer for a subscription that is gone, or never was.
pub(super) fn deleted(call: &Call<'_>) -> Reply {
    call.sentence(StatusCode::NO_CONTENT, &format!("Subscription {} removed.", call.text("subscription_id")))
}

fn item(document: &mut Document, subscription: &SubscriptionView) {
    document.raw(&described(subscription).to_string());
}

fn described(subscription: &SubscriptionView) -> serde_json::Value {
    let SubscriptionView { id: SubscriptionId(id), source, subscriber, ttl, age, options, confirmed } =
        subscription;
    json!({ "id": id.to_string(), "source": source.as_str(), "subscriber": subscriber, "ttl": ttl, "age": age,
            "options": options, "confirmed": confirmed })
}
