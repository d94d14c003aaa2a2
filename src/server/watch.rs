//! The watch over a connection: its protocol, its limits and the listener's shutdown in one future.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::time::{Sleep, sleep_until};

use super::facts::{Facts, Wait};
use super::stage::Phase;
use super::{ListenerSettings, Server};

/// Drives `conn` to its end: its own, a limit's, or the listener's. `finish` asks it to end kindly.
///
/// There is one timer, and moments of progress only store a number. The timer is moved when a limit falls
/// due before it fires, which is rare, and when it fires it looks whether a limit was really passed.
pub(super) async fn watched<C: Future>(
    mut conn: Pin<Box<C>>,
    finish: impl Fn(Pin<&mut C>),
    facts: &Facts,
    server: &Server,
) -> End {
    let mut next_phase = pin!(server.stage.after(Phase::Running));
    let mut listening = false;
    let mut seen = Phase::Running;
    let mut armed = facts.idle_until(&server.settings);
    let mut timer = pin!(sleep_until(facts.instant(armed)));
    poll_fn(|cx| {
        loop {
            // Polled once, to be woken; then the phase tells.
            if !listening {
                listening = next_phase.as_mut().poll(cx).is_pending();
            }
            if conn.as_mut().poll(cx).is_ready() {
                return Poll::Ready(End::Done);
            }
            let phase = server.stage.phase();
            if phase == Phase::Closing {
                return Poll::Ready(End::Cut);
            }
            if phase == seen {
                match poll_limits(timer.as_mut(), &mut armed, cx, facts, &server.settings) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Wait::Request) => {}
                    Poll::Ready(Wait::Goodbye) => return Poll::Ready(End::Done),
                    Poll::Ready(wait) => return Poll::Ready(End::TimedOut(wait)),
                }
            } else {
                seen = phase;
                next_phase.set(server.stage.after(phase));
                listening = false;
            }
            facts.finishing();
            finish(conn.as_mut());
        }
    })
    .await
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By itself, or idle.
    Done,
    /// By the end of the drain time.
    Cut,
    /// By a client that was too slow.
    TimedOut(Wait),
}

/// Completes with the wait whose limit has passed. `armed` is when the timer fires.
fn poll_limits(
    mut timer: Pin<&mut Sleep>,
    armed: &mut u64,
    cx: &mut Context<'_>,
    facts: &Facts,
    settings: &ListenerSettings,
) -> Poll<Wait> {
    loop {
        let wait = facts.wait(settings);
        if let Some((_, due)) = wait
            && due < *armed
        {
            *armed = due;
            timer.as_mut().reset(facts.instant(due));
        }
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        *armed = match wait {
            Some((wait, due)) if due <= *armed => return Poll::Ready(wait),
            Some((_, due)) => due,
            // A request is running and may take its time. It may also end in another task (HTTP/2), unseen.
            None => facts.recheck_at(settings),
        };
        timer.as_mut().reset(facts.instant(*armed));
    }
}
