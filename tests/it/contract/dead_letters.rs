//! Dead letters: messages claimed too often leave the queue and are handed to another.

use zaqar::model::{NewMessage, QueueName};
use zaqar::storage::{ClaimRequest, DeadLetters, EXAMINED, Landing, Line, Outgoing, Parcel, Way};

use super::fixture::{
    Queue, START, at, claim_id, client, delayed, id, message, number, numbers, request, short,
};

every_store!(
    a_claim_beyond_the_count_sends_the_message_off,
    a_limit_of_zero_or_less_sends_everything_off,
    a_long_run_of_dead_letters_is_sent_off_in_bounded_steps,
    a_parcel_says_all_about_its_message,
    imported_messages_join_the_end_afresh,
    importing_again_brings_nothing_back,
    importing_again_changes_nothing,
    outgoing_messages_wait_until_they_are_forgotten,
    outgoing_messages_are_gone_from_their_queue,
    pop_does_not_send_off,
    the_claim_still_fills_its_page,
    unfinished_queues_are_found,
);

/// A request that counts, and sends off what was claimed `max_claims` times.
fn counting(n: u32, limit: usize, max_claims: i64) -> ClaimRequest {
    let target = QueueName::parse("dead").expect("a legal name");
    ClaimRequest { dead_letters: Some(DeadLetters { max_claims, target, ttl: None }), ..request(n, limit) }
}

async fn list(queue: &Queue, limit: usize) -> Outgoing {
    queue.data().outgoing(&queue.name, Way::DeadLetters, limit).await.unwrap()
}

async fn outgoing(queue: &Queue, limit: usize) -> Vec<Parcel> {
    list(queue, limit).await.parcels
}

async fn outgoing_numbers(queue: &Queue) -> Vec<u32> {
    outgoing(queue, 10_000).await.iter().map(|parcel| number(parcel.id)).collect()
}

async fn forget(queue: &Queue, numbers: &[i64]) {
    queue.data().forget(&queue.name, Way::DeadLetters, numbers).await.unwrap();
}

async fn import(queue: &Queue, line: Line, parcels: &[Parcel], seconds: u64) {
    queue.data().import(&queue.name, line, parcels, at(seconds)).await.unwrap();
}

async fn a_claim_beyond_the_count_sends_the_message_off(queue: &Queue) {
    queue.post([message(1)], START).await;
    let first = queue.claim(&counting(1, 1, 2), START).await;
    assert_eq!(first.messages[0].claim_count, 1);
    queue.release(1, START).await;
    assert_eq!(queue.one(1, START).await.claim_count, 1);
    // The second claim ends by itself.
    let second = queue.claim(&counting(2, 1, 2), START).await;
    assert_eq!(second.messages[0].claim_count, 2);
    assert_eq!(queue.claim(&counting(3, 1, 2), at(59)).await.outgoing, 0, "held");
    let third = queue.claim(&counting(3, 1, 2), at(60)).await;
    assert_eq!((third.messages, third.outgoing, third.more), (vec![], 1, false));
    assert_eq!(queue.held(3, at(60)).await, None, "no claim was made");
    assert_eq!(outgoing_numbers(queue).await, [1]);
}

async fn outgoing_messages_are_gone_from_their_queue(queue: &Queue) {
    queue.post([message(1), message(2)], START).await;
    assert_eq!(queue.claim(&counting(1, 5, 0), START).await.outgoing, 2);
    assert_eq!(queue.all(START).await, [0; 0]);
    assert_eq!(queue.get([1, 2], START).await, []);
    assert_eq!(queue.locate(1, START).await, None);
    assert_eq!(queue.counts(START).await, (0, 0));
    assert_eq!(queue.delete_many([1], None, START).await, Ok(0));
    assert_eq!(queue.purge(START).await, (0, false));
    queue.sweep(at(3600)).await;
    assert_eq!(queue.data().volume().await.unwrap(), (0, 0));
}

async fn the_claim_still_fills_its_page(queue: &Queue) {
    queue.post((1..=3).map(message), START).await;
    queue.claim(&counting(1, 1, 1), START).await;
    queue.claim(&request(2, 1), START).await;
    queue.claim(&counting(3, 1, 1), START).await;
    for n in 1..=3 {
        queue.release(n, START).await;
    }
    queue.post((4..=6).map(message), START).await;
    // 1 and 3 were counted.
    let won = queue.claim(&counting(4, 3, 1), START).await;
    assert_eq!(numbers(&won.messages), [2, 4, 5]);
    assert_eq!((won.outgoing, won.more, won.next_due), (2, false, None));
    assert_eq!(outgoing_numbers(queue).await, [1, 3]);
    assert_eq!(queue.ready(START).await, [6]);
}

async fn a_limit_of_zero_or_less_sends_everything_off(queue: &Queue) {
    queue.post([message(1), message(2), delayed(3, 90)], START).await;
    let won = queue.claim(&counting(1, 1, 0), START).await;
    assert_eq!((won.messages, won.outgoing, won.next_due), (vec![], 2, Some(at(90))));
    let won = queue.claim(&counting(1, 1, -5), at(90)).await;
    assert_eq!((won.messages, won.outgoing, won.next_due), (vec![], 1, None));
    assert_eq!(outgoing_numbers(queue).await, [1, 2, 3]);
}

async fn a_long_run_of_dead_letters_is_sent_off_in_bounded_steps(queue: &Queue) {
    queue.post((0..2_500).map(message), START).await;
    queue.claim(&request(1, 1), START).await;
    let mut total = 0;
    loop {
        let won = queue.claim(&counting(2, 20, 0), START).await;
        assert!((1..=EXAMINED).contains(&won.outgoing) || !won.more, "{} at once", won.outgoing);
        assert_eq!(won.messages, []);
        total += won.outgoing;
        if !won.more {
            break;
        }
    }
    assert_eq!(total, 2_499);
    assert_eq!(outgoing_numbers(queue).await, (1..2_500).collect::<Vec<_>>());
}

async fn a_parcel_says_all_about_its_message(queue: &Queue) {
    let checksum = Some(*b"0123456789abcdef");
    let new = NewMessage { ttl: 50, client: client("someone"), checksum, ..message(1) };
    queue.post([new.clone(), message(2)], START).await;
    let counted = counting(1, 2, 1);
    queue.claim(&counted, at(1)).await;
    queue.release(1, at(2)).await;
    assert_eq!(queue.claim(&ClaimRequest { limit: 1, ..counted.clone() }, at(9)).await.outgoing, 2);
    let parcels = outgoing(queue, 10).await;
    let expected = Parcel {
        number: parcels[0].number,
        id: id(1),
        landing: Landing::End(QueueName::parse("dead").unwrap()),
        created: START,
        // Raised by the first claim, which was made at 1.
        ttl: 90,
        expires: at(91),
        client: client("someone"),
        claim_count: 1,
        checksum,
        body: new.body,
    };
    assert_eq!(parcels[0], expected);
    assert_eq!((parcels[1].ttl, parcels[1].expires, parcels[1].checksum), (3600, at(3600), None));
    assert!(0 < parcels[0].number && parcels[0].number < parcels[1].number, "{parcels:?}");

    // With a ttl of its own, a dead letter lives that long from the move on.
    queue.post([message(3)], at(10)).await;
    let mut lasting = counting(2, 1, 0);
    lasting.dead_letters.as_mut().unwrap().ttl = Some(7_000);
    assert_eq!(queue.claim(&lasting, at(20)).await.outgoing, 1);
    let parcel = outgoing(queue, 10).await.pop().unwrap();
    assert_eq!((parcel.ttl, parcel.expires, parcel.created), (7_000, at(7_020), at(10)));
    assert_eq!(parcel.claim_count, 0);
}

async fn outgoing_messages_wait_until_they_are_forgotten(queue: &Queue) {
    queue.post((1..=5).rev().map(message), START).await;
    queue.claim(&counting(1, 1, 0), START).await;
    let some: Vec<u32> = outgoing(queue, 2).await.iter().map(|parcel| number(parcel.id)).collect();
    assert_eq!(some, [5, 4], "the oldest first");
    assert_eq!(outgoing_numbers(queue).await, [5, 4, 3, 2, 1]);
    let Outgoing { line, parcels } = list(queue, 9).await;
    let of: Vec<i64> = parcels.iter().map(|parcel| parcel.number).collect();
    forget(queue, &[of[1], of[3], of[4] + 99]).await;
    assert_eq!(outgoing_numbers(queue).await, [5, 3, 1]);
    queue.data().forget(&queue.name, Way::Pool, &of).await.unwrap();
    assert_eq!(outgoing_numbers(queue).await, [5, 3, 1], "the other list was meant");
    forget(queue, &[of[1]]).await;
    forget(queue, &[]).await;
    forget(queue, &[of[4], of[2], of[0]]).await;
    assert_eq!(outgoing_numbers(queue).await, [0; 0]);
    // No number is given twice, though the list was empty.
    queue.post([message(1)], START).await;
    queue.claim(&counting(1, 1, 0), START).await;
    let rest = list(queue, 9).await;
    assert_eq!(rest.line, line);
    assert!(rest.parcels[0].number > of[4], "{} after {of:?}", rest.parcels[0].number);
}

async fn unfinished_queues_are_found(queue: &Queue) {
    let others = [queue.other("p", "r", 3).await, queue.other("o", "q", 4).await];
    let idle = queue.other("p", "idle", 5).await;
    idle.post([message(1)], START).await;
    let unfinished = async |limit| {
        let mut found = queue.data().unfinished(limit).await.unwrap();
        found.sort_by(|a, b| (&a.project, &a.name).cmp(&(&b.project, &b.name)));
        found
    };
    assert_eq!(unfinished(10).await, []);
    for queue in [queue, &others[0], &others[1]] {
        queue.post([message(1), message(2)], START).await;
        queue.claim(&counting(1, 1, 0), START).await;
    }
    assert_eq!(unfinished(10).await, [others[1].name.clone(), queue.name.clone(), others[0].name.clone()]);
    assert_eq!(unfinished(2).await.len(), 2);
    let parcels = outgoing(queue, 9).await;
    forget(queue, &[parcels[0].number]).await;
    assert_eq!(unfinished(10).await.len(), 3, "one message is left");
    forget(queue, &[parcels[1].number]).await;
    assert_eq!(unfinished(10).await, [others[1].name.clone(), others[0].name.clone()]);
    queue.data().drop_queue(&others[0].name).await.unwrap();
    assert_eq!(unfinished(10).await, [others[1].name.clone()]);
}

async fn imported_messages_join_the_end_afresh(queue: &Queue) {
    let target = queue.other("p", "dead", 9).await;
    queue.post([short(1, 100), message(2), message(3)], START).await;
    queue.claim(&counting(1, 2, 1), START).await;
    queue.release(1, START).await;
    queue.claim(&counting(2, 1, 1), START).await;
    target.post([message(7), delayed(8, 20)], START).await;
    let Outgoing { line, parcels } = list(queue, 10).await;
    import(&target, line, &parcels, 30).await;
    target.post([message(9)], at(30)).await;
    assert_eq!(target.ready(at(30)).await, [7, 8, 1, 2, 9]);
    let found = target.one(1, at(30)).await;
    assert_eq!((found.created, found.ttl, found.claim, found.claim_count), (START, 100, None, 0));
    assert_eq!((found.client, found.body), (message(1).client, message(1).body));
    assert_eq!(target.ready(at(100)).await, [7, 8, 2, 9], "its life goes on");
    assert_eq!(outgoing_numbers(queue).await, [1, 2], "until they are forgotten");
    assert_eq!(queue.held(2, at(30)).await, Some(vec![3]));
}

async fn importing_again_changes_nothing(queue: &Queue) {
    let target = queue.other("p", "dead", 9).await;
    queue.post([message(1), message(2), short(3, 60)], START).await;
    queue.claim(&counting(1, 1, 0), START).await;
    let Outgoing { line, parcels } = list(queue, 10).await;
    import(&target, line, &parcels[..2], 10).await;
    target.claim(&request(1, 1), at(10)).await;
    import(&target, line, &parcels, 60).await;
    assert_eq!(target.all(at(60)).await, [1, 2], "an expired one does not come");
    assert_eq!(target.one(1, at(60)).await.claim, Some(claim_id(1)));
    target.delete(2, None, at(60)).await;
    import(&target, line, &[], 60).await;
    assert_eq!(target.all(at(60)).await, [1]);
    assert_eq!(target.counts(at(60)).await, (0, 1));
}

/// A carrier that comes late, or died before it had the source forget, brings back nothing that was consumed.
async fn importing_again_brings_nothing_back(queue: &Queue) {
    let target = queue.other("p", "dead", 9).await;
    queue.post([message(1), message(2), message(3)], START).await;
    queue.claim(&ClaimRequest { limit: 9, ..counting(1, 1, 0) }, START).await;
    let Outgoing { line, parcels } = list(queue, 10).await;
    import(&target, line, &parcels[..2], 10).await;
    assert_eq!(numbers(&target.pop(1, at(10)).await.messages), [1]);
    target.delete(2, None, at(10)).await;
    import(&target, line, &parcels[..1], 11).await;
    import(&target, line, &parcels, 12).await;
    assert_eq!(target.all(at(12)).await, [3], "the new one alone");
    // The same numbers of another line are other messages.
    import(&target, Line(uuid::Uuid::new_v4()), &parcels[..1], 13).await;
    assert_eq!(target.all(at(13)).await, [3, 1]);
    // A queue that is made anew has received nothing.
    let again = queue.other("p", "dead", 10).await;
    import(&again, line, &parcels, 14).await;
    assert_eq!(again.all(at(14)).await, [1, 2, 3]);
}

async fn pop_does_not_send_off(queue: &Queue) {
    queue.post([message(1)], START).await;
    queue.claim(&counting(1, 1, 1), START).await;
    queue.release(1, START).await;
    let popped = queue.pop(1, START).await;
    assert_eq!(numbers(&popped.messages), [1]);
    assert_eq!(popped.messages[0].claim_count, 1);
    assert_eq!(outgoing_numbers(queue).await, [0; 0]);
}
