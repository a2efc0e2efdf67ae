//! How long a connection lives: short enough that the load follows the number of pods.
//!
//! A Kubernetes Service picks a pod per connection, so that a connection that is kept alive never sees a new pod. With
//! `n` connections under load, each living at most [`Lifetime::limit`], at least [`RENEWALS`] new ones are made in any
//! [`WINDOW`], whatever `n` is.

use std::time::Duration;

/// At least so many new connections are made in any [`WINDOW`] under load.
const RENEWALS: u32 = 64;
/// See [`RENEWALS`]: 10 s, less what the last request on an old connection and the making of a new one may take.
const WINDOW: Duration = Duration::from_millis(9_500);
/// No connection is older, however many there are.
pub(crate) const LONGEST: Duration = Duration::from_secs(5);
/// The shortest life, as a share of the longest: connections made together must not end together.
const SHORTEST: f64 = 0.6;
/// No connection carries more than this share of a batch, or [`FEW`] documents.
const SHARE: u64 = 64;
const FEW: u64 = 16;

/// How many documents a connection may carry within a batch of which so many were sent before.
///
/// However few connections there are at once, a batch of a thousand documents goes over more than sixty, so that it
/// reaches every one of a handful of pods, whichever pod a balancer picks for each.
pub(crate) fn most_documents(sent_before: u64) -> u32 {
    u32::try_from(FEW.max(sent_before / SHARE)).unwrap_or(u32::MAX)
}

/// How old connections get.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetime {
    limit: Duration,
}

impl Lifetime {
    /// The life of each of `connections` that are used at once.
    pub(crate) fn of(connections: u16) -> Self {
        let each = RENEWALS.div_ceil(u32::from(connections.max(1)));
        Lifetime { limit: LONGEST.min(WINDOW / each) }
    }

    /// A random age at which the next connection is to end.
    pub(crate) fn draw(self, random: &mut fastrand::Rng) -> Duration {
        self.limit.mul_f64(SHORTEST + (1.0 - SHORTEST) * random.f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_SECONDS: Duration = Duration::from_secs(10);

    #[test]
    fn at_least_64_connections_are_made_in_any_ten_seconds_at_every_concurrency() {
        for connections in 1..=1000 {
            let limit = Lifetime::of(connections).limit;
            // Renewals of one connection are at most `limit` apart, so that many fall into any window.
            let each = TEN_SECONDS.as_nanos() / limit.as_nanos();
            assert!(each * u128::from(connections) >= 64, "{connections} connections, {limit:?}");
        }
    }

    #[test]
    fn at_least_64_are_made_in_any_ten_seconds_of_a_simulated_hour() {
        for connections in [1, 2, 3, 7, 32, 63, 64, 65, 1000] {
            let mut random = fastrand::Rng::with_seed(u64::from(connections));
            let lifetime = Lifetime::of(connections);
            // Each request takes 1 ms, so that a connection is found too old up to 1 ms late.
            let request = Duration::from_millis(1);
            let mut made: Vec<Duration> = Vec::new();
            for _ in 0..connections {
                let mut now = Duration::ZERO;
                while now < Duration::from_secs(360) {
                    made.push(now);
                    now += lifetime.draw(&mut random) + request;
                }
            }
            made.sort();
            let starts = made.iter().take_while(|at| **at < Duration::from_secs(300));
            for (start, the_64th) in starts.zip(&made[63..]) {
                assert!(
                    *the_64th < *start + TEN_SECONDS,
                    "{connections} connections: too few from {start:?} on"
                );
            }
        }
    }

    #[test]
    fn no_connection_outlives_five_seconds_and_none_is_renewed_all_the_time() {
        let mut random = fastrand::Rng::with_seed(1);
        for connections in 1..=1000 {
            let life = Lifetime::of(connections).draw(&mut random);
            assert!(
                life <= Duration::from_secs(5) && life >= Duration::from_millis(80),
                "{connections}: {life:?}"
            );
        }
    }

    #[test]
    fn ports_do_not_run_out() {
        // About 470 new connections a second to one destination use up the ephemeral ports.
        for connections in 1..=1000 {
            let shortest = Lifetime::of(connections).limit.mul_f64(SHORTEST);
            assert!(f64::from(connections) / shortest.as_secs_f64() < 400.0, "{connections}");
        }
    }
}
