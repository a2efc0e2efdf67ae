//! Frames a reader into lines, in bounded memory.
//!
//! A line ends before its line feed; the last one needs none, and a carriage return is a byte like any other. Reads come
//! in large blocks, a line is handed out as a slice of the block, and a line longer than [`MAX_LINE`] is never held: its
//! bytes go by. Work is linear in the input however small the reads are.
//!
//! ```
//! use records::lines::{Line, Lines};
//!
//! let mut lines = Lines::new(&b"first\nsecond"[..]);
//! while let Some(line) = lines.next_line()? {
//!     match line {
//!         Line::Whole { number, offset, bytes } => println!("{number} at {offset}: {} bytes", bytes.len()),
//!         Line::TooLong { number, length, .. } => println!("{number} is {length} bytes long"),
//!     }
//! }
//! # Ok::<(), std::io::Error>(())
//! ```

use std::io::{self, ErrorKind, Read};

use memchr::memchr;

use crate::{BLOCK, MAX_LINE, Rejects, Unreadable};

/// One line of the input.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A line of at most [`MAX_LINE`] bytes.
    Whole {
        /// 1 for the first line of the input.
        number: u64,
        /// Where it starts: bytes from the start of the input.
        offset: u64,
        /// Without its line feed.
        bytes: &'a [u8],
    },
    /// A line of more than [`MAX_LINE`] bytes, which has gone by.
    TooLong {
        /// 1 for the first line of the input.
        number: u64,
        /// Where it starts: bytes from the start of the input.
        offset: u64,
        /// In bytes, without its line feed.
        length: u64,
    },
}

/// Pulls lines out of a reader.
///
/// Errors of the reader are passed on unchanged, save [`ErrorKind::Interrupted`], after which the read is tried again.
/// After an error [`Lines::next_line`] may be called again and loses nothing, unless a line that is too long was going by.
pub struct Lines<R> {
    input: R,
    /// All of it is room; what was read and may still be needed lies between `start` and `filled`.
    buffer: Vec<u8>,
    /// Where the line in hand starts: the one handed out last.
    start: usize,
    filled: usize,
    in_hand: End,
    /// The line in hand together with those that [`Lines::join`] added.
    joined: Joined,
    /// The number of the line after the one in hand.
    number: u64,
    /// Where `buffer[0]` lies in the input.
    buffer_offset: u64,
    /// The input's end has been seen; it is not read again.
    ended: bool,
}

/// Where a line ends, from the start of the line in hand.
#[derive(Clone, Copy, Default)]
struct End {
    /// Before its line feed.
    bytes: usize,
    /// After its line feed.
    next: usize,
}

#[derive(Clone, Copy, Default)]
struct Joined {
    end: End,
    /// How many lines were added to the one in hand.
    added: u64,
}

impl<R: Read> Lines<R> {
    /// Starts with line 1 at the reader's position, which counts as offset 0.
    pub fn new(input: R) -> Self {
        Self {
            input,
            buffer: vec![0; BLOCK],
            start: 0,
            filled: 0,
            in_hand: End::default(),
            joined: Joined::default(),
            number: 1,
            buffer_offset: 0,
            ended: false,
        }
    }

    /// The next line; the bytes of one that is too long are dropped. None: the input has ended.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.next_line_or_reject(&mut ())
    }

    /// The next line; one that is too long has been rejected, piece by piece, when this returns. None: the input has
    /// ended.
    #[inline]
    pub fn next_line_or_reject(&mut self, rejects: &mut dyn Rejects) -> io::Result<Option<Line<'_>>> {
        self.leave_line();
        let Some(end) = self.find_end(0)? else {
            return self.pass_long_line(rejects);
        };
        self.take(end, 1);
        Ok(Some(Line::Whole {
            number: self.number - 1,
            offset: self.buffer_offset + self.start as u64,
            bytes: &self.buffer[self.start..self.start + end.bytes],
        }))
    }

    /// The line handed out last, without its line feed. Empty before the first, and after one that is too long.
    pub fn in_hand(&self) -> &[u8] {
        &self.buffer[self.start..self.start + self.in_hand.bytes]
    }

    /// Looks one line further: joins to the line in hand, and to those joined before, the line after them, and
    /// gives its bytes, without the line feeds around it. None, and nothing is joined, where there is no further
    /// line, or all of it together would be longer than [`MAX_LINE`].
    ///
    /// It is only a look: the next line pulled is the one after the line in hand, unless [`Lines::keep_joined`] is
    /// called.
    pub fn join(&mut self) -> io::Result<Option<&[u8]>> {
        let from = self.joined.end.next;
        let Some(end) = self.find_end(from)? else {
            return Ok(None);
        };
        let added = self.joined.added + 1;
        self.joined = Joined { end, added };
        Ok(Some(&self.buffer[self.start + from..self.start + end.bytes]))
    }

    /// Makes what is joined, with the line feeds between the lines, the line in hand.
    pub fn keep_joined(&mut self) {
        self.take(self.joined.end, self.joined.added);
    }

    /// Goes on to the line after the one in hand. Called again after a failed read it changes nothing.
    fn leave_line(&mut self) {
        self.start += self.in_hand.next;
        self.in_hand = End::default();
        self.joined = Joined::default();
    }

    /// Makes what ends at `end`, and holds so many lines not yet counted, the line in hand.
    fn take(&mut self, end: End, lines: u64) {
        self.in_hand = end;
        self.joined = Joined { end, added: 0 };
        self.number += lines;
    }

    /// Finds the end of the line that starts `from` bytes after the start of the line in hand. None: there is no such
    /// line, or it ends more than [`MAX_LINE`] bytes after the start of the line in hand.
    #[inline]
    fn find_end(&mut self, from: usize) -> io::Result<Option<End>> {
        let mut searched = from;
        loop {
            let unread = &self.buffer[self.start..self.filled];
            if let Some(at) = memchr(b'\n', &unread[searched..]) {
                let bytes = searched + at;
                let next = bytes + 1;
                return Ok((bytes <= MAX_LINE).then_some(End { bytes, next }));
            }
            searched = unread.len();
            if searched > MAX_LINE {
                return Ok(None);
            }
            if self.ended {
                let end = End { bytes: searched, next: searched };
                return Ok((searched > from).then_some(end));
            }
            self.fill()?;
        }
    }

    /// Lets the line at `start` go by, or says that there is none.
    #[cold]
    fn pass_long_line(&mut self, rejects: &mut dyn Rejects) -> io::Result<Option<Line<'_>>> {
        if self.start == self.filled {
            return Ok(None);
        }
        let number = self.number;
        let offset = self.buffer_offset + self.start as u64;
        rejects.start(number, &Unreadable::TooLong.to_string())?;
        let mut length = 0;
        loop {
            let unread = &self.buffer[self.start..self.filled];
            let end = memchr(b'\n', unread);
            let piece = &unread[..end.unwrap_or(unread.len())];
            rejects.piece(piece)?;
            length += piece.len() as u64;
            self.start += piece.len() + usize::from(end.is_some());
            if end.is_some() || self.ended {
                break;
            }
            self.fill()?;
        }
        rejects.end()?;
        self.number += 1;
        Ok(Some(Line::TooLong { number, offset, length }))
    }

    /// Reads once more behind `filled`, keeping what lies after `start`. Sets `ended` where nothing comes.
    #[cold]
    fn fill(&mut self) -> io::Result<()> {
        self.make_room();
        loop {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.ended = true,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }

    /// Makes room behind `filled` if there is none. Moves or copies only when at least as much room is won as bytes are
    /// moved, so that the moving stays linear in the input. At most `MAX_LINE` bytes are kept: the buffer never grows
    /// beyond twice that.
    fn make_room(&mut self) {
        if self.filled < self.buffer.len() && self.start < self.filled {
            return;
        }
        let kept = self.filled - self.start;
        if kept > self.buffer.len() / 2 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        self.buffer.copy_within(self.start..self.filled, 0);
        self.buffer_offset += self.start as u64;
        self.start = 0;
        self.filled = kept;
    }
}

#[cfg(test)]
mod tests;
