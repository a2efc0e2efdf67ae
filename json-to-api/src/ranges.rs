//! A set of line numbers kept as ranges: small where lines are answered nearly in order, however many there are.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// A set of numbers; neighbours are one range.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Ranges {
    /// First number of a range to its last; no two touch.
    ranges: BTreeMap<u64, u64>,
}

impl Ranges {
    /// Adds one number; false: it was in already.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        if self.contains(number) {
            return false;
        }
        self.insert_range(number..=number);
        true
    }

    /// Adds all numbers of a range.
    pub(crate) fn insert_range(&mut self, range: RangeInclusive<u64>) {
        let (mut first, mut last) = range.into_inner();
        if first > last {
            return;
        }
        // The range before may hold `first` or end right before it.
        if let Some((&before, before_last)) = self.ranges.range_mut(..=first).next_back()
            && *before_last >= first.saturating_sub(1)
        {
            if *before_last >= last {
                return;
            }
            first = before;
            *before_last = last;
        } else {
            self.ranges.insert(first, last);
        }
        // What lies behind is swallowed as far as it is touched.
        let start = first;
        while let Some((&next, &next_last)) = self.ranges.range(start.saturating_add(1)..).next()
            && next <= last.saturating_add(1)
        {
            self.ranges.remove(&next);
            last = last.max(next_last);
        }
        self.ranges.insert(first, last);
    }

    /// Adds all numbers of another set.
    pub(crate) fn insert_all(&mut self, other: &Ranges) {
        for range in other.iter() {
            self.insert_range(range);
        }
    }

    /// Returns whether a number is in.
    pub(crate) fn contains(&self, number: u64) -> bool {
        self.ranges.range(..=number).next_back().is_some_and(|(_, last)| *last >= number)
    }

    /// The ranges in ascending order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = RangeInclusive<u64>> + '_ {
        self.ranges.iter().map(|(first, last)| *first..=*last)
    }

    /// Returns whether no number is in.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Returns whether exactly the numbers from 1 to `last` are in.
    pub(crate) fn is_all(&self, last: u64) -> bool {
        if last == 0 { self.is_empty() } else { self.ranges.len() == 1 && self.ranges.get(&1) == Some(&last) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn touching(ranges: &Ranges) -> bool {
        let all: Vec<_> = ranges.iter().collect();
        all.windows(2).any(|pair| *pair[0].end() + 1 >= *pair[1].start())
    }

    proptest! {
        #[test]
        fn it_holds_what_a_set_holds(steps in prop::collection::vec((0u64..60, 0u64..8), 0..60)) {
            let (mut ranges, mut set) = (Ranges::default(), BTreeSet::new());
            for (first, length) in steps {
                if length == 0 {
                    prop_assert_eq!(ranges.insert(first), set.insert(first));
                } else {
                    ranges.insert_range(first..=first + length - 1);
                    set.extend(first..first + length);
                }
                prop_assert_eq!(ranges.iter().flatten().collect::<Vec<_>>(), set.iter().copied().collect::<Vec<_>>());
                prop_assert!(!touching(&ranges));
            }
            for number in 0..80 {
                prop_assert_eq!(ranges.contains(number), set.contains(&number));
            }
            let mut copy = Ranges::default();
            copy.insert_all(&ranges);
            prop_assert_eq!(&copy, &ranges);
            let last = set.last().copied().unwrap_or(0);
            prop_assert_eq!(ranges.is_all(last), set == (1..=last).collect());
        }
    }

    #[test]
    fn the_ends_of_the_numbers_are_no_trap() {
        let mut ranges = Ranges::default();
        ranges.insert_range(u64::MAX - 1..=u64::MAX);
        ranges.insert_range(0..=0);
        ranges.insert(1);
        #[expect(clippy::reversed_empty_ranges, reason = "that it adds nothing is the point")]
        ranges.insert_range(9..=5);
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [0..=1, u64::MAX - 1..=u64::MAX]);
    }

    #[test]
    fn ten_million_lines_answered_nearly_in_order_are_few_ranges() {
        let mut ranges = Ranges::default();
        // As 64 senders answer: each block of 64 in another order.
        let mut most = 0;
        for block in 0..156_250u64 {
            for step in 0..64 {
                ranges.insert(1 + block * 64 + (step * 37 + block) % 64);
                most = most.max(ranges.ranges.len());
            }
        }
        assert!(ranges.is_all(10_000_000));
        assert!(most <= 33, "{most}");
    }
}
