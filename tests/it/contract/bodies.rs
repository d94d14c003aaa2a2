//! Bodies come back byte for byte, whatever they are.

use bytes::Bytes;
use zaqar::model::NewMessage;

use super::fixture::{Queue, START, at, everything, message, request};

every_store!(bodies_of_all_beginnings_come_back, bodies_of_all_sizes_come_back);

/// Bytes without a pattern that could be compressed away, the same for the same seed.
fn noise(seed: usize, length: usize) -> Bytes {
    let mut state = seed as u64 | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// Posts these bodies and reads them in every way there is.
async fn round_trip(queue: &Queue, bodies: Vec<Bytes>) {
    let count = bodies.len();
    let new = |(n, body): (u32, &Bytes)| NewMessage { body: body.clone(), ..message(n) };
    queue.post((0..).zip(&bodies).map(new), START).await;
    let listed = queue.listed(&everything(), START).await;
    let got = queue.get((0..).take(count), START).await;
    let claimed = queue.claim(&request(1, count), at(1)).await.messages;
    let held = queue.data().claimed(&queue.name, request(1, 1).id, at(1)).await.unwrap();
    queue.release(1, at(2)).await;
    let popped = queue.pop(count, at(2)).await.messages;
    for (way, found) in [listed, got, claimed, held.expect("it lives").1, popped].iter().enumerate() {
        assert_eq!(found.len(), count);
        for (message, body) in found.iter().zip(&bodies) {
            assert!(message.body == *body, "{} bytes, way {way}", body.len());
        }
    }
}

async fn bodies_of_all_sizes_come_back(queue: &Queue) {
    let near = |size: usize| size.saturating_sub(2)..=size + 2;
    let sizes = [2, 16, 64, 128, 256, 512, 1_024, 4_096, 16_384, 65_536].into_iter().flat_map(near);
    let large = [262_144, 1_048_576];
    let noisy = sizes.clone().chain(large).map(|size| noise(size, size));
    let even = sizes.chain(large).map(|size| Bytes::from(vec![b'a'; size]));
    round_trip(queue, noisy.chain(even).collect()).await;
}

async fn bodies_of_all_beginnings_come_back(queue: &Queue) {
    let first = (0..=255_u8).map(|byte| Bytes::from(vec![byte]));
    let short = (0..=255_u8).map(|byte| [&[byte], &noise(usize::from(byte), 40)[..]].concat().into());
    let long = (0..=255_u8).map(|byte| [&[byte], &[b' '; 3_000][..]].concat().into());
    round_trip(queue, first.chain(short).chain(long).collect()).await;
}
