//! A time limit that costs next to nothing where it is met.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::time::{Sleep, sleep_until};

/// Limits one attempt after the other. Its timer rings early rather than being moved for each.
pub(crate) struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    /// For attempts of which none ends before `first`.
    pub(crate) fn new(first: Instant) -> Self {
        Alarm(Box::pin(sleep_until(first.into())))
    }

    /// Waits for a future, until `due` at most; no later call has an earlier one.
    pub(crate) async fn limit<F: Future>(
        &mut self,
        due: Instant,
        mut future: Pin<&mut F>,
    ) -> Option<F::Output> {
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => self.poll(due, context).map(|()| None),
        })
        .await
    }

    fn poll(&mut self, due: Instant, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.0.as_mut().poll(context));
            if self.0.deadline() >= due.into() {
                return Poll::Ready(());
            }
            self.0.as_mut().reset(due.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn each_attempt_has_its_whole_time_and_no_more() {
        let limit = Duration::from_millis(20);
        let mut alarm = Alarm::new(Instant::now() + limit);
        for _ in 0..3 {
            assert_eq!(alarm.limit(Instant::now() + limit, pin!(ready(1))).await, Some(1));
            let start = Instant::now();
            assert_eq!(alarm.limit(start + limit, pin!(pending::<()>())).await, None);
            assert!(start.elapsed() >= limit);
        }
    }
}
