use serde::de::IgnoredAny;

/// The text of a body that is one JSON value; builds no values.
///
/// # Errors
/// Why it is none, with the line and the column.
pub(super) fn text(body: Vec<u8>) -> Result<String, String> {
    let text = String::from_utf8(body).map_err(|error| {
        let read = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + read.iter().filter(|byte| **byte == b'\n').count();
        let column = 1 + read.iter().rev().take_while(|byte| **byte != b'\n').count();
        format!("invalid UTF-8 at line {line} column {column}")
    })?;
    serde_json::from_str::<IgnoredAny>(&text).map_err(|error| error.to_string())?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn any_json_stays_as_it_is() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        for json in ["{}", " [1, \"\\u0000\", -2.5e999]\n", "null", r#""\ud800""#, &deep] {
            assert_eq!(text(json.into()).as_deref(), Ok(json));
        }
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        for (body, place) in [
            (&b""[..], "line 1 column 0"),
            (b"{\"a\":1,}", "line 1 column 8"),
            (b"{}\n{}", "line 2 column 1"),
            (b"\"\x01\"", "line 1 column 1"),
            (b"{\n \"\xff\"}", "line 2 column 3"),
            (b"\xff", "line 1 column 1"),
            (b"\xef\xbb\xbf{}", "line 1 column 1"),
        ] {
            let refusal = text(body.into()).unwrap_err();
            assert!(refusal.ends_with(place), "{refusal}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_as_serde_json_takes_them(body: Vec<u8>) {
            let expected = serde_json::from_slice::<serde_json::Value>(&body).is_ok();
            prop_assert!(!expected || text(body).is_ok());
        }
    }
}
