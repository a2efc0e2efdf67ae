//! What follows from two readings of a counter, and from a window of them.

use std::collections::VecDeque;

use prometheus_parse::HistogramCount;

/// So many samples are kept of a rate: five minutes at an interval of a second.
pub(crate) const HISTORY: usize = 300;
/// Shares and ages are those of so many samples.
pub(crate) const WINDOW: usize = 60;

/// The last values, the newest last.
#[derive(Debug, Clone)]
pub(crate) struct Ring<T> {
    values: VecDeque<T>,
    length: usize,
}

impl<T> Ring<T> {
    pub(crate) fn new(length: usize) -> Self {
        Ring { values: VecDeque::new(), length }
    }

    pub(crate) fn push(&mut self, value: T) {
        if self.values.len() == self.length {
            self.values.pop_front();
        }
        self.values.push_back(value);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.values.iter()
    }
}

/// How much a counter grew; one that is smaller than before began anew.
pub(crate) fn growth(before: f64, now: f64) -> f64 {
    if now < before { now } else { now - before }
}

/// How much each bucket grew; all of it where the bounds are others than before.
pub(crate) fn bucket_growth(before: &[HistogramCount], now: &[HistogramCount]) -> Vec<HistogramCount> {
    let is_same = before.len() == now.len()
        && before.iter().zip(now).all(|(before, now)| before.less_than == now.less_than)
        && before.last().map_or(0.0, |last| last.count) <= now.last().map_or(0.0, |last| last.count);
    if !is_same {
        return now.to_vec();
    }
    let pairs = before.iter().zip(now);
    pairs
        .map(|(before, now)| HistogramCount {
            less_than: now.less_than,
            count: growth(before.count, now.count),
        })
        .collect()
}

/// The sum of histograms that have the bounds of the first.
pub(crate) fn sum<'a>(histograms: impl Iterator<Item = &'a Vec<HistogramCount>>) -> Vec<HistogramCount> {
    let mut sum: Vec<HistogramCount> = Vec::new();
    for histogram in histograms.filter(|histogram| !histogram.is_empty()) {
        if sum.is_empty() {
            sum.clone_from(histogram);
            continue;
        }
        for (sum, one) in sum.iter_mut().zip(histogram) {
            if sum.less_than == one.less_than {
                sum.count += one.count;
            }
        }
    }
    sum
}

/// The quantile of a cumulative histogram, as Prometheus' `histogram_quantile` has it: within a bucket values lie evenly,
/// and beyond the last bound nothing is known. `None`: nothing was counted.
pub(crate) fn quantile(histogram: &[HistogramCount], quantile: f64) -> Option<f64> {
    let total = histogram.last()?.count;
    if total <= 0.0 {
        return None;
    }
    let rank = quantile * total;
    let place = histogram.iter().position(|bucket| bucket.count >= rank)?;
    let (start, below) = match place.checked_sub(1) {
        Some(before) => (histogram[before].less_than, histogram[before].count),
        None => (0.0, 0.0),
    };
    let bucket = &histogram[place];
    if !bucket.less_than.is_finite() {
        return Some(start);
    }
    let inside = bucket.count - below;
    let share = if inside > 0.0 { (rank - below) / inside } else { 1.0 };
    Some(start + (bucket.less_than - start) * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(buckets: &[(f64, f64)]) -> Vec<HistogramCount> {
        buckets.iter().map(|&(less_than, count)| HistogramCount { less_than, count }).collect()
    }

    #[test]
    fn a_ring_keeps_the_last() {
        let mut ring = Ring::new(3);
        (0..10).for_each(|value| ring.push(value));
        assert_eq!(ring.iter().copied().collect::<Vec<_>>(), [7, 8, 9]);
    }

    #[test]
    fn a_counter_that_began_anew_grew_by_what_it_shows() {
        assert_eq!([growth(5.0, 9.0), growth(5.0, 2.0), growth(5.0, 5.0)], [4.0, 2.0, 0.0]);
        let (before, now) = (histogram(&[(1.0, 2.0), (2.0, 5.0)]), histogram(&[(1.0, 1.0), (2.0, 3.0)]));
        assert_eq!(bucket_growth(&before, &now), now);
        assert_eq!(bucket_growth(&now, &before), histogram(&[(1.0, 1.0), (2.0, 2.0)]));
        assert_eq!(bucket_growth(&[], &now), now);
    }

    #[test]
    fn quantiles_lie_where_prometheus_has_them() {
        let ages = histogram(&[(1.0, 50.0), (2.0, 90.0), (4.0, 100.0), (f64::INFINITY, 100.0)]);
        let of = |which| quantile(&ages, which).unwrap();
        assert_eq!([of(0.5), of(0.9), of(0.95)], [1.0, 2.0, 3.0]);
        assert_eq!(quantile(&histogram(&[(1.0, 0.0), (f64::INFINITY, 10.0)]), 0.5), Some(1.0));
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&histogram(&[(1.0, 0.0)]), 0.5), None);
    }

    #[test]
    fn histograms_of_several_are_added_bucket_by_bucket() {
        let all = [histogram(&[(1.0, 1.0), (2.0, 2.0)]), Vec::new(), histogram(&[(1.0, 3.0), (2.0, 5.0)])];
        assert_eq!(sum(all.iter()), histogram(&[(1.0, 4.0), (2.0, 7.0)]));
    }
}
