//! What `DATA_SOURCES` names.

use std::collections::HashSet;
use std::path::Path;
use std::str::FromStr;

use url::Url;

/// The most simulated sources.
const MOST_SIMULATED: usize = 1000;

/// Where a source's records come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Made up, as the one of this number.
    Simulated(usize),
    /// A file, or all that match a glob.
    Files(String),
    /// An HTTP server.
    Http(Url),
}

/// A source of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// By which rules and files of rejects know it; no other source has it.
    pub name: String,
    /// Where it is.
    pub location: Location,
}

impl Source {
    /// What people are told of where it is: without an address's credentials, which its query may be as well.
    pub(crate) fn shown(&self) -> String {
        match &self.location {
            Location::Simulated(number) => format!("simulated {number}"),
            Location::Files(pattern) => pattern.clone(),
            Location::Http(url) => {
                let mut url = url.clone();
                // These fail for addresses that can have none.
                let _ = url.set_username("");
                let _ = url.set_password(None);
                url.set_query(None);
                url.set_fragment(None);
                url.to_string()
            }
        }
    }
}

/// All sources, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources(pub Vec<Source>);

impl FromStr for Sources {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let locations = match text.trim().parse::<usize>() {
            Ok(number) if (1..=MOST_SIMULATED).contains(&number) => {
                (1..=number).map(Location::Simulated).collect()
            }
            Ok(_) => return Err(format!("simulated sources number from 1 to {MOST_SIMULATED}")),
            Err(_) => text.split(',').map(location).collect::<Result<Vec<_>, _>>()?,
        };
        let mut names = HashSet::new();
        let sources = locations.into_iter().map(|location| {
            let wanted = name(&location);
            let mut name = wanted.clone();
            for number in 2.. {
                if names.insert(name.clone()) {
                    break;
                }
                name = format!("{wanted}-{number}");
            }
            Source { name, location }
        });
        Ok(Self(sources.collect()))
    }
}

fn location(text: &str) -> Result<Location, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("a source is missing between two commas".to_owned());
    }
    if !(text.starts_with("http://") || text.starts_with("https://")) {
        return Ok(Location::Files(text.to_owned()));
    }
    // Without the text, which may hold a password.
    Url::parse(text).map(Location::Http).map_err(|error| format!("an address cannot be read: {error}"))
}

/// The last part of where it is, without extensions and what does not belong into a file's name.
fn name(location: &Location) -> String {
    let path = match location {
        Location::Simulated(number) => return format!("source-{number}"),
        Location::Files(pattern) => pattern.as_str(),
        Location::Http(url) => url.path(),
    };
    let file = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    let stem = file.trim_start_matches('.').split('.').next().unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let name: String = stem.chars().filter(|c| allowed(*c)).take(64).collect();
    let name = name.trim_matches(|c| "-_".contains(c));
    if name.is_empty() { "source".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let sources: Sources = text.parse().unwrap();
        sources.0.into_iter().map(|source| source.name).collect()
    }

    #[test]
    fn a_number_means_so_many_simulated_sources() {
        assert_eq!(names("3"), ["source-1", "source-2", "source-3"]);
        assert!("0".parse::<Sources>().is_err());
        assert!("1001".parse::<Sources>().is_err());
    }

    #[test]
    fn each_source_of_a_list_has_a_name_of_its_own() {
        assert_eq!(
            names("/data/orders.csv.gz, https://host/x/orders.parquet?day=1,logs-*.jsonl,*.csv"),
            ["orders", "orders-2", "logs", "source"]
        );
        assert_eq!(names("a.csv,a.csv,a-2.csv"), ["a", "a-2", "a-2-2"]);
    }

    #[test]
    fn an_empty_entry_and_an_address_without_a_host_are_refused() {
        for wrong in ["", "a.csv,,b.csv", "http://"] {
            assert!(wrong.parse::<Sources>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn credentials_of_an_address_are_not_shown() {
        let sources: Sources = "https://me:secret@host/a.csv?token=secret#secret".parse().unwrap();
        assert_eq!(sources.0[0].shown(), "https://host/a.csv");
        let error = "https://me:secret@host:port/a.csv".parse::<Sources>().unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
}
