use std::task::{Context, Waker};

use super::*;

fn key() -> Key {
    (ProjectId::new("p"), QueueName::parse("q").unwrap())
}

fn bell(wakes: &Wakes, who: Who) -> Bell {
    let (project, name) = key();
    wakes.watch(&project, &name, who)
}

fn consumers(wakes: &Wakes, count: usize) -> Vec<Bell> {
    (0..count).map(|_| bell(wakes, Who::Consumer)).collect()
}

fn ring(wakes: &Wakes, ready: usize) {
    let (project, name) = key();
    wakes.ring(&project, &name, News::Ready(ready));
}

/// Whether the bell was rung since the last look.
fn rung(bell: &mut Bell) -> bool {
    let mut rung = Box::pin(bell.rung());
    Pin::as_mut(&mut rung).poll(&mut Context::from_waker(Waker::noop())).is_ready()
}

fn who_was_rung(bells: &mut [Bell]) -> Vec<usize> {
    (0..bells.len()).filter(|at| rung(&mut bells[*at])).collect()
}

#[test]
fn every_reader_hears_every_ring_once() {
    let wakes = Wakes::new();
    let mut readers: Vec<_> = (0..3).map(|_| bell(&wakes, Who::Reader)).collect();
    assert_eq!(who_was_rung(&mut readers), [0; 0]);
    ring(&wakes, 1);
    ring(&wakes, 0);
    assert_eq!(who_was_rung(&mut readers), [0, 1, 2]);
    assert_eq!(who_was_rung(&mut readers), [0; 0]);
    let (project, _) = key();
    wakes.ring(&project, &QueueName::parse("other").unwrap(), News::Ready(1));
    wakes.ring(&ProjectId::new("other"), &key().1, News::Ready(1));
    assert_eq!(who_was_rung(&mut readers), [0; 0]);
}

#[test]
fn keepers_hear_of_the_ends_of_subscriptions_alone() {
    let (wakes, (project, name)) = (Wakes::new(), key());
    let mut all = [Who::Keeper, Who::Reader, Who::Consumer].map(|who| bell(&wakes, who));
    ring(&wakes, 1);
    assert_eq!(who_was_rung(&mut all), [1, 2]);
    wakes.ring(&project, &name, News::Ended);
    assert_eq!(who_was_rung(&mut all), [0]);
    all[2].served(false);
    wakes.ring(&project, &name, News::Anything);
    assert_eq!(who_was_rung(&mut all), [0, 1, 2]);
    let [keeper, reader, consumer] = all;
    drop((reader, consumer));
    assert!(wakes.is_watched(&key()), "by the keeper");
    drop(keeper);
    assert!(!wakes.is_watched(&key()));
}

#[test]
fn a_silent_bell_never_rings() {
    let mut silent = Bell::silent();
    silent.served(true);
    silent.due(Timestamp::from_micros(7));
    assert!(!rung(&mut silent));
}

#[test]
fn as_many_consumers_wake_as_messages_came() {
    let wakes = Wakes::new();
    let mut line = consumers(&wakes, 5);
    ring(&wakes, 2);
    assert_eq!(who_was_rung(&mut line), [0, 1]);
    ring(&wakes, 1);
    assert_eq!(who_was_rung(&mut line), [2], "the first two are looking");
    ring(&wakes, 0);
    assert_eq!(who_was_rung(&mut line), [3], "one looks when the next is due");
}

#[test]
fn who_found_something_calls_the_next() {
    let wakes = Wakes::new();
    let mut line = consumers(&wakes, 3);
    ring(&wakes, 1);
    assert_eq!(who_was_rung(&mut line), [0]);
    line[0].served(true);
    drop(line.remove(0));
    assert_eq!(who_was_rung(&mut line), [0]);
    line[0].served(false);
    assert_eq!(who_was_rung(&mut line), [0; 0]);
    ring(&wakes, 1);
    assert_eq!(who_was_rung(&mut line), [0], "who found nothing stays the first in line");
}

#[test]
fn what_comes_while_all_look_makes_them_look_again() {
    let wakes = Wakes::new();
    let mut line = consumers(&wakes, 1);
    ring(&wakes, 1);
    assert!(rung(&mut line[0]));
    ring(&wakes, 1);
    line[0].served(false);
    assert!(rung(&mut line[0]));
    line[0].served(false);
    assert!(!rung(&mut line[0]));
}

#[test]
fn who_was_called_and_leaves_calls_the_next() {
    let wakes = Wakes::new();
    let mut line = consumers(&wakes, 3);
    ring(&wakes, 1);
    drop(line.remove(0));
    assert_eq!(who_was_rung(&mut line), [0], "it never looked");
    line[0].served(false);
    drop(line.remove(0));
    assert_eq!(who_was_rung(&mut line), [0], "it knew what is due next");
}

#[test]
fn who_was_never_called_leaves_silently() {
    let wakes = Wakes::new();
    let mut line = consumers(&wakes, 3);
    drop(line.remove(0));
    assert_eq!(who_was_rung(&mut line), [0; 0]);
}

#[test]
fn of_many_who_know_the_same_moment_one_is_called() {
    let (wakes, at) = (Wakes::new(), Timestamp::from_micros(7));
    let mut line = consumers(&wakes, 3);
    line.iter().rev().for_each(|bell| bell.due(at));
    assert_eq!(who_was_rung(&mut line), [0]);
    line[0].served(false);
    line[0].due(at);
    assert_eq!(who_was_rung(&mut line), [0], "its clock was early");
    let mut reader = bell(&wakes, Who::Reader);
    reader.due(at);
    assert!(rung(&mut reader));
}

#[test]
fn two_bells_ring_as_one() {
    let (here, there) = (Wakes::new(), Wakes::new());
    let mut both = bell(&here, Who::Consumer).or(bell(&there, Who::Consumer));
    for wakes in [&here, &there] {
        assert!(!rung(&mut both));
        ring(wakes, 1);
        assert!(rung(&mut both));
        both.served(false);
    }
    let mut next = bell(&there, Who::Consumer);
    ring(&here, 1);
    both.served(true);
    assert!(rung(&mut next));
}

#[test]
fn the_last_bell_of_a_queue_says_farewell() {
    let (told, mut heard) = mpsc::unbounded_channel();
    let wakes = Wakes::with_farewell(told);
    let mut bells = consumers(&wakes, 2);
    assert!(wakes.is_watched(&key()));
    bells.pop();
    assert!(heard.try_recv().is_err());
    bells.pop();
    assert_eq!(heard.try_recv(), Ok(key()));
    assert!(!wakes.is_watched(&key()));
}

#[test]
fn a_lost_connection_calls_everybody() {
    let wakes = Wakes::new();
    let mut line = consumers(&wakes, 3);
    ring(&wakes, 1);
    assert!(rung(&mut line[0]));
    wakes.ring_all();
    assert_eq!(who_was_rung(&mut line), [1, 2]);
    line[0].served(false);
    assert!(rung(&mut line[0]), "it looked while the others were called");
}
