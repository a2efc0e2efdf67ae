use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Documents that wait for their insert, or are in it.
const MAX_DOCUMENTS: usize = 8192;

/// Their bytes, and those of bodies that are still on their way; the longest body and as much again for its neighbours
/// must find room.
const MAX_BYTES: usize = 16 << 20;

/// What became of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is committed; its key was not known.
    Stored,
    /// A document with its key is committed.
    Duplicate,
    /// The database takes it for no document, and says why.
    Refused(String),
    /// It is not known whether it is committed.
    Away,
}

/// A document on its way into the database.
pub(super) struct Job {
    pub(super) key: String,
    pub(super) document: String,
    /// By RFC 3339.
    pub(super) received: String,
    answer: oneshot::Sender<Outcome>,
    /// Its bytes of the queue's.
    _room: Room,
}

impl Job {
    /// Whether nobody waits for it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    /// Tells who waits for it, if anybody does.
    pub(super) fn answer(self, outcome: Outcome) {
        let _ = self.answer.send(outcome);
    }
}

/// A part of the bytes that the queue may hold; given back when dropped.
pub(super) type Room = Option<OwnedSemaphorePermit>;

/// No more documents or bytes: whoever sends shall come back later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// What waits for the one writer; bounded by number and by bytes.
#[derive(Clone)]
pub(super) struct Queue {
    jobs: mpsc::Sender<Job>,
    bytes: Arc<Semaphore>,
}

impl Queue {
    /// The queue, and its end for the writer.
    pub(super) fn new() -> (Self, mpsc::Receiver<Job>) {
        let (jobs, waiting) = mpsc::channel(MAX_DOCUMENTS);
        (Self { jobs, bytes: Arc::new(Semaphore::new(MAX_BYTES)) }, waiting)
    }

    /// Adds so many bytes to `room`.
    ///
    /// # Errors
    /// There is none left.
    pub(super) fn enlarge(&self, room: &mut Room, bytes: usize) -> Result<(), Full> {
        let bytes = u32::try_from(bytes).map_err(|_| Full)?;
        let more = Arc::clone(&self.bytes).try_acquire_many_owned(bytes).map_err(|_| Full)?;
        match room {
            Some(room) => room.merge(more),
            None => *room = Some(more),
        }
        Ok(())
    }

    /// Hands a document over; the answer comes when it is committed.
    ///
    /// # Errors
    /// There is no place left.
    pub(super) fn push(
        &self,
        key: String,
        document: String,
        received: String,
        room: Room,
    ) -> Result<oneshot::Receiver<Outcome>, Full> {
        let (answer, answered) = oneshot::channel();
        let job = Job { key, document, received, answer, _room: room };
        // Closed only when the writer has ended, which is as full as can be.
        self.jobs.try_send(job).map_err(|_| Full)?;
        Ok(answered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(queue: &Queue, room: Room) -> Result<oneshot::Receiver<Outcome>, Full> {
        queue.push(String::new(), String::new(), String::new(), room)
    }

    #[test]
    fn it_is_full_at_its_number_and_has_room_again_when_one_is_taken() {
        let (queue, mut jobs) = Queue::new();
        let waiting: Vec<_> = (0..MAX_DOCUMENTS).map(|_| push(&queue, None).unwrap()).collect();
        assert_eq!(push(&queue, None).unwrap_err(), Full);
        assert!(!jobs.try_recv().unwrap().is_abandoned());
        assert!(push(&queue, None).is_ok());
        drop(waiting);
        assert!(jobs.try_recv().unwrap().is_abandoned());
    }

    #[test]
    fn its_bytes_are_taken_until_the_document_is_answered() {
        let (queue, mut jobs) = Queue::new();
        let mut room = None;
        queue.enlarge(&mut room, MAX_BYTES - 1).unwrap();
        queue.enlarge(&mut room, 1).unwrap();
        let _answer = push(&queue, room).unwrap();
        assert_eq!(queue.enlarge(&mut None, 1), Err(Full));
        let job = jobs.try_recv().unwrap();
        assert_eq!(queue.enlarge(&mut None, 1), Err(Full));
        job.answer(Outcome::Stored);
        assert_eq!(queue.enlarge(&mut None, MAX_BYTES), Ok(()));
    }

    #[test]
    fn after_the_writer_nothing_is_taken() {
        let (queue, jobs) = Queue::new();
        drop(jobs);
        assert_eq!(push(&queue, None).unwrap_err(), Full);
    }
}
