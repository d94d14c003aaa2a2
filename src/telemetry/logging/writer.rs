//! The thread of one output.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tracing::Level;

use super::format::Formatter;
use super::queue::{Batch, Queue};
use super::record::{Fields, Record, Value};
use super::sink::Sink;
use crate::clock::Clock;
use crate::telemetry::metric::Metric;
use crate::telemetry::recording;

/// An output that runs.
pub(super) struct Output {
    name: &'static str,
    formatter: Arc<Formatter>,
    queue: Arc<Queue>,
}

impl Output {
    /// Starts the thread that writes to `sink`.
    pub(super) fn start(
        name: &'static str,
        formatter: Formatter,
        sink: Box<dyn Sink>,
        clock: Clock,
    ) -> io::Result<Self> {
        let formatter = Arc::new(formatter);
        let queue = Arc::new(Queue::default());
        let mut writer = Writer {
            name,
            formatter: Arc::clone(&formatter),
            queue: Arc::clone(&queue),
            sink,
            clock,
            lost: 0,
        };
        std::thread::Builder::new().name(format!("log-{name}")).spawn(move || writer.run())?;
        Ok(Self { name, formatter, queue })
    }

    /// Its name in messages and metrics.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// How and where records for it are put.
    pub(super) fn route(&self) -> (Arc<Formatter>, Arc<Queue>) {
        (Arc::clone(&self.formatter), Arc::clone(&self.queue))
    }

    /// Waits until everything queued is written: false where that took longer than `limit`.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        self.queue.flush(limit)
    }

    /// Opens the output again before the next record.
    pub(super) fn reopen(&self) {
        self.queue.reopen();
    }

    /// Has the thread end once everything is written.
    pub(super) fn stop(&self) {
        self.queue.stop();
    }
}

struct Writer {
    name: &'static str,
    formatter: Arc<Formatter>,
    queue: Arc<Queue>,
    sink: Box<dyn Sink>,
    clock: Clock,
    /// Records lost and not yet spoken of.
    lost: u64,
}

impl Writer {
    /// Writes until it is told to stop.
    fn run(&mut self) {
        let mut batch = Batch::default();
        loop {
            let orders = self.queue.take(&mut batch);
            if orders.reopen {
                self.sink.reopen();
            }
            self.confess();
            let failed = self.sink.write(&batch);
            self.lose(orders.dropped + failed);
            if failed == 0 {
                self.confess();
            }
            if orders.stop {
                self.queue.end();
                return;
            }
        }
    }

    fn lose(&mut self, records: u64) {
        if records > 0 {
            self.lost += records;
            recording::count(Metric::LogDropped, &[self.name], records);
        }
    }

    /// Writes how many records are missing at this place, if any are.
    fn confess(&mut self) {
        if self.lost == 0 {
            return;
        }
        let mut fields = Fields::default();
        fields.set("log.dropped", Value::Unsigned(self.lost));
        let record = Record {
            time: self.clock.now(),
            level: Level::WARN,
            target: module_path!(),
            source: None,
            message: "log records are missing here".to_owned(),
            fields,
        };
        let mut text = Vec::new();
        self.formatter.write(&record, &mut text);
        let mut batch = Batch::default();
        batch.push(&text);
        if self.sink.write(&batch) == 0 {
            self.lost = 0;
        }
    }
}
