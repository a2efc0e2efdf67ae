//! `RULES_FILE`: conditions that records must fulfil, and the columns that are their keys.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// What the file says.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    #[serde(default, alias = "rules")]
    rule: Vec<Rule>,
    #[serde(default, alias = "keys")]
    key: Vec<Key>,
}

/// A condition.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// The source it is for; none: all.
    source: Option<String>,
    /// By which reports and rejects know it.
    pub(crate) name: String,
    /// An SQL expression. As in a table's `CHECK`, a record fails it where it is false: not where it is null.
    pub(crate) check: String,
}

/// The columns whose values no two records of a source share.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    source: Option<String>,
    columns: Vec<String>,
}

impl Rules {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or names a source that is none of these.
    pub(crate) fn read(path: Option<&Path>, sources: &[&str]) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let shown = path.display();
        let text =
            std::fs::read_to_string(path).with_context(|| format!("failed to read the rules in {shown}"))?;
        let rules: Self = toml::from_str(&text).with_context(|| format!("{shown} holds no rules"))?;
        let named = rules.rule.iter().map(|rule| &rule.source).chain(rules.key.iter().map(|key| &key.source));
        for name in named.flatten() {
            if !sources.contains(&name.as_str()) {
                bail!("{shown} has a rule for the source `{name}`, which is none of {}", sources.join(", "));
            }
        }
        Ok(rules)
    }

    /// The conditions of a source.
    pub(crate) fn of<'a>(&'a self, source: &'a str) -> impl Iterator<Item = &'a Rule> {
        self.rule.iter().filter(move |rule| rule.source.as_ref().is_none_or(|named| named == source))
    }

    /// The key's columns: those of the source's own entry, else those of the entry for all, else the column `id`.
    ///
    /// # Errors
    /// The source has no such column.
    pub(crate) fn key(&self, source: &str, columns: &[String]) -> anyhow::Result<Vec<String>> {
        let own = self.key.iter().find(|key| key.source.as_deref() == Some(source));
        let Some(key) = own.or_else(|| self.key.iter().find(|key| key.source.is_none())) else {
            return Ok(columns
                .iter()
                .find(|column| column.eq_ignore_ascii_case("id"))
                .cloned()
                .into_iter()
                .collect());
        };
        if let Some(missing) = key.columns.iter().find(|column| !columns.contains(column)) {
            bail!("the key's column `{missing}` is none of {}", columns.join(", "));
        }
        Ok(key.columns.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<Rules> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("rules.toml");
        std::fs::write(&path, text).unwrap();
        Rules::read(Some(&path), &["orders", "customers"])
    }

    #[test]
    fn a_rule_is_for_one_source_or_for_all() {
        let rules = read(
            "[[rule]]\nsource = 'orders'\nname = 'paid'\ncheck = 'amount >= 0'\n\
             [[rule]]\nname = 'named'\ncheck = \"name <> ''\"\n",
        )
        .unwrap();
        let names = |source| rules.of(source).map(|rule| rule.name.as_str()).collect::<Vec<_>>();
        assert_eq!(names("orders"), ["paid", "named"]);
        assert_eq!(names("customers"), ["named"]);
    }

    #[test]
    fn the_key_is_what_the_rules_say_and_else_the_column_id() {
        let columns = ["Id".to_owned(), "day".to_owned()];
        assert_eq!(Rules::default().key("orders", &columns).unwrap(), ["Id"]);
        assert!(Rules::default().key("orders", &columns[1..]).unwrap().is_empty());
        let rules = read("[[key]]\nsource = 'orders'\ncolumns = ['Id', 'day']\n").unwrap();
        assert_eq!(rules.key("orders", &columns).unwrap(), columns);
        assert_eq!(rules.key("customers", &columns).unwrap(), ["Id"]);
        assert!(rules.key("orders", &columns[1..]).is_err());
    }

    #[test]
    fn unknown_sources_and_fields_are_refused() {
        assert!(read("[[rule]]\nsource = 'order'\nname = 'x'\ncheck = 'true'\n").is_err());
        assert!(read("[[rule]]\nname = 'x'\nchek = 'true'\n").is_err());
        assert!(read("rule = 1").is_err());
    }
}
