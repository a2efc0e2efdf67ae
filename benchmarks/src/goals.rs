//! The goals, each a ratio of two figures of one run, and how a figure is judged by them.

/// Of CPU: text-to-csv on a million lines, against …
pub(crate) mod text_to_csv {
    use super::Goal;
    /// … `cp in out; sync out; rm in`.
    pub(crate) const COPY: Goal = Goal::at_most(1.7).stretch(1.4);
    /// … a naive script for mawk.
    pub(crate) const MAWK: Goal = Goal::at_most(0.3);
}

/// Of CPU: csv-to-json on a million records, against …
pub(crate) mod csv_to_json {
    use super::Goal;
    /// … `cp` and `sync` of its output, and `rm` of its input.
    pub(crate) const COPY: Goal = Goal::at_most(1.5).stretch(1.25);
    /// … csv and `serde_json` doing the same.
    pub(crate) const SERDE: Goal = Goal::at_most(0.5);
}

/// The conversions' peak memory at any size, in MiB beyond the process that has nothing to do.
pub(crate) const MEMORY: Goal = Goal::at_most(8.0);

/// getdata, against …
pub(crate) mod getdata {
    use super::Goal;
    /// … `find -ls` of the same tree: CPU.
    pub(crate) const FIND: Goal = Goal::at_most(0.45);
    /// … the `ignore` crate with as many threads: time.
    pub(crate) const IGNORE: Goal = Goal::at_most(0.7);
}

/// Requests a second that api answers, against a raw epoll server's, both under wrk.
pub(crate) const API: Goal = Goal::at_least(0.95).stretch(0.98);

/// Documents a second that json-to-api delivers, with log and progress, against wrk on the same api and cores; …
pub(crate) mod json_to_api {
    use super::Goal;
    /// … over HTTP/1.1.
    pub(crate) const HTTP_1: Goal = Goal::at_least(0.95).stretch(1.0);
    /// … over HTTP/2 in clear text, wrk still over HTTP/1.1.
    pub(crate) const HTTP_2: Goal = Goal::at_least(2.0).stretch(2.4);
}

/// Documents a second of the whole chain, a million lines dropped to the last one answered, against …
pub(crate) mod chain {
    use super::Goal;
    /// … syslog-ng with one POST a document.
    pub(crate) const SYSLOG_NG: Goal = Goal::at_least(3.0).stretch(6.0);
    /// … one curl a document.
    pub(crate) const CURL: Goal = Goal::at_least(500.0);
}

/// One document, its file lands to its POST is answered, against 14 syncs on the same volume.
pub(crate) const ONE_DOCUMENT: Goal = Goal::at_most(1.5).stretch(1.2);

/// A bound for a figure, and a farther one that would be better still.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    at_most: bool,
    pub(crate) limit: f64,
    pub(crate) stretch: Option<f64>,
}

/// How a figure does by its goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Missed,
    Reached,
    Stretched,
}

impl Goal {
    const fn at_most(limit: f64) -> Self {
        Self { at_most: true, limit, stretch: None }
    }

    const fn at_least(limit: f64) -> Self {
        Self { at_most: false, limit, stretch: None }
    }

    const fn stretch(self, stretch: f64) -> Self {
        Self { stretch: Some(stretch), ..self }
    }

    /// `≤` or `≥`.
    pub(crate) fn sign(self) -> char {
        if self.at_most { '≤' } else { '≥' }
    }

    /// Judges a figure as it stands, not as it is printed.
    pub(crate) fn judge(self, figure: f64) -> Verdict {
        let holds = |bound: f64| if self.at_most { figure <= bound } else { figure >= bound };
        if self.stretch.is_some_and(holds) {
            Verdict::Stretched
        } else if holds(self.limit) {
            Verdict::Reached
        } else {
            Verdict::Missed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_held_against_both_bounds() {
        for (figure, verdict) in
            [(1.0, Verdict::Stretched), (1.4, Verdict::Stretched), (1.5, Verdict::Reached)]
        {
            assert_eq!(text_to_csv::COPY.judge(figure), verdict);
        }
        assert_eq!(text_to_csv::COPY.judge(1.71), Verdict::Missed);
        assert_eq!(API.judge(0.949), Verdict::Missed);
        assert_eq!(API.judge(0.95), Verdict::Reached);
        assert_eq!(API.judge(1.2), Verdict::Stretched);
    }

    #[test]
    fn without_a_stretch_a_goal_is_reached_at_best() {
        assert_eq!(chain::CURL.judge(10_000.0), Verdict::Reached);
    }

    #[test]
    fn what_cannot_be_compared_misses_every_goal() {
        assert_eq!(API.judge(f64::NAN), Verdict::Missed);
        assert_eq!(getdata::FIND.judge(f64::NAN), Verdict::Missed);
    }
}
