//! The goals, each a ratio of two figures of one run, and how a figure is judged by them.

/// Of CPU: text-to-csv on a million lines, against …
pub(crate) mod text_to_csv {
    use super::Goal;
    /// … `cp in out; sync out; rm in`.
    pub(crate) const COPY: Goal = Goal::at_most(3.0).stretch(2.0);
    /// … a naive script for mawk.
    pub(crate) const MAWK: Goal = Goal::at_most(0.45);
}

/// Of CPU: csv-to-json on a million records, against …
pub(crate) mod csv_to_json {
    use super::Goal;
    /// … `cp` and `sync` of its output, and `rm` of its input.
    pub(crate) const COPY: Goal = Goal::at_most(3.0).stretch(2.0);
    /// … csv and `serde_json` doing the same.
    pub(crate) const SERDE: Goal = Goal::at_most(0.7);
}

/// Of CPU: getdata, against `find -ls` of the same tree.
pub(crate) const GETDATA: Goal = Goal::at_most(1.0).stretch(0.7);

/// Requests a second that api answers, against a raw epoll server's, both under wrk.
pub(crate) const API: Goal = Goal::at_least(0.88).stretch(0.95);

/// Documents a second that json-to-api delivers, with log and progress, against wrk over HTTP/1.1 on the same api and
/// cores; …
pub(crate) mod json_to_api {
    use super::Goal;
    /// … over HTTP/1.1.
    pub(crate) const HTTP_1: Goal = Goal::at_least(0.33).stretch(0.45);
    /// … with `--http 2`.
    pub(crate) const HTTP_2: Goal = Goal::at_least(0.45).stretch(0.6);
}

/// Documents a second of the whole chain, a million lines dropped to the last one answered, against syslog-ng with one
/// POST a document.
pub(crate) const CHAIN: Goal = Goal::at_least(2.0).stretch(3.0);

/// One document, its file lands to its POST is answered, against 14 syncs on the same volume.
pub(crate) const ONE_DOCUMENT: Goal = Goal::at_most(1.5).stretch(1.2);

/// Rows a second that the api stores, one POST each, against pgbench's inserts, one each.
pub(crate) const STORE: Goal = Goal::at_least(5.0);

/// The same on GlusterFS, against as many synced renames on that volume as the protocol does.
pub(crate) const ONE_DOCUMENT_ON_GLUSTERFS: Goal = Goal::at_most(1.5);

/// A program's peak memory at any size of file, in MiB beyond the process that has nothing to do.
pub(crate) const MEMORY: Goal = Goal::at_most(16.0);

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
        for (figure, verdict) in [(2.0, Verdict::Stretched), (3.0, Verdict::Reached), (3.01, Verdict::Missed)]
        {
            assert_eq!(text_to_csv::COPY.judge(figure), verdict);
        }
        for (figure, verdict) in
            [(0.879, Verdict::Missed), (0.88, Verdict::Reached), (1.2, Verdict::Stretched)]
        {
            assert_eq!(API.judge(figure), verdict);
        }
        assert_eq!(MEMORY.judge(1.0), Verdict::Reached, "without a stretch it is reached at best");
    }

    #[test]
    fn what_cannot_be_compared_misses_every_goal() {
        assert_eq!(API.judge(f64::NAN), Verdict::Missed);
        assert_eq!(GETDATA.judge(f64::NAN), Verdict::Missed);
    }
}
