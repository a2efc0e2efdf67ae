//! Addresses dealt from a shuffled deck: each once a round, so that connections spread evenly.
//!
//! A resolver hands out a name's addresses in an order of its own, which favours some; drawing each at random would too.

use std::net::SocketAddr;

/// The addresses of the api, in the order in which they are dealt.
#[derive(Debug)]
pub(crate) struct Deck {
    cards: Vec<SocketAddr>,
    /// Those before it have been dealt in this round.
    next: usize,
    random: fastrand::Rng,
}

impl Deck {
    /// An empty deck.
    pub(crate) fn new(random: fastrand::Rng) -> Self {
        Deck { cards: Vec::new(), next: 0, random }
    }

    /// Puts in what the name stands for now; the same set as before leaves the round as it is.
    pub(crate) fn set(&mut self, addresses: impl IntoIterator<Item = SocketAddr>) {
        let mut new: Vec<_> = addresses.into_iter().collect();
        new.sort_unstable();
        new.dedup();
        let mut old = self.cards.clone();
        old.sort_unstable();
        if new != old {
            self.cards = new;
            self.next = self.cards.len();
        }
    }

    /// The next address; a new round starts when all have been dealt. `None`: there are none.
    pub(crate) fn deal(&mut self) -> Option<SocketAddr> {
        if self.next >= self.cards.len() {
            self.random.shuffle(&mut self.cards);
            self.next = 0;
        }
        let card = self.cards.get(self.next).copied();
        self.next += 1;
        card
    }

    /// How many different addresses there are.
    pub(crate) fn len(&self) -> usize {
        self.cards.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn addresses(ports: impl IntoIterator<Item = u16>) -> Vec<SocketAddr> {
        ports.into_iter().map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect()
    }

    fn deck(seed: u64, ports: impl IntoIterator<Item = u16>) -> Deck {
        let mut deck = Deck::new(fastrand::Rng::with_seed(seed));
        deck.set(addresses(ports));
        deck
    }

    #[test]
    fn an_empty_deck_deals_nothing() {
        assert_eq!(deck(1, []).deal(), None);
    }

    proptest! {
        #[test]
        fn each_address_is_dealt_once_a_round(seed: u64, ports in prop::collection::btree_set(1..u16::MAX, 1..20)) {
            let mut deck = deck(seed, ports.clone());
            for _ in 0..3 {
                let mut round: Vec<_> = ports.iter().filter_map(|_| deck.deal()).collect();
                round.sort();
                prop_assert_eq!(&round, &addresses(ports.clone()));
            }
        }
    }

    #[test]
    fn the_same_set_again_leaves_the_round_as_it_is() {
        let mut deck = deck(7, 1..=5);
        let mut seen = vec![deck.deal(), deck.deal()];
        deck.set(addresses([5, 4, 3, 2, 1, 1]));
        seen.extend([deck.deal(), deck.deal(), deck.deal()]);
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 5);
    }

    #[test]
    fn rounds_differ() {
        let mut deck = deck(3, 1..=8);
        let rounds: Vec<Vec<_>> = (0..4).map(|_| (0..8).map(|_| deck.deal()).collect()).collect();
        assert!(rounds.windows(2).any(|pair| pair[0] != pair[1]));
    }

    /// Senders that renew their connections by the clock, each carrying the same load: what each address gets.
    fn shares(deck: &mut Deck, concurrency: u16, seconds: f64) -> HashMap<SocketAddr, f64> {
        let lifetime = crate::lifetime::Lifetime::of(concurrency);
        let mut random = fastrand::Rng::with_seed(u64::from(concurrency));
        let mut ends: Vec<(f64, SocketAddr)> = Vec::new();
        let mut served = HashMap::new();
        // In steps of a hundredth of a second; each sender sends as much in each.
        for step in 0..(seconds * 100.0) as u64 {
            let now = step as f64 / 100.0;
            for sender in 0..usize::from(concurrency) {
                if ends.get(sender).is_none_or(|(end, _)| *end <= now) {
                    let next = (now + lifetime.draw(&mut random).as_secs_f64(), deck.deal().unwrap());
                    if sender < ends.len() { ends[sender] = next } else { ends.push(next) }
                }
                *served.entry(ends[sender].1).or_insert(0.0) += 1.0 / f64::from(concurrency);
            }
        }
        served
    }

    #[test]
    fn three_and_then_five_replicas_each_get_half_to_one_and_a_half_of_their_fair_share() {
        for concurrency in [1, 4, 16, 64, 1000] {
            let mut deck = deck(11, 1..=3);
            for replicas in [3, 5] {
                deck.set(addresses(1..=replicas));
                // The first five seconds after the change still see the connections from before it.
                shares(&mut deck, concurrency, 5.0);
                let served = shares(&mut deck, concurrency, 10.0);
                let total: f64 = served.values().sum();
                for address in addresses(1..=replicas) {
                    let share = served[&address] / total * f64::from(replicas);
                    assert!(
                        (0.5..=1.5).contains(&share),
                        "{concurrency}: {address} has {share} of its fair share"
                    );
                }
            }
        }
    }
}
