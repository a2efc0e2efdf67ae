//! The stream: each open page is sent the latest snapshot, and the next once there is one. Whoever reads slowly skips some.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Sse;
use axum::response::sse::Event;
use futures_util::Stream;
use futures_util::stream::unfold;
use prometheus::IntGauge;
use service::{Context, Shutdown};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until};

/// So many pages may be open.
const MAX_PAGES: usize = 100;
/// A stream ends then, and a page that is still there comes again: one whose end was never heard of is let go.
const LONGEST: Duration = Duration::from_secs(600);
/// How soon a page comes again.
const RETRY: Duration = Duration::from_secs(1);

/// Where pages get their snapshots.
#[derive(Clone)]
pub(crate) struct Events {
    latest: watch::Receiver<Arc<str>>,
    places: Arc<Semaphore>,
    open: IntGauge,
    shutdown: Shutdown,
}

/// One page.
struct Page {
    latest: watch::Receiver<Arc<str>>,
    shutdown: Shutdown,
    until: Instant,
    open: IntGauge,
    _place: OwnedSemaphorePermit,
}

impl Events {
    pub(crate) fn new(latest: watch::Receiver<Arc<str>>, context: &Context) -> anyhow::Result<Self> {
        let open = IntGauge::new("dashboard_pages_open", "Pages that are sent snapshots")?;
        context.metrics.register(Box::new(open.clone()))?;
        let places = Arc::new(Semaphore::new(MAX_PAGES));
        Ok(Events { latest, places, open, shutdown: context.shutdown.clone() })
    }

    /// The latest snapshot.
    pub(crate) fn latest(&self) -> Arc<str> {
        Arc::clone(&self.latest.borrow())
    }

    /// A stream for one page; `None`: too many are open.
    pub(crate) fn stream(&self) -> Option<Sse<impl Stream<Item = Result<Event, Infallible>> + use<>>> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        let (mut latest, open) = (self.latest.clone(), self.open.clone());
        // It is told at once what is known.
        latest.mark_changed();
        open.inc();
        let (shutdown, until) = (self.shutdown.clone(), Instant::now() + LONGEST);
        let page = Page { latest, shutdown, until, open, _place: place };
        Some(Sse::new(unfold(page, |mut page| async move {
            let snapshot = page.next().await?;
            Some((Ok(Event::default().retry(RETRY).data(&*snapshot)), page))
        })))
    }
}

impl Page {
    async fn next(&mut self) -> Option<Arc<str>> {
        tokio::select! {
            biased;
            () = self.shutdown.requested() => return None,
            () = sleep_until(self.until) => return None,
            changed = self.latest.changed() => changed.ok()?,
        }
        Some(Arc::clone(&self.latest.borrow_and_update()))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.open.dec();
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use axum::Router;
    use axum::routing::get;
    use service::{Limits, Server};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    fn events() -> (watch::Sender<Arc<str>>, Events, Context) {
        let context = Context::new(Shutdown::new());
        let (sender, latest) = watch::channel(Arc::from("0"));
        (sender, Events::new(latest, &context).unwrap(), context)
    }

    fn page(events: &Events) -> Page {
        Page {
            latest: events.latest.clone(),
            shutdown: events.shutdown.clone(),
            until: Instant::now() + LONGEST,
            open: events.open.clone(),
            _place: Arc::clone(&events.places).try_acquire_owned().unwrap(),
        }
    }

    #[tokio::test]
    async fn a_slow_page_is_told_the_latest_and_not_all_between() {
        let (snapshots, events, context) = events();
        let mut page = page(&events);
        for number in 1..1000 {
            snapshots.send_replace(Arc::from(number.to_string()));
        }
        assert_eq!(page.next().await.as_deref(), Some("999"));
        context.shutdown.request();
        assert_eq!(page.next().await, None);
    }

    #[tokio::test]
    async fn a_page_that_only_listens_is_not_let_go_as_idle() {
        let (snapshots, events, context) = events();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut page = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let router = Router::new().route("/events", get(async move || events.stream().unwrap()));
        let moment = Duration::from_millis(60);
        let limits = Limits { connections: 8, requests: 8, idle: moment, request: moment };
        tokio::spawn(async move {
            Server::new(limits).serve(listener, router, pending(), &context.shutdown).await;
        });
        page.write_all(b"GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut heard = Vec::new();
        let start = Instant::now();
        for number in 0.. {
            let data = format!("data: snapshot {number}\n");
            snapshots.send_replace(Arc::from(&data[6..data.len() - 1]));
            while !heard.windows(data.len()).any(|heard| heard == data.as_bytes()) {
                let more = page.read_buf(&mut heard).await.unwrap();
                assert!(more > 0, "the stream ended after {:?}", start.elapsed());
            }
            heard.clear();
            // Far longer than an idle connection has, its farewell included.
            if start.elapsed() > Duration::from_secs(2) {
                break;
            }
            tokio::time::sleep(moment / 3).await;
        }
    }

    #[tokio::test]
    async fn no_more_pages_than_there_is_room_for_are_served() {
        let (_snapshots, events, _context) = events();
        let mut streams: Vec<_> = (0..MAX_PAGES).map(|_| events.stream().unwrap()).collect();
        assert!(events.stream().is_none());
        assert_eq!(events.open.get(), MAX_PAGES as i64);
        streams.pop();
        assert!(events.stream().is_some());
    }
}
