//! Which address the next connection goes to.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::lookup_host;
use tokio::sync::Mutex;
use tracing::debug;

use crate::deck::Deck;

/// How old a look-up may be. While connections are made, a name is looked up about so often.
const FRESH: Duration = Duration::from_secs(1);

/// Deals the addresses that the api's name stands for.
#[derive(Debug)]
pub(crate) struct Resolver {
    host: String,
    port: u16,
    /// The addresses are given, and never looked up.
    is_fixed: bool,
    /// Held during a look-up: who needs an address meanwhile waits for that one.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    deck: Deck,
    looked_up: Option<Instant>,
}

impl Resolver {
    /// Deals the addresses of `host`, or the `fixed` ones instead.
    pub(crate) fn new(host: &str, port: u16, fixed: Option<Vec<SocketAddr>>) -> Self {
        let mut deck = Deck::new(fastrand::Rng::new());
        let is_fixed = fixed.is_some();
        deck.set(fixed.unwrap_or_default());
        let state = Mutex::new(State { deck, looked_up: None });
        Resolver { host: host.to_owned(), port, is_fixed, state }
    }

    /// Deals an address, and says how many there are.
    ///
    /// # Errors
    /// The name cannot be looked up, and never could: else the addresses known last are dealt.
    pub(crate) async fn deal(&self) -> io::Result<(SocketAddr, usize)> {
        let mut state = self.state.lock().await;
        if !self.is_fixed && state.looked_up.is_none_or(|at| at.elapsed() >= FRESH) {
            match lookup_host((self.host.as_str(), self.port)).await {
                Ok(addresses) => state.deck.set(addresses),
                Err(error) if state.deck.len() == 0 => return Err(error),
                Err(error) => {
                    debug!(host = self.host, %error, "the look-up failed: the addresses known last are used")
                }
            }
            state.looked_up = Some(Instant::now());
        }
        let count = state.deck.len();
        let address = state.deck.deal();
        address.map(|address| (address, count)).ok_or_else(|| io::Error::other("the name has no address"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[tokio::test]
    async fn fixed_addresses_are_dealt_in_turn_and_no_name_is_looked_up() {
        let fixed: Vec<SocketAddr> = (1..=3).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
        let resolver = Resolver::new("no.such.name.invalid", 80, Some(fixed.clone()));
        let mut dealt = BTreeSet::new();
        for _ in 0..3 {
            let (address, count) = resolver.deal().await.unwrap();
            assert_eq!(count, 3);
            dealt.insert(address);
        }
        assert_eq!(dealt, fixed.into_iter().collect());
    }

    #[tokio::test]
    async fn an_address_stands_for_itself() {
        for host in ["127.0.0.1", "::1"] {
            let (address, count) = Resolver::new(host, 7, None).deal().await.unwrap();
            assert_eq!((address.ip().to_string().as_str(), address.port(), count), (host, 7, 1));
        }
    }

    #[tokio::test]
    async fn without_addresses_there_is_nothing_to_deal() {
        assert!(Resolver::new("api", 80, Some(vec![])).deal().await.is_err());
    }
}
