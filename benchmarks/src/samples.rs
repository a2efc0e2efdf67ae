//! What was measured several times, and how it is shown.

use std::fmt;

/// The unit of a figure; it says how it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Milliseconds,
    Mebibytes,
    PerSecond,
}

/// One figure of several rounds; of none it is not a number.
#[derive(Debug, Clone)]
pub(crate) struct Samples {
    unit: Unit,
    sorted: Vec<f64>,
}

impl Samples {
    pub(crate) fn new(unit: Unit, values: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Self { unit, sorted }
    }

    /// Of `runs`, what `of` takes from each.
    pub(crate) fn of<T>(runs: &[T], unit: Unit, of: impl Fn(&T) -> f64) -> Self {
        Self::new(unit, runs.iter().map(of))
    }

    pub(crate) fn median(&self) -> f64 {
        let middle = self.sorted.len() / 2;
        match self.sorted.len() {
            0 => f64::NAN,
            odd if odd % 2 == 1 => self.sorted[middle],
            _ => f64::midpoint(self.sorted[middle - 1], self.sorted[middle]),
        }
    }

    fn spread(&self) -> (f64, f64) {
        let at = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
        (at(self.sorted.first()), at(self.sorted.last()))
    }
}

/// The median with its spread: `0.134 s (0.131–0.140)`.
impl fmt::Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = self.spread();
        let [median, least, most] = [self.median(), least, most].map(|value| self.unit.number(value));
        let name = match self.unit {
            Unit::Seconds => " s",
            Unit::Milliseconds => " ms",
            Unit::Mebibytes => " MiB",
            Unit::PerSecond => "/s",
        };
        write!(f, "{median}{name} ({least}–{most})")
    }
}

impl Unit {
    fn number(self, value: f64) -> String {
        match self {
            Unit::Seconds => format!("{value:.3}"),
            Unit::Milliseconds => format!("{value:.2}"),
            Unit::Mebibytes => format!("{value:.1}"),
            Unit::PerSecond => thousands(value),
        }
    }
}

/// A number with commas between its thousands.
pub(crate) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut shown = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && !shown.ends_with('-') {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn median(values: &[f64]) -> f64 {
        Samples::new(Unit::Seconds, values.iter().copied()).median()
    }

    #[test]
    fn the_median_is_the_middle_or_between_the_two() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn figures_are_shown_with_their_spread() {
        let samples = Samples::new(Unit::Seconds, [0.14, 0.1312, 0.1344]);
        assert_eq!(samples.to_string(), "0.134 s (0.131–0.140)");
        let samples = Samples::new(Unit::PerSecond, [61234.4, 999.0, 1_234_567.0]);
        assert_eq!(samples.to_string(), "61,234/s (999–1,234,567)");
    }

    #[test]
    fn thousands_are_marked() {
        assert_eq!(thousands(-1234.0), "-1,234");
        assert_eq!(thousands(-123.0), "-123");
        assert_eq!(thousands(0.0), "0");
    }
}
