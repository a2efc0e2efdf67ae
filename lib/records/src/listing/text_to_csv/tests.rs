use proptest::prelude::*;

use super::fast_path;
use crate::Counts;
use crate::listing::{text_to_csv, text_to_csv_without_fast_path};
use crate::testing::Outcome;

/// What comes of a line that is not the first: its record, if it is one.
fn read(line: &str) -> Option<String> {
    let outcome = Outcome::of(text_to_csv_without_fast_path, format!("total 0\n{line}\n").as_bytes());
    (outcome.counts == Counts { ok: 1, rejected: 0 }).then(|| String::from_utf8(outcome.output).unwrap())
}

/// The record, if the line is clear at a glance.
fn taken(line: &str) -> Option<String> {
    let mut output = Vec::new();
    fast_path(line.as_bytes(), &mut output).unwrap().then(|| String::from_utf8(output).unwrap())
}

const PLAIN: &str =
    "-r--------    1 root     root            19 Mar 19 23:57 /sys/module/sr_mod/sections/.init.text";

#[test]
fn the_lines_of_common_listings_take_the_fast_path() {
    let record = "-r--------,1,root,root,19,Mar 19 23:57,/sys/module/sr_mod/sections/.init.text\n";
    assert_eq!(taken(PLAIN).as_deref(), Some(record));
    for (column, other) in [
        ("-r--------", "drwxrwxrwt"),
        ("-r--------", "-rwsr-xr-x"),
        ("- ", "-+ "),
        ("    1 ", " 12345 "),
        ("    1 root     root            19 ", " 1 1000 a-group-of-22-letters 19 "),
        ("      19 ", "123456789012 "),
        ("Mar 19 23:57", "Jan  9  2024"),
        ("Mar 19 23:57", "2024-03-19 23:57:01.000000000 +0000"),
        (".init", " -> a b c  "),
        ("/sys/module/sr_mod/sections/.init.text", "/"),
    ] {
        let line = PLAIN.replacen(column, other, 1);
        assert_ne!(line, PLAIN);
        assert!(taken(&line).is_some(), "{line}");
        assert_eq!(taken(&line), read(&line));
    }
}

#[test]
fn lines_that_need_a_closer_look_do_not_take_it() {
    for (column, other) in [
        ("-r--------", "brw-rw----"),
        ("      19 ", "  8,   0 "),
        ("-r--------", "-r-------X"),
        ("    1 ", "  1 1 "),
        ("    1 ", "      "),
        ("root    ", "ro ot   "),
        ("root    ", "        "),
        ("root    ", "ro,ot   "),
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
        let line = PLAIN.replacen(column, other, 1);
        assert_ne!(line, PLAIN);
        assert_eq!(taken(&line), None, "{line}");
    }
}

#[test]
fn only_fields_that_need_it_are_quoted() {
    let lines = "brw-rw----    1 root     a\"b      8,   0 Mar 19 23:57  it's; \t\u{1}\u{e9}\\ \n\
                 -rw-r--r--    1 root     root    1234 Mar 19 23:57 a \"b\", c\rd\n";
    let records = "brw-rw----,1,root,\"a\"\"b\",\"8, 0\",Mar 19 23:57, it's; \t\u{1}\u{e9}\\ \n\
                   -rw-r--r--,1,root,root,1234,Mar 19 23:57,\"a \"\"b\"\", c\rd\"\n";
    let outcome = Outcome::of(text_to_csv, lines.as_bytes());
    assert_eq!(String::from_utf8(outcome.output).unwrap(), records);
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
    fn the_fast_path_comes_to_the_same_bytes(line in line(), at in any::<prop::sample::Index>(), other in "[ -~\t\r\0é]?") {
        prop_assert!(taken(&line).is_none() || taken(&line) == read(&line), "{:?}", line);
        // The same with one character in place of another.
        let (place, old) = line.char_indices().nth(at.index(line.chars().count())).unwrap();
        let changed = format!("{}{other}{}", &line[..place], &line[place + old.len_utf8()..]);
        prop_assert!(taken(&changed).is_none() || taken(&changed) == read(&changed), "{:?}", changed);
    }
}
