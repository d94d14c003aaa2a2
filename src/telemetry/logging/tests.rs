//! Formats and outputs, without a global subscriber.

use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::subscriber::with_default;

use super::*;
use crate::clock::Timestamp;
use crate::telemetry::span::{PROJECT_ID, request_span};

const DEADLINE: Duration = Duration::from_secs(20);

/// 2026-11-21 01:02:03.456789 UTC.
const NOW: Timestamp = Timestamp::from_micros(1_795_222_923_456_789);

/// Memory that is written to.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn formatter(shape: Shape) -> Formatter {
    Formatter { prog: "zaqar-server".to_owned(), pid: 77, zone: TimeZone::UTC, shape }
}

/// Runs `log` with its records going to `sink`.
fn logged_to(shape: Shape, sink: Box<dyn Sink>, log: impl FnOnce()) {
    let clock = Clock::manual(NOW);
    let output = Output::start("test", formatter(shape), sink, clock.clone()).unwrap();
    let logs = Logs { outputs: vec![output] };
    let settings = LogSettings { debug: true, ..LogSettings::default() };
    let layer = OutputLayer::new(clock, &logs.outputs);
    with_default(tracing_subscriber::registry().with(levels(&settings).unwrap()).with(layer), log);
    assert!(logs.flush(DEADLINE));
}

fn logged(shape: Shape, log: impl FnOnce()) -> String {
    let memory = Memory::default();
    logged_to(shape, Box::new(Stream::new(memory.clone())), log);
    String::from_utf8(memory.0.lock().unwrap().clone()).unwrap()
}

/// The text of what `log` logs on this thread.
pub(in crate::telemetry) fn captured(log: impl FnOnce()) -> String {
    logged(Shape::Line, log)
}

#[test]
fn a_line_looks_as_oslo_writes_it() {
    let text = captured(|| {
        tracing::info!(server.port = 8888, tls = false, "listening");
        let span = request_span("req-1", "POST");
        span.in_scope(|| tracing::warn!(message_count = 2_u64, "slow"));
        span.record(PROJECT_ID, "p1");
        span.record("http.route", "/v2/queues/{queue_name}");
        span.in_scope(|| tracing::error!(reason = "disk is full", code = ?Some(3), empty = "", "failed"));
    });
    assert_eq!(
        text,
        "2026-11-21 01:02:03.456 77 INFO zaqar.telemetry.logging.tests [-] listening server.port=8888 tls=false\n\
         2026-11-21 01:02:03.456 77 WARNING zaqar.telemetry.logging.tests [req-1] slow message_count=2 \
         http.method=POST\n\
         2026-11-21 01:02:03.456 77 ERROR zaqar.telemetry.logging.tests [req-1 p1] failed \
         reason=\"disk is full\" code=Some(3) empty=\"\" http.method=POST http.route=/v2/queues/{queue_name}\n"
    );
}

#[test]
fn json_is_one_flat_object_a_line() {
    let text = logged(Shape::Json, || {
        let span = request_span("req-1", "GET");
        span.record(PROJECT_ID, "p\n1");
        span.in_scope(|| {
            tracing::info!(a.b = 1, c = true, d = -2.5, e = "x\"y", nan = f64::NAN, "two\nlines");
        });
    });
    assert_eq!(text.matches('\n').count(), 1);
    let object: Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({
        "timestamp": "2026-11-21T01:02:03.456789Z", "level": "INFO", "target": "zaqar.telemetry.logging.tests",
        "pid": 77, "message": "two\nlines", "a.b": 1, "c": true, "d": -2.5, "e": "x\"y", "nan": null,
        "request.id": "req-1", "project.id": "p\n1", "http.method": "GET",
    });
    assert_eq!(object, expected);
}

#[test]
fn hostile_text_stays_on_its_line() {
    let text = captured(|| {
        let span = request_span("req-1\n2026 FAKE", "GET");
        span.record(PROJECT_ID, "p\u{1b}[31m] x");
        let _entered = span.entered();
        tracing::info!(name = "a\r\nb\u{202e}\u{85}", quote = "\" x=\"\\", "m\n{}", "\u{0}");
    });
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.ends_with(
            "[req-1\\n2026 FAKE p\\u{1b}[31m] x] m\\n\\u{0} name=\"a\\r\\nb\\u{202e}\\u{85}\" \
             quote=\"\\\" x=\\\"\\\\\" http.method=GET\n"
        ),
        "{text}"
    );
}

#[test]
fn long_text_is_cut() {
    let text = captured(|| tracing::info!(body = "é".repeat(100_000), "{}", "x".repeat(100_000)));
    assert!(text.len() < 2 * record::MAX_TEXT + 200, "{}", text.len());
    assert!(text.ends_with("é…\n"));
}

#[test]
fn errors_are_logged_with_their_causes_once() {
    let cause = io::Error::other("no route");
    let error = crate::storage::Error::unavailable(cause);
    let text = captured(|| tracing::error!(error = &error as &dyn std::error::Error, "failed"));
    assert!(text.ends_with("failed error=\"the store is unavailable: no route\"\n"), "{text}");
}

#[test]
fn an_inner_span_adds_to_the_outer_and_wins() {
    let text = captured(|| {
        let _outer = tracing::info_span!("outer", a = 1, b = 1).entered();
        let _inner = tracing::info_span!("inner", b = 2, c = 2).entered();
        tracing::info!(c = 3, "m");
    });
    assert!(text.ends_with("m c=3 b=2 a=1\n"), "{text}");
}

#[test]
fn levels_follow_the_settings() {
    let levels_of = |debug, entries: &[&str]| {
        let default_log_levels = entries.iter().map(ToString::to_string).collect();
        levels(&LogSettings { debug, default_log_levels, ..LogSettings::default() })
    };
    let targets =
        levels_of(false, &["amqp=WARN", " sqlx=INFO", "zaqar.storage=debug", "h2=DEBUG", ""]).unwrap();
    for (target, level, wanted) in [
        ("zaqar::server", tracing::Level::INFO, true),
        ("zaqar::server", tracing::Level::DEBUG, false),
        ("zaqar::storage::sqlite", tracing::Level::DEBUG, true),
        ("sqlx::query", tracing::Level::INFO, true),
        ("tokio", tracing::Level::INFO, false),
        ("tokio", tracing::Level::WARN, true),
        ("h2::codec", tracing::Level::INFO, true),
        ("h2::codec", tracing::Level::DEBUG, false),
    ] {
        assert_eq!(targets.would_enable(target, &level), wanted, "{target} {level}");
    }
    let targets = levels_of(true, &[]).unwrap();
    assert!(targets.would_enable("zaqar::server", &tracing::Level::DEBUG));
    for wrong in ["zaqar", "zaqar=LOUD"] {
        assert!(levels_of(true, &[wrong]).unwrap_err().to_string().contains(wrong));
    }
}

#[test]
fn the_file_is_named_by_oslos_rule() {
    let path = |file: Option<&str>, dir: Option<&str>| {
        let settings = LogSettings {
            log_file: file.map(PathBuf::from),
            log_dir: dir.map(PathBuf::from),
            prog: "zaqar-gc".to_owned(),
            ..LogSettings::default()
        };
        file_path(&settings).map(|path| path.display().to_string())
    };
    assert_eq!(path(None, None), None);
    assert_eq!(path(Some("a.log"), None).unwrap(), "a.log");
    assert_eq!(path(Some("a.log"), Some("/l")).unwrap(), "/l/a.log");
    assert_eq!(path(Some("/x/a.log"), Some("/l")).unwrap(), "/x/a.log");
    assert_eq!(path(None, Some("/l")).unwrap(), "/l/zaqar-gc.log");
}

/// Opens what the settings ask for, with no system logger, and logs `message`s to it.
struct Started {
    logs: Logs,
    subscriber: tracing::Dispatch,
}

impl Started {
    fn new(settings: &LogSettings, sockets: &Sockets<'_>) -> Self {
        let clock = Clock::manual(NOW);
        let (logs, warnings) = open(settings, &clock, sockets).unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        let layer = OutputLayer::new(clock, &logs.outputs);
        Self { logs, subscriber: tracing_subscriber::registry().with(layer).into() }
    }

    fn log(&self, message: &str) {
        tracing::dispatcher::with_default(&self.subscriber, || tracing::info!("{message}"));
        assert!(self.logs.flush(DEADLINE));
    }
}

#[test]
fn a_log_file_is_appended_to_and_follows_rotation() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("zaqar-server.log");
    std::fs::write(&path, "old\n").unwrap();
    let settings = LogSettings {
        log_dir: Some(dir.path().to_owned()),
        prog: "zaqar-server".to_owned(),
        ..LogSettings::default()
    };
    let started = Started::new(&settings, &SYSTEM);
    let ends = |path: &Path| -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect()
    };
    started.log("one");
    assert_eq!(ends(&path), ["old", "one"]);

    let moved = dir.path().join("zaqar-server.log.1");
    std::fs::rename(&path, &moved).unwrap();
    started.log("two");
    assert_eq!(
        (ends(&moved), ends(&path)),
        (vec!["old".to_owned(), "one".to_owned()], vec!["two".to_owned()])
    );

    std::fs::remove_file(&path).unwrap();
    started.logs.reopen();
    assert!(started.logs.flush(DEADLINE));
    assert!(ends(&path).is_empty());
    started.log("three");
    assert_eq!(ends(&path), ["three"]);
}

#[test]
fn a_file_that_cannot_be_opened_stops_the_start() {
    let settings = LogSettings { log_file: Some("/nonexistent/zaqar.log".into()), ..LogSettings::default() };
    let error = open(&settings, &Clock::system(), &SYSTEM).err().unwrap();
    assert_eq!(error.to_string(), "cannot open the log file /nonexistent/zaqar.log");
}

#[test]
fn syslog_and_journal_get_a_datagram_a_record_and_are_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (syslog_path, journal_path) = (path("log"), path("journal"));
    let listen = |path: &str| {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket
    };
    let receive = |socket: &UnixDatagram| {
        let mut buffer = vec![0; 65_536];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let (syslog, journal) = (listen(&syslog_path), listen(&journal_path));
    let settings = LogSettings {
        use_syslog: true,
        use_journal: true,
        syslog_facility: "LOG_LOCAL0".to_owned(),
        prog: "zaqar-server".to_owned(),
        ..LogSettings::default()
    };
    let started = Started::new(&settings, &Sockets { syslog: &syslog_path, journal: &journal_path });
    started.log("one");
    let text = receive(&syslog);
    let pid = std::process::id();
    assert!(text.starts_with("<134>"), "{text}");
    assert!(
        text.ends_with(&format!(" zaqar-server[{pid}]: INFO zaqar.telemetry.logging.tests [-] one")),
        "{text}"
    );
    let text = receive(&journal);
    assert!(text.starts_with("MESSAGE=one\nPRIORITY=6\nSYSLOG_IDENTIFIER=zaqar-server\n"), "{text}");

    // The loggers are started anew, with new sockets in the old places.
    drop((syslog, journal));
    std::fs::remove_file(&syslog_path).unwrap();
    std::fs::remove_file(&journal_path).unwrap();
    let (syslog, journal) = (listen(&syslog_path), listen(&journal_path));
    started.log("two");
    assert!(receive(&syslog).ends_with("two"));
    assert!(receive(&journal).starts_with("MESSAGE=two"));
}

#[test]
fn journal_fields_are_named_and_framed_by_its_rules() {
    let text = logged(Shape::Journal, || {
        let span = request_span("req-1", "GET");
        span.record(PROJECT_ID, "p1");
        span.in_scope(|| tracing::error!(panic.backtrace = "a\nb", "m"));
    });
    for field in ["PRIORITY=3\n", "REQUEST_ID=req-1\n", "PROJECT_ID=p1\n", "LOGGER_LEVEL=ERROR\n"] {
        assert!(text.contains(field), "{text}");
    }
    assert!(text.contains("\nPANIC_BACKTRACE\n\u{3}\0\0\0\0\0\0\0a\nb\n"), "{text:?}");
    assert!(text.contains("\nCODE_FILE=src/telemetry/logging/tests.rs\n"), "{text}");
}

#[test]
fn syslog_can_hold_json_and_is_cut_to_a_datagram() {
    let shape = Shape::Syslog { facility: Facility::parse("user").unwrap(), json: true };
    let text = logged(shape, || tracing::info!(a = 1, "m"));
    let object = text.strip_prefix("<14>Nov 21 01:02:03 zaqar-server[77]: ").unwrap();
    assert_eq!(serde_json::from_str::<Value>(object).unwrap()["a"], 1);
    let text = logged(shape, || tracing::info!(a = "x".repeat(9_000), b = "y".repeat(9_000), "m"));
    assert_eq!(text.len(), syslog::MAX);
}

#[test]
fn loggers_that_are_absent_leave_stderr_and_a_warning_each() {
    let dir = tempfile::tempdir().unwrap();
    let absent = dir.path().join("absent").to_str().unwrap().to_owned();
    let settings = LogSettings { use_syslog: true, use_journal: true, ..LogSettings::default() };
    let sockets = Sockets { syslog: &absent, journal: &absent };
    let (logs, warnings) = open(&settings, &Clock::system(), &sockets).unwrap();
    assert!(logs.on_stderr());
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].starts_with("cannot log to syslog ("), "{warnings:?}");
}

#[test]
fn a_full_disk_loses_records_and_nothing_else() {
    let settings = LogSettings { log_file: Some("/dev/full".into()), ..LogSettings::default() };
    let started = Started::new(&settings, &SYSTEM);
    started.log("one");
    started.log("two");
}

/// Takes `room` bytes, then fails until it is given more.
#[derive(Clone, Default)]
struct Disk {
    room: Arc<Mutex<usize>>,
    written: Memory,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut room = self.room.lock().unwrap();
        let taken = bytes.len().min(*room);
        if taken == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        *room -= taken;
        self.written.write(&bytes[..taken])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_disk_with_room_again_gets_whole_lines_and_the_number_of_lost_ones() {
    let disk = Disk::default();
    let clock = Clock::manual(NOW);
    let sink = Box::new(Stream::new(disk.clone()));
    let output = Output::start("test", formatter(Shape::Line), sink, clock.clone()).unwrap();
    let layer = OutputLayer::new(clock, std::slice::from_ref(&output));
    let subscriber: tracing::Dispatch = tracing_subscriber::registry().with(layer).into();
    let log = |room, message: &str| {
        *disk.room.lock().unwrap() += room;
        tracing::dispatcher::with_default(&subscriber, || tracing::info!("{message}"));
        assert!(output.flush(DEADLINE));
    };
    log(30, "one");
    log(0, "two");
    log(10_000, "three");
    let text = String::from_utf8(disk.written.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[0], "2026-11-21 01:02:03.456 77 INF");
    assert!(lines[1].ends_with("log records are missing here log.dropped=2"), "{text}");
    assert!(lines[2].ends_with("three"), "{text}");
}

/// A sink that hangs until it is let go, and then notes the size of each batch: bytes and records.
struct Stuck {
    let_go: std::sync::mpsc::Receiver<()>,
    batches: Arc<Mutex<Vec<(usize, usize)>>>,
}

impl Sink for Stuck {
    fn write(&mut self, batch: &queue::Batch) -> u64 {
        let _ = self.let_go.recv();
        self.batches.lock().unwrap().push((batch.bytes.len(), batch.ends.len()));
        0
    }
}

#[test]
fn a_stuck_output_neither_blocks_nor_fills_memory() {
    let (let_go, stuck) = std::sync::mpsc::channel();
    let batches = Arc::new(Mutex::new(Vec::new()));
    let sink = Box::new(Stuck { let_go: stuck, batches: Arc::clone(&batches) });
    let clock = Clock::manual(NOW);
    let output = Output::start("test", formatter(Shape::Line), sink, clock.clone()).unwrap();
    let layer = OutputLayer::new(clock, std::slice::from_ref(&output));
    let message = "x".repeat(4_000);
    with_default(tracing_subscriber::registry().with(layer), || {
        for _ in 0..2_000 {
            tracing::info!("{message}");
        }
    });
    assert!(!output.flush(Duration::ZERO));
    drop(let_go);
    assert!(output.flush(DEADLINE));
    let batches = batches.lock().unwrap();
    assert!(batches.iter().all(|(bytes, _)| *bytes <= queue::LIMIT), "{batches:?}");
    // At most one batch was taken before it got stuck, one queue was filled, and one record says what is lost.
    let records: usize = batches.iter().map(|(_, records)| records).sum();
    assert!(records <= 2 * queue::LIMIT / message.len() + 1, "{records}");
}
