//! Which version of HTTP to speak: `--http`, and what is remembered of the api where that is `auto`.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::connection::Broken;

/// How long an api that answered in HTTP/1.x is taken for one that speaks nothing else.
const REMEMBERED: Duration = Duration::from_secs(600);
/// How long one that did not answer at all is asked in HTTP/1.1 only: it may have had another reason.
const SUSPECTED: Duration = Duration::from_secs(10);

/// The HTTP version that is spoken with the api.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Http {
    /// HTTP/2 where the api speaks it: it is tried first, over TLS offered.
    Auto,
    /// HTTP/1.1.
    #[value(name = "1")]
    One,
    /// HTTP/2, without TLS by prior knowledge.
    #[value(name = "2")]
    Two,
}

/// Chooses the version of each connection.
#[derive(Debug)]
pub(crate) struct Versions {
    pub(crate) setting: Http,
    /// Until when nothing but HTTP/1.1 is tried.
    http1_until: Mutex<Option<Instant>>,
}

impl Versions {
    pub(crate) fn new(setting: Http) -> Self {
        Versions { setting, http1_until: Mutex::default() }
    }

    /// Returns whether the next connection may become one of HTTP/2.
    pub(crate) fn may_be_http2(&self, now: Instant) -> bool {
        match self.setting {
            Http::One => false,
            Http::Two => true,
            Http::Auto => self.http1_until().is_none_or(|until| until <= now),
        }
    }

    /// The api answered in HTTP/1.x when it was spoken to in HTTP/2.
    pub(crate) fn is_http1(&self, now: Instant) {
        *self.http1_until() = Some(now + REMEMBERED);
    }

    /// The api did not answer when it was spoken to in HTTP/2.
    pub(crate) fn may_be_http1(&self, now: Instant) {
        *self.http1_until() = Some(now + SUSPECTED);
    }

    /// The first request on a connection was not answered: what is remembered may be wrong.
    pub(crate) fn broken(&self, broken: &Broken, now: Instant) {
        if broken.asks_for_http1() {
            self.is_http1(now);
        } else if !matches!(broken, Broken::Http2(_)) {
            *self.http1_until() = None;
        }
    }

    fn http1_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.http1_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_tries_http_2_until_the_api_answers_in_http_1() {
        let (versions, now) = (Versions::new(Http::Auto), Instant::now());
        assert!(versions.may_be_http2(now));
        versions.is_http1(now);
        assert!(!versions.may_be_http2(now));
        assert!(!versions.may_be_http2(now + REMEMBERED - Duration::from_secs(1)));
        assert!(versions.may_be_http2(now + REMEMBERED));
        versions.may_be_http1(now);
        assert!(!versions.may_be_http2(now) && versions.may_be_http2(now + SUSPECTED));
        versions.broken(&Broken::CutOff, now);
        assert!(versions.may_be_http2(now));
        versions.broken(&Broken::Http2(h2::Reason::HTTP_1_1_REQUIRED.into()), now);
        assert!(!versions.may_be_http2(now));
    }

    #[test]
    fn what_is_set_is_not_changed_by_what_is_seen() {
        let now = Instant::now();
        for (setting, http2) in [(Http::One, false), (Http::Two, true)] {
            let versions = Versions::new(setting);
            versions.is_http1(now);
            assert_eq!(versions.may_be_http2(now), http2);
            versions.broken(&Broken::CutOff, now);
            assert_eq!(versions.may_be_http2(now), http2);
        }
    }
}
