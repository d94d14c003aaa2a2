//! The rules of one connection, without I/O: what may be read, what may begin, in which order, and when it ends.
//!
//! ```text
//! frames → arrive → waiting → next → carried out elsewhere → finished
//! ```
//!
//! * Requests without an `id` are carried out one after the other, in the order in which they came.
//! * Requests with an `id` begin as soon as there is room, and are answered as they finish.
//! * `authenticate` is a barrier: it begins when all that came before it has begun and nothing in order runs, and
//!   nothing that came after it begins before its end. So clients may send the next request at once.
//! * At most so many requests run or wait. One more is read and waits behind them, for only who reads sees that a client
//!   has gone; then nothing more is read.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::{Duration, Instant};

use crate::auth::{Identity, Proven};
use crate::clock::Timestamp;

/// How a request stands to the others of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// After those that came before it.
    Ordered,
    /// Beside all others.
    Free,
    /// Between what came before it and what came after it.
    Barrier,
}

/// One connection's state. `T` is a request.
#[derive(Debug)]
pub(super) struct Session<T> {
    in_flight: usize,
    rate: Option<Rate>,
    waiting: VecDeque<(Turn, T)>,
    /// Whether a request in order runs.
    ordered: bool,
    /// Whether an `authenticate` runs.
    authenticating: bool,
    /// Requests beside the others that run.
    free: usize,
    proven: Option<Proven>,
    draining: bool,
}

impl<T> Session<T> {
    /// A connection of somebody, or of nobody yet.
    pub(super) fn new(in_flight: usize, rate: Option<u32>, proven: Option<Proven>) -> Self {
        Self {
            in_flight,
            rate: rate.map(Rate::new),
            waiting: VecDeque::new(),
            ordered: false,
            authenticating: false,
            free: 0,
            proven,
            draining: false,
        }
    }

    /// Whether another request may be read.
    pub(super) fn wants_more(&self) -> bool {
        !self.draining && self.waiting.len() + self.running() <= self.in_flight
    }

    /// Whether a request that comes now is within the rate.
    pub(super) fn keeps_rate(&mut self, now: Instant) -> bool {
        self.rate.as_mut().is_none_or(|rate| rate.take(now))
    }

    /// A request came.
    pub(super) fn arrive(&mut self, turn: Turn, request: T) {
        self.waiting.push_back((turn, request));
    }

    /// The next request that may begin; it runs from now on.
    pub(super) fn next(&mut self) -> Option<(Turn, T)> {
        let full = self.authenticating || self.running() >= self.in_flight;
        let begins = if full { None } else { self.ready() };
        let (turn, request) = self.waiting.remove(begins?)?;
        match turn {
            Turn::Ordered => self.ordered = true,
            Turn::Free => self.free += 1,
            Turn::Barrier => self.authenticating = true,
        }
        Some((turn, request))
    }

    /// The place of the first that may begin.
    fn ready(&self) -> Option<usize> {
        for (place, (turn, _)) in self.waiting.iter().enumerate() {
            match turn {
                Turn::Barrier => return (place == 0 && !self.ordered).then_some(0),
                Turn::Free => return Some(place),
                Turn::Ordered if !self.ordered => return Some(place),
                Turn::Ordered => {}
            }
        }
        None
    }

    /// A request that had begun has its answer.
    pub(super) fn finished(&mut self, turn: Turn) {
        match turn {
            Turn::Ordered => self.ordered = false,
            Turn::Free => self.free -= 1,
            Turn::Barrier => self.authenticating = false,
        }
    }

    /// Who the client is from now on, in place of whoever it was.
    pub(super) fn authenticated(&mut self, proven: Proven) {
        self.proven = Some(proven);
    }

    /// Who the client proved to be.
    pub(super) fn who(&self) -> Option<&Arc<Identity>> {
        self.proven.as_ref().map(|proven| &proven.identity)
    }

    /// When that ends.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.proven.as_ref()?.expires
    }

    /// Whether it has ended. Then the client is nobody, and its connection is to be closed.
    pub(super) fn expire(&mut self, now: Timestamp) -> bool {
        let expired = self.expires().is_some_and(|end| now >= end);
        if expired {
            self.proven = None;
        }
        expired
    }

    /// Nothing more is read; what was read is carried out.
    pub(super) fn drain(&mut self) {
        self.draining = true;
    }

    /// Whether no request runs or waits.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.running() == 0
    }

    fn running(&self) -> usize {
        self.free + usize::from(self.ordered) + usize::from(self.authenticating)
    }
}

/// So many requests in each second.
#[derive(Debug)]
struct Rate {
    limit: u32,
    left: u32,
    until: Option<Instant>,
}

impl Rate {
    fn new(limit: u32) -> Self {
        Self { limit, left: limit, until: None }
    }

    fn take(&mut self, now: Instant) -> bool {
        if self.until.is_none_or(|until| now >= until) {
            (self.left, self.until) = (self.limit, Some(now + Duration::from_secs(1)));
        }
        let kept = self.left > 0;
        self.left = self.left.saturating_sub(1);
        kept
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn session() -> Session<u32> {
        Session::new(16, None, None)
    }

    fn begun(session: &mut Session<u32>) -> Vec<u32> {
        std::iter::from_fn(|| session.next()).map(|(_, request)| request).collect()
    }

    #[test]
    fn requests_without_an_id_run_one_at_a_time() {
        let mut session = session();
        (1..=3).for_each(|request| session.arrive(Turn::Ordered, request));
        for request in 1..=3 {
            assert_eq!(begun(&mut session), [request]);
            session.finished(Turn::Ordered);
        }
        assert!(session.is_idle());
    }

    #[test]
    fn requests_with_an_id_overtake() {
        let mut session = session();
        session.arrive(Turn::Ordered, 1);
        session.arrive(Turn::Ordered, 2);
        session.arrive(Turn::Free, 3);
        session.arrive(Turn::Free, 4);
        assert_eq!(begun(&mut session), [1, 3, 4]);
        session.finished(Turn::Free);
        assert_eq!(begun(&mut session), [0_u32; 0]);
        session.finished(Turn::Ordered);
        assert_eq!(begun(&mut session), [2]);
    }

    #[test]
    fn nothing_passes_an_authentication() {
        let mut session = session();
        session.arrive(Turn::Ordered, 1);
        session.arrive(Turn::Ordered, 2);
        session.arrive(Turn::Barrier, 3);
        session.arrive(Turn::Free, 4);
        session.arrive(Turn::Ordered, 5);
        assert_eq!(begun(&mut session), [1]);
        session.finished(Turn::Ordered);
        assert_eq!(begun(&mut session), [2]);
        session.finished(Turn::Ordered);
        assert_eq!(begun(&mut session), [3]);
        session.finished(Turn::Barrier);
        assert_eq!(begun(&mut session), [4, 5]);
    }

    #[test]
    fn an_identity_counts_until_its_end_or_the_next() {
        let mut session = session();
        let until = |seconds: i64| Proven {
            identity: Arc::default(),
            expires: Some(Timestamp::from_micros(seconds * 1_000_000)),
        };
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        assert!(!session.expire(at(100)), "nobody does not expire");
        session.authenticated(until(10));
        session.authenticated(until(20));
        assert!(!session.expire(at(10)) && session.who().is_some());
        assert!(session.expire(at(20)) && session.who().is_none());
        assert!(!session.expire(at(30)), "once");
    }

    #[test]
    fn a_rate_counts_by_the_second() {
        let mut session: Session<u32> = Session::new(16, Some(2), None);
        let start = Instant::now();
        let mut ask = |millis| session.keeps_rate(start + Duration::from_millis(millis));
        assert_eq!([ask(0), ask(1), ask(2), ask(999)], [true, true, false, false]);
        assert_eq!([ask(1000), ask(1001), ask(1002)], [true, true, false]);
    }

    #[test]
    fn what_was_read_is_carried_out_at_the_end() {
        let mut session = session();
        session.arrive(Turn::Ordered, 1);
        session.drain();
        assert!(!session.wants_more() && !session.is_idle());
        assert_eq!(begun(&mut session), [1]);
        session.finished(Turn::Ordered);
        assert!(session.is_idle());
    }

    /// What a client and the service may do.
    #[derive(Clone, Copy, Debug)]
    enum Happens {
        Arrives(Turn),
        /// One of those that run has its answer.
        Finishes(usize),
    }

    fn happens() -> impl Strategy<Value = Happens> {
        prop_oneof![
            Just(Happens::Arrives(Turn::Ordered)),
            Just(Happens::Arrives(Turn::Free)),
            Just(Happens::Arrives(Turn::Barrier)),
            (0_usize..16).prop_map(Happens::Finishes),
            (0_usize..16).prop_map(Happens::Finishes),
        ]
    }

    proptest! {
        #[test]
        fn order_and_bounds_hold_whatever_happens(events in prop::collection::vec(happens(), 0..200)) {
            let mut session: Session<usize> = Session::new(5, None, None);
            let (mut turns, mut begun, mut running) = (Vec::new(), Vec::new(), Vec::new());
            // At the end all that runs finishes, so that everything has begun.
            for event in events.into_iter().chain([Happens::Finishes(0); 20]) {
                match event {
                    Happens::Arrives(turn) if session.wants_more() => {
                        session.arrive(turn, turns.len());
                        turns.push(turn);
                    }
                    Happens::Finishes(which) if !running.is_empty() => {
                        let done: usize = running.remove(which % running.len());
                        session.finished(turns[done]);
                    }
                    Happens::Arrives(_) | Happens::Finishes(_) => {}
                }
                while let Some((turn, request)) = session.next() {
                    prop_assert_eq!(turn, turns[request]);
                    let runs = |turn| running.iter().filter(|one| turns[**one] == turn).count();
                    prop_assert_eq!(runs(Turn::Barrier), 0, "nothing begins beside an authentication");
                    prop_assert!(turn == Turn::Free || runs(Turn::Ordered) == 0, "one at a time");
                    let before = |one: &usize| !begun.contains(one);
                    let overtaken: Vec<usize> = (0..request).filter(before).collect();
                    prop_assert!(overtaken.iter().all(|one| turns[*one] == Turn::Ordered && turn == Turn::Free));
                    begun.push(request);
                    running.push(request);
                }
                prop_assert!(turns.len() - begun.len() + running.len() <= 6 && running.len() <= 5);
            }
            prop_assert!(session.is_idle(), "everything has begun and ended");
            prop_assert_eq!(begun.len(), turns.len());
        }
    }
}
