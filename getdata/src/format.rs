//! An entry's line, as `busybox ls -ld` prints it.

use rustix::fs::FileType;

use crate::names::Owners;
use crate::{date, escape};

/// What a line shows of an entry besides its name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes {
    /// Type and permissions.
    pub mode: u32,
    pub links: u32,
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
    pub(crate) fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.mode)
    }
}

/// Writes lines; remembers names of owners, and the last date.
pub(crate) struct Formatter {
    owners: Owners,
    /// In seconds since 1970; dates near it bear the time.
    now: i64,
    /// Neighbours often came at one time.
    date_of: Option<i64>,
    date: Vec<u8>,
}

impl Formatter {
    pub(crate) fn new(owners: Owners) -> Self {
        Self { owners, now: 0, date_of: None, date: Vec::new() }
    }

    pub(crate) fn set_now(&mut self, now: i64) {
        if self.now != now {
            self.now = now;
            self.date_of = None;
        }
    }

    /// Appends an entry's line, with its line feed. `directory` is escaped already and ends in a slash, or is empty.
    pub(crate) fn push(
        &mut self,
        out: &mut Vec<u8>,
        attributes: &Attributes,
        directory: &[u8],
        name: &[u8],
        target: Option<&[u8]>,
    ) {
        out.extend_from_slice(&mode_column(attributes.mode));
        out.push(b' ');
        push_number(out, u64::from(attributes.links), 4);
        out.push(b' ');
        out.extend_from_slice(&self.owners.user(attributes.user));
        out.push(b' ');
        out.extend_from_slice(&self.owners.group(attributes.group));
        out.push(b' ');
        if matches!(attributes.file_type(), FileType::BlockDevice | FileType::CharacterDevice) {
            let (major, minor) = attributes.device;
            push_number(out, u64::from(major), 4);
            out.extend_from_slice(b", ");
            push_number(out, u64::from(minor), 3);
        } else {
            push_number(out, attributes.size, 9);
        }
        out.push(b' ');
        self.push_date(out, attributes.modified);
        out.push(b' ');
        out.extend_from_slice(directory);
        escape::push(out, name);
        if let Some(target) = target {
            out.extend_from_slice(b" -> ");
            escape::push(out, target);
        }
        out.push(b'\n');
    }

    fn push_date(&mut self, out: &mut Vec<u8>, modified: i64) {
        if self.date_of != Some(modified) {
            self.date.clear();
            date::push(&mut self.date, modified, self.now);
            self.date_of = Some(modified);
        }
        out.extend_from_slice(&self.date);
    }
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

/// Appends a number, right-aligned in `width` columns, or as wide as it is.
///
/// By hand, since this is half of the time that a line takes with `write!`.
fn push_number(out: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b' '; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        // A remainder of 10 fits.
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start.min(digits.len() - width)..]);
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

    fn line(attributes: Attributes, directory: &str, name: &str, target: Option<&str>) -> String {
        let mut formatter = Formatter::new(Owners::nobody());
        formatter.set_now(1_742_428_620 + 60);
        let mut out = Vec::new();
        formatter.push(
            &mut out,
            &attributes,
            directory.as_bytes(),
            name.as_bytes(),
            target.map(str::as_bytes),
        );
        String::from_utf8(out).unwrap()
    }

    // The expected lines were printed by BusyBox 1.35.

    #[test]
    fn a_file_looks_as_busybox_prints_it() {
        let path = ("/sys/module/sr_mod/sections/", ".init.text");
        assert_eq!(
            line(FILE, path.0, path.1, None),
            "-r--------    1 0        0               19 Mar 19 23:57 /sys/module/sr_mod/sections/.init.text\n"
        );
    }

    #[test]
    fn wide_numbers_push_what_follows_to_the_right() {
        let wide = Attributes { size: 12_345_678_901, links: 123_456, ..FILE };
        assert_eq!(
            line(wide, "", "f", None),
            "-r-------- 123456 0        0        12345678901 Mar 19 23:57 f\n"
        );
        assert!(
            line(Attributes { size: u64::MAX, ..FILE }, "", "f", None).contains(" 18446744073709551615 ")
        );
    }

    #[test]
    fn a_device_shows_its_numbers_in_place_of_the_size() {
        let device = |mode, device| line(Attributes { mode, device, ..FILE }, "", "d", None);
        assert_eq!(device(0o060_644, (8, 0)), "brw-r--r--    1 0        0           8,   0 Mar 19 23:57 d\n");
        assert_eq!(
            device(0o020_644, (1234, 123_456)),
            "crw-r--r--    1 0        0        1234, 123456 Mar 19 23:57 d\n"
        );
    }

    #[test]
    fn a_link_shows_its_target_where_that_is_known() {
        let link = Attributes { mode: 0o120_777, ..FILE };
        assert!(line(link, "/a/", "l", Some("b\nc")).ends_with(" 23:57 /a/l -> b\\nc\n"));
        assert!(line(link, "/a/", "l", None).ends_with(" 23:57 /a/l\n"));
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

    #[test]
    fn a_new_now_is_seen_by_dates_that_were_printed_before() {
        let mut formatter = Formatter::new(Owners::nobody());
        let mut out = Vec::new();
        for now in [FILE.modified, FILE.modified + 365 * 24 * 3600] {
            formatter.set_now(now);
            formatter.push(&mut out, &FILE, b"", b"f", None);
        }
        let lines = String::from_utf8(out).unwrap();
        assert!(lines.contains(" 23:57 f\n") && lines.contains("  2025 f\n"), "{lines}");
    }
}
