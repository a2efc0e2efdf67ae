//! An API that keeps books of what it is sent: whether all that went in came out, and how often.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::{Balance, DataDir, Ledger, Outcome, Recorder, Reply, Token, wait_for};

/// By the contract, so many documents are sent twice after a kill, besides those in flight.
const UNSAVED: u64 = 1_000;

/// The books, and the API that keeps them.
pub struct Books {
    /// What went in, and what came out.
    pub ledger: Arc<Ledger>,
    /// It takes everything.
    pub api: Recorder,
}

impl Books {
    /// Opens them.
    pub fn open() -> Self {
        let ledger = Arc::new(Ledger::default());
        let books = Arc::clone(&ledger);
        let api = Recorder::with("api", move |_, post| {
            let token = Token::find(&post.body).unwrap();
            books.posted(token, &post.key);
            books.delivered(token);
            Reply::Status(200)
        });
        Books { ledger, api }
    }

    /// The lines of a file for the stage that takes an extension, each in the books.
    pub fn lines(&self, extension: &str, file: u32, count: u32) -> String {
        let tokens = (0..count).map(|record| Token { file, record });
        let line = |token: Token| {
            self.ledger.expect(token, Outcome::Delivered);
            match extension {
                "txt" => format!("-rw-r--r--    1 root     root            19 Mar 19 23:57 /{token}\n"),
                "csv" => format!("-rw-r--r--,1,root,root,19,Mar 19 23:57,/{token}\n"),
                _ => format!("{{\"file\":\"/{token}\"}}\n"),
            }
        };
        tokens.map(line).collect()
    }

    /// Waits until all that is in the books is delivered and nothing is in hand.
    pub fn wait_for_the_end(&self, data: &DataDir) {
        wait_for("the last document, and that nothing is in hand", || {
            // What is moved on while this looks may be seen nowhere; the books are slow, and hold up the api.
            let is_over = is_idle(data) && self.balance().lost.is_empty();
            thread::sleep(Duration::from_millis(50));
            is_over.then_some(())
        });
    }

    /// Checks that everything came, nothing under two keys, and no more twice than the contract allows for so many senders
    /// that ended, each with so many documents in flight.
    pub fn judge(&self, data: &DataDir, ends: u64, in_flight: u64) -> Balance {
        let balance = self.balance();
        let (lost, doubled) = (&balance.lost, &balance.doubled);
        assert!(
            lost.is_empty() && doubled.is_empty(),
            "{} lost, such as {:?}; {} doubled, such as {:?}",
            lost.len(),
            lost.first(),
            doubled.len(),
            doubled.first(),
        );
        assert!(balance.strangers.is_empty() && balance.torn.is_empty(), "{balance:?}");
        assert_eq!(balance.shared_keys, 0, "keys that two records had");
        let allowed = ends * (in_flight + UNSAVED);
        assert!(balance.duplicates <= allowed, "{} sent twice, {allowed} allowed", balance.duplicates);
        assert_eq!(data.rejected(), Vec::<Vec<u8>>::new());
        balance
    }

    fn balance(&self) -> Balance {
        self.ledger.balance(&HashMap::new())
    }
}

fn is_idle(data: &DataDir) -> bool {
    let waiting = ["txt", "csv", "json"].iter().any(|extension| !data.waiting(extension).is_empty());
    // What self-tests that were killed left, the next start removes.
    let in_hand = data.in_hand();
    !waiting && in_hand.iter().all(|file| file.display().to_string().contains("self-test"))
}
