//! Which address the next connection goes to.
//!
//! A resolver hands out a name's addresses in an order of its own, which favours some. Here each is given out once a
//! round, so that connections spread evenly.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::lookup_host;
use tokio::sync::Mutex;
use tokio::time::timeout;
use tracing::debug;

/// How old a look-up may be. While connections are made, a name is looked up about so often.
const FRESH: Duration = Duration::from_secs(1);
/// So many addresses are tried in one attempt.
const TRIED: usize = 3;

/// The resolver of the api's name. Clones share one pool.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    /// The addresses are given, and never looked up.
    is_fixed: bool,
    /// Held during a look-up: who needs an address meanwhile waits for that one.
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    pool: AddressPool,
    looked_up: Option<Instant>,
}

impl Resolver {
    /// Gives out the addresses of a name, or the `fixed` ones, ports and all, instead.
    pub(crate) fn new(fixed: Option<Vec<SocketAddr>>) -> Self {
        let is_fixed = fixed.is_some();
        let mut pool = AddressPool::new(fastrand::Rng::new());
        pool.set(fixed.unwrap_or_default());
        Resolver { is_fixed, state: Arc::new(Mutex::new(State { pool, looked_up: None })) }
    }

    /// The addresses to try in turn.
    ///
    /// # Errors
    /// The name cannot be looked up, and never could: else the addresses known last are given out.
    async fn addresses(self, host: &str) -> io::Result<Vec<SocketAddr>> {
        let mut state = self.state.lock().await;
        if !self.is_fixed && state.looked_up.is_none_or(|at| at.elapsed() >= FRESH) {
            state.looked_up = Some(Instant::now());
            // Port 0 stands for the URL's.
            let look_up = async { Ok(lookup_host((host, 0)).await?.collect::<Vec<_>>()) };
            let found = if state.pool.is_empty() {
                look_up.await
            } else {
                timeout(FRESH, look_up).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            };
            match found {
                Ok(addresses) => state.pool.set(addresses),
                Err(error) if state.pool.is_empty() => return Err(error),
                Err(error) => debug!(host, %error, "the look-up failed: the addresses known last are used"),
            }
        }
        let addresses = state.pool.next();
        if addresses.is_empty() { Err(io::Error::other("the name has no address")) } else { Ok(addresses) }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.addresses(name.as_str()).await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The addresses of the api, in the order in which they are given out.
#[derive(Debug)]
struct AddressPool {
    addresses: Vec<SocketAddr>,
    /// Those before it were given out in this round.
    next: usize,
    random: fastrand::Rng,
}

impl AddressPool {
    fn new(random: fastrand::Rng) -> Self {
        AddressPool { addresses: Vec::new(), next: 0, random }
    }

    fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// Puts in what the name stands for now; the same set as before leaves the round as it is.
    fn set(&mut self, addresses: impl IntoIterator<Item = SocketAddr>) {
        let mut new: Vec<_> = addresses.into_iter().collect();
        new.sort_unstable();
        new.dedup();
        let mut old = self.addresses.clone();
        old.sort_unstable();
        if new != old {
            self.addresses = new;
            self.next = self.addresses.len();
        }
    }

    /// The next address, and those to try where it does not answer. Another round starts when each had its turn.
    fn next(&mut self) -> Vec<SocketAddr> {
        if self.next >= self.addresses.len() {
            self.random.shuffle(&mut self.addresses);
            self.next = 0;
        }
        let turn = self.addresses.iter().cycle().skip(self.next);
        let addresses = turn.take(TRIED.min(self.addresses.len())).copied().collect();
        self.next += 1;
        addresses
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn addresses(ports: impl IntoIterator<Item = u16>) -> Vec<SocketAddr> {
        ports.into_iter().map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect()
    }

    fn pool(seed: u64, ports: impl IntoIterator<Item = u16>) -> AddressPool {
        let mut pool = AddressPool::new(fastrand::Rng::with_seed(seed));
        pool.set(addresses(ports));
        pool
    }

    proptest! {
        #[test]
        fn each_address_comes_first_once_a_round(seed: u64, ports in prop::collection::btree_set(1..u16::MAX, 1..20)) {
            let mut pool = pool(seed, ports.clone());
            for _ in 0..3 {
                let mut round: Vec<_> = ports.iter().map(|_| pool.next()[0]).collect();
                round.sort();
                prop_assert_eq!(&round, &addresses(ports.clone()));
            }
        }

        #[test]
        fn others_are_tried_where_the_first_does_not_answer(seed: u64, number in 1..10_u16) {
            let mut pool = pool(seed, 1..=number);
            for _ in 0..20 {
                let mut tried = pool.next();
                tried.sort();
                tried.dedup();
                prop_assert_eq!(tried.len(), TRIED.min(usize::from(number)));
            }
        }
    }

    #[test]
    fn the_same_set_again_leaves_the_round_as_it_is() {
        let mut pool = pool(7, 1..=5);
        let mut seen = vec![pool.next()[0], pool.next()[0]];
        pool.set(addresses([5, 4, 3, 2, 1, 1]));
        seen.extend([pool.next()[0], pool.next()[0], pool.next()[0]]);
        seen.sort();
        assert_eq!(seen, addresses(1..=5));
    }

    #[tokio::test]
    async fn fixed_addresses_are_given_out_in_turn_and_no_name_is_looked_up() {
        let fixed = addresses(1..=3);
        let resolver = Resolver::new(Some(fixed.clone()));
        let mut given = Vec::new();
        for _ in 0..3 {
            given.push(resolver.clone().addresses("no.such.name.invalid").await.unwrap()[0]);
        }
        given.sort();
        assert_eq!(given, fixed);
    }

    #[tokio::test]
    async fn a_name_without_addresses_is_an_error() {
        assert!(Resolver::new(Some(vec![])).addresses("api").await.is_err());
    }
}
