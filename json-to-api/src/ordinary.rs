//! The ordinary document, known at a glance: an object of strings as csv-to-json writes it.
//!
//! Any doubt leaves a line to `serde_json`.

use records::quick::{MASKED, equal, head, is_plain};

/// What would have to be looked at more closely, among what is plain.
const SPECIAL: [u8; 1] = [b'\\'];

/// Returns whether a line is `{"name":"value",…}`, without blanks between its parts, escapes, or anything but ASCII: then it
/// is JSON.
pub(crate) fn is_ordinary(line: &[u8]) -> bool {
    let [b'{', .., b'}'] = line else { return false };
    // Where the next string must begin, unless one has begun; whether the last one was a name.
    let (mut begins, mut is_open, mut is_name) = (1, false, false);
    for (number, chunk) in line.chunks(MASKED).enumerate() {
        let mut short = [b' '; MASKED];
        let block = head(chunk, &mut short);
        if !is_plain(block, SPECIAL) {
            return false;
        }
        let mut quotes = equal(block, b'"');
        while quotes != 0 {
            let at = number * MASKED + quotes.trailing_zeros() as usize;
            quotes &= quotes - 1;
            if is_open {
                is_name = !is_name;
                begins = at + 2;
                let follows = if is_name { b':' } else { b',' };
                if line.get(at + 1) != Some(&follows) && (is_name || begins != line.len()) {
                    return false;
                }
            } else if at != begins {
                return false;
            }
            is_open = !is_open;
        }
    }
    // The last string was a value, and only the brace is behind it.
    !is_open && !is_name && begins == line.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::*;

    #[test]
    fn what_csv_to_json_writes_is_ordinary() {
        let field = "/usr/share/doc: a, b{}[] -> c";
        for length in 0..200 {
            let path = field.repeat(9)[..length].to_owned();
            let line = format!(r#"{{"mod":"-rw-r--r--","no":"1","usrno":"","file":"{path}"}}"#);
            assert!(is_ordinary(line.as_bytes()), "{line}");
        }
        assert!(is_ordinary(br#"{"":""}"#));
    }

    #[test]
    fn what_needs_a_careful_look_is_not() {
        for line in [
            "",
            "{",
            "}",
            "{}",
            "{\"}",
            "{\"\"}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":"b""#,
            r#"{"a":"b"},"#,
            r#"{"a":"b",}"#,
            r#"{"a":"b","c"}"#,
            r#"{"a","b"}"#,
            r#"{"a":"b":"c"}"#,
            r#"{"a":"b","c":"d}"#,
            r#"{"a" :"b"}"#,
            r#"{ "a":"b"}"#,
            r#"{"a":"b" }"#,
            r#"{"a":"\n"}"#,
            "{\"a\":\"\n\"}",
            r#"{"a":"é"}"#,
            r#"{"a":1}"#,
            r#"["a":"b"]"#,
            r#"{"a":"b"}}"#,
            r#"{"a":"b"}{"a":"b"}"#,
            r#"{"a":""b"}"#,
        ] {
            assert!(!is_ordinary(line.as_bytes()), "{line}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn what_is_ordinary_is_json(
            fields in prop::collection::vec("\"[ -~&&[^\"\\\\]]{0,30}\":\"[ -~&&[^\"\\\\]]{0,60}\"", 1..5),
            at in any::<prop::sample::Index>(), other in "[\"{}:,\\\\ \ta\0é]{0,2}",
        ) {
            let line = format!("{{{}}}", fields.join(","));
            prop_assert!(is_ordinary(line.as_bytes()));
            // The same with something else in place of one character.
            let at = at.index(line.len());
            let changed = format!("{}{other}{}", &line[..at], &line[at + 1..]);
            let is_json = serde_json::from_str::<IgnoredAny>(&changed).is_ok();
            prop_assert!(is_json || !is_ordinary(changed.as_bytes()), "{changed}");
        }
    }
}
