//! The end of a store.

use zaqar::storage::Way;

use super::fixture::{Queue, START, ids, message, page, request};

every_store!(a_closed_store_fails_every_call);

async fn a_closed_store_fails_every_call(queue: &Queue) {
    let data = queue.data();
    data.ping().await.unwrap();
    queue.post([message(1)], START).await;
    data.close().await;
    data.close().await;
    data.ping().await.unwrap_err();
    data.post(&queue.name, vec![message(2)], START).await.unwrap_err();
    data.list(&queue.name, &page(), START).await.unwrap_err();
    data.get(&queue.name, &ids([1]), START).await.unwrap_err();
    data.claim(&queue.name, &request(1, 1), START).await.unwrap_err();
    data.outgoing(&queue.name, Way::Pool, 1).await.unwrap_err();
    data.seal(&queue.name, START).await.unwrap_err();
    data.identity().await.unwrap_err();
    data.sweep(START, 1).await.unwrap_err();
}
