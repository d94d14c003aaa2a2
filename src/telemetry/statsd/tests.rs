//! Real datagrams on the loopback interface.

use std::sync::Mutex;
use std::time::Instant;

use metrics::{Key, Label, Metadata, Recorder};

use super::*;
use crate::telemetry::logging::tests::captured;

const ORIGIN: Metadata<'static> = Metadata::new("", metrics::Level::INFO, None);
const DEADLINE: Duration = Duration::from_secs(20);

fn server() -> (UdpSocket, StatsdSettings) {
    server_at("127.0.0.1")
}

fn server_at(host: &str) -> (UdpSocket, StatsdSettings) {
    let socket = UdpSocket::bind((host, 0)).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let settings = StatsdSettings { host: host.to_owned(), port, prefix: "zaqar".to_owned(), tags: false };
    (socket, settings)
}

fn aggregator() -> Arc<Aggregator> {
    Arc::new(Aggregator::new(Naming::new("zaqar", false)))
}

/// Reads datagrams until their lines satisfy `enough`.
fn receive(socket: &UdpSocket, enough: impl Fn(&[String]) -> bool) -> Vec<String> {
    let started = Instant::now();
    let mut lines = Vec::new();
    let mut buffer = vec![0; 65_536];
    while !enough(&lines) {
        assert!(started.elapsed() < DEADLINE, "only got {lines:?}");
        let length = socket.recv(&mut buffer).unwrap();
        assert!(length <= DATAGRAM);
        lines.extend(std::str::from_utf8(&buffer[..length]).unwrap().lines().map(str::to_owned));
    }
    lines
}

#[test]
fn counters_timings_and_gauges_arrive_and_gauges_keep_arriving() {
    let (socket, settings) = server();
    let aggregator = aggregator();
    let labels = vec![Label::new("method", "POST"), Label::new("route", "/v2/queues/{q}/messages")];
    let counter = aggregator.register_counter(&Key::from_parts("http.requests", labels), &ORIGIN);
    let gauge = aggregator.register_gauge(&Key::from_name("queues"), &ORIGIN);
    let timing = aggregator.register_histogram(&Key::from_name("sweep.seconds"), &ORIGIN);
    counter.increment(3);
    gauge.set(12.0);
    timing.record(0.25);
    let exporter = Exporter::start_every(Duration::from_millis(5), settings, aggregator).unwrap();
    let gauges = |lines: &[String]| lines.iter().filter(|line| *line == "zaqar.queues:12|g").count();
    let lines = receive(&socket, |lines| gauges(lines) >= 3);
    let times = |wanted: &str| lines.iter().filter(|line| *line == wanted).count();
    assert_eq!(times("zaqar.http.requests.POST.v2_queues_messages:3|c"), 1);
    assert_eq!(times("zaqar.sweep:250.000|ms"), 1);
    drop(exporter);
}

#[test]
fn the_end_sends_what_is_left() {
    let (socket, settings) = server();
    let aggregator = aggregator();
    let counter = aggregator.register_counter(&Key::from_name("messages.posted"), &ORIGIN);
    let exporter = Exporter::start_every(DEADLINE * 100, settings, aggregator).unwrap();
    counter.increment(1);
    drop(exporter);
    assert_eq!(receive(&socket, |lines| !lines.is_empty()), ["zaqar.messages.posted:1|c"]);
}

#[test]
fn many_lines_are_split_over_datagrams() {
    let (socket, settings) = server();
    let aggregator = aggregator();
    for i in 0..200 {
        let labels = vec![Label::new("l", i.to_string())];
        aggregator.register_counter(&Key::from_parts("some.longer.name", labels), &ORIGIN).increment(1);
    }
    Sender::new(settings, aggregator).send();
    let lines = receive(&socket, |lines| lines.len() >= 200);
    assert_eq!(lines.last().unwrap(), "zaqar.some.longer.name.199:1|c");
}

#[test]
fn a_dead_peer_is_logged_once_and_its_return_too() {
    // An address of its own, so that no other test takes the port while it is free.
    let (socket, settings) = server_at("127.0.0.2");
    let address = socket.local_addr().unwrap();
    let aggregator = aggregator();
    let counter = aggregator.register_counter(&Key::from_name("c"), &ORIGIN);
    let sender = Mutex::new(Sender::new(settings, aggregator));
    let send = || {
        counter.increment(1);
        sender.lock().unwrap().send();
    };
    drop(socket);
    let log = captured(|| {
        let started = Instant::now();
        // The refusal of one datagram is reported to a later one.
        while !sender.lock().unwrap().failing {
            assert!(started.elapsed() < DEADLINE);
            send();
        }
        send();
        send();
    });
    assert_eq!(log.matches("cannot be sent").count(), 1, "{log}");
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let log = captured(|| {
        let started = Instant::now();
        while sender.lock().unwrap().failing {
            assert!(started.elapsed() < DEADLINE);
            send();
        }
    });
    assert_eq!(log.matches("are sent to statsd again").count(), 1, "{log}");
    assert_eq!(receive(&socket, |lines| !lines.is_empty())[0], "zaqar.c:1|c");
}

#[test]
fn an_unresolvable_host_keeps_what_was_counted() {
    let (socket, settings) = server();
    let aggregator = aggregator();
    aggregator.register_counter(&Key::from_name("c"), &ORIGIN).increment(5);
    // Refused before any name server is asked.
    let unresolvable = StatsdSettings { host: "no\0host".to_owned(), ..settings.clone() };
    let mut sender = Sender::new(unresolvable, aggregator);
    let log = captured(|| {
        sender.send();
        sender.send();
    });
    assert_eq!(log.matches("cannot be sent").count(), 1, "{log}");
    sender.settings = settings;
    for _ in 0..RESOLVE_AGAIN.0 {
        sender.send();
    }
    assert_eq!(receive(&socket, |lines| !lines.is_empty()), ["zaqar.c:5|c"]);
}
