//! A batch's input, as it was before anyone compressed it.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::time::Instant;

use service::{Health, Shutdown};
use volume::{Batch, Compression};

use crate::decode::{Limit, decoder};
use crate::process::ProcessError;

/// What is read at once to be passed over.
const PIECE: usize = 64 << 10;

/// A batch's input, from its start to its end, unpacked on the way where it is compressed. Each read of it is a heartbeat,
/// and fails once the program must let go of the batch. Its errors are a [`ProcessError`]'s.
pub struct Input {
    heartbeat: Heartbeat,
    file: File,
    compression: Compression,
    limit: Limit,
    reader: Box<dyn Read + Send>,
    /// How many bytes of what it holds were read.
    position: u64,
}

impl Input {
    pub(crate) fn open(batch: &Batch, max_ratio: u32, heartbeat: Heartbeat) -> io::Result<Self> {
        let (file, compression) = (batch.input.try_clone()?, batch.compression());
        let limit = Limit::new(max_ratio, batch.input_len());
        let reader = decoder(Source::start(&file, &heartbeat)?, compression, limit)?;
        Ok(Input { heartbeat, file, compression, limit, reader, position: 0 })
    }

    /// Fills a buffer with what stands at an offset of what the input holds. Where it is compressed, it is unpacked up to
    /// there, and from its start where it has been read farther: who reads much does so in order.
    ///
    /// # Errors
    /// Those of any read; it is shorter than that.
    pub fn read_exact_at(&mut self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        if self.compression == Compression::None {
            self.heartbeat.beat()?;
            return self.file.read_exact_at(buffer, offset);
        }
        if offset < self.position {
            let source = Source::start(&self.file, &self.heartbeat)?;
            self.reader = decoder(source, self.compression, self.limit)?;
            self.position = 0;
        }
        let mut passed_over = [0; PIECE];
        while self.position < offset {
            let left = usize::try_from(offset - self.position).unwrap_or(PIECE).min(PIECE);
            self.read_exact(&mut passed_over[..left])?;
        }
        self.read_exact(buffer)
    }

    /// Reads on to the end, for what is wrong on the way.
    ///
    /// # Errors
    /// Those of any read.
    pub fn read_through(mut self) -> io::Result<()> {
        let mut passed_over = [0; PIECE];
        loop {
            match self.read(&mut passed_over) {
                Ok(0) => return Ok(()),
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
        }
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.heartbeat.beat()?;
        let read = self.reader.read(buffer)?;
        self.position += read as u64;
        Ok(read)
    }
}

/// What tells the probes that work goes on, and the work that it is to end.
#[derive(Clone)]
pub(crate) struct Heartbeat {
    pub(crate) health: Health,
    pub(crate) shutdown: Shutdown,
}

impl Heartbeat {
    fn beat(&self) -> io::Result<()> {
        if self.shutdown.grace_is_over() {
            return Err(ProcessError::released());
        }
        self.health.heartbeat(Instant::now());
        Ok(())
    }
}

/// A file read from its start, whoever else reads it. It beats too: much of a compressed file may hold nothing.
struct Source {
    file: File,
    offset: u64,
    heartbeat: Heartbeat,
}

impl Source {
    fn start(file: &File, heartbeat: &Heartbeat) -> io::Result<Self> {
        Ok(Source { file: file.try_clone()?, offset: 0, heartbeat: heartbeat.clone() })
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.heartbeat.beat()?;
        let read = self.file.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}
