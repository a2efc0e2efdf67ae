//! Copies what was refused from the input into `rejected/`, with the reasons.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use crate::document::{Place, Refusal};

/// Refusals come nearly in the order of their lines. So many are held back to bring them into it.
const WINDOW: usize = 16_384;
/// What one read asks for.
const PIECE: usize = 64 << 10;

/// Passes refusals on in the order of their lines, as far as [`WINDOW`] of them can tell. Where a document was refused only
/// after so many others, its line stands behind theirs, with all that come as late: lines follow each other in few runs, of
/// which each but the first and the last has [`WINDOW`] of them at least, since a compressed input is read anew for each.
///
/// # Errors
/// The first error of either side.
pub(crate) fn in_order<E: From<io::Error>>(
    refusals: impl IntoIterator<Item = io::Result<Refusal>>,
    mut next: impl FnMut(Refusal) -> Result<(), E>,
) -> Result<(), E> {
    // By their runs: replacement selection.
    let mut window = BinaryHeap::new();
    let mut last = (0_u64, 0);
    for refusal in refusals {
        let refusal = refusal?;
        let run = if refusal.place.line < last.1 { last.0 + 1 } else { last.0 };
        window.push(Reverse((run, refusal)));
        if window.len() > WINDOW
            && let Some(Reverse((run, first))) = window.pop()
        {
            last = (run, first.place.line);
            next(first)?;
        }
    }
    while let Some(Reverse((_, first))) = window.pop() {
        next(first)?;
    }
    Ok(())
}

/// Reads a line of any length, in pieces; `read` fills a buffer with what stands at an offset of the input.
///
/// # Errors
/// Those of the two.
pub(crate) fn copy<E>(
    place: Place,
    mut read: impl FnMut(&mut [u8], u64) -> Result<(), E>,
    mut piece: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut buffer = [0; PIECE];
    let mut done = 0;
    while done < place.length {
        let length = usize::try_from(place.length - done).unwrap_or(PIECE).min(PIECE);
        read(&mut buffer[..length], place.offset + done)?;
        piece(&buffer[..length])?;
        done += length as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt as _;

    use super::*;

    fn copy(file: &File, place: Place, piece: impl FnMut(&[u8]) -> Result<(), io::Error>) -> io::Result<()> {
        super::copy(place, |buffer, offset| file.read_exact_at(buffer, offset), piece)
    }

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
    fn lines_come_in_few_runs_whichever_are_late() {
        let late = (0..100_000).flat_map(|index| [100_000 + index, index]);
        for lines in [late.collect::<Vec<u64>>(), (0..200_000).rev().collect()] {
            let out = ordered(lines.iter().copied());
            let runs = 1 + out.windows(2).filter(|pair| pair[0] > pair[1]).count();
            assert!(runs <= lines.len() / WINDOW + 2, "{runs} runs");
            let (mut out, mut lines) = (out, lines);
            out.sort_unstable();
            lines.sort_unstable();
            assert_eq!(out, lines);
        }
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
            copy(&file, place, |piece| {
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
        assert!(copy(&file, place, |_| Ok(())).is_err());
    }
}
