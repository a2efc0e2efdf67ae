//! Dates as `busybox ls -l` prints them, in UTC.

use std::io::Write;

use jiff::Timestamp;
use jiff::tz::Offset;

/// The span of ages whose dates bear the time of day in place of the year: `-NEW < age < OLD`, in seconds.
const NEW: i64 = 15 * 60;
const OLD: i64 = 365 * 24 * 3600 / 2;

/// The calendar repeats itself after so many years, which are always so many seconds.
const ERA_YEARS: i64 = 400;
const ERA: i64 = 146_097 * 24 * 3600;

/// Appends the date of `time`, as seen at `now` (both in seconds since 1970): `Mar 19 23:57`, or `Mar 19  2024` where
/// it is half a year old or a quarter of an hour ahead.
pub(crate) fn push(out: &mut Vec<u8>, time: i64, now: i64) {
    let age = now.saturating_sub(time);
    // Times of files range over all of `i64`, the library's years from -9999 to 9999.
    let (eras, time) = (time.div_euclid(ERA), time.rem_euclid(ERA));
    let date = Offset::UTC.to_datetime(Timestamp::from_second(time).unwrap_or_default());
    // Writing to a Vec cannot fail.
    let _ = if -NEW < age && age < OLD {
        write!(out, "{}", date.strftime("%b %e %H:%M"))
    } else {
        let year = i64::from(date.year()) + ERA_YEARS * eras;
        write!(out, "{} {year:5}", date.strftime("%b %e"))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(time: i64, now: i64) -> String {
        let mut out = Vec::new();
        push(&mut out, time, now);
        String::from_utf8(out).unwrap()
    }

    const NOW: i64 = 1_750_000_000; // 2025-06-15 15:06:40

    #[test]
    fn the_last_half_year_and_the_next_quarter_of_an_hour_bear_the_time() {
        assert_eq!(date(NOW, NOW), "Jun 15 15:06");
        assert_eq!(date(NOW + 899, NOW), "Jun 15 15:21");
        assert_eq!(date(NOW + 900, NOW), "Jun 15  2025");
        assert_eq!(date(NOW - 15_767_999, NOW), "Dec 15 03:06");
        assert_eq!(date(NOW - 15_768_000, NOW), "Dec 15  2024");
    }

    #[test]
    fn years_of_any_length_are_printed_as_busybox_prints_them() {
        // Seen with BusyBox 1.35 on a tmpfs.
        for (time, expected) in [
            (0, "Jan  1  1970"),
            (-1, "Dec 31  1969"),
            (-62_135_596_800, "Jan  1     1"),
            (-62_135_596_801, "Dec 31     0"),
            (253_402_300_799, "Dec 31  9999"),
            (253_402_300_800, "Jan  1 10000"),
            (287_962_300_799, "Feb 28 11095"),
            (-1_125_899_906_842_624, "Apr  8 -35676378"),
            (67_767_976_233_532_799, "Dec 31 2147483647"),
        ] {
            assert_eq!(date(time, NOW), expected);
        }
    }

    #[test]
    fn no_time_is_too_far_away() {
        for time in [i64::MIN, i64::MIN + 1, i64::MAX] {
            for now in [i64::MIN, 0, i64::MAX] {
                assert!(date(time, now).len() >= 12);
            }
        }
    }
}
