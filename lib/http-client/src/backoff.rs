//! How long to pause between two attempts.

use std::time::{Duration, SystemTime};

/// The first pause is up to this; each further one up to twice the one before.
const BASE: Duration = Duration::from_millis(100);
/// Without a `Retry-After`, no pause is longer.
const CAP: Duration = Duration::from_secs(30);
/// A server that asks for more than this is asked again after this: `Retry-After: 31536000` must not hold work for a year.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// The pauses are drawn from this share of the bound upwards: requests that failed together come back apart.
const SHORTEST: f64 = 0.5;

/// Draws the pause after the failed attempt number `attempts` (1 is the first).
///
/// It is at least what the server asked for, and at most a tenth longer than that: requests that were sent away together
/// come back apart.
pub fn pause(attempts: u32, retry_after: Option<Duration>, random: &mut fastrand::Rng) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    let bound = CAP.min(BASE * (1 << doublings));
    let own = bound.mul_f64(SHORTEST + (1.0 - SHORTEST) * random.f64());
    let asked = retry_after.unwrap_or_default().min(MAX_RETRY_AFTER);
    own.max(asked.mul_f64(1.0 + 0.1 * random.f64()))
}

/// Reads a `Retry-After` header: seconds, or a date. `None`: it is neither.
pub fn retry_after(value: &[u8], now: SystemTime) -> Option<Duration> {
    let value = std::str::from_utf8(value).ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a long time all the same.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn pauses_grow_to_half_a_minute_and_no_further() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut before = Duration::ZERO;
        for attempts in 1..=9 {
            let pause = pause(attempts, None, &mut random);
            assert!(pause >= before, "attempt {attempts}: {pause:?} after {before:?}");
            before = BASE * (1 << (attempts - 1));
        }
        for attempts in [10, 11, 100, u32::MAX] {
            let pause = pause(attempts, None, &mut random);
            assert!((CAP / 2..=CAP).contains(&pause), "attempt {attempts}: {pause:?}");
        }
    }

    proptest! {
        #[test]
        fn a_pause_is_never_shorter_than_asked_for_nor_longer_than_an_hour_or_so(
            attempts: u32, asked in prop::option::of(0u64..), seed: u64
        ) {
            let asked = asked.map(Duration::from_secs);
            let pause = pause(attempts, asked, &mut fastrand::Rng::with_seed(seed));
            let least = asked.unwrap_or_default().min(MAX_RETRY_AFTER);
            prop_assert!(pause >= least.max(BASE / 2));
            prop_assert!(pause <= CAP.max(least.mul_f64(1.1)));
        }

        #[test]
        fn any_retry_after_is_read_or_ignored(value: Vec<u8>) {
            retry_after(&value, SystemTime::UNIX_EPOCH);
        }
    }

    #[test]
    fn both_forms_of_retry_after_are_read() {
        let now = at(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        for (value, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("31536000", Some(31_536_000)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            let expected = expected.map(Duration::from_secs);
            assert_eq!(retry_after(value.as_bytes(), now), expected, "{value}");
        }
    }
}
