//! Thinks up operations, and lets time pass.

use std::collections::VecDeque;
use std::fmt::Write as _;

use zaqar::clock::Timestamp;

use super::operation::{Claim, List, Number, Operation, Post, Told};
use super::pair::{QUEUES, target};
use super::random::Random;
use crate::contract::fixture::{START, queue_ref};

/// How many operations a failure shows.
const SHOWN: usize = 60;

/// The clients that post and read.
const CLIENTS: [&str; 3] = ["a", "b", "3381af92-2b9e-11e3-b191-71861300734c"];

/// A source of operations that mean something: most name messages and claims that exist.
pub(super) struct Script {
    random: Random,
    now: Timestamp,
    queues: [Known; QUEUES.len()],
    /// The queue of the operation that is being made.
    queue: usize,
    messages: Number,
    claims: Number,
    subscriptions: Number,
    /// Moments at which something ends or falls due.
    deadlines: Vec<Timestamp>,
    told: VecDeque<Told>,
    /// Whether messages leave queues for others.
    hand_overs: bool,
}

/// What the script knows of a queue.
#[derive(Default)]
struct Known {
    /// The latest epoch at which it was opened.
    epoch: i64,
    open: bool,
    messages: VecDeque<Number>,
    claims: VecDeque<Number>,
    subscriptions: VecDeque<Number>,
}

impl Script {
    pub(super) fn new(random: Random) -> Self {
        Self {
            random,
            now: START,
            queues: Default::default(),
            queue: 0,
            messages: 0,
            claims: 0,
            subscriptions: 0,
            deadlines: Vec::new(),
            told: VecDeque::new(),
            hand_overs: true,
        }
    }

    /// The same without messages that leave a queue for another.
    pub(super) fn without_hand_overs(random: Random) -> Self {
        Self { hand_overs: false, ..Self::new(random) }
    }

    /// The next operation, perhaps at a later time.
    pub(super) fn next(&mut self) -> Told {
        if self.random.chance(15) {
            self.pass_time();
        }
        self.queue = self.random.index(QUEUES.len());
        let known = &self.queues[self.queue];
        let told = if (known.open || self.random.chance(30)) && !self.random.chance(1) {
            // Most calls know the queue's epoch; some come late, some are ahead.
            let ahead = if self.random.chance(3) { self.random.pick(&[-1, 1]).unwrap_or(0) } else { 0 };
            Told { now: self.now, queue: self.queue, epoch: known.epoch + ahead, operation: self.operation() }
        } else {
            self.open()
        };
        self.note_end(&told);
        self.told.push_front(told.clone());
        self.told.truncate(SHOWN * QUEUES.len());
        told
    }

    /// Notes what the operation ends: a queue is dropped or goes on as another.
    fn note_end(&mut self, told: &Told) {
        let known = &mut self.queues[told.queue];
        match &told.operation {
            Operation::Drop if told.epoch >= known.epoch => known.open = false,
            Operation::Move { to, .. } if known.open && told.epoch == known.epoch => {
                let moved = std::mem::take(known);
                known.epoch = moved.epoch;
                let is_target = |(project, name): &(&str, &str)| *to == queue_ref(project, name, to.epoch.0);
                if let Some(target) = QUEUES.iter().position(is_target) {
                    self.queues[target] = Known { epoch: to.epoch.0, ..moved };
                }
            }
            _ => {}
        }
    }

    /// Opens the queue at a new epoch, or again, or at an old one.
    fn open(&mut self) -> Told {
        let known = &mut self.queues[self.queue];
        let epoch = known.epoch + self.random.pick(&[-1, 0, 1, 1, 1, 2]).unwrap_or(0);
        if epoch >= known.epoch {
            known.epoch = epoch;
            known.open = true;
        }
        Told { now: self.now, queue: self.queue, epoch, operation: Operation::Open }
    }

    /// What the queue of the last operation was told of late, the last first.
    pub(super) fn told(&self) -> String {
        let touched = |told: &&Told| {
            let others = matches!(
                told.operation,
                Operation::Sweep(_) | Operation::HandOver { .. } | Operation::Move { .. }
            );
            told.queue == self.queue || others
        };
        self.told.iter().filter(touched).take(SHOWN).fold(String::new(), |mut text, told| {
            let at = told.now.micros() - START.micros();
            let (name, epoch) = (QUEUES[told.queue], told.epoch);
            let _ = writeln!(text, "{at:>12} µs {name:?} epoch {epoch}: {:?}", told.operation);
            text
        })
    }

    fn operation(&mut self) -> Operation {
        if self.random.chance(12) {
            return self.subscription_operation();
        }
        match self.random.below(100) {
            0..=23 => Operation::Post(self.posts()),
            24..=40 => Operation::List(self.list()),
            41..=43 => Operation::Locate(self.message()),
            44..=47 => Operation::Get(self.messages(6)),
            48..=54 => Operation::Delete(self.message(), self.perhaps_claim()),
            55..=59 => Operation::DeleteMany(self.messages(3), self.perhaps_claims()),
            60..=62 => Operation::Pop(1 + self.random.index(4)),
            63..=66 => Operation::Stats,
            67..=80 => Operation::Claim(self.claim()),
            81..=83 => Operation::Claimed(self.known_claim()),
            84..=87 => {
                let (ttl, grace) = (self.seconds(30), self.random.below(6));
                Operation::Renew { claim: self.known_claim(), ttl, grace }
            }
            88..=90 => Operation::Release(self.known_claim()),
            91 if self.hand_overs => Operation::Outgoing,
            92..=94 if self.hand_overs => {
                let (limit, forget) = (1 + self.random.index(5), self.random.chance(70));
                Operation::HandOver { limit, forget, epoch: self.queues[target(self.queue)].epoch }
            }
            95..=97 => Operation::Sweep(1 + self.random.index(20)),
            _ if self.random.chance(50) => Operation::Purge,
            _ if self.random.chance(30) => Operation::Drop,
            _ if self.hand_overs && self.random.chance(40) => self.move_away(),
            _ => Operation::Stats,
        }
    }

    fn subscription_operation(&mut self) -> Operation {
        match self.random.below(20) {
            0..=8 => Operation::Subscribe {
                subscription: self.new_subscription(),
                subscriber: self.subscriber(),
                ttl: self.seconds(40),
            },
            9..=11 => {
                let after = self.random.chance(60).then(|| self.subscription());
                Operation::Subscriptions { after, limit: self.random.index(6) }
            }
            12 => Operation::Subscription(self.subscription()),
            13 => Operation::Subscribed(self.subscriber()),
            14..=15 => Operation::Unsubscribe(self.subscription()),
            16..=18 => {
                let count = self.random.index(5);
                let some = (0..count).map(|_| self.subscription()).collect();
                Operation::Extend(some, self.seconds(40))
            }
            _ => Operation::PurgeSubscriptions,
        }
    }

    fn new_subscription(&mut self) -> Number {
        if self.random.chance(20) {
            return self.subscription();
        }
        self.subscriptions += 1;
        remember(&mut self.queues[self.queue].subscriptions, self.subscriptions, 12);
        self.subscriptions
    }

    /// A subscription that was made of late, as likely as not still there.
    fn subscription(&mut self) -> Number {
        let n = self.random.index(12);
        let known = self.named();
        known.subscriptions.get(n % known.subscriptions.len().max(1)).copied().unwrap_or(0)
    }

    /// One of a few.
    fn subscriber(&mut self) -> Number {
        self.random.pick(&[0, 1, 2, 3, 4, 5, 6, 7]).unwrap_or(0)
    }

    /// Into another queue, at a new epoch.
    fn move_away(&mut self) -> Operation {
        let target = (self.queue + 1 + self.random.index(QUEUES.len() - 1)) % QUEUES.len();
        let (project, name) = QUEUES[target];
        let to = queue_ref(project, name, self.queues[target].epoch + 1);
        Operation::Move { to, limit: 1 + self.random.index(8) }
    }

    /// Lets some time pass: a little, or just until something happens, or long.
    fn pass_time(&mut self) {
        self.deadlines.retain(|deadline| *deadline > self.now);
        let deadlines = [(); 3].map(|()| self.random.pick(&self.deadlines).unwrap_or(self.now));
        let deadline = deadlines.into_iter().min().unwrap_or(self.now);
        self.now = match self.random.below(80) {
            0..=49 => self.now.plus_seconds(self.random.below(3)),
            50..=66 => deadline,
            67..=78 => Timestamp::from_micros(deadline.micros() - 1).max(self.now),
            _ => self.now.plus_seconds(self.random.below(60)),
        };
    }

    /// Seconds up to `most` from now on, at the end of which something will happen.
    fn seconds(&mut self, most: u64) -> u64 {
        let seconds = 1 + self.random.below(most);
        self.deadlines.push(self.now.plus_seconds(seconds));
        seconds
    }

    fn posts(&mut self) -> Vec<Post> {
        let count = 1 + self.random.index(6);
        (0..count).map(|_| self.post()).collect()
    }

    fn post(&mut self) -> Post {
        let message = if self.random.chance(8) {
            self.message()
        } else {
            self.messages += 1;
            self.messages
        };
        remember(&mut self.queues[self.queue].messages, message, 30);
        let ttl = if self.random.chance(40) { self.seconds(20) } else { 100 + self.seconds(50) };
        let delay = if self.random.chance(25) { self.seconds(15) } else { 0 };
        Post { message, ttl, delay, client: CLIENTS[self.random.index(CLIENTS.len())] }
    }

    /// The queue of which something is named: seldom another one than the call is about.
    fn named(&mut self) -> &Known {
        let n = if self.random.chance(5) { self.random.index(QUEUES.len()) } else { self.queue };
        &self.queues[n]
    }

    /// A message that was posted of late, as likely as not still there.
    fn message(&mut self) -> Number {
        let n = self.random.index(30);
        let known = self.named();
        known.messages.get(n % known.messages.len().max(1)).copied().unwrap_or(0)
    }

    fn messages(&mut self, most: usize) -> Vec<Number> {
        let count = 1 + self.random.index(most);
        (0..count).map(|_| self.message()).collect()
    }

    /// A claim that was made of late.
    fn known_claim(&mut self) -> Number {
        let n = self.random.index(5);
        let known = self.named();
        known.claims.get(n % known.claims.len().max(1)).copied().unwrap_or(0)
    }

    fn perhaps_claim(&mut self) -> Option<Number> {
        self.random.chance(60).then(|| self.known_claim())
    }

    fn perhaps_claims(&mut self) -> Option<Vec<Number>> {
        self.random.chance(50).then(|| {
            let count = self.random.index(10);
            (0..count).map(|_| self.known_claim()).collect()
        })
    }

    fn list(&mut self) -> List {
        List {
            after: self.random.chance(60).then(|| self.random.index(1_000)),
            limit: 1 + self.random.index(12),
            without: self.random.chance(40).then(|| CLIENTS[self.random.index(CLIENTS.len())]),
            claimed: self.random.chance(40),
            delayed: self.random.chance(40),
        }
    }

    fn claim(&mut self) -> Claim {
        let number = if self.random.chance(15) {
            self.known_claim()
        } else {
            self.claims += 1;
            self.claims
        };
        remember(&mut self.queues[self.queue].claims, number, 5);
        let dead_ttl = if self.random.chance(50) { Some(self.seconds(30)) } else { None };
        let max_claims = i64::try_from(self.random.below(5)).unwrap_or(0);
        let counted = self.hand_overs && target(self.queue) != self.queue && self.random.chance(80);
        Claim {
            number,
            ttl: self.seconds(40),
            grace: self.random.below(6),
            limit: 1 + self.random.index(5),
            dead: counted.then_some((max_claims - i64::from(self.random.chance(10)), dead_ttl)),
        }
    }
}

fn remember(numbers: &mut VecDeque<Number>, number: Number, most: usize) {
    numbers.push_front(number);
    numbers.truncate(most);
}
