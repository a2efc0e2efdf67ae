//! A note that goes along with a file: an extended attribute, which every rename leaves as it is.
//!
//! Nothing rests on it. A volume that keeps none, a power cut, and whoever copies the file cost the note and no more.

use std::fs::File;
use std::io;

use rustix::fs::{XattrFlags, fgetxattr, fsetxattr};

/// What all systems for tracing call it.
const NAME: &str = "user.traceparent";

/// What is longer was written by somebody else.
const MAX: usize = 128;

/// Replaces a file's note.
pub(crate) fn write(file: &File, text: &str) -> io::Result<()> {
    Ok(fsetxattr(file, NAME, text.as_bytes(), XattrFlags::empty())?)
}

/// A file's note; none where there is none that can be read.
pub(crate) fn read(file: &File) -> Option<String> {
    let mut note = [0; MAX];
    let length = fgetxattr(file, NAME, &mut note).ok()?;
    Some(str::from_utf8(note.get(..length)?).ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_as_it_was_written_and_what_is_none_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let file = File::create_new(directory.path().join("file")).unwrap();
        assert_eq!(read(&file), None);
        if write(&file, "first").is_err() {
            eprintln!("skipped: this file system keeps no notes");
            return;
        }
        write(&file, "a note").unwrap();
        crate::fs::rename(&directory.path().join("file"), &directory.path().join("other")).unwrap();
        let other = File::open(directory.path().join("other")).unwrap();
        assert_eq!(read(&other).as_deref(), Some("a note"));
        for wrong in [&b"\xff\xfe"[..], &[b'x'; 1000]] {
            fsetxattr(&file, NAME, wrong, XattrFlags::empty()).unwrap();
            assert_eq!(read(&file), None);
        }
    }
}
