//! Copies what was refused from the input into `rejected/`, with the reasons.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::document::{Place, Refusal};

/// Refusals come nearly in the order of their lines. So many are held back to bring them into it; where a document was
/// refused only after so many others, its line stands behind theirs.
const WINDOW: usize = 16_384;
/// What one read asks for.
const PIECE: usize = 64 << 10;

/// Passes refusals on in the order of their lines, as far as [`WINDOW`] of them can tell.
///
/// # Errors
/// The first error of either side.
pub(crate) fn in_order<E: From<io::Error>>(
    refusals: impl IntoIterator<Item = io::Result<Refusal>>,
    mut next: impl FnMut(Refusal) -> Result<(), E>,
) -> Result<(), E> {
    let mut window = BinaryHeap::new();
    for refusal in refusals {
        window.push(Reverse(refusal?));
        if window.len() > WINDOW
            && let Some(Reverse(first)) = window.pop()
        {
            next(first)?;
        }
    }
    while let Some(Reverse(first)) = window.pop() {
        next(first)?;
    }
    Ok(())
}

/// Reads a line of any length, in pieces.
///
/// # Errors
/// The input cannot be read or has become shorter, or those of `piece`.
pub(crate) fn copy<E: From<io::Error>>(
    input: &File,
    place: Place,
    mut piece: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut buffer = [0; PIECE];
    let mut done = 0;
    while done < place.length {
        let length = usize::try_from(place.length - done).unwrap_or(PIECE).min(PIECE);
        input.read_exact_at(&mut buffer[..length], place.offset + done)?;
        piece(&buffer[..length])?;
        done += length as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: u64) -> Refusal {
        Refusal::new(Place { line, offset: 0, length: 0 }, format!("reason {line}"))
    }

    fn ordered(lines: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut out = Vec::new();
        let refusals = lines.into_iter().map(|line| Ok(refusal(line)));
        in_order::<io::Error>(refusals, |refusal| {
            out.push(refusal.place.line);
            Ok(())
        })
        .unwrap();
        out
    }

    #[test]
    fn refusals_that_come_a_little_late_are_brought_into_order() {
        let lines = (0..100_000u64).map(|index| (index / 1_000) * 1_000 + (index * 7) % 1_000);
        assert!(ordered(lines).is_sorted());
    }

    #[test]
    fn one_that_comes_very_late_is_not_lost() {
        let lines: Vec<u64> = (2..100_000).chain([1]).collect();
        let mut out = ordered(lines);
        assert!(!out.is_sorted());
        out.sort_unstable();
        assert_eq!(out, (1..100_000).collect::<Vec<_>>());
    }

    #[test]
    fn lines_of_any_length_are_copied_byte_for_byte() {
        let content: Vec<u8> = (0..300_000u32).map(|index| index as u8).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, &content).unwrap();
        let file = File::open(file.path()).unwrap();
        for (offset, length) in [(0, 0), (7, 1), (0, PIECE), (1, PIECE + 1), (5, 299_995)] {
            let place = Place { line: 1, offset: offset as u64, length: length as u64 };
            let mut copied = Vec::new();
            copy::<io::Error>(&file, place, |piece| {
                copied.extend_from_slice(piece);
                Ok(())
            })
            .unwrap();
            assert_eq!(copied, content[offset..offset + length]);
        }
    }

    #[test]
    fn an_input_that_became_shorter_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        let place = Place { line: 1, offset: 0, length: 1 };
        assert!(copy::<io::Error>(&file, place, |_| Ok(())).is_err());
    }
}
