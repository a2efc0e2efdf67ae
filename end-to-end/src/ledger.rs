//! What went in, and what came out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;

/// A record's name, which it bears through all stages: its file's number and its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// Its file's number.
    pub file: u32,
    /// Its own.
    pub record: u32,
}

const MARK: &str = "soak-";
const DIGITS: usize = 6;

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{MARK}{:0DIGITS$}-{:0DIGITS$}", self.file, self.record)
    }
}

impl Token {
    /// The last one in a text.
    pub fn find(text: &[u8]) -> Option<Self> {
        let start = text.windows(MARK.len()).rposition(|window| window == MARK.as_bytes())? + MARK.len();
        let number = |from: usize| std::str::from_utf8(text.get(from..from + DIGITS)?).ok()?.parse().ok();
        Some(Token { file: number(start)?, record: number(start + DIGITS + 1)? })
    }
}

/// What is to become of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The API takes it.
    Delivered,
    /// It lies in `rejected/`.
    Rejected,
    /// Delivered like all of its file, or like all of it not: its listing was killed.
    Perhaps,
}

/// What the API has seen of a record.
#[derive(Debug, Default)]
struct Seen {
    keys: BTreeSet<String>,
    delivered: u64,
}

/// The books.
#[derive(Default)]
pub struct Ledger {
    expected: Mutex<HashMap<Token, Outcome>>,
    seen: Mutex<HashMap<Token, Seen>>,
}

/// What the books say at the end.
#[derive(Debug, Default)]
pub struct Balance {
    /// Records that went in.
    pub records: u64,
    /// Of these, those that were delivered.
    pub delivered: u64,
    /// How many lie in `rejected/`.
    pub rejected: u64,
    /// Records of listings that died before they were finished.
    pub unfinished: u64,
    /// Neither delivered nor rejected, though they should be.
    pub lost: Vec<Token>,
    /// Delivered under two keys, rejected twice, or both delivered and rejected.
    pub doubled: Vec<Token>,
    /// Keys that two records had.
    pub shared_keys: u64,
    /// What came out and never went in.
    pub strangers: Vec<Token>,
    /// Listings of which a part came.
    pub torn: Vec<u32>,
    /// Deliveries beyond a record's first.
    pub duplicates: u64,
}

impl Ledger {
    /// Notes what goes in.
    pub fn expect(&self, token: Token, outcome: Outcome) {
        self.expected.lock().unwrap().insert(token, outcome);
    }

    /// Notes a POST, whatever is answered.
    pub fn posted(&self, token: Token, key: &str) {
        let mut seen = self.seen.lock().unwrap();
        let keys = &mut seen.entry(token).or_default().keys;
        if !keys.contains(key) {
            keys.insert(key.to_owned());
        }
    }

    /// Notes that a pod has taken a document.
    pub fn delivered(&self, token: Token) {
        self.seen.lock().unwrap().entry(token).or_default().delivered += 1;
    }

    /// Compares what went in with what came out; `rejected`: how often each lies in `rejected/`.
    pub fn balance(&self, rejected: &HashMap<Token, u64>) -> Balance {
        let (expected, seen) = (self.expected.lock().unwrap(), self.seen.lock().unwrap());
        let mut balance = Balance { records: expected.len() as u64, ..Balance::default() };
        let mut listings: BTreeMap<u32, BTreeSet<bool>> = BTreeMap::new();
        for (token, outcome) in expected.iter() {
            let (keys, delivered) = seen.get(token).map_or((0, 0), |seen| (seen.keys.len(), seen.delivered));
            let refused = rejected.get(token).copied().unwrap_or(0);
            balance.delivered += u64::from(delivered > 0);
            balance.rejected += refused;
            balance.duplicates += delivered.saturating_sub(1);
            match outcome {
                Outcome::Delivered if delivered == 0 => balance.lost.push(*token),
                Outcome::Rejected if refused == 0 => balance.lost.push(*token),
                Outcome::Perhaps => {
                    balance.unfinished += u64::from(delivered == 0);
                    listings.entry(token.file).or_default().insert(delivered > 0);
                }
                Outcome::Delivered | Outcome::Rejected => {}
            }
            if keys > 1 || refused > 1 || (delivered > 0 && refused > 0) {
                balance.doubled.push(*token);
            }
        }
        balance.torn =
            listings.into_iter().filter(|(_, came)| came.len() > 1).map(|(file, _)| file).collect();
        balance.strangers = seen
            .keys()
            .chain(rejected.keys())
            .filter(|token| !expected.contains_key(token))
            .copied()
            .collect();
        let keys: u64 = seen.values().map(|seen| seen.keys.len() as u64).sum();
        let different: BTreeSet<&String> = seen.values().flat_map(|seen| &seen.keys).collect();
        balance.shared_keys = keys - different.len() as u64;
        balance
    }
}

#[test]
fn the_books_tell_what_is_lost_doubled_torn_or_strange() {
    let ledger = Ledger::default();
    let token = |file, record| Token { file, record };
    let outcomes = [Outcome::Delivered, Outcome::Delivered, Outcome::Rejected, Outcome::Rejected];
    for (outcome, record) in outcomes.into_iter().zip(0..) {
        ledger.expect(token(1, record), outcome);
    }
    ledger.expect(token(2, 0), Outcome::Perhaps);
    ledger.expect(token(2, 1), Outcome::Perhaps);
    for (token, key) in [(token(1, 1), "a"), (token(1, 1), "b"), (token(2, 0), "c"), (token(3, 0), "c")] {
        assert_eq!(Token::find(format!("{token} and {token}.").as_bytes()), Some(token));
        ledger.posted(token, key);
        ledger.delivered(token);
    }
    let balance = ledger.balance(&HashMap::from([(token(1, 2), 2)]));
    assert_eq!((balance.records, balance.delivered, balance.rejected), (6, 2, 2));
    let sorted = |mut tokens: Vec<Token>| {
        tokens.sort_unstable();
        tokens
    };
    assert_eq!(sorted(balance.lost), [token(1, 0), token(1, 3)]);
    assert_eq!(sorted(balance.doubled), [token(1, 1), token(1, 2)]);
    assert_eq!((balance.torn, balance.strangers), (vec![2], vec![token(3, 0)]));
    assert_eq!((balance.shared_keys, balance.duplicates, balance.unfinished), (1, 1, 1));
}
