//! Names, values and numbers as people read them.

use serde_json::Value;

use crate::summary::Reason;

/// What stands where there is nothing to show.
pub(super) const NONE: &str = "–";

/// How many characters of a value are shown.
const LONGEST: usize = 200;
/// Narrow, and no line breaks at it.
const THOUSANDS: char = '\u{202f}';
/// How many reasons of a source are listed.
pub(super) const REASONS: usize = 10;
/// How many of a column's most frequent values are listed.
pub(super) const FREQUENT: usize = 10;

/// Data as text of one line: what is no visible character shows as an escape, such as `\n` and `\u{202e}`, and
/// a backslash as two.
pub(super) fn text(data: &str) -> String {
    let cut = data.char_indices().nth(LONGEST).map(|(at, _)| at);
    let mut shown = String::new();
    for part in data[..cut.unwrap_or(data.len())].split_inclusive(['"', '\'']) {
        // `escape_debug` knows what is invisible; quotes it escapes too, which would only be in the way here.
        let quote = part.find(['"', '\'']).unwrap_or(part.len());
        shown.extend(part[..quote].escape_debug());
        shown.push_str(&part[quote..]);
    }
    if cut.is_some() {
        shown.push('…');
    }
    shown
}

/// A value of the data.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::String(data) if data.is_empty() => "\"\"".to_owned(),
        Value::String(data) => text(data),
        Value::Number(exact) if !exact.is_f64() => grouped(&exact.to_string()),
        Value::Number(inexact) => inexact.as_f64().map_or_else(|| text(&inexact.to_string()), number),
        Value::Null => NONE.to_owned(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => text(&value.to_string()),
    }
}

/// A value, or a dash.
pub(super) fn optional(data: Option<&Value>) -> String {
    data.map_or_else(|| NONE.to_owned(), value)
}

/// How many there are, exactly.
pub(super) fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// How many there are of what: `1 record`, `2 records`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// A number with at least four significant digits, and no zeros behind them.
pub(super) fn number(number: f64) -> String {
    if !number.is_finite() {
        return number.to_string().replace("inf", "∞");
    }
    // Rounded first: 9.9996 has one digit before the point, what is shown of it has two.
    let scientific = format!("{number:.3e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("this notation has an e");
    let exponent: i32 = exponent.parse().expect("an exponent is a whole number");
    if number == 0.0 {
        return "0".to_owned();
    }
    if !(-4..15).contains(&exponent) {
        return format!("{}e{exponent}", without_zeros(mantissa));
    }
    let decimals = usize::try_from(3 - exponent).unwrap_or(0);
    grouped(without_zeros(&format!("{number:.decimals$}")))
}

/// The reasons that are not listed, as one.
pub(super) fn rest(reasons: &[Reason]) -> Option<Reason> {
    let rest = reasons.get(REASONS..).filter(|rest| !rest.is_empty())?;
    let records = rest.iter().fold(0, |sum: u64, reason| sum.saturating_add(reason.records));
    Some(Reason { reason: counted(rest.len() as u64, "more reason"), records })
}

/// A share in percent.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        NONE.to_owned()
    } else {
        format!("{}\u{a0}%", number(part as f64 / whole as f64 * 100.0))
    }
}

/// A time.
pub(super) fn seconds(seconds: f64) -> String {
    format!("{}\u{a0}s", number(seconds))
}

fn without_zeros(decimal: &str) -> &str {
    if decimal.contains('.') { decimal.trim_end_matches('0').trim_end_matches('.') } else { decimal }
}

/// Digits before the point in groups of three, where there are more than four: a year stays as it is.
fn grouped(decimal: &str) -> String {
    let whole = decimal.find('.').unwrap_or(decimal.len());
    let digits = decimal[..whole].trim_start_matches('-').len();
    let mut shown = String::new();
    for (at, character) in decimal.char_indices() {
        let left = whole.saturating_sub(at);
        if digits > 4 && left % 3 == 0 && (1..digits).contains(&left) {
            shown.push(THOUSANDS);
        }
        shown.push(character);
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_have_four_significant_digits_and_thin_thousands() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (5.843_333, "5.843"),
            (5.1, "5.1"),
            (9.9996, "10"),
            (-0.012_345, "-0.01235"),
            (0.000_123_456, "0.0001235"),
            (0.000_012_345_6, "1.235e-5"),
            (2023.47, "2023"),
            (9_999.6, "10\u{202f}000"),
            (-1_234_567.8, "-1\u{202f}234\u{202f}568"),
            (1e15, "1e15"),
            (f64::MAX, "1.798e308"),
            (f64::MIN_POSITIVE, "2.225e-308"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-∞"),
        ];
        for (given, shown) in cases {
            assert_eq!(number(given), shown, "{given}");
        }
    }

    #[test]
    fn whole_numbers_are_exact() {
        assert_eq!(count(u64::MAX).replace(THOUSANDS, ""), u64::MAX.to_string());
        assert_eq!(value(&json!(-123_456)), "-123\u{202f}456");
        assert_eq!(value(&json!(-1234)), "-1234");
        assert_eq!(count(100_000), "100\u{202f}000");
    }

    #[test]
    fn what_is_invisible_shows_and_different_values_stay_different() {
        assert_eq!(text("a\u{202e}b\0\n\t\u{7f}\u{feff}"), r"a\u{202e}b\0\n\t\u{7f}\u{feff}");
        assert_eq!(text(r"\n"), r"\\n");
        assert_eq!(text("it's \"naïve\" 日本 🦀"), "it's \"naïve\" 日本 🦀");
        assert_eq!(value(&json!("")), "\"\"");
    }

    #[test]
    fn a_long_value_is_cut_between_characters() {
        let shown = text(&"é\n".repeat(1000));
        assert!(shown.ends_with("é\\n…"), "{shown}");
        assert_eq!(shown.chars().filter(|each| *each == 'é').count(), LONGEST / 2);
    }

    #[test]
    fn a_share_of_nothing_is_no_number() {
        assert_eq!(percent(0, 0), NONE);
        assert_eq!(percent(2, 150), "1.333\u{a0}%");
        assert_eq!(percent(u64::MAX, 1), "1.845e21\u{a0}%");
    }
}
