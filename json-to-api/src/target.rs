//! The address that documents are sent to: `--api-url`, taken apart and checked once at the start.

use std::fmt;
use std::net::IpAddr;

use http::HeaderValue;
use http::uri::{PathAndQuery, Uri};

/// Where documents go. [`fmt::Display`] writes it for people: without the query, which may hold a secret.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Whether the URL's scheme is https.
    pub(crate) tls: bool,
    /// A name or an IP address, the latter without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What the `Host` header says: the host, and the port where the URL names one.
    pub(crate) authority: HeaderValue,
    /// What the request line asks for.
    pub(crate) path: PathAndQuery,
}

/// Why documents cannot be sent to a URL.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TargetError {
    #[error("--api-url is not a URL of the form http://host[:port][/path]")]
    Malformed,
    #[error("--api-url has the scheme `{0}`; http and https can be used")]
    Scheme(String),
    #[error("--api-url names no host")]
    NoHost,
    #[error(
        "--api-url holds a user name or password; send credentials with --header 'Authorization: …' instead"
    )]
    UserInfo,
    #[error("--api-url has a fragment (#…), which is never sent to a server; leave it out")]
    Fragment,
    #[error("--api-url has the port `{0}`; 1 to 65535 can be used")]
    Port(String),
}

impl Target {
    /// Reads a URL such as `https://api.example:8443/documents?kind=listing`.
    ///
    /// # Errors
    /// Says what is wrong with it, and never repeats what may be a password.
    pub(crate) fn parse(url: &str) -> Result<Self, TargetError> {
        let (scheme, rest) = url.split_once("://").ok_or(TargetError::Malformed)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err(TargetError::Scheme(scheme.to_owned())),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(TargetError::UserInfo);
        }
        if path.contains('#') {
            return Err(TargetError::Fragment);
        }
        let (host, port) = split_port(authority)?;
        if host.is_empty() {
            return Err(TargetError::NoHost);
        }
        let uri: Uri = url.parse().map_err(|_| TargetError::Malformed)?;
        Ok(Target {
            tls,
            host: bare(host)?.to_owned(),
            port: port.unwrap_or(if tls { 443 } else { 80 }),
            authority: header(host, port)?,
            path: uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        let authority = self.authority.to_str().unwrap_or_default();
        let query = if self.path.query().is_some() { "?…" } else { "" };
        write!(f, "{scheme}://{authority}{}{query}", self.path.path())
    }
}

/// Splits `host:port`, where the host may be an IPv6 address in brackets.
fn split_port(authority: &str) -> Result<(&str, Option<u16>), TargetError> {
    let after_address = match authority.rfind(']') {
        None if authority.starts_with('[') => return Err(TargetError::Malformed),
        bracket => bracket.map_or(0, |bracket| bracket + 1),
    };
    let Some(colon) = authority[after_address..].find(':').map(|at| at + after_address) else {
        return Ok((authority, None));
    };
    let (host, port) = (&authority[..colon], &authority[colon + 1..]);
    match port.parse() {
        _ if port.is_empty() => Ok((host, None)),
        Ok(number) if number != 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok((host, Some(number)))
        }
        _ => Err(TargetError::Port(port.to_owned())),
    }
}

/// The host without the brackets of an IPv6 address.
fn bare(host: &str) -> Result<&str, TargetError> {
    let Some(inner) = host.strip_prefix('[') else { return Ok(host) };
    let inner = inner.strip_suffix(']').ok_or(TargetError::Malformed)?;
    match inner.parse() {
        Ok(IpAddr::V6(_)) => Ok(inner),
        _ => Err(TargetError::Malformed),
    }
}

fn header(host: &str, port: Option<u16>) -> Result<HeaderValue, TargetError> {
    let authority = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    HeaderValue::try_from(authority).map_err(|_| TargetError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> (bool, String, u16, String, String) {
        let target = Target::parse(url).unwrap();
        let authority = target.authority.to_str().unwrap().to_owned();
        (target.tls, target.host, target.port, authority, target.path.to_string())
    }

    #[test]
    fn urls_are_taken_apart() {
        for (url, tls, host, port, authority, path) in [
            ("http://api", false, "api", 80, "api", "/"),
            ("HTTP://api/", false, "api", 80, "api", "/"),
            ("https://api", true, "api", 443, "api", "/"),
            ("http://api:8080/in?kind=a", false, "api", 8080, "api:8080", "/in?kind=a"),
            ("http://api?kind=a", false, "api", 80, "api", "/?kind=a"),
            ("http://10.0.0.7:1", false, "10.0.0.7", 1, "10.0.0.7:1", "/"),
            ("https://[::1]:8443/x", true, "::1", 8443, "[::1]:8443", "/x"),
            ("http://[fe80::1]", false, "fe80::1", 80, "[fe80::1]", "/"),
            ("http://api:/", false, "api", 80, "api", "/"),
        ] {
            let expected = (tls, host.to_owned(), port, authority.to_owned(), path.to_owned());
            assert_eq!(parsed(url), expected, "{url}");
        }
    }

    #[test]
    fn what_nothing_can_be_sent_to_is_refused() {
        for (url, error) in [
            ("api", TargetError::Malformed),
            ("", TargetError::Malformed),
            ("ftp://api", TargetError::Scheme("ftp".into())),
            ("http://", TargetError::NoHost),
            ("http:///path", TargetError::NoHost),
            ("http://:80", TargetError::NoHost),
            ("http://user:secret@api", TargetError::UserInfo),
            ("http://api/#top", TargetError::Fragment),
            ("http://api:0", TargetError::Port("0".into())),
            ("http://api:70000", TargetError::Port("70000".into())),
            ("http://api:+80", TargetError::Port("+80".into())),
            ("http://a b", TargetError::Malformed),
            ("http://api/a b", TargetError::Malformed),
            ("http://[::1", TargetError::Malformed),
            ("http://[api]", TargetError::Malformed),
            ("http://bücher", TargetError::Malformed),
        ] {
            assert_eq!(Target::parse(url).err(), Some(error), "{url}");
        }
    }

    #[test]
    fn every_refusal_names_the_setting_and_none_repeats_a_password() {
        for url in
            ["api", "ftp://api", "http://", "http://user:secret@api", "http://api/#secret", "http://api:0"]
        {
            let message = Target::parse(url).unwrap_err().to_string();
            assert!(message.contains("--api-url") && !message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn the_query_is_not_shown() {
        let target = Target::parse("https://api:8443/in?token=secret").unwrap();
        assert_eq!(target.to_string(), "https://api:8443/in?…");
        assert!(!Target::parse("http://api").unwrap().to_string().contains('?'));
    }
}
