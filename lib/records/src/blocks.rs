//! Collects records and writes them in large blocks.

use std::io::{self, Write};

/// What is written at once, at offsets that are multiples of it: file systems take whole blocks with
/// less work. Large enough that a write's own cost vanishes, small enough to stay in a core's cache.
const BLOCK: usize = 256 << 10;

/// A writer's front: records are put together in its room, in place, and go out in few large writes.
///
/// What is left in it when it is dropped is lost: [`Blocks::finish`] writes it.
pub struct Blocks<'a> {
    output: &'a mut dyn Write,
    /// All of it is room, of which so much is filled.
    room: Vec<u8>,
    filled: usize,
}

impl<'a> Blocks<'a> {
    /// Nothing is written before a block is full.
    pub fn new(output: &'a mut dyn Write) -> Self {
        let room = vec![0; 2 * BLOCK];
        Self { output, room, filled: 0 }
    }

    /// Room for `length` bytes. What is written into it counts once [`Blocks::fill`] says so.
    #[inline]
    pub fn room(&mut self, length: usize) -> &mut [u8] {
        if self.room.len() - self.filled < length {
            self.grow(length);
        }
        &mut self.room[self.filled..self.filled + length]
    }

    /// Appends the first `length` bytes of the room asked for last.
    #[inline]
    pub fn fill(&mut self, length: usize) -> io::Result<()> {
        self.filled += length;
        if self.filled >= BLOCK {
            return self.write_blocks();
        }
        Ok(())
    }

    /// Appends bytes that are put together elsewhere.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.room(bytes.len()).copy_from_slice(bytes);
        self.fill(bytes.len())
    }

    /// Writes what is left.
    pub fn finish(self) -> io::Result<()> {
        self.output.write_all(&self.room[..self.filled])
    }

    #[cold]
    fn grow(&mut self, length: usize) {
        self.room.resize(self.filled + length, 0);
    }

    #[cold]
    fn write_blocks(&mut self) -> io::Result<()> {
        let whole = self.filled / BLOCK * BLOCK;
        self.output.write_all(&self.room[..whole])?;
        self.room.copy_within(whole..self.filled, 0);
        self.filled -= whole;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what was written, and the length of each write.
    #[derive(Default)]
    struct Writes(Vec<u8>, Vec<usize>);

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.extend_from_slice(bytes);
            self.1.push(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn records_of_any_length_are_written_in_whole_blocks_and_a_rest() {
        let mut writes = Writes::default();
        let mut blocks = Blocks::new(&mut writes);
        let mut expected = Vec::new();
        for (length, byte) in
            [0, 1, 1000, BLOCK - 1001, 1, 3 * BLOCK, 5 * BLOCK + 7, 2, BLOCK].into_iter().zip(b'a'..)
        {
            let record = vec![byte; length];
            expected.extend_from_slice(&record);
            blocks.append(&record).unwrap();
        }
        blocks.finish().unwrap();
        assert!(writes.0 == expected);
        assert_eq!(writes.1, [BLOCK, 3 * BLOCK, 5 * BLOCK, BLOCK, 10]);
    }

    #[test]
    fn room_that_is_not_filled_is_not_written() {
        let mut writes = Writes::default();
        let mut blocks = Blocks::new(&mut writes);
        blocks.room(10).fill(b'x');
        blocks.room(3).copy_from_slice(b"abc");
        blocks.fill(2).unwrap();
        blocks.append(b"c").unwrap();
        blocks.finish().unwrap();
        assert_eq!(writes.0, b"abc");
    }

    #[test]
    fn nothing_is_written_where_there_is_nothing() {
        let mut writes = Writes::default();
        Blocks::new(&mut writes).finish().unwrap();
        assert_eq!(writes.1, [0; 0]);
    }
}
