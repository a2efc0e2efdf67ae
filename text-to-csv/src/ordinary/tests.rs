use proptest::prelude::*;
use records::Counts;
use records::listing::{Entry, Format, Writer, csv, text};

use super::{SLACK, write};

/// As the stage writes, but each line is read with care.
struct Careful;

impl Format for Careful {
    const SLACK: usize = 0;

    fn write(entry: &Entry<'_>, output: &mut Vec<u8>) {
        csv::write(entry, output);
    }

    fn write_line(_: &[u8], _: &mut [u8]) -> Option<usize> {
        None
    }
}

/// What comes of a line that is not the first: its record, if it is one.
fn read(line: &str) -> Option<String> {
    let mut output = Vec::new();
    let mut writer = Writer::<Careful>::new(&mut output);
    let counts = text::read(format!("total 0\n{line}\n").as_bytes(), &mut (), &mut writer).unwrap();
    writer.finish().unwrap();
    (counts == Counts { ok: 1, rejected: 0 }).then(|| String::from_utf8(output).unwrap())
}

/// The record, if the line is ordinary.
fn taken(line: &str) -> Option<String> {
    let mut room = vec![0; line.len() + SLACK];
    let length = write(line.as_bytes(), &mut room)?;
    Some(String::from_utf8(room[..length].to_vec()).unwrap())
}

const ORDINARY: &str =
    "-r--------    1 root     root            19 Mar 19 23:57 /sys/module/sr_mod/sections/.init.text";

#[test]
fn the_lines_that_busybox_prints_are_ordinary() {
    let record = "-r--------,1,root,root,19,Mar 19 23:57,/sys/module/sr_mod/sections/.init.text\n";
    assert_eq!(taken(ORDINARY).as_deref(), Some(record));
    for (column, other) in [
        ("-r--------", "drwxrwxrwt"),
        ("    1 ", " 1234 "),
        ("root    ", "messageb"),
        ("      19 ", "12345678 "),
        ("Mar 19 23:57", "Jan  9  2024"),
        (".init", " -> a b c  "),
        ("/sys/module/sr_mod/sections/.init.text", "/usr/bin"),
        ("/sys/module/sr_mod/sections/.init.text", "/"),
    ] {
        let line = ORDINARY.replacen(column, other, 1);
        assert!(taken(&line).is_some(), "{line}");
    }
}

#[test]
fn lines_that_need_a_careful_look_are_not_ordinary() {
    for (column, other) in [
        ("      19 ", "  8,   0 "),
        ("-r--------", "-r-------X"),
        ("-r--------", "-rwsr-xr-x"),
        ("- ", "-+"),
        ("    1 ", "12345 "),
        ("    1 ", "  1 1 "),
        ("    1 ", "      "),
        ("root    ", "ro ot   "),
        ("root    ", "        "),
        ("root    ", "ro,ot   "),
        ("       19 ", "123456789 "),
        ("      19 ", "     x19 "),
        ("Mar", "Mär"),
        ("Mar", "mar"),
        ("23:57", "23.57"),
        ("19 23:57", "x9 23:57"),
        (".init", ",init"),
        (".init", "\"init"),
        (".init", "\tinit"),
        (".init", "\u{e9}nit"),
        ("/sys/module/sr_mod/sections/.init.text", ""),
    ] {
        let line = ORDINARY.replacen(column, other, 1);
        assert_ne!(line, ORDINARY);
        assert_eq!(taken(&line), None, "{line}");
    }
}

const DATE: &str =
    "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 1-3][0-9] ([0-2][0-9]:[0-5][0-9]| [12][0-9]{3})";

/// Lines as busybox prints them, of which some fields may be odd.
fn line() -> impl Strategy<Value = String> {
    let name = prop_oneof![8 => "[a-z0-9_-]{1,8}", 1 => "[a-z ]{1,9}", 1 => "\\PC{0,9}"];
    let size = prop_oneof![8 => "[0-9]{1,9}", 1 => "[0-9]{1,3}, {1,3}[0-9]{1,3}", 1 => "[0-9,. KM]{0,9}"];
    let date = prop_oneof![8 => DATE, 1 => "[A-Za-z0-9: -]{12}", 1 => "20[0-9]{2}-[01][0-9]-[0-3][0-9] "];
    let mode =
        prop_oneof![8 => "[-dlps][-r][-w][-xsS]r-xr-[-xtT]", 1 => "[-bcCdDlMnpPs?x][-rwxsStTl]{9}[+. ]?"];
    let path = prop_oneof![4 => "/[ -~]{40,90}", 2 => "[ -~]{0,60}", 1 => "\\PC{0,80}", 1 => "(?s).{0,40}"];
    (mode, "[0-9]{1,5}", name.clone(), name, size, date, path).prop_map(
        |(mode, links, user, group, size, date, path)| {
            format!("{mode} {links:>4} {user:<8} {group:<8} {size:>9} {date} {}", path.replace('\n', ""))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn a_line_is_taken_as_it_would_be_read(line in line(), at in any::<prop::sample::Index>(), other in "[ -~\t\r\0é]?") {
        prop_assert!(taken(&line).is_none() || taken(&line) == read(&line), "{:?}", line);
        // The same with one character in place of another.
        let (place, old) = line.char_indices().nth(at.index(line.chars().count())).unwrap();
        let changed = format!("{}{other}{}", &line[..place], &line[place + old.len_utf8()..]);
        prop_assert!(taken(&changed).is_none() || taken(&changed) == read(&changed), "{:?}", changed);
    }
}
