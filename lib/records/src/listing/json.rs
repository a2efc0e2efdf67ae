//! JSON: `Entry` -> document.
//!
//! One document a line, the values strings, in the order of the fields. Strings are escaped as
//! `serde_json` does: the short escapes where JSON has them, `\u00xx` for other control characters,
//! everything else as it stands.

use super::{Entry, FIELDS};

/// What stands before each value. `usrno` holds the size: the name is historic.
const BEFORE: [&str; FIELDS] = [
    "{\"mod\":\"",
    "\",\"no\":\"",
    "\",\"user\":\"",
    "\",\"group\":\"",
    "\",\"usrno\":\"",
    "\",\"date\":\"",
    "\",\"file\":\"",
];
const AFTER: &str = "\"}\n";

/// Appends the entry's document and a line feed.
pub fn write(entry: &Entry<'_>, output: &mut Vec<u8>) {
    for (before, value) in BEFORE.into_iter().zip(entry.fields()) {
        output.extend_from_slice(before.as_bytes());
        write_string(value.as_bytes(), output);
    }
    output.extend_from_slice(AFTER.as_bytes());
}

fn write_string(value: &[u8], output: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, ..0x20 | b'"' | b'\\')) {
        output.extend_from_slice(&rest[..at]);
        write_escape(rest[at], output);
        rest = &rest[at + 1..];
    }
    output.extend_from_slice(rest);
}

fn write_escape(byte: u8, output: &mut Vec<u8>) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\x08' => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        b'\x0c' => b'f',
        b'\r' => b'r',
        _ => {
            let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
            output.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
            return;
        }
    };
    output.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn document([mode, links, user, group, size, date, path]: [&str; FIELDS]) -> String {
        let mut output = Vec::new();
        write(&Entry { mode, links, user, group, size, date, path }, &mut output);
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn a_document_has_the_fields_in_their_order_under_their_names() {
        assert_eq!(
            document(["-r--r--r--", "1", "root", "wheel", "0", "Mar 20 00:49", "/proc/12/task/12/net/icmp"]),
            concat!(
                r#"{"mod":"-r--r--r--","no":"1","user":"root","group":"wheel","usrno":"0","#,
                r#""date":"Mar 20 00:49","file":"/proc/12/task/12/net/icmp"}"#,
                "\n"
            )
        );
    }

    #[test]
    fn every_ascii_character_is_escaped_as_serde_json_does() {
        for byte in 0..0x80_u8 {
            let field = char::from(byte).to_string();
            let mut output = Vec::new();
            write_string(field.as_bytes(), &mut output);
            assert_eq!(
                format!("\"{}\"", String::from_utf8(output).unwrap()),
                serde_json::to_string(&field).unwrap()
            );
        }
    }

    proptest! {
        #[test]
        fn any_string_is_escaped_as_serde_json_does(fields in prop::array::uniform7(any::<String>())) {
            let names = ["mod", "no", "user", "group", "usrno", "date", "file"];
            let members = names.iter().zip(&fields).map(|(name, field)| {
                format!("\"{name}\":{}", serde_json::to_string(field).unwrap())
            });
            let expected = format!("{{{}}}\n", members.collect::<Vec<_>>().join(","));
            prop_assert_eq!(document(fields.each_ref().map(String::as_str)), expected);
        }
    }
}
