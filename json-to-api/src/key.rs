//! The `Idempotency-Key` of a document: the same for each attempt, also by the next owner, and never the same for two.
//!
//! It is a quoted string, as draft-ietf-httpapi-idempotency-key-header-07 has it: the batch's key and the line's number.

use std::fmt::Write;

use bytes::BytesMut;
use http::HeaderValue;

/// So many bytes of keys are made in one allocation.
const BLOCK: usize = 4 << 10;

/// Makes the keys of a batch's documents.
pub(crate) struct Keys {
    batch: String,
    block: BytesMut,
}

impl Keys {
    pub(crate) fn new(batch: &str) -> Self {
        Keys { batch: batch.to_owned(), block: BytesMut::new() }
    }

    /// The key of the document in a line.
    pub(crate) fn of(&mut self, line: u64) -> HeaderValue {
        // Quotes, a dash and twenty digits.
        let longest = self.batch.len() + 23;
        if self.block.capacity() < longest {
            self.block.reserve(BLOCK.max(longest));
        }
        // Writing to memory cannot fail.
        let _ = write!(self.block, "\"{}-{line}\"", self.batch);
        HeaderValue::from_maybe_shared(self.block.split().freeze())
            .expect("the volume makes keys of `[0-9a-f.-]`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_quoted_string_of_batch_and_line() {
        let mut keys = Keys::new("0199-a9-1f.2");
        assert_eq!(keys.of(1), "\"0199-a9-1f.2-1\"");
        assert_eq!(keys.of(u64::MAX), "\"0199-a9-1f.2-18446744073709551615\"");
        let kept: Vec<_> = (0..10_000).map(|line| keys.of(line)).collect();
        for (line, key) in kept.iter().enumerate() {
            assert_eq!(key, &format!("\"0199-a9-1f.2-{line}\""));
        }
    }
}
