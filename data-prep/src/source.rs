//! Where the data set is: `--url`, checked once at the start.

use anyhow::{Context as _, ensure};
use reqwest::Url;

/// A URL, and how people are told of it.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) url: Url,
    /// Without user, password and query, which may be secret.
    pub(crate) shown: String,
}

impl Source {
    /// Reads a URL such as `https://data.example/iris.data`.
    ///
    /// # Errors
    /// Says what is wrong with it, and repeats none of it.
    pub(crate) fn parse(url: &str) -> anyhow::Result<Self> {
        let url = Url::parse(url).context("--url is not a URL of the form http://host[:port]/path")?;
        ensure!(matches!(url.scheme(), "http" | "https"), "--url has a scheme other than http and https");
        ensure!(url.port() != Some(0), "--url has the port 0; 1 to 65535 can be used");
        let shown = shown(&url);
        Ok(Source { url, shown })
    }
}

/// The URL for people.
pub(crate) fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    let query = if url.query().is_some() { "?…" } else { "" };
    shown.set_query(None);
    shown.set_fragment(None);
    // Neither fails for a URL that has a host.
    let _ = (shown.set_username(""), shown.set_password(None));
    format!("{shown}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_password_and_query_are_not_shown() {
        for (url, expected) in [
            ("http://data.example/iris.data", "http://data.example/iris.data"),
            ("https://user:secret@data.example:8443/a?token=secret#secret", "https://data.example:8443/a?…"),
            ("HTTP://secret@[::1]/", "http://[::1]/"),
        ] {
            assert_eq!(Source::parse(url).unwrap().shown, expected);
        }
    }

    #[test]
    fn what_cannot_be_fetched_is_refused_and_no_message_repeats_a_secret() {
        for (url, expected) in [
            ("", "is not a URL"),
            ("iris.data", "is not a URL"),
            ("http://", "is not a URL"),
            ("http://user:s3c/ret@host", "is not a URL"),
            ("ftp://user:secret@host/iris.data", "scheme"),
            ("file:///secret", "scheme"),
            ("http://host:0/", "port 0"),
        ] {
            let message = format!("{:#}", Source::parse(url).unwrap_err());
            assert!(message.contains("--url") && message.contains(expected), "{url}: {message}");
            assert!(!message.contains("secret") && !message.contains("s3c"), "{message}");
        }
    }
}
