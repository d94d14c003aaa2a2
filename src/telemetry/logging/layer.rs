//! The layer of `tracing` that makes records and queues them for every output.

use std::cell::Cell;
use std::sync::Arc;

use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::format::Formatter;
use super::queue::Queue;
use super::record::{Collector, Fields, Record};
use super::writer::Output;
use crate::clock::Clock;

/// Formats events and queues them.
pub(super) struct OutputLayer {
    clock: Clock,
    outputs: Vec<(Arc<Formatter>, Arc<Queue>)>,
}

impl OutputLayer {
    /// A layer that feeds these outputs, with times from `clock`.
    pub(super) fn new(clock: Clock, outputs: &[Output]) -> Self {
        Self { clock, outputs: outputs.iter().map(Output::route).collect() }
    }
}

thread_local! {
    /// Where a record is formatted, kept for its memory.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl<S> Layer<S> for OutputLayer
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut collector = Collector::default();
            attributes.record(&mut collector);
            span.extensions_mut().insert(collector.fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            let mut collector = Collector::default();
            values.record(&mut collector);
            if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
                fields.update(collector.fields);
            }
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut collector = Collector::default();
        event.record(&mut collector);
        let mut fields = collector.fields;
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.inherit(outer);
            }
        }
        let origin = event.metadata();
        let record = Record {
            time: self.clock.now(),
            level: *origin.level(),
            target: origin.target(),
            source: origin.file().zip(origin.line()),
            message: collector.message,
            fields,
        };
        let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
        for (formatter, queue) in &self.outputs {
            buffer.clear();
            formatter.write(&record, &mut buffer);
            queue.push(&buffer);
        }
        // Fails only while the thread ends.
        let _ = BUFFER.try_with(|cell| cell.set(buffer));
    }
}
