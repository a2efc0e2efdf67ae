use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, HttpBody};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::Full;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use utoipa::ToSchema;

use super::database::{Reader, Stored};
use super::reply::{self, Failure, FailureBody, Name};
use super::search::Search;

/// Replies in hand, until their clients have read them.
const REPLIES: usize = 4;

/// How long a request waits for one of them.
const BUSY_AFTER: Duration = Duration::from_secs(2);

/// About as many bytes of documents has a page.
const PAGE_BYTES: i64 = 1 << 20;

/// What a GET needs.
#[derive(Clone)]
pub(super) struct Reads {
    pub(super) name: Name,
    pub(super) reader: Reader,
    replies: Arc<Semaphore>,
}

impl Reads {
    pub(super) fn new(name: Name, reader: Reader) -> Self {
        Self { name, reader, replies: Arc::new(Semaphore::new(REPLIES)) }
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Failure> {
        let permit = timeout(BUSY_AFTER, Arc::clone(&self.replies).acquire_owned()).await;
        permit.ok().and_then(Result::ok).ok_or_else(|| Failure::busy("too many replies are being read"))
    }

    /// What `read` gives, as JSON, which counts as in hand until it is sent.
    async fn reply<T: Serialize>(&self, read: impl Future<Output = Result<T, Failure>>) -> Response {
        let in_hand = async {
            let permit = self.permit().await?;
            let body = serde_json::to_vec(&read.await?);
            let body = body.map_err(|error| Failure(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
            Ok(reply::json(StatusCode::OK, Body::new(InHand { body: body.into(), _permit: permit })))
        };
        in_hand.await.unwrap_or_else(|failure| self.name.failure(&failure))
    }
}

/// A body that counts as in hand until it is sent, or its client gone.
struct InHand {
    body: Full<Bytes>,
    _permit: OwnedSemaphorePermit,
}

impl HttpBody for InHand {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A page of documents.
#[derive(Serialize, ToSchema)]
pub(super) struct Page {
    /// The newest first.
    documents: Vec<Stored>,
    /// The `after` of the next page; none where this is the last one.
    next: Option<i64>,
}

impl Page {
    fn of(documents: Vec<Stored>, limit: i64) -> Self {
        let bytes: usize = documents.iter().map(|stored| stored.document.get().len()).sum();
        let is_full = documents.len() as i64 == limit || bytes as i64 >= PAGE_BYTES;
        let next = documents.last().filter(|_| is_full).map(|stored| stored.id);
        Self { documents, next }
    }
}

/// How many documents there are.
#[derive(Serialize, ToSchema)]
pub(super) struct Count {
    count: i64,
}

/// Documents, the newest first
///
/// A page ends after `limit` documents or about a megabyte.
#[utoipa::path(
    get,
    path = "/documents",
    params(
        ("after" = Option<i64>, Query, description = "`next` of the page before this one"),
        ("limit" = Option<i64>, Query, minimum = 1, maximum = 1000, description = "100 where it is not given"),
        ("field" = Option<std::collections::HashMap<String, String>>, Query, style = Form, explode,
            description = "only documents whose fields of these names have these values: `?user=root`"),
    ),
    responses(
        (status = OK, body = Page),
        (status = BAD_REQUEST, body = FailureBody),
        (status = SERVICE_UNAVAILABLE, body = FailureBody),
    )
)]
pub(super) async fn list(
    State(reads): State<Reads>,
    query: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Response {
    let page = async {
        let Query(query) = query.map_err(|error| Failure::bad(error.body_text()))?;
        let Search { before, limit, fields } = Search::of(query).map_err(Failure::bad)?;
        let documents = reads.reader.page(before, &fields, limit, PAGE_BYTES).await?;
        Ok(Page::of(documents, limit))
    };
    reads.reply(page).await
}

/// The document of an idempotency key
#[utoipa::path(
    get,
    path = "/documents/{key}",
    params(("key" = String, Path, description = "without quotes around it")),
    responses(
        (status = OK, body = Stored),
        (status = NOT_FOUND, body = FailureBody),
        (status = SERVICE_UNAVAILABLE, body = FailureBody),
    )
)]
pub(super) async fn one(State(reads): State<Reads>, key: Result<Path<String>, PathRejection>) -> Response {
    let found = async {
        let Path(key) = key.map_err(|error| Failure::bad(error.body_text()))?;
        let found = reads.reader.one(key).await?;
        found.ok_or_else(|| Failure(StatusCode::NOT_FOUND, "no document has this key".to_owned()))
    };
    reads.reply(found).await
}

/// How many documents there are
#[utoipa::path(
    get,
    path = "/documents/count",
    responses((status = OK, body = Count), (status = SERVICE_UNAVAILABLE, body = FailureBody))
)]
pub(super) async fn count(State(reads): State<Reads>) -> Response {
    reads.reply(async { Ok(Count { count: reads.reader.count().await? }) }).await
}

/// This description
#[utoipa::path(get, path = "/openapi.json", responses((status = OK, description = "OpenAPI 3.1")))]
pub(super) async fn openapi(Extension(description): Extension<Bytes>) -> Response {
    reply::json(StatusCode::OK, description)
}
