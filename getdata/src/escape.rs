//! Names as one line of UTF-8: different names stay different.

use std::io::Write;

/// Appends a file name, a path or a link's target.
///
/// A backslash becomes `\\`; control characters (U+0000 to U+001F, U+007F to U+009F) and bytes that are not UTF-8
/// become what GNU `ls -b` makes of them in a UTF-8 locale: `\a \b \t \n \v \f \r`, else `\ooo` for each of their bytes.
/// Everything else stays, blanks too.
pub(crate) fn push(out: &mut Vec<u8>, name: &[u8]) {
    if name.iter().all(|&byte| matches!(byte, b' '..=b'~') && byte != b'\\') {
        out.extend_from_slice(name);
        return;
    }
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            push_character(out, character);
        }
        chunk.invalid().iter().for_each(|&byte| push_octal(out, byte));
    }
}

fn push_character(out: &mut Vec<u8>, character: char) {
    let letter = match character {
        '\\' => b'\\',
        '\x07' => b'a',
        '\x08' => b'b',
        '\t' => b't',
        '\n' => b'n',
        '\x0b' => b'v',
        '\x0c' => b'f',
        '\r' => b'r',
        _ => {
            let mut buffer = [0; 4];
            let bytes = character.encode_utf8(&mut buffer).as_bytes();
            if character.is_control() {
                bytes.iter().for_each(|&byte| push_octal(out, byte));
            } else {
                out.extend_from_slice(bytes);
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}

fn push_octal(out: &mut Vec<u8>, byte: u8) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "\\{byte:03o}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn escaped(name: &[u8]) -> String {
        let mut out = Vec::new();
        push(&mut out, name);
        String::from_utf8(out).unwrap()
    }

    /// The way back, for whole names only.
    fn decoded(text: &str) -> Vec<u8> {
        let mut bytes = text.bytes();
        let mut name = Vec::new();
        while let Some(byte) = bytes.next() {
            if byte != b'\\' {
                name.push(byte);
                continue;
            }
            let letter = bytes.next().unwrap();
            name.push(match letter {
                b'\\' => b'\\',
                b'a' => 7,
                b'b' => 8,
                b't' => b'\t',
                b'n' => b'\n',
                b'v' => 11,
                b'f' => 12,
                b'r' => b'\r',
                digit => {
                    let octal = [digit, bytes.next().unwrap(), bytes.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&octal).unwrap(), 8).unwrap()
                }
            });
        }
        name
    }

    #[test]
    fn plain_names_blanks_and_letters_of_any_script_stay() {
        for name in
            ["a b", " lead", "trail ", "a -> b", "é", "名前", "\u{a0}\u{2028}\u{200b}\u{e000}", "'\"$*"]
        {
            assert_eq!(escaped(name.as_bytes()), name);
        }
    }

    #[test]
    fn what_gnu_ls_escapes_is_escaped_alike() {
        let name = b"q\x07\x08\x0c\n\r\t\x0b\x01\x1b\x7f\x80\xc3\xa9\xed\xa0\x80\xf8\\";
        assert_eq!(escaped(name), r"q\a\b\f\n\r\t\v\001\033\177\200é\355\240\200\370\\");
    }

    #[test]
    fn control_characters_beyond_ascii_are_escaped_byte_by_byte() {
        assert_eq!(escaped("\u{80}\u{85}\u{9f}".as_bytes()), r"\302\200\302\205\302\237");
    }

    #[test]
    fn a_name_that_looks_escaped_differs_from_what_it_looks_like() {
        assert_ne!(escaped(br"a\n"), escaped(b"a\n"));
        assert_eq!(escaped(br"a\n"), r"a\\n");
    }

    fn any_name() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![any::<u8>(), Just(b'\\'), Just(b'\n'), 0x80..=0xc3_u8, Just(b' ')];
        let bytes = prop::collection::vec(byte, 0..=255);
        prop_oneof![bytes, any::<String>().prop_map(String::into_bytes)]
            .prop_map(|name| name.into_iter().filter(|byte| !matches!(byte, 0 | b'/')).collect())
    }

    proptest! {
        #[test]
        fn any_name_is_one_line_without_control_characters_and_reads_back(name in any_name()) {
            let text = escaped(&name);
            prop_assert!(!text.chars().any(char::is_control), "{text:?}");
            prop_assert_eq!(decoded(&text), name);
        }
    }
}
