const DEFAULT_LIMIT: i64 = 100;
const MAX_LIMIT: i64 = 1000;

/// The most fields that may be asked for.
const MAX_FIELDS: usize = 16;

/// What documents are asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Search {
    /// Only ids before this one.
    pub(super) before: i64,
    pub(super) limit: i64,
    /// Names and values that a document must have.
    pub(super) fields: Vec<(String, String)>,
}

impl Search {
    /// Reads a query: `after`, `limit`, and any other name for a field.
    ///
    /// # Errors
    /// Names the parameter.
    pub(super) fn of(query: Vec<(String, String)>) -> Result<Self, String> {
        let mut search = Self { before: i64::MAX, limit: DEFAULT_LIMIT, fields: Vec::new() };
        for (name, value) in query {
            match name.as_str() {
                "after" => search.before = number("after", &value, i64::MAX)?,
                "limit" => search.limit = number("limit", &value, MAX_LIMIT)?,
                _ => search.fields.push((name, value)),
            }
        }
        if search.fields.len() > MAX_FIELDS {
            return Err(format!("more than {MAX_FIELDS} fields"));
        }
        Ok(search)
    }
}

fn number(name: &str, value: &str, most: i64) -> Result<i64, String> {
    let number = value.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("`{name}` is no whole number from 1 to {most}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &[(&str, &str)]) -> Result<Search, String> {
        Search::of(query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn what_is_no_parameter_is_a_field() {
        let search = of(&[("user", "root"), ("after", "7"), ("", "a=b"), ("limit", "1000")]).unwrap();
        assert_eq!((search.before, search.limit), (7, 1000));
        let fields: Vec<_> =
            search.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(fields, [("user", "root"), ("", "a=b")]);
        assert_eq!(of(&[]).unwrap(), Search { before: i64::MAX, limit: DEFAULT_LIMIT, fields: Vec::new() });
    }

    #[test]
    fn what_is_out_of_range_is_refused_by_name() {
        for (name, value) in [
            ("limit", "0"),
            ("limit", "1001"),
            ("limit", "ten"),
            ("after", "-1"),
            ("after", "1; DROP TABLE documents"),
        ] {
            assert!(of(&[(name, value)]).unwrap_err().contains(name), "{name}={value}");
        }
        assert!(of(&[("a", "b"); MAX_FIELDS]).is_ok());
        assert!(of(&[("a", "b"); MAX_FIELDS + 1]).is_err());
    }
}
