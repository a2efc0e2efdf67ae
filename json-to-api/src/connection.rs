//! A sender's way to send one request after the other: a connection of its own, or a share of one.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use bytes::Bytes;
use h2::Reason;

use crate::http1;
use crate::http2::Lane;
use crate::reply::{Body, Malformed, Reply};
use crate::request::Requests;

/// A way to the api.
pub(crate) enum Connection {
    Http1(http1::Connection),
    Http2(Lane),
}

/// Why a request got no whole reply.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("the connection was cut off")]
    CutOff,
    #[error("the connection was cut off")]
    Failed(#[source] io::Error),
    #[error(transparent)]
    Malformed(Malformed),
    #[error("the request was cut off")]
    Http2(#[source] h2::Error),
}

impl Broken {
    /// Returns whether the api asks for HTTP/1.1.
    pub(crate) fn asks_for_http1(&self) -> bool {
        matches!(self, Broken::Http2(error) if error.reason() == Some(Reason::HTTP_1_1_REQUIRED))
    }
}

impl Connection {
    /// Returns whether another request may be sent.
    pub(crate) async fn is_usable(&mut self) -> bool {
        poll_fn(|context| {
            Poll::Ready(match self {
                Connection::Http1(connection) => connection.is_usable(context),
                Connection::Http2(lane) => lane.is_usable(context),
            })
        })
        .await
    }

    /// Returns whether it has carried a request before: the api may close it at any moment.
    pub(crate) fn is_used(&self) -> bool {
        match self {
            Connection::Http1(connection) => connection.is_used(),
            Connection::Http2(lane) => lane.is_used(),
        }
    }

    /// POSTs the document in a line and reads the reply, whose body, or the beginning of a long one, is put into `reply`.
    ///
    /// # Errors
    /// There was no whole reply. One that is none of success counts without its body.
    pub(crate) async fn post(
        &mut self,
        requests: &mut Requests,
        line: u64,
        document: &Bytes,
        reply: &mut Body,
    ) -> Result<Reply, Broken> {
        match self {
            Connection::Http1(connection) => {
                let head = |head: &mut Vec<u8>| requests.http1(line, document.len(), head);
                connection.exchange(head, document, reply).await
            }
            Connection::Http2(lane) => {
                let request = requests.http2(line, document.len());
                lane.exchange(request, document.clone(), reply).await.map_err(Broken::Http2)
            }
        }
    }
}
