use axum::http::HeaderMap;

/// The longest key, in bytes.
const MAX_KEY: usize = 255;

const HEADER: &str = "idempotency-key";

/// The document's key: that of `Idempotency-Key`, without the quotes of a structured field's string (RFC 8941), or as it
/// stands; none where there is no such header.
///
/// # Errors
/// Why it is none.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<String>, &'static str> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err("more than one Idempotency-Key");
    }
    let text = str::from_utf8(value.as_bytes()).map_err(|_| "an Idempotency-Key that is not UTF-8")?.trim();
    let key = match text.strip_prefix('"') {
        Some(rest) => unquoted(rest).ok_or("an Idempotency-Key whose quotes do not close at its end")?,
        None => text.to_owned(),
    };
    match key.len() {
        0 => Err("an empty Idempotency-Key"),
        1..=MAX_KEY => Ok(Some(key)),
        _ => Err("an Idempotency-Key of more than 255 bytes"),
    }
}

/// What stands before the closing quote, which is the last character.
fn unquoted(text: &str) -> Option<String> {
    let mut key = String::with_capacity(text.len());
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return characters.next().is_none().then_some(key),
            '\\' => key.push(characters.next()?),
            other => key.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn of_values(values: &[&[u8]]) -> Result<Option<String>, &'static str> {
        let value = |value: &&[u8]| (HEADER.parse().unwrap(), HeaderValue::from_bytes(value).unwrap());
        of(&values.iter().map(value).collect())
    }

    #[test]
    fn a_string_loses_its_quotes_and_what_is_bare_stands() {
        for (value, key) in [
            (&b"\"0198-12-34-7\""[..], "0198-12-34-7"),
            (b"0198-12-34-7", "0198-12-34-7"),
            (b" \"a \\\"b\\\" \\\\\" ", "a \"b\" \\"),
            (b"it's a \"key\"", "it's a \"key\""),
            ("\"ä\"".as_bytes(), "ä"),
        ] {
            assert_eq!(of_values(&[value]), Ok(Some(key.to_owned())));
        }
        assert_eq!(of_values(&[]), Ok(None));
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_by_name() {
        let long = [b'k'; MAX_KEY + 1];
        let cases: [(&[&[u8]], &str); 7] = [
            (&[b""], "empty"),
            (&[b"\"\""], "empty"),
            (&[b"\"open"], "quotes"),
            (&[b"\"a\" b"], "quotes"),
            (&[b"\xff"], "UTF-8"),
            (&[&long], "255"),
            (&[b"a", b"a"], "more than one"),
        ];
        for (values, reason) in cases {
            let refusal = of_values(values).unwrap_err();
            assert!(refusal.contains(reason), "{refusal}");
        }
        assert!(of_values(&[&long[1..]]).is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_key_or_a_reason(value in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let key = of_values(&[value.as_bytes()]);
                prop_assert!(key.is_err() || key.unwrap().is_some_and(|key| (1..=MAX_KEY).contains(&key.len())));
            }
        }
    }
}
