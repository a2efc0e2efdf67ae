//! The POSTs of one turn at a batch: handed over to the clients' threads, and heard of again.
//!
//! To wake a thread takes a system call. So each thread has one task that takes documents over: what comes while it is
//! awake costs none.

use std::future::pending;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use crate::clients::Lease;
use crate::document::{Answer, Document};
use crate::post::Poster;

/// A document, and what came of one attempt at it.
pub(crate) struct Attempt {
    pub(crate) document: Document,
    pub(crate) answer: Answer,
    /// The client that was used.
    pub(crate) slot: usize,
}

/// A document to be sent.
struct Job {
    document: Document,
    poster: Arc<Poster>,
    lease: Lease,
}

/// The documents in flight.
pub(crate) struct Senders {
    threads: Vec<Thread>,
    answer: Option<UnboundedSender<Attempt>>,
    answers: UnboundedReceiver<Attempt>,
    in_flight: usize,
}

struct Thread {
    handle: Handle,
    /// Whoever takes jobs there; nobody before the first.
    jobs: Option<UnboundedSender<Job>>,
}

impl Senders {
    /// On these threads; nothing is started before it is needed.
    pub(crate) fn new(threads: &[Handle]) -> Self {
        let (answer, answers) = mpsc::unbounded_channel();
        let threads = threads.iter().map(|handle| Thread { handle: handle.clone(), jobs: None }).collect();
        Senders { threads, answer: Some(answer), answers, in_flight: 0 }
    }

    /// How many documents were handed over, and not heard of again.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Has a document sent.
    pub(crate) fn send(&mut self, document: Document, poster: Arc<Poster>, lease: Lease) {
        let Some(answer) = &self.answer else { return };
        let Thread { handle, jobs } = &mut self.threads[lease.thread];
        let jobs = jobs.get_or_insert_with(|| {
            let (jobs, taken) = mpsc::unbounded_channel();
            handle.spawn(take(taken, answer.clone()));
            jobs
        });
        let sent = jobs.send(Job { document, poster, lease });
        assert!(sent.is_ok(), "its task takes jobs for as long as they are kept");
        self.in_flight += 1;
    }

    /// Waits for the next answer, for ever where nothing is in flight.
    pub(crate) async fn next(&mut self) -> Attempt {
        match self.answers.recv().await {
            Some(attempt) => {
                self.in_flight -= 1;
                attempt
            }
            None => pending().await,
        }
    }

    /// An answer that has come already.
    pub(crate) fn try_next(&mut self) -> Option<Attempt> {
        let attempt = self.answers.try_recv().ok()?;
        self.in_flight -= 1;
        Some(attempt)
    }

    /// Gives up what is in flight: once this has returned, nothing is sent any more. Returns what was answered until then.
    pub(crate) async fn stop(&mut self) -> Vec<Attempt> {
        self.threads.clear();
        self.answer = None;
        let mut answered = Vec::new();
        while let Some(attempt) = self.answers.recv().await {
            answered.push(attempt);
        }
        self.in_flight = 0;
        answered
    }
}

/// Sends what is handed over, until nobody can hand over any more; what is in flight then is given up.
async fn take(mut jobs: UnboundedReceiver<Job>, answer: UnboundedSender<Attempt>) {
    let mut posts = JoinSet::new();
    while let Some(Job { document, poster, lease: Lease { client, slot, .. } }) = jobs.recv().await {
        while posts.try_join_next().is_some() {}
        let to = answer.clone();
        posts.spawn(async move {
            let answer = poster.post(client, &document).await;
            // Whoever does not listen any more has given the batch up.
            let _ = to.send(Attempt { document, answer, slot });
        });
    }
    posts.shutdown().await;
}
