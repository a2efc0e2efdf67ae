//! How the settings' values are read.

use std::time::Duration;

use bytesize::ByteSize;
use records::delimited::{Names, NamesError};

/// A SHA-256 as it is written: lower-case hexadecimal.
pub(crate) fn sha256(text: &str) -> Result<String, String> {
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("a SHA-256 is 64 hexadecimal digits".to_owned())
    }
}

/// The names of columns, between commas, as a header has them.
pub(crate) fn names(text: &str) -> Result<Names, NamesError> {
    text.parse::<Names>()?.trimmed()
}

/// A file's name, of which the stem is what matters.
pub(crate) fn output(text: &str) -> Result<&'static str, String> {
    let stem = text.strip_suffix(".csv").ok_or_else(|| "its name ends with .csv".to_owned())?;
    volume::stem(stem).map_err(|error| error.to_string())
}

/// A number of bytes, such as `500MB` or `1GiB`.
pub(crate) fn bytes(text: &str) -> Result<ByteSize, String> {
    text.parse()
}

/// How long to wait.
pub(crate) fn timeout(text: &str) -> Result<Duration, String> {
    match service::settings::duration(text)? {
        Duration::ZERO => Err("no attempt could succeed in no time".to_owned()),
        timeout => Ok(timeout),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_64_digits_in_either_case() {
        let digits = "0123456789abcdefABCDEF0123456789abcdefABCDEF0123456789abcdefABCD";
        assert_eq!(sha256(digits), Ok(digits.to_ascii_lowercase()));
        for wrong in ["", "abc", &digits[1..], &format!("{digits}0"), &format!("g{}", &digits[1..])] {
            assert!(sha256(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_file_is_one_that_a_stage_can_take() {
        assert_eq!(output("iris.csv"), Ok("iris"));
        for wrong in
            ["iris", "iris.json", ".csv", "a-b.csv", "../iris.csv", "a/b.csv", "iris.csv.csv", "iris.CSV"]
        {
            assert!(output(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_are_a_header_without_the_space_around_them() {
        assert_eq!(names(" a, \"b\" ,c"), names("a,\"\"\"b\"\"\",c"));
        assert_eq!(names("a ,b"), names("a,b"));
        for wrong in ["", "a,", "a,b,a", "a, a", "a\nb"] {
            assert!(names(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_have_units_and_no_time_out_is_nothing() {
        assert_eq!(bytes("1GiB").map(|size| size.as_u64()), Ok(1 << 30));
        assert_eq!(bytes("500 kB").map(|size| size.as_u64()), Ok(500_000));
        assert_eq!(bytes("0").map(|size| size.as_u64()), Ok(0));
        for wrong in ["", "many", "-1", "1 parsec"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        assert!(timeout("0s").is_err() && timeout("soon").is_err());
    }
}
