//! What an answer means for a document: one pure function over the status.

/// What becomes of a document after an attempt that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The api has it.
    Delivered,
    /// Nothing is wrong with the document or the set-up: try again after a pause.
    Retry,
    /// The address, the set-up or the credentials are wrong, not the document: say so, and try again after a pause.
    Misconfigured,
    /// The api refuses this document.
    Rejected,
}

impl Verdict {
    /// Judges a status code.
    ///
    /// What HTTP does not define as a final answer (1xx, 600 and above) counts as 5xx (RFC 9110, section 15).
    pub(crate) fn of(status: u16) -> Self {
        match status {
            200..=299 => Verdict::Delivered,
            408 | 409 | 425 | 429 => Verdict::Retry,
            300..=399 | 401 | 403..=407 | 411 | 415 | 421 | 426 | 431 => Verdict::Misconfigured,
            400..=499 => Verdict::Rejected,
            _ => Verdict::Retry,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_the_verdict_of_the_contract() {
        let retried = [408, 409, 425, 429];
        let misconfigured = [401, 403, 404, 405, 406, 407, 411, 415, 421, 426, 431];
        for status in 100..=999 {
            let expected = if (200..300).contains(&status) {
                Verdict::Delivered
            } else if retried.contains(&status) || !(200..500).contains(&status) {
                Verdict::Retry
            } else if misconfigured.contains(&status) || status < 400 {
                Verdict::Misconfigured
            } else {
                Verdict::Rejected
            };
            assert_eq!(Verdict::of(status), expected, "{status}");
        }
    }

    #[test]
    fn what_blames_the_document_rejects_it() {
        for status in [400, 402, 410, 412, 413, 414, 416, 417, 418, 422, 423, 424, 428, 451, 499] {
            assert_eq!(Verdict::of(status), Verdict::Rejected, "{status}");
        }
    }
}
