//! The dates that `ls` prints.

use super::words::is_month;

/// Splits a date off the start: the date, and the rest, which starts with a blank or is empty.
///
/// | `ls`, `busybox ls` | `Mar 19 23:57`, `Mar 19  2024` |
/// | `--time-style=long-iso` | `2024-03-19 23:57` |
/// | `--full-time` | `2024-03-19 23:57:01.000000000 +0000`, of busybox without the fraction |
/// | `--time-style=iso` | `03-19 23:57`, `2024-03-19 `, whose own blank is left out |
///
/// Years may have more than four digits, fewer, or a minus.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let (date, rest) = split_bytes(text.as_bytes())?;
    Some((&text[..date.len()], &text[text.len() - rest.len()..]))
}

/// The same, of what is not known to be text.
pub(super) fn split_bytes(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = Cursor(text);
    if let Some(after) = start.month_and_day().or_else(|| start.iso()) {
        return Some(text.split_at(text.len() - after.0.len()));
    }
    let after = start.iso_day()?;
    after.0.starts_with(b"  ").then(|| {
        let (date, rest) = text.split_at(text.len() - after.0.len());
        (date, &rest[1..])
    })
}

/// What is left to look at. Each step gives what is left after it, or None where it does not fit.
#[derive(Clone, Copy)]
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    /// `Mar 19 23:57`, `Mar 19  2024`.
    fn month_and_day(self) -> Option<Self> {
        let (month, rest) = self.0.split_first_chunk()?;
        if !is_month(*month) {
            return None;
        }
        let last = Cursor(rest).blanks()?.digits(1, 2)?.blanks()?;
        last.time().and_then(Self::end).or_else(|| last.year()?.end())
    }

    /// `2024-03-19 23:57`, with seconds only if there is a zone too; `03-19 23:57`.
    fn iso(self) -> Option<Self> {
        let day = self.iso_day().or_else(|| self.digits(2, 2)?.byte(b'-')?.digits(2, 2))?;
        let minute = day.byte(b' ')?.time()?;
        minute.end().or_else(|| {
            let second = minute.byte(b':')?.digits(2, 2)?;
            let fraction = second.byte(b'.').and_then(|dot| dot.digits(1, 9)).unwrap_or(second);
            let zone = fraction.byte(b' ')?;
            zone.byte(b'+').or_else(|| zone.byte(b'-'))?.digits(4, 4)?.end()
        })
    }

    /// `2024-03-19`.
    fn iso_day(self) -> Option<Self> {
        self.year()?.byte(b'-')?.digits(2, 2)?.byte(b'-')?.digits(2, 2)
    }

    fn year(self) -> Option<Self> {
        self.byte(b'-').unwrap_or(self).digits(1, 12)
    }

    fn time(self) -> Option<Self> {
        self.digits(2, 2)?.byte(b':')?.digits(2, 2)
    }

    fn byte(self, byte: u8) -> Option<Self> {
        self.0.split_first().filter(|(first, _)| **first == byte).map(|(_, rest)| Cursor(rest))
    }

    fn digits(self, least: usize, most: usize) -> Option<Self> {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (least..=most).contains(&count).then(|| Cursor(&self.0[count..]))
    }

    fn blanks(self) -> Option<Self> {
        let count = self.0.iter().take_while(|byte| **byte == b' ').count();
        (count > 0).then(|| Cursor(&self.0[count..]))
    }

    fn end(self) -> Option<Self> {
        matches!(self.0, [] | [b' ', ..]).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn every_date_that_ls_prints_is_split_off() {
        for date in [
            "Mar 19 23:57",
            "Jan  5 10:00",
            "Mar 19  2024",
            "Mar  9  2024",
            "Mar 19 12024",
            "Jan  1     1",
            "Mar 19 2024",
            "2024-03-19 23:57",
            "12024-03-19 23:57",
            "2024-03-19 23:57:01 +0000",
            "2024-03-19 23:57:01.000000000 -1130",
            "03-19 23:57",
        ] {
            let line = format!("{date} /a b");
            assert_eq!(split(&line), Some((date, " /a b")));
            assert_eq!(split(date), Some((date, "")));
        }
    }

    #[test]
    fn the_blank_of_an_iso_date_without_a_time_is_left_out() {
        assert_eq!(split("2024-03-19  /a b"), Some(("2024-03-19", " /a b")));
        assert_eq!(split("2024-03-19   /a b"), Some(("2024-03-19", "  /a b")));
        assert_eq!(split("2024-03-19  23:57 a"), Some(("2024-03-19", " 23:57 a")));
    }

    #[test]
    fn whatever_else_looks_like_a_date_is_none() {
        for text in [
            "",
            "Mar",
            "Mar 19",
            "Mar 19 ",
            "Mar 19 23:57x",
            "Mar 19 23:5 a",
            "Mar 19 23:57:01 2024 a",
            "Mar 119 2024 a",
            "mar 19 23:57 a",
            "Mär 19 23:57 a",
            "19. Mär 23:57 a",
            "19 mars 23:57 a",
            "3月 19 23:57 a",
            "2024-03-19 a",
            "2024-03-19",
            "2024-03-19 23:57:01 a",
            "2024-3-19 23:57 a",
            "2024-03-19T23:57 a",
            "03-19 a",
            "99999999999999999999-03-19 23:57 a",
        ] {
            assert_eq!(split(text), None, "{text}");
        }
    }
}
