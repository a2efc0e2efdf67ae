//! Senders that share a task, and over HTTP/2 a connection.
//!
//! What has come for several of them is dealt with in one turn, and what they send goes out in one write: no other task
//! has to be woken for a request.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::stream::{FuturesUnordered, Stream as _};
use http::HeaderMap;
use tokio::sync::{Mutex as Turn, watch};

use crate::client::{Client, Failure, Opened};
use crate::connection::Connection;
use crate::http2::{Driver, Lane, Trunk};
use crate::sender::{Job, Sender};

/// Over HTTP/2 there are as many connections: a balancer gives each to one pod.
const FEWEST: u16 = 4;
const MOST: u16 = 16;
/// So many senders are worth a further crew.
const SENDERS: u16 = 16;

/// How many crews share so many senders.
pub(crate) fn crews(senders: u16) -> u16 {
    (senders / SENDERS).clamp(FEWEST, MOST).min(senders)
}

/// How many senders each crew has.
pub(crate) fn sizes(senders: u16) -> impl Iterator<Item = u16> {
    let crews = crews(senders);
    (0..crews).map(move |crew| senders / crews + u16::from(crew < senders % crews))
}

/// What the senders of a crew share.
#[derive(Default)]
pub(crate) struct Crew {
    /// The connection in use, if it is one of HTTP/2.
    lane: Mutex<Option<Lane>>,
    /// All connections of HTTP/2 that may still carry something.
    drivers: Mutex<Vec<Driver>>,
    /// Who has it may make a connection that all will use.
    turn: Turn<()>,
}

/// Lets so many senders deliver a batch's documents until there are none any more.
pub(crate) async fn run(job: Arc<Job>, headers: watch::Receiver<Arc<HeaderMap>>, senders: u16) {
    let crew = Arc::new(Crew::default());
    let sender = |_| Sender::new(Arc::clone(&job), Arc::clone(&crew), headers.clone()).run();
    let mut senders = pin!((0..senders).map(sender).collect::<FuturesUnordered<_>>());
    poll_fn(|context| {
        // What came is handed to the senders, and what they then send goes out.
        crew.drive(context);
        while let Poll::Ready(ended) = senders.as_mut().poll_next(context) {
            if ended.is_none() {
                return Poll::Ready(());
            }
        }
        crew.drive(context);
        Poll::Pending
    })
    .await;
    crew.leave(&job.tools.client);
}

impl Crew {
    /// Makes a connection, or finds the one that others have made.
    ///
    /// # Errors
    /// None could be made.
    pub(crate) async fn connection(
        &self,
        client: &Client,
        may_be_spare: bool,
    ) -> Result<Connection, Failure> {
        if let Some(lane) = self.usable_lane().await {
            return Ok(Connection::Http2(lane));
        }
        let may_be_http2 = || client.versions.may_be_http2(Instant::now());
        let turn = if may_be_http2() { Some(self.turn.lock().await) } else { None };
        if let Some(lane) = self.usable_lane().await {
            return Ok(Connection::Http2(lane));
        }
        // Nobody has to wait for connections of HTTP/1.1.
        let _turn = turn.filter(|_| may_be_http2());
        while may_be_spare && let Some(spare) = client.take_spare() {
            let mut connection = self.adopt(spare);
            if connection.is_usable().await {
                return Ok(connection);
            }
        }
        Ok(self.adopt(client.connect().await?))
    }

    async fn usable_lane(&self) -> Option<Lane> {
        let mut lane = self.lane().clone();
        poll_fn(|context| Poll::Ready(lane.as_mut().is_some_and(|lane| lane.is_usable(context))))
            .await
            .then_some(lane)
            .flatten()
    }

    fn adopt(&self, opened: Opened) -> Connection {
        match opened {
            Opened::Http1(connection) => Connection::Http1(connection),
            Opened::Http2(Trunk { lane, driver }) => {
                self.drivers().push(driver);
                *self.lane() = Some(lane.clone());
                Connection::Http2(lane)
            }
        }
    }

    fn drive(&self, context: &mut Context<'_>) {
        self.drivers().retain_mut(|driver| driver.poll(context).is_pending());
    }

    /// Leaves the connection in use to others.
    fn leave(&self, client: &Arc<Client>) {
        let lane = self.lane().take();
        let driver = self.drivers().pop().filter(|driver| !driver.is_spent());
        if let (Some(lane), Some(driver)) = (lane, driver) {
            client.leave(Opened::Http2(Trunk { lane, driver }));
        }
    }

    fn lane(&self) -> MutexGuard<'_, Option<Lane>> {
        self.lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drivers(&self) -> MutexGuard<'_, Vec<Driver>> {
        self.drivers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_senders_are_in_crews_of_like_size() {
        for senders in 1..=1000 {
            let sizes: Vec<_> = sizes(senders).collect();
            assert_eq!(sizes.len(), usize::from(crews(senders)));
            assert_eq!(sizes.iter().sum::<u16>(), senders);
            let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            assert!(*least >= 1 && most - least <= 1, "{sizes:?}");
        }
        assert_eq!([1, 2, 4, 64, 128, 1000].map(crews), [1, 2, 4, 4, 8, 16]);
    }
}
