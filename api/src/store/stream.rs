use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::X_CONTENT_TYPE_OPTIONS;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use service::{KeepOpen, Shutdown};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::sleep;

use super::database::{Reader, Stored};
use super::documents::Reads;
use super::reply::{Failure, FailureBody};

/// Streams at a time.
const STREAMS: usize = 8;

/// So often the database is asked for new documents, whichever replica stored them.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// What is asked for at once.
const DOCUMENTS: i64 = 256;
const BYTES: i64 = 256 << 10;

/// So often a silent stream says that it lives, and finds out whether its client does.
const COMMENT_EVERY: Duration = Duration::from_secs(5);

/// How long a client may take nothing.
const SLOW_AFTER: Duration = Duration::from_secs(30);

/// The header with which a client goes on where it was.
const LAST_EVENT_ID: &str = "last-event-id";

/// What a stream needs.
#[derive(Clone)]
pub(super) struct Streams {
    reads: Reads,
    shutdown: Shutdown,
    places: Arc<Semaphore>,
}

impl Streams {
    pub(super) fn new(reads: Reads, shutdown: Shutdown) -> Self {
        Self { reads, shutdown, places: Arc::new(Semaphore::new(STREAMS)) }
    }

    async fn start(&self, headers: &HeaderMap) -> Result<Response, Failure> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| Failure::busy("too many streams"))?;
        let reader = self.reads.reader.clone();
        let last = match headers.get(LAST_EVENT_ID) {
            None => reader.newest().await?,
            Some(id) => id
                .to_str()
                .ok()
                .and_then(|id| id.parse().ok())
                .ok_or_else(|| Failure::bad("`Last-Event-ID` is no id of a document"))?,
        };
        let (events, receiver) = mpsc::channel(1);
        let open = KeepOpen::default();
        let follower = Follower { reader, last, events, _place: place, _open: open.clone() };
        let shutdown = self.shutdown.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = follower.follow() => {}
                () = shutdown.requested() => {}
            }
        });
        let events = stream::unfold(receiver, |mut events| async {
            let event: Event = events.recv().await?;
            Some((Ok::<_, Infallible>(event), events))
        });
        let mut response =
            Sse::new(events).keep_alive(KeepAlive::new().interval(COMMENT_EVERY)).into_response();
        response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response.extensions_mut().insert(open);
        Ok(response)
    }
}

/// Reads on behalf of one client, no faster than that does.
struct Follower {
    reader: Reader,
    /// The last document's id.
    last: i64,
    events: mpsc::Sender<Event>,
    _place: OwnedSemaphorePermit,
    _open: KeepOpen,
}

impl Follower {
    /// Ends with its client.
    async fn follow(mut self) {
        loop {
            // While the database is away there is nothing new.
            let new = self.reader.since(self.last, DOCUMENTS, BYTES).await.unwrap_or_default();
            let is_all = new.is_empty();
            for stored in new {
                self.last = stored.id;
                let Some(event) = event(&stored) else { return };
                if self.events.send_timeout(event, SLOW_AFTER).await.is_err() {
                    return;
                }
            }
            if is_all {
                tokio::select! {
                    () = sleep(ASK_EVERY) => {}
                    () = self.events.closed() => return,
                }
            }
        }
    }
}

fn event(stored: &Stored) -> Option<Event> {
    let data = serde_json::to_string(stored).ok()?;
    Some(Event::default().event("document").id(stored.id.to_string()).data(data))
}

/// New documents as they are committed, by any replica
///
/// Server-sent events: `event: document`, `id` and, as `data`, what `/documents/{key}` gives. It begins with what is
/// committed from now on, or behind `Last-Event-ID`, and leaves nothing out, in the order of the ids. A client that takes
/// nothing for 30 seconds is let go.
#[utoipa::path(
    get,
    path = "/documents/stream",
    params(("Last-Event-ID" = Option<i64>, Header, description = "the last document's id")),
    responses(
        (status = OK, content_type = "text/event-stream", body = Stored),
        (status = BAD_REQUEST, body = FailureBody),
        (status = SERVICE_UNAVAILABLE, body = FailureBody),
    )
)]
pub(super) async fn follow(State(streams): State<Streams>, headers: HeaderMap) -> Response {
    let started = streams.start(&headers).await;
    started.unwrap_or_else(|failure| streams.reads.name.failure(&failure))
}
