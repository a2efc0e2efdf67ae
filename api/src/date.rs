//! The `date` of a reply, written anew once a second.

use std::cell::RefCell;
use std::time::{Duration, UNIX_EPOCH};

use http::HeaderValue;
use httpdate::HttpDate;
use rustix::time::{ClockId, clock_gettime};

thread_local! {
    /// What was said last: seconds since 1970, and the text.
    static LAST: RefCell<(u64, HeaderValue)> = const { RefCell::new((u64::MAX, HeaderValue::from_static(""))) };
}

/// Does `act` with what to send now.
pub(crate) fn with<T>(act: impl FnOnce(&HeaderValue) -> T) -> T {
    // Some milliseconds late, which a date can be, and cheaper.
    let now = clock_gettime(ClockId::RealtimeCoarse).tv_sec;
    // A clock that stands before 1970 is wrong anyway.
    at(u64::try_from(now).unwrap_or(0), act)
}

fn at<T>(second: u64, act: impl FnOnce(&HeaderValue) -> T) -> T {
    LAST.with_borrow_mut(|(last, value)| {
        if *last != second {
            *last = second;
            *value = render(second);
        }
        act(value)
    })
}

fn render(second: u64) -> HeaderValue {
    let date = HttpDate::from(UNIX_EPOCH + Duration::from_secs(second)).to_string();
    HeaderValue::try_from(date).expect("a date is ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_http_has_it_and_moves_with_the_clock() {
        assert_eq!(at(784_111_777, HeaderValue::clone), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(784_111_777, HeaderValue::clone), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(at(784_111_778, HeaderValue::clone), "Sun, 06 Nov 1994 08:49:38 GMT");
    }
}
