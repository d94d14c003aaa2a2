//! Panics become log records, with their place.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::time::Duration;

use super::logging::Logs;

/// How long a panic waits for its record to be written: it may be the last thing the process does.
const WRITE: Duration = Duration::from_millis(100);

/// Logs every panic of the process from now on. Where no log goes to stderr, the usual text appears there too,
/// so that a service manager sees it.
pub(super) fn log_panics(logs: &Arc<Logs>) {
    let logs = Arc::downgrade(logs);
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        log(info);
        let logs = logs.upgrade();
        if !logs.as_ref().is_some_and(|logs| logs.on_stderr()) {
            usual(info);
        }
        if let Some(logs) = logs {
            logs.flush(WRITE);
        }
    }));
}

/// Logs one panic. A backtrace is taken where `RUST_BACKTRACE` asks for it.
fn log(info: &PanicHookInfo<'_>) {
    let message = info.payload_as_str().unwrap_or("no message");
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let backtrace = Backtrace::capture();
    let backtrace =
        (backtrace.status() == BacktraceStatus::Captured).then(|| tracing::field::display(backtrace));
    tracing::error!(
        panic.location = location,
        panic.thread = thread.name().unwrap_or("unnamed"),
        panic.backtrace = backtrace,
        "panic: {message}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::logging::tests::captured;

    #[test]
    fn a_panic_is_logged_with_its_message_and_place() {
        let usual: Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync> = Arc::from(std::panic::take_hook());
        let here = std::thread::current().id();
        let others = Arc::clone(&usual);
        // Other tests run beside this one and keep the usual hook.
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().id() == here { log(info) } else { others(info) }
        }));
        let text = captured(|| {
            std::panic::catch_unwind(|| panic!("boiler {} gone", 7)).unwrap_err();
        });
        std::panic::set_hook(Box::new(move |info| usual(info)));
        assert!(text.contains("ERROR zaqar.telemetry.panics [-] panic: boiler 7 gone "), "{text}");
        assert!(text.contains("panic.location=src/telemetry/panics.rs:"), "{text}");
        assert!(text.contains("panic.thread="), "{text}");
    }
}
