use proptest::prelude::*;

use super::fast_path;
use crate::Counts;
use crate::listing::csv_to_json_without_fast_path;
use crate::testing::Outcome;

/// What comes of a line that is not the first: its document, if it is one.
fn read(line: &str) -> Option<String> {
    let outcome = Outcome::of(csv_to_json_without_fast_path, format!("\n{line}\n").as_bytes());
    (outcome.counts == Counts { ok: 1, rejected: 0 }).then(|| String::from_utf8(outcome.output).unwrap())
}

/// The document, if the line is clear at a glance.
fn taken(line: &str) -> Option<String> {
    let mut output = Vec::new();
    fast_path(line.as_bytes(), &mut output).unwrap().then(|| String::from_utf8(output).unwrap())
}

const PLAIN: &str =
    "-r--r--r--,1,root,wheel,4096,Mar 20 00:40,/sys/kernel/irq/7/type/and/a/little/more/than/that/is/here";

#[test]
fn the_records_of_common_listings_take_the_fast_path() {
    let document = concat!(
        r#"{"mod":"-r--r--r--","no":"1","user":"root","group":"wheel","usrno":"4096","date":"Mar 20 00:40","#,
        r#""file":"/sys/kernel/irq/7/type/and/a/little/more/than/that/is/here"}"#,
        "\n"
    );
    assert_eq!(taken(PLAIN).as_deref(), Some(document));
    for (field, other) in [
        ("root", "systemd-timesync"),
        ("Mar 20 00:40", "2024-03-20 00:40"),
        ("-r--r--r--,1,root,wheel,4096,Mar 20 00:40", ",,,,,"),
        ("/and/a/little/more/than/that/is/here", ""),
        ("/sys/kernel/irq/7/type/and/a/little/more/than/that/is/here", ""),
        (PLAIN, ",,,,,,"),
        ("/sys/", "sys -> /"),
        ("root", "a-user-of-many-more-than-16-letters"),
    ] {
        let line = PLAIN.replacen(field, other, 1);
        assert!(taken(&line).is_some(), "{line}");
        assert_eq!(taken(&line), read(&line));
    }
}

#[test]
fn records_that_need_a_closer_look_do_not_take_it() {
    for (field, other) in [
        ("root", "\"root\""),
        ("4096", "\"8, 0\""),
        ("4096,", ""),
        ("/sys", ",/sys"),
        ("/kernel", ",kernel"),
        ("/kernel", "\\kernel"),
        ("/kernel", "\tkernel"),
        ("/kernel", "\u{e9}"),
        ("that", "that\r"),
    ] {
        let line = PLAIN.replacen(field, other, 1);
        assert_ne!(line, PLAIN);
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
    fn the_fast_path_comes_to_the_same_bytes(line in line(), at in any::<prop::sample::Index>(), other in "[ -~\t\r\0é]?") {
        prop_assert!(taken(&line).is_none() || taken(&line) == read(&line), "{:?}", line);
        // The same with one character in place of another.
        let (place, old) = line.char_indices().nth(at.index(line.chars().count())).unwrap();
        let changed = format!("{}{other}{}", &line[..place], &line[place + old.len_utf8()..]);
        prop_assert!(taken(&changed).is_none() || taken(&changed) == read(&changed), "{:?}", changed);
    }
}
