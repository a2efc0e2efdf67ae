use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use jiff::Timestamp;
use uuid::Uuid;

use super::metrics::Metrics;
use super::queue::{Full, Outcome, Queue, Room};
use super::reply::{self, Failure, Name};
use super::{json, key};
use crate::answer::{self, Api, MAX_BODY};

/// What a POST needs.
#[derive(Clone)]
pub(super) struct Posts {
    pub(super) api: Api,
    pub(super) name: Name,
    pub(super) queue: Queue,
    pub(super) metrics: Metrics,
}

/// Stores the document of a POST and answers when it is committed; any other request is answered as without a database.
pub(super) async fn catch_all(State(posts): State<Posts>, request: Request) -> Response {
    if request.method() != Method::POST {
        return answer::respond(State(posts.api), request).await;
    }
    posts.api.requests.inc();
    let (head, body) = request.into_parts();
    let (key, is_http_1) = (key::of(&head.headers), answer::is_http_1(head.version));
    // Not held while the body is waited for: there may be thousands of them.
    drop(head);
    let mut response = posts.reply(key, body).await;
    answer::say_goodbye(&posts.api.shutdown, is_http_1, &mut response);
    response
}

impl Posts {
    async fn reply(&self, key: Result<Option<String>, &str>, mut body: Body) -> Response {
        let (document, room) = match self.read_to_end(&mut body).await {
            Ok(read) => read,
            Err(unread) => {
                answer::discard(body);
                return self.unread(&unread);
            }
        };
        drop(body);
        match self.store(key, document, room).await {
            Ok(Outcome::Stored) => reply::json(StatusCode::OK, self.api.answer.clone()),
            Ok(Outcome::Duplicate) => reply::json(StatusCode::OK, self.name.duplicate()),
            Ok(Outcome::Refused(reason)) => {
                self.name.failure(&Failure(StatusCode::UNPROCESSABLE_ENTITY, reason))
            }
            Ok(Outcome::Away) => self.name.failure(&Failure::busy("the database is away")),
            Err(failure) => self.name.failure(&failure),
        }
    }

    async fn store(
        &self,
        key: Result<Option<String>, &str>,
        document: Vec<u8>,
        room: Room,
    ) -> Result<Outcome, Failure> {
        let bad = |reason: String| {
            self.metrics.refused();
            Failure::bad(reason)
        };
        let key = key.map_err(|reason| bad(reason.to_owned()))?;
        let key = key.unwrap_or_else(|| Uuid::now_v7().to_string());
        let document = json::text(document).map_err(bad)?;
        let received = format!("{:.6}", Timestamp::now());
        let answered = self.queue.push(key, document, received, room).map_err(|Full| self.full())?;
        // The writer answers all that it takes, unless it ends before its time.
        Ok(answered.await.unwrap_or(Outcome::Away))
    }

    fn full(&self) -> Failure {
        self.metrics.full();
        Failure::busy("the queue is full")
    }

    fn unread(&self, unread: &Unread) -> Response {
        match unread {
            Unread::TooLong => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
            Unread::Broken => StatusCode::BAD_REQUEST.into_response(),
            Unread::Full => self.name.failure(&self.full()),
        }
    }

    /// Reads a body, as far as there is room for it.
    async fn read_to_end(&self, body: &mut Body) -> Result<(Vec<u8>, Room), Unread> {
        let announced = body.size_hint().lower();
        let (mut read, mut room) = (Vec::new(), None);
        while announced.max(read.len() as u64) <= MAX_BODY {
            match body.frame().await {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.queue.enlarge(&mut room, data.len()).map_err(|Full| Unread::Full)?;
                    // Mostly all of it comes at once.
                    if read.is_empty() {
                        read = data.into();
                    } else {
                        read.extend_from_slice(&data);
                    }
                }
                Some(Err(_)) => return Err(Unread::Broken),
                None => return Ok((read, room)),
            }
        }
        Err(Unread::TooLong)
    }
}

/// Why a body was not read to its end.
enum Unread {
    TooLong,
    Broken,
    Full,
}
