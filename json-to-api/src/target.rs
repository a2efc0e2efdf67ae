//! The address that documents are sent to: `--api-url`, checked once at the start.

use reqwest::Url;

/// Why documents cannot be sent to a URL. None of these repeats what may be a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("--api-url is not a URL of the form http://host[:port][/path]")]
    Malformed(#[source] url::ParseError),
    #[error("--api-url has a scheme other than http and https")]
    Scheme,
    #[error(
        "--api-url holds a user name or password; send credentials with --header 'Authorization: …' instead"
    )]
    UserInfo,
    #[error("--api-url has a fragment (#…), which is never sent to a server; leave it out")]
    Fragment,
    #[error("--api-url has the port 0; 1 to 65535 can be used")]
    Port,
}

/// Reads a URL such as `https://api.example:8443/documents?kind=listing`.
///
/// # Errors
/// Says what is wrong with it.
pub(crate) fn parse(url: &str) -> Result<Url, TargetError> {
    let url = Url::parse(url).map_err(TargetError::Malformed)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(TargetError::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(TargetError::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(TargetError::Fragment);
    }
    if url.port() == Some(0) {
        return Err(TargetError::Port);
    }
    Ok(url)
}

/// The URL for people: without the query, which may hold a secret.
pub(crate) fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    let query = if url.query().is_some() { "?…" } else { "" };
    shown.set_query(None);
    format!("{shown}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_http_or_https_is_taken() {
        for url in [
            "http://api",
            "HTTP://api/",
            "https://api:8443/in?kind=a",
            "http://10.0.0.7:1",
            "https://[::1]:8443/x",
        ] {
            assert!(parse(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_nothing_can_be_sent_to_is_refused_and_no_message_repeats_a_secret() {
        for (url, expected) in [
            ("api", "is not a URL"),
            ("", "is not a URL"),
            ("http://", "is not a URL"),
            ("http://secret:s3c/ret@api", "is not a URL"),
            ("http://api:70000", "is not a URL"),
            ("http://api:secret", "is not a URL"),
            ("http://a b", "is not a URL"),
            ("http://[::1", "is not a URL"),
            ("ftp://secret@api", "scheme"),
            ("secret:pw@http://host", "scheme"),
            ("http://user:secret@api", "user name or password"),
            ("http://secret@api", "user name or password"),
            ("http://api/#secret", "fragment"),
            ("http://api:0", "port 0"),
        ] {
            let message = format!("{:#}", anyhow::Error::from(parse(url).unwrap_err()));
            assert!(message.contains("--api-url") && message.contains(expected), "{url}: {message}");
            assert!(!message.contains("secret") && !message.contains("s3c"), "{message}");
        }
    }

    #[test]
    fn the_query_is_not_shown() {
        let target = parse("https://api:8443/in?token=secret").unwrap();
        assert_eq!(shown(&target), "https://api:8443/in?…");
        assert_eq!(shown(&parse("http://api").unwrap()), "http://api/");
    }
}
