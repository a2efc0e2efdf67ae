//! Dates as `busybox ls -l` prints them, in UTC.
//!
//! Not left to a date library: times of files range over all of `i64`, calendars of libraries end at year 9999 or
//! soon after, and nothing but the calendar's arithmetic is needed.

use std::io::Write;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The span of ages whose dates bear the time of day in place of the year: `-NEW < age < OLD`, in seconds.
const NEW: i64 = 15 * MINUTE;
const OLD: i64 = 365 * DAY / 2;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Appends the date of `time`, as seen at `now` (both in seconds since 1970): `Mar 19 23:57`, or `Mar 19  2024` where
/// it is half a year old or a quarter of an hour ahead.
pub(crate) fn push(out: &mut Vec<u8>, time: i64, now: i64) {
    let age = now.saturating_sub(time);
    let (year, month, day) = civil(time.div_euclid(DAY));
    let month = MONTHS[month];
    // Writing to a Vec cannot fail.
    let _ = if -NEW < age && age < OLD {
        let second = time.rem_euclid(DAY);
        let (hour, minute) = (second / HOUR, second % HOUR / MINUTE);
        write!(out, "{month} {day:2} {hour:02}:{minute:02}")
    } else {
        write!(out, "{month} {day:2} {year:5}")
    };
}

/// The year, the month (0 to 11) and the day (1 to 31) of a day counted from 1970-01-01, in the Gregorian calendar
/// continued both ways.
///
/// From Howard Hinnant's "chrono-compatible low-level date algorithms": years begin in March, so that the leap day is
/// the last, and 400 of them (an era) have always as many days.
fn civil(day: i64) -> (i64, usize, i64) {
    const ERA: i64 = 146_097;
    const FROM_YEAR_0: i64 = 719_468;
    let day = day + FROM_YEAR_0;
    let era = day.div_euclid(ERA);
    let day_of_era = day.rem_euclid(ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * from_march + 2) / 5 + 1;
    let is_next_year = from_march >= 10;
    let month = if is_next_year { from_march - 10 } else { from_march + 2 };
    // 0 to 11 fits.
    (era * 400 + year_of_era + i64::from(is_next_year), month as usize, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn dates_agree_with_a_calendar_library(time in -377_705_023_201..=253_402_207_200_i64) {
            let then = Timestamp::from_second(time).unwrap().to_zoned(TimeZone::UTC);
            let month = MONTHS[usize::try_from(then.month()).unwrap() - 1];
            let (day, hour, minute) = (then.day(), then.hour(), then.minute());
            prop_assert_eq!(date(time, time), format!("{month} {day:2} {hour:02}:{minute:02}"));
            prop_assert_eq!(date(time, i64::MAX), format!("{month} {day:2} {:5}", then.year()));
        }
    }
}
