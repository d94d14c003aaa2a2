//! Whole queues are handed from store to store: sealed, adopted, sent off, taken in.

use bytes::Bytes;
use uuid::Uuid;
use zaqar::clock::Timestamp;
use zaqar::model::{Claim, Cursor, Message, NewMessage, Position, QueueName, Subscription};
use zaqar::storage::{
    ClaimRequest, DeadLetters, Deletion, Error, Landing, Ledger, Line, Outgoing, Parcel, Receipt, SILENT,
    SentOff, Stats, Way,
};

use super::epochs::assert_gone;
use super::fixture::{
    CALLS, Queue, START, at, claim_id, client, delayed, everything, id, memory, message, number, numbers,
    queue_ref, request, short, subscription,
};

every_store!(
    a_claim_that_is_there_keeps_the_later_end,
    a_deleted_subscription_is_not_brought_back,
    a_hand_over_keeps_everything,
    a_later_carrier_brings_nothing_back,
    a_sealed_queue_answers_to_its_sealed_epoch_alone,
    a_store_says_which_it_is,
    a_taken_position_gives_way,
    adopting_again_forgets_nothing,
    both_lists_are_numbered_along_one_line,
    expired_messages_are_not_sent_off,
    landings_are_kept,
    nothing_is_taken_in_that_has_expired,
    nothing_ripens_in_a_sealed_queue,
    receipts_go_with_the_queue,
    receipts_of_silent_lines_give_way,
    sealed_data_is_of_the_same_life,
    sealing_again_answers_the_same,
    subscriptions_go_with_the_queue,
    what_goes_first_and_how_much,
);

async fn seal(queue: &Queue, now: Timestamp) -> Ledger {
    queue.data().seal(&queue.name, now).await.unwrap()
}

async fn adopt(queue: &Queue, ledger: &Ledger, now: Timestamp) {
    queue.data().adopt(&queue.name, ledger, now).await.unwrap();
}

async fn send_off(queue: &Queue, limit: usize, now: Timestamp) -> SentOff {
    queue.data().send_off(&queue.name, limit, now).await.unwrap()
}

async fn on_its_way(queue: &Queue, way: Way) -> Outgoing {
    queue.data().outgoing(&queue.name, way, 100_000).await.unwrap()
}

/// The numbers of the messages that were sent off to another store, in order.
async fn sent(queue: &Queue) -> Vec<u32> {
    on_its_way(queue, Way::Pool).await.parcels.iter().map(|parcel| number(parcel.id)).collect()
}

async fn import(queue: &Queue, away: &Outgoing, now: Timestamp) {
    queue.data().import(&queue.name, away.line, &away.parcels, now).await.unwrap();
}

async fn forget(queue: &Queue, away: &Outgoing) {
    let numbers: Vec<_> = away.parcels.iter().map(|parcel| parcel.number).collect();
    queue.data().forget(&queue.name, Way::Pool, &numbers).await.unwrap();
}

/// Hands all of a queue over to one that may lie in another store, each batch twice.
async fn hand_over(source: &Queue, target: &Queue, limit: usize, now: Timestamp) {
    adopt(target, &seal(source, now).await, now).await;
    let source = source.sealed();
    for _ in 0..CALLS {
        let step = send_off(&source, limit, now).await;
        assert!(step.sent <= limit as u64, "{step:?} with a limit of {limit}");
        let away = source.data().outgoing(&source.name, Way::Pool, limit).await.unwrap();
        if step.left == 0 && away.parcels.is_empty() {
            return source.data().drop_queue(&source.name).await.unwrap();
        }
        import(target, &away, now).await;
        import(target, &away, now).await;
        forget(&source, &away).await;
    }
    panic!("the hand-over does not end");
}

fn counting(n: u32, limit: usize, max_claims: i64) -> ClaimRequest {
    let target = QueueName::parse("dead").expect("a legal name");
    ClaimRequest { dead_letters: Some(DeadLetters { max_claims, target, ttl: None }), ..request(n, limit) }
}

/// Message number `n` on its way to that place.
fn parcel(n: u32, number: i64, landing: Landing) -> Parcel {
    let NewMessage { id, ttl, client, checksum, body, .. } = message(n);
    let (created, expires) = (START, START.plus_seconds(ttl));
    Parcel { number, id, landing, created, ttl, expires, client, claim_count: 3, checksum, body }
}

/// Takes parcels in that are numbered as they stand here, along a new line.
async fn take_in(queue: &Queue, landings: &[(u32, Landing)], now: Timestamp) {
    let numbered = landings.iter().zip(1..);
    let parcels = numbered.map(|((n, landing), number)| parcel(*n, number, landing.clone())).collect();
    import(queue, &Outgoing { line: Line(Uuid::new_v4()), parcels }, now).await;
}

async fn subscriptions_go_with_the_queue(queue: &Queue) {
    let all: Vec<_> = (0..7).map(|n| subscription(n, &format!("s{n}"), at(60 + u64::from(n)))).collect();
    for (n, one) in all.iter().enumerate() {
        let new = Subscription { confirmed: n % 2 == 0, ttl: 60 + n as u64, ..one.clone() };
        assert!(queue.data().subscribe(&queue.name, &new, START).await.unwrap());
    }
    queue.post([message(1), delayed(2, 100)], START).await;
    let listed =
        async |queue: &Queue| queue.data().subscriptions(&queue.name, None, 99, at(62)).await.unwrap();
    let before = listed(queue).await;
    assert_eq!(before.len(), 4);
    let target = queue.other("p", "target", 3).await;
    hand_over(queue, &target, 2, at(62)).await;
    assert_eq!(listed(&target).await, before);
    assert_eq!(target.all(at(62)).await, [1, 2]);
}

async fn a_deleted_subscription_is_not_brought_back(queue: &Queue) {
    let new = subscription(1, "s", at(60));
    assert!(queue.data().subscribe(&queue.name, &new, START).await.unwrap());
    let ledger = seal(queue, START).await;
    let target = queue.other("p", "target", 3).await;
    adopt(&target, &ledger, START).await;
    let step = send_off(&queue.sealed(), 10, START).await;
    assert_eq!(step, SentOff { sent: 0, left: 0 }, "it is no message");
    let away = on_its_way(&queue.sealed(), Way::Pool).await;
    assert_eq!(away.parcels[0].subscription().as_ref(), Some(&new));
    import(&target, &away, START).await;
    target.data().unsubscribe(&target.name, new.id, false, START).await.unwrap();
    import(&target, &away, at(1)).await;
    assert_eq!(target.data().subscription(&target.name, new.id, at(1)).await.unwrap(), None);
    // Of a subscriber that is there already, one that comes is skipped.
    let rival = subscription(2, "s", at(60));
    assert!(target.data().subscribe(&target.name, &rival, START).await.unwrap());
    import(&target, &Outgoing { line: Line(Uuid::new_v4()), ..away }, at(1)).await;
    let found = target.data().subscriptions(&target.name, None, 9, at(1)).await.unwrap();
    assert_eq!(found, [rival]);
}

async fn a_store_says_which_it_is(queue: &Queue) {
    let identity = queue.data().identity().await.unwrap();
    assert_eq!(queue.data().identity().await.unwrap(), identity);
    assert_ne!(memory().await.data.identity().await.unwrap(), identity);
    assert!(!queue.data().capabilities().is_empty());
}

async fn both_lists_are_numbered_along_one_line(queue: &Queue) {
    queue.post((1..=5).map(message), START).await;
    queue.claim(&ClaimRequest { limit: 1, ..request(1, 1) }, START).await;
    queue.post([message(6)], START).await;
    assert_eq!(queue.claim(&counting(2, 9, 0), START).await.outgoing, 5);
    seal(queue, START).await;
    let sealed = queue.sealed();
    send_off(&sealed, 9, START).await;
    let (letters, rest) = (on_its_way(&sealed, Way::DeadLetters).await, on_its_way(&sealed, Way::Pool).await);
    assert_eq!(letters.line, rest.line);
    assert_eq!((letters.parcels.len(), rest.parcels.len()), (5, 1));
    let all: Vec<_> = letters.parcels.iter().chain(&rest.parcels).map(|parcel| parcel.number).collect();
    assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");
    assert_eq!(sealed.data().outgoing(&sealed.name, Way::Pool, 0).await.unwrap().parcels, []);
    // Each list has its own.
    forget(&sealed, &letters).await;
    assert_eq!(on_its_way(&sealed, Way::DeadLetters).await, letters);
    forget(&sealed, &rest).await;
    assert_eq!(on_its_way(&sealed, Way::Pool).await.parcels, []);
    assert_eq!(queue.data().unfinished(9).await.unwrap(), [sealed.name], "for its dead letters");
}

async fn a_later_carrier_brings_nothing_back(queue: &Queue) {
    let target = queue.other("p", "there", 7).await;
    queue.post((1..=4).map(message), START).await;
    adopt(&target, &seal(queue, START).await, START).await;
    let source = queue.sealed();
    send_off(&source, 2, START).await;
    let early = on_its_way(&source, Way::Pool).await;
    import(&target, &early, START).await;
    assert_eq!(target.delete(3, None, START).await, Deletion::Deleted);
    import(&target, &early, at(1)).await;
    assert_eq!(target.all(at(1)).await, [4]);
    send_off(&source, 2, START).await;
    let all = on_its_way(&source, Way::Pool).await;
    assert_eq!(all.parcels.len(), 4);
    import(&target, &all, at(1)).await;
    assert_eq!(target.all(at(1)).await, [1, 2, 4]);
    assert_eq!(numbers(&target.pop(9, at(1)).await.messages), [1, 2, 4]);
    import(&target, &early, at(2)).await;
    import(&target, &all, at(2)).await;
    assert_eq!(target.all(at(2)).await, [0; 0]);
}

async fn receipts_go_with_the_queue(queue: &Queue) {
    let (from, there) = (queue.other("p", "from", 7).await, queue.other("p", "there", 7).await);
    from.post([message(1), message(2), message(3)], START).await;
    from.claim(&counting(1, 9, 0), START).await;
    let Outgoing { line, parcels } = on_its_way(&from, Way::DeadLetters).await;
    let two = Outgoing { line, parcels: parcels[..2].to_vec() };
    import(queue, &two, at(5)).await;
    queue.pop(2, at(5)).await;
    let ledger = seal(queue, at(6)).await;
    let number = |n: usize| parcels[n].number;
    assert_eq!(ledger.received, [Receipt { line, number: number(1), at: at(5) }]);
    assert_eq!(ledger.last, Position(at(5).micros() + 1));
    adopt(&there, &ledger, at(6)).await;
    import(&there, &Outgoing { line, parcels: parcels.clone() }, at(7)).await;
    assert_eq!(there.all(at(7)).await, [3], "the others were delivered before the move");
    assert_eq!(seal(&there, at(7)).await.received, [Receipt { line, number: number(2), at: at(7) }]);
}

async fn receipts_of_silent_lines_give_way(queue: &Queue) {
    let one = |number| vec![parcel(1, number, Landing::Delayed(at(900)))];
    let lines = [1, 2, 3].map(|n| Line(Uuid::from_u128(n)));
    let day = SILENT;
    for (line, seconds) in [(0, 0), (1, 10), (0, 20), (2, day + 10)] {
        let away = Outgoing { line: lines[line], parcels: one(i64::try_from(seconds).unwrap() + 1) };
        import(queue, &away, at(seconds)).await;
    }
    let mut left = seal(queue, at(day + 10)).await.received;
    left.sort_by_key(|receipt| receipt.line);
    let number = i64::try_from(day).unwrap() + 11;
    assert_eq!(
        left,
        [
            Receipt { line: lines[0], number: 21, at: at(20) },
            Receipt { line: lines[2], number, at: at(day + 10) }
        ]
    );
}

async fn a_sealed_queue_answers_to_its_sealed_epoch_alone(queue: &Queue) {
    queue.post((1..=6).map(message), START).await;
    queue.claim(&request(1, 2), START).await;
    seal(queue, at(1)).await;
    assert_gone(queue, 7).await;
    assert!(matches!(queue.data().open(&queue.name, at(1)).await, Err(Error::Gone)));
    assert!(matches!(queue.data().adopt(&queue.name, &Ledger::default(), at(1)).await, Err(Error::Gone)));
    let sealed = queue.sealed();
    assert_eq!(sealed.all(at(1)).await, [1, 2, 3, 4, 5, 6]);
    assert_eq!(sealed.ready(at(1)).await, [3, 4, 5, 6]);
    assert_eq!(numbers(&sealed.get([1, 5], at(1)).await), [1, 5]);
    assert_eq!(sealed.counts(at(1)).await, (4, 2));
    assert_eq!(sealed.held(1, at(1)).await, Some(vec![1, 2]));
    assert!(sealed.renew(1, (100, 0), at(1)).await);
    assert_eq!(sealed.delete(1, Some(1), at(2)).await, Deletion::Deleted);
    assert_eq!(numbers(&sealed.claim(&request(2, 1), at(2)).await.messages), [3]);
    sealed.release(1, at(3)).await;
    assert_eq!(numbers(&sealed.pop(1, at(3)).await.messages), [2]);
    assert_eq!(sealed.delete_many([4, 1], None, at(3)).await, Ok(1));
    assert!(sealed.locate(5, at(3)).await.is_some());
    assert_eq!(sealed.purge(at(3)).await, (2, false));
    assert_eq!(sealed.all(at(3)).await, [3]);
    assert_eq!(queue.data().opened(None, 9).await.unwrap(), [sealed.name]);
}

async fn sealing_again_answers_the_same(queue: &Queue) {
    queue.post([message(1), message(2)], START).await;
    let ledger = seal(queue, at(1)).await;
    assert_eq!(ledger, Ledger { last: Position(START.micros() + 1), received: vec![] });
    assert_eq!(seal(queue, at(2)).await, ledger);
    send_off(&queue.sealed(), 9, at(2)).await;
    assert_eq!(seal(queue, at(3)).await, ledger, "also when its messages have left");
    assert_eq!(sent(&queue.sealed()).await, [2, 1]);
    let never = queue_ref("p", "never", 7);
    assert!(matches!(queue.data().seal(&never, START).await, Err(Error::Gone)));
}

/// A queue that is made anew does not wait for the remains of its last life, and nobody who is late drops what is not
/// meant.
async fn sealed_data_is_of_the_same_life(queue: &Queue) {
    queue.post([message(1)], START).await;
    queue.data().drop_queue(&queue.sealed().name).await.unwrap();
    assert_eq!(queue.all(START).await, [1], "the data that came back is not the sealed one");
    seal(queue, START).await;
    let sealed = queue.sealed();
    queue.data().drop_queue(&queue.name).await.unwrap();
    queue.data().drop_queue(&queue_ref("p", "q", 6)).await.unwrap();
    assert_eq!(sealed.all(START).await, [1]);
    assert!(matches!(queue.data().open(&queue_ref("p", "q", 6), START).await, Err(Error::Gone)));
    let newer = queue.other("p", "q", 8).await;
    assert_eq!(newer.all(START).await, [0; 0]);
    newer.post([message(2)], START).await;
    queue.data().drop_queue(&sealed.name).await.unwrap();
    assert_eq!(newer.all(START).await, [2]);
    seal(&newer, START).await;
    queue.data().drop_queue(&queue_ref("p", "q", 9)).await.unwrap();
    assert_gone(queue, newer.sealed().name.epoch.0).await;
    // The sealed epoch names its own data.
    let last = queue.other("p", "q", 10).await;
    seal(&last, START).await;
    queue.data().drop_queue(&last.sealed().name).await.unwrap();
    assert_gone(queue, last.sealed().name.epoch.0).await;
    queue.data().open(&last.name, START).await.unwrap();
}

async fn adopting_again_forgets_nothing(queue: &Queue) {
    let receipt = |n, number, seconds| Receipt { line: Line(Uuid::from_u128(n)), number, at: at(seconds) };
    let ahead =
        Ledger { last: Position(at(100).micros()), received: vec![receipt(1, 5, 1), receipt(2, 9, 2)] };
    let target = Queue { store: queue.store.clone(), name: queue_ref("p", "new", 7) };
    adopt(&target, &ahead, START).await;
    target.post([message(1)], START).await;
    assert_eq!(target.locate(1, START).await, Some(Cursor::After(Position(at(100).micros() + 1))));
    let behind =
        Ledger { last: Position(at(50).micros()), received: vec![receipt(2, 4, 3), receipt(3, 1, 1)] };
    adopt(&target, &behind, START).await;
    adopt(&target, &ahead, START).await;
    target.post([message(2)], START).await;
    assert_eq!(target.locate(2, START).await, Some(Cursor::After(Position(at(100).micros() + 2))));
    let mut known = seal(&target, START).await;
    known.received.sort_by_key(|receipt| receipt.line);
    assert_eq!(known.received, [receipt(1, 5, 1), receipt(2, 9, 3), receipt(3, 1, 1)]);
    // An older life makes room.
    queue.post([message(3)], START).await;
    let newer = Queue { store: queue.store.clone(), name: queue_ref("p", "q", 8) };
    adopt(&newer, &ahead, START).await;
    assert_eq!(newer.all(START).await, [0; 0]);
}

async fn what_goes_first_and_how_much(queue: &Queue) {
    queue.post([message(1), message(2), message(3), delayed(4, 90), delayed(5, 30)], START).await;
    queue.post([message(6), message(7), delayed(8, 30)], START).await;
    // 1 is held until 60, 2 until 20.
    queue.claim(&request(1, 1), START).await;
    queue.claim(&ClaimRequest { ttl: 20, ..request(2, 1) }, START).await;
    queue.claim(&request(3, 1), START).await;
    queue.release(3, START).await;
    seal(queue, at(10)).await;
    let source = queue.sealed();
    assert_eq!(send_off(&source, 0, at(10)).await, SentOff { sent: 0, left: 8 });
    assert_eq!(send_off(&source, 2, at(10)).await, SentOff { sent: 2, left: 6 });
    let mut soon = [5, 8];
    soon.sort_by_key(|n| id(*n));
    assert_eq!(sent(&source).await, soon);
    assert_eq!(send_off(&source, 3, at(20)).await, SentOff { sent: 3, left: 3 });
    assert_eq!(sent(&source).await[2..], [4, 7, 6]);
    assert_eq!(source.ready(at(20)).await, [2, 3], "the claim on 2 has ended, and the oldest are left");
    assert_eq!(send_off(&source, 9, at(20)).await, SentOff { sent: 3, left: 0 });
    assert_eq!(sent(&source).await[5..], [3, 2, 1]);
    assert_eq!(send_off(&source, 9, at(20)).await, SentOff { sent: 0, left: 0 });
    assert_eq!(source.all(at(20)).await, [0; 0]);
    assert_eq!(source.held(1, at(20)).await, None);
    assert_eq!(source.counts(at(20)).await, (0, 0));
    source.sweep(at(9_000)).await;
    assert_eq!(sent(&source).await.len(), 8, "what is on its way stays until it is forgotten");
}

async fn expired_messages_are_not_sent_off(queue: &Queue) {
    queue
        .post([short(1, 10), message(2), NewMessage { ttl: 10, ..delayed(3, 5) }, short(4, 10)], START)
        .await;
    queue.post([short(5, 12)], START).await;
    queue.claim(&ClaimRequest { ttl: 3, grace: 0, ..request(1, 1) }, START).await;
    seal(queue, at(1)).await;
    let source = queue.sealed();
    for _ in 0..CALLS {
        if send_off(&source, 2, at(10)).await.left == 0 {
            assert_eq!(sent(&source).await, [5, 2]);
            return;
        }
    }
    panic!("sending off does not end");
}

async fn nothing_ripens_in_a_sealed_queue(queue: &Queue) {
    queue.post([message(1), delayed(2, 10), delayed(3, 20)], START).await;
    seal(queue, START).await;
    let source = queue.sealed();
    for now in [at(10), at(30)] {
        assert_eq!(source.ready(now).await, [1]);
        assert_eq!(source.counts(now).await, (3, 0));
        assert_eq!(numbers(&source.get([2, 3], now).await), [2, 3]);
        source.sweep(now).await;
    }
    assert_eq!(source.locate(2, at(30)).await, Some(Cursor::AfterDelayed(at(10), id(2))));
    let won = source.claim(&request(1, 9), at(30)).await;
    assert_eq!((numbers(&won.messages), won.more), (vec![1], false));
    let popped = source.pop(9, at(30)).await;
    assert_eq!((popped.messages, popped.more), (vec![], false));
    source.release(1, at(30)).await;
    assert_eq!(numbers(&source.pop(9, at(30)).await.messages), [1]);
    send_off(&source, 9, at(30)).await;
    let away = on_its_way(&source, Way::Pool).await;
    assert_eq!(away.parcels[0].landing, Landing::Delayed(at(10)));
    let target = queue.other("p", "there", 7).await;
    import(&target, &away, at(30)).await;
    assert_eq!(target.ready(at(30)).await, [2, 3], "but where they come to");
}

async fn landings_are_kept(queue: &Queue) {
    let now = at(50);
    let held = |n, position: i64, ends| Landing::Held {
        position: Position(position),
        claim: claim_id(n),
        ttl: 77,
        ends: at(ends),
    };
    let landings = [
        (4, Landing::Delayed(at(60))),
        (2, Landing::Ready(Position(2_000))),
        (5, Landing::Ready(Position(at(200).micros()))),
        (1, held(1, 1_000, 70)),
        (3, held(1, 3_000, 70)),
        (6, held(2, 500, 40)),
    ];
    take_in(queue, &landings, now).await;
    assert_eq!(queue.all(now).await, [6, 1, 2, 3, 5, 4]);
    assert_eq!(queue.ready(now).await, [6, 2, 5], "a claim that has ended holds nothing");
    let (claim, messages) = queue.data().claimed(&queue.name, claim_id(1), now).await.unwrap().unwrap();
    assert_eq!(claim, Claim { id: claim_id(1), ttl: 77, expires: at(70) });
    assert_eq!(numbers(&messages), [1, 3]);
    let cursors: Vec<_> =
        queue.listed(&everything(), now).await.iter().map(|message| message.cursor).collect();
    let at_position = |position| Cursor::After(Position(position));
    let expected = [500, 1_000, 2_000, 3_000, at(200).micros()].map(at_position);
    assert_eq!(cursors[..5], expected);
    assert_eq!(cursors[5], Cursor::AfterDelayed(at(60), id(4)));
    let counts: Vec<_> = queue.get([1, 2, 6], now).await.iter().map(|message| message.claim_count).collect();
    assert_eq!(counts, [3, 3, 3]);
    assert_eq!(queue.one(2, now).await.ttl, 3600);
    // What comes next stands behind all of them.
    queue.post([message(7)], now).await;
    assert_eq!(queue.locate(7, now).await, Some(at_position(at(200).micros() + 1)));
    assert_eq!(queue.ready(at(60)).await, [6, 2, 5, 7, 4]);
    assert_eq!(queue.ready(at(70)).await, [6, 1, 2, 3, 5, 7, 4]);
    assert_eq!(queue.counts(at(70)).await, (7, 0));
}

async fn a_taken_position_gives_way(queue: &Queue) {
    queue.post([message(1), message(2), message(3)], START).await;
    queue.claim(&request(1, 1), START).await;
    let first = Position(START.micros());
    let held = Landing::Held { position: first, claim: claim_id(2), ttl: 9, ends: at(9) };
    take_in(queue, &[(4, Landing::Ready(first)), (5, held), (6, Landing::Ready(Position(7)))], START).await;
    assert_eq!(queue.all(START).await, [6, 1, 2, 3, 4, 5]);
    assert_eq!(queue.locate(4, START).await, Some(Cursor::After(Position(START.micros() + 3))));
    assert_eq!(queue.held(2, START).await, Some(vec![5]));
    queue.post([message(7)], START).await;
    assert_eq!(queue.all(START).await, [6, 1, 2, 3, 4, 5, 7]);
    assert_eq!(numbers(&queue.pop(9, at(9)).await.messages), [6, 2, 3, 4, 5, 7]);
}

async fn a_claim_that_is_there_keeps_the_later_end(queue: &Queue) {
    queue.post((1..=4).map(message), START).await;
    // Both until 60.
    queue.claim(&request(1, 2), START).await;
    queue.claim(&request(2, 2), START).await;
    let held = |n, position: i64, ttl, ends| Landing::Held {
        position: Position(position),
        claim: claim_id(n),
        ttl,
        ends: at(ends),
    };
    take_in(queue, &[(5, held(1, 10, 40, 40)), (6, held(2, 20, 90, 90)), (7, held(3, 30, 5, 50))], at(10))
        .await;
    let expected = [(1, 60, at(60), vec![5, 1, 2]), (2, 90, at(90), vec![6, 3, 4]), (3, 5, at(50), vec![7])];
    for (n, ttl, expires, holds) in expected {
        let (claim, messages) =
            queue.data().claimed(&queue.name, claim_id(n), at(10)).await.unwrap().unwrap();
        assert_eq!((claim.ttl, claim.expires, numbers(&messages)), (ttl, expires, holds), "claim {n}");
    }
    assert_eq!(queue.ready(at(50)).await, [7]);
    assert_eq!(queue.ready(at(60)).await, [5, 7, 1, 2]);
    assert_eq!(queue.ready(at(90)).await, [5, 6, 7, 1, 2, 3, 4]);
    queue.sweep(at(90)).await;
    assert_eq!(queue.counts(at(90)).await, (7, 0));
}

async fn nothing_is_taken_in_that_has_expired(queue: &Queue) {
    let away = |expires, number| Parcel { expires, ..parcel(1, number, Landing::Ready(Position(5))) };
    let line = Line(Uuid::from_u128(1));
    import(queue, &Outgoing { line, parcels: vec![away(at(10), 1)] }, at(10)).await;
    assert_eq!(queue.all(at(10)).await, [0; 0]);
    // It was received all the same.
    import(queue, &Outgoing { line, parcels: vec![away(at(99), 1)] }, at(10)).await;
    assert_eq!(queue.all(at(10)).await, [0; 0]);
    import(queue, &Outgoing { line, parcels: vec![away(at(99), 2)] }, at(10)).await;
    assert_eq!(queue.all(at(10)).await, [1]);
}

/// All that a queue says of itself, its sealed data too.
#[derive(Debug, PartialEq)]
struct Face(Vec<Message>, Stats, Vec<Option<(Claim, Vec<Message>)>>);

async fn face(queue: &Queue, claims: u32, now: Timestamp) -> Face {
    let mut held = Vec::new();
    for n in 0..claims {
        held.push(queue.data().claimed(&queue.name, claim_id(n), now).await.unwrap());
    }
    Face(queue.listed(&everything(), now).await, queue.stats(now).await, held)
}

/// Two thousand messages of all kinds go to another store and back, and nothing is different.
async fn a_hand_over_keeps_everything(queue: &Queue) {
    const CLAIMS: u32 = 40;
    let elsewhere = Queue { store: std::sync::Arc::new(memory().await), name: queue.name.clone() };
    for batch in 0..20 {
        let new = (0..100).map(|n| {
            let n = batch * 100 + n;
            NewMessage {
                ttl: 300 + u64::from(n % 7) * 60,
                delay: if n % 10 == 3 { 200 + u64::from(n % 50) } else { 0 },
                client: client(["a", "b", "c"][n as usize % 3]),
                checksum: (n % 2 == 0).then(|| u128::from(n).to_be_bytes()),
                body: Bytes::from(vec![b'x'; n as usize % 300]),
                ..message(n)
            }
        });
        queue.post(new, at(u64::from(batch))).await;
        let counted = ClaimRequest { ttl: 150 + u64::from(batch), ..counting(batch, 9, 9) };
        queue.claim(&counted, at(u64::from(batch))).await;
        queue.claim(&ClaimRequest { ttl: 20, ..counting(batch + 20, 7, 9) }, at(u64::from(batch))).await;
    }
    queue.release(3, at(30)).await;
    let now = at(100);
    queue.sweep(now).await;
    let before = face(queue, CLAIMS, now).await;
    assert_eq!(before.0.len(), 2_000);
    assert_eq!(before.1.claimed, 9 * 19, "the short claims have ended, one was released");
    assert!(before.0.iter().any(|message| message.claim_count == 1 && message.claim.is_none()));
    hand_over(queue, &elsewhere, 100, now).await;
    assert_eq!(face(&elsewhere, CLAIMS, now).await, before);
    assert_gone(queue, 7).await;
    assert_gone(queue, queue.sealed().name.epoch.0).await;
    hand_over(&elsewhere, queue, 333, now).await;
    assert_eq!(face(queue, CLAIMS, now).await, before);
    // Time goes on as if nothing had been.
    assert_eq!(queue.ready(at(290)).await.len(), 2_000, "all claims and delays have ended");
    queue.sweep(at(9_000)).await;
    assert_eq!(queue.data().volume().await.unwrap(), (0, 0));
}
