//! How long clients may take.
//!
//! [`Patience`] is polled after what moves a [`Pace`], in the same task; it takes the time once, and moves its timer only
//! where it would ring too late. So an ordinary request costs one look at the clock.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use crate::pace::{Pace, Phase};

/// How long clients may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From a connection's start, or the first byte of a further request, to the end of the request's head.
    pub head: Duration,
    /// For a whole body.
    pub body: Duration,
    /// Without a byte, either way, while a body is read or a reply is written.
    pub stall: Duration,
    /// Between a reply and the next request.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            stall: Duration::from_secs(10),
            idle: Duration::from_secs(75),
        }
    }
}

/// Completes when a client has taken too long. To be polled after whatever moves its [`Pace`], always in the same task.
pub(crate) struct Patience {
    pace: Arc<Pace>,
    limits: Limits,
    changes: u64,
    moves: u64,
    phase_began: Instant,
    last_move: Instant,
    due: Instant,
    alarm: Pin<Box<Sleep>>,
    /// The alarm was polled since it was set.
    is_set: bool,
}

impl Patience {
    pub(crate) fn new(pace: Arc<Pace>, limits: Limits) -> Self {
        let now = Instant::now();
        Self {
            pace,
            limits,
            changes: 0,
            moves: 0,
            phase_began: now,
            last_move: now,
            due: now + limits.head,
            alarm: Box::pin(sleep(limits.head)),
            is_set: false,
        }
    }

    /// Takes note of what happened since the last poll.
    fn note(&mut self) {
        let (changes, moves) = self.pace.counts();
        if changes == self.changes && moves == self.moves {
            return;
        }
        let now = Instant::now();
        if changes != self.changes {
            self.phase_began = now;
        }
        (self.changes, self.moves, self.last_move) = (changes, moves, now);
        self.due = self.due();
        // An alarm that comes early is set anew then: moving it at each request would cost more.
        if self.due < self.alarm.deadline() {
            self.alarm.as_mut().reset(self.due);
            self.is_set = false;
        }
    }

    fn due(&self) -> Instant {
        let limits = self.limits;
        match self.pace.phase() {
            Phase::New | Phase::Head => self.phase_began + limits.head,
            Phase::Body | Phase::Linger => {
                (self.phase_began + limits.body).min(self.last_move + limits.stall)
            }
            Phase::Reply => self.last_move + limits.stall,
            Phase::Idle | Phase::NoStreams => self.phase_began + limits.idle,
            // As long as a stream may take at most.
            Phase::Streams => self.last_move + limits.body + limits.stall,
        }
    }
}

impl Future for Patience {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.note();
        // Who floods the connection leaves no budget to poll a timer with.
        if self.due <= self.last_move {
            return Poll::Ready(());
        }
        // Set once, it wakes the task; to poll it each time would cost more.
        if self.is_set && !self.alarm.is_elapsed() {
            return Poll::Pending;
        }
        loop {
            self.is_set = true;
            ready!(self.alarm.as_mut().poll(cx));
            if self.alarm.deadline() >= self.due {
                return Poll::Ready(());
            }
            let due = self.due;
            self.alarm.as_mut().reset(due);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::task::coop::poll_proceed;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn connection() -> (Arc<Pace>, Patience) {
        let pace = Arc::new(Pace::new());
        (Arc::clone(&pace), Patience::new(pace, Limits::default()))
    }

    /// When `patience` ends, as if the phase and the last byte were that old.
    fn ends_after(patience: &mut Patience, phase_age: Duration, quiet: Duration) -> Duration {
        patience.note();
        let now = Instant::now();
        patience.phase_began = now - phase_age;
        patience.last_move = now - quiet;
        patience.due().saturating_duration_since(now)
    }

    #[tokio::test]
    async fn a_head_is_waited_for_from_its_first_byte_however_it_drips() {
        let (pace, mut patience) = connection();
        let head = Limits::default().head;
        assert_eq!(ends_after(&mut patience, SECOND, SECOND), head - SECOND);
        pace.received();
        assert_eq!(ends_after(&mut patience, SECOND, SECOND), head - SECOND);
        let began = patience.phase_began;
        pace.received();
        patience.note();
        assert_eq!(patience.phase_began, began);
    }

    #[tokio::test]
    async fn a_body_is_waited_for_until_it_stalls_or_takes_too_long() {
        let (pace, mut patience) = connection();
        let limits = Limits::default();
        pace.reads_body();
        let (old, stalled) = (limits.body - SECOND, limits.stall - 2 * SECOND);
        assert_eq!(ends_after(&mut patience, old, Duration::ZERO), SECOND);
        assert_eq!(ends_after(&mut patience, stalled, stalled), 2 * SECOND);
    }

    #[tokio::test]
    async fn an_idle_connection_is_kept_longer_than_a_head_may_take() {
        let (pace, mut patience) = connection();
        pace.replies();
        pace.flushed();
        let idle = Limits::default().idle;
        assert_eq!(ends_after(&mut patience, SECOND, SECOND), idle - SECOND);
        pace.received();
        let head = Limits::default().head;
        assert_eq!(ends_after(&mut patience, SECOND, SECOND), head - SECOND);
    }

    #[tokio::test]
    async fn what_is_discarded_is_waited_for_like_a_body() {
        let (pace, mut patience) = connection();
        pace.leaves_unread();
        assert!(pace.ends());
        let limits = Limits::default();
        let old = limits.body - SECOND;
        assert_eq!(ends_after(&mut patience, old, Duration::ZERO), SECOND);
        assert_eq!(ends_after(&mut patience, SECOND, SECOND), limits.stall - SECOND);
    }

    #[tokio::test]
    async fn patience_ends_also_where_a_flood_leaves_no_budget() {
        let (pace, mut patience) = connection();
        pace.reads_body();
        patience.note();
        patience.phase_began -= Limits::default().body;
        pace.moved();
        let has_ended = poll_fn(|cx| {
            while let Poll::Ready(spent) = poll_proceed(cx) {
                spent.made_progress();
            }
            Poll::Ready(Pin::new(&mut patience).poll(cx).is_ready())
        });
        assert!(has_ended.await);
    }

    #[tokio::test]
    async fn patience_ends_at_the_limit_and_not_before_though_the_limit_moved() {
        let pace = Arc::new(Pace::new());
        let limits =
            Limits { head: Duration::from_millis(20), idle: Duration::from_millis(60), ..Limits::default() };
        let start = Instant::now();
        let patience = Patience::new(Arc::clone(&pace), limits);
        pace.received();
        pace.replies();
        pace.flushed();
        patience.await;
        assert!(start.elapsed() >= limits.idle);
    }
}
