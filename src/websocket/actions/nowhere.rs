//! What is answered for queues whose names are illegal. The reference looks at names only where it creates a queue;
//! elsewhere such a queue is one that does not exist.

use http::StatusCode;

use super::{Call, claims, messages, queues, subscriptions};
use crate::error::{Error, Result};
use crate::websocket::reply::Reply;
use crate::websocket::schema::Action;

/// The answer to an action on a queue that cannot exist.
pub(super) async fn answer(call: &Call<'_>) -> Result<Reply> {
    Ok(match call.request.action() {
        Action::QueueGet => call.empty(StatusCode::OK),
        Action::QueueGetStats => queues::no_stats(call),
        Action::QueuePurge | Action::MessageDelete => call.empty(StatusCode::NO_CONTENT),
        Action::QueueDelete => queues::deleted(call),
        Action::MessageList => {
            call.check_client()?;
            call.json(StatusCode::OK, messages::plain_list(&[]).end())
        }
        Action::MessageGetMany => call.json(StatusCode::OK, messages::plain_list(&[]).end()),
        Action::MessageDeleteMany => messages::delete_many(call, None).await?,
        Action::ClaimCreate => claims::nothing_claimed(call),
        Action::ClaimDelete => claims::deleted(call),
        Action::ClaimGet | Action::ClaimUpdate => missing_claim(call),
        Action::MessageGet => {
            let (queue, project) = (call.text("queue_name"), &call.context.project);
            call.missing(&format!("Queue {queue} does not exist for project {project}"), None)
        }
        Action::SubscriptionList => subscriptions::none(call),
        Action::SubscriptionGet => subscriptions::missing(call),
        Action::SubscriptionDelete => subscriptions::deleted(call),
        _ => return Err(Error::Internal),
    })
}

fn missing_claim(call: &Call<'_>) -> Reply {
    let (claim, queue) = (call.text("claim_id"), call.text("queue_name"));
    let exception =
        format!("Claim {claim} does not exist in queue {queue} for project {}", call.context.project);
    call.missing(&exception, Some(&format!("Claim {claim} does not exist.")))
}
