//! An entry's line, as `busybox ls -ld` prints it.

use std::fs::Metadata;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FileType, major, minor};

use crate::owners::Owners;
use crate::{date, escape};

/// What a line shows of an entry besides its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes {
    /// Type and permissions.
    pub mode: u32,
    pub links: u64,
    pub user: u32,
    pub group: u32,
    /// In bytes; of no meaning for a device.
    pub size: u64,
    /// The major and minor number of what a device node stands for.
    pub device: (u32, u32),
    /// In seconds since 1970.
    pub modified: i64,
}

impl Attributes {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            mode: metadata.mode(),
            links: metadata.nlink(),
            user: metadata.uid(),
            group: metadata.gid(),
            size: metadata.size(),
            device: (major(metadata.rdev()), minor(metadata.rdev())),
            modified: metadata.mtime(),
        }
    }
}

/// Appends an entry's line, with its line feed; dates are as seen at `now`, in seconds since 1970.
pub(crate) fn push(
    out: &mut Vec<u8>,
    attributes: &Attributes,
    owners: &mut Owners,
    now: i64,
    path: &Path,
    target: Option<&Path>,
) {
    let Attributes { mode, links, user, group, size, device: (major, minor), modified } = *attributes;
    out.extend_from_slice(&mode_column(mode));
    let (user, group) = (owners.users.column(user), owners.groups.column(group));
    // Writing to a Vec cannot fail.
    let _ = write!(out, " {links:4} {user} {group} ");
    let _ = match FileType::from_raw_mode(mode) {
        FileType::BlockDevice | FileType::CharacterDevice => write!(out, "{major:4}, {minor:3} "),
        _ => write!(out, "{size:9} "),
    };
    date::push(out, modified, now);
    out.push(b' ');
    escape::push(out, path.as_os_str().as_bytes());
    if let Some(target) = target {
        out.extend_from_slice(b" -> ");
        escape::push(out, target.as_os_str().as_bytes());
    }
    out.push(b'\n');
}

fn mode_column(mode: u32) -> [u8; 10] {
    let kind = match FileType::from_raw_mode(mode) {
        FileType::RegularFile => b'-',
        FileType::Directory => b'd',
        FileType::Symlink => b'l',
        FileType::Fifo => b'p',
        FileType::Socket => b's',
        FileType::CharacterDevice => b'c',
        FileType::BlockDevice => b'b',
        FileType::Unknown => b'?',
    };
    let mut column = *b"?rwxrwxrwx";
    column[0] = kind;
    for bit in 0..9 {
        if mode & (0o400 >> bit) == 0 {
            column[bit + 1] = b'-';
        }
    }
    // Set-user-id, set-group-id and sticky stand in the places of the three x.
    for (bit, place, letter) in [(0o4000, 3, b's'), (0o2000, 6, b's'), (0o1000, 9, b't')] {
        if mode & bit != 0 {
            column[place] = if column[place] == b'x' { letter } else { letter.to_ascii_uppercase() };
        }
    }
    column
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Attributes = Attributes {
        mode: 0o100_400,
        links: 1,
        user: 0,
        group: 0,
        size: 19,
        device: (0, 0),
        modified: 1_742_428_620,
    };

    fn line(attributes: Attributes, path: &str, target: Option<&str>) -> String {
        let mut out = Vec::new();
        let now = FILE.modified + 60;
        push(&mut out, &attributes, &mut Owners::nobody(), now, path.as_ref(), target.map(Path::new));
        String::from_utf8(out).unwrap()
    }

    // The expected lines were printed by BusyBox 1.35.

    #[test]
    fn a_file_looks_as_busybox_prints_it() {
        assert_eq!(
            line(FILE, "/sys/module/sr_mod/sections/.init.text", None),
            "-r--------    1 0        0               19 Mar 19 23:57 /sys/module/sr_mod/sections/.init.text\n"
        );
    }

    #[test]
    fn wide_numbers_push_what_follows_to_the_right() {
        let wide = Attributes { size: 12_345_678_901, links: 123_456, ..FILE };
        assert_eq!(line(wide, "f", None), "-r-------- 123456 0        0        12345678901 Mar 19 23:57 f\n");
        assert!(line(Attributes { size: u64::MAX, ..FILE }, "f", None).contains(" 18446744073709551615 "));
    }

    #[test]
    fn a_device_shows_its_numbers_in_place_of_the_size() {
        let device = |mode, device| line(Attributes { mode, device, ..FILE }, "d", None);
        assert_eq!(device(0o060_644, (8, 0)), "brw-r--r--    1 0        0           8,   0 Mar 19 23:57 d\n");
        assert_eq!(
            device(0o020_644, (1234, 123_456)),
            "crw-r--r--    1 0        0        1234, 123456 Mar 19 23:57 d\n"
        );
    }

    #[test]
    fn a_link_shows_its_target_where_that_is_known() {
        let link = Attributes { mode: 0o120_777, ..FILE };
        assert!(line(link, "/a/l", Some("b\nc")).ends_with(" 23:57 /a/l -> b\\nc\n"));
        assert!(line(link, "/a/l", None).ends_with(" 23:57 /a/l\n"));
    }

    #[test]
    fn every_type_and_every_special_bit_has_its_letter() {
        let mode = |mode| String::from_utf8(mode_column(mode).to_vec()).unwrap();
        for (raw, expected) in [
            (0o040_755, "drwxr-xr-x"),
            (0o010_644, "prw-r--r--"),
            (0o140_755, "srwxr-xr-x"),
            (0o020_000, "c---------"),
            (0o000_644, "?rw-r--r--"),
            (0o107_777, "-rwsrwsrwt"),
            (0o106_666, "-rwSrwSrw-"),
            (0o041_666, "drw-rw-rwT"),
            (0o104_644, "-rwSr--r--"),
            (0o102_755, "-rwxr-sr-x"),
        ] {
            assert_eq!(mode(raw), expected);
        }
    }
}
