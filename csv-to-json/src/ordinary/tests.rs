use proptest::prelude::*;
use records::Counts;
use records::listing::{Entry, Format, Writer, csv, json};

use super::{SLACK, write};

/// As the stage writes, but each line is read with care.
struct Careful;

impl Format for Careful {
    const SLACK: usize = 0;

    fn write(entry: &Entry<'_>, output: &mut Vec<u8>) {
        json::write(entry, output);
    }

    fn write_line(_: &[u8], _: &mut [u8]) -> Option<usize> {
        None
    }
}

/// What comes of a line that is not the first: its document, if it is a record.
fn read(line: &str) -> Option<String> {
    let mut output = Vec::new();
    let mut writer = Writer::<Careful>::new(&mut output);
    let counts = csv::read(format!("\n{line}\n").as_bytes(), &mut (), &mut writer).unwrap();
    writer.finish().unwrap();
    (counts == Counts { ok: 1, rejected: 0 }).then(|| String::from_utf8(output).unwrap())
}

/// The document, if the line is ordinary.
fn taken(line: &str) -> Option<String> {
    let mut room = vec![0; line.len() + SLACK];
    let length = write(line.as_bytes(), &mut room)?;
    Some(String::from_utf8(room[..length].to_vec()).unwrap())
}

const ORDINARY: &str =
    "-r--r--r--,1,root,wheel,4096,Mar 20 00:40,/sys/kernel/irq/7/type/and/a/little/more/than/that/is/here";

#[test]
fn the_records_of_common_listings_are_ordinary() {
    let document = concat!(
        r#"{"mod":"-r--r--r--","no":"1","user":"root","group":"wheel","usrno":"4096","date":"Mar 20 00:40","#,
        r#""file":"/sys/kernel/irq/7/type/and/a/little/more/than/that/is/here"}"#,
        "\n"
    );
    assert_eq!(taken(ORDINARY).as_deref(), Some(document));
    for (field, other) in [
        ("root", "systemd-timesync"),
        ("Mar 20 00:40", "2024-03-20 00:40"),
        ("-r--r--r--,1,root,wheel,4096,Mar 20 00:40", ",,,,,"),
        ("/and/a/little/more/than/that/is/here", ""),
        ("/sys/kernel/irq/7/type/and/a/little/more/than/that/is/here", ""),
        (ORDINARY, ",,,,,,"),
        ("/sys/", "sys -> /"),
    ] {
        let line = ORDINARY.replacen(field, other, 1);
        assert!(taken(&line).is_some(), "{line}");
        assert_eq!(taken(&line), read(&line));
    }
}

#[test]
fn records_that_need_a_careful_look_are_not_ordinary() {
    for (field, other) in [
        ("root", "\"root\""),
        ("root", "a-user-of-17-char"),
        ("4096", "\"8, 0\""),
        ("4096,", ""),
        ("/sys", ",/sys"),
        ("/kernel", ",kernel"),
        ("/kernel", "\\kernel"),
        ("/kernel", "\tkernel"),
        ("/kernel", "é"),
        ("that", "that\r"),
    ] {
        let line = ORDINARY.replacen(field, other, 1);
        assert_ne!(line, ORDINARY);
        assert_eq!(taken(&line), None, "{line}");
    }
}

/// Lines of mostly seven fields, of which some may be odd.
fn line() -> impl Strategy<Value = String> {
    let field = prop_oneof![8 => "[ -!#-+\\--\\[\\]-~]{0,17}", 1 => "[ -~]{0,8}", 1 => "\\PC{0,8}"];
    let path = prop_oneof![4 => "/[ -!#-+\\--\\[\\]-~]{40,90}", 2 => "[ -~]{0,60}", 1 => "(?s).{0,80}"];
    (prop::collection::vec(field, 5..8), path)
        .prop_map(|(fields, path)| format!("{},{}", fields.join(","), path.replace('\n', "")))
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
