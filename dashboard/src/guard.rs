//! Who may ask, and what a browser is told about the answers.

use axum::extract::Request;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Nothing comes from elsewhere, nothing inline runs, and no other page frames this one.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
);
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const OWN: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const SAME_ORIGIN: HeaderValue = HeaderValue::from_static("same-origin");

/// A header that no form can send, and no other page's script without being asked whether it may, which nobody answers.
const FROM_THE_PAGE: &str = "x-dashboard";
const FETCH_SITE: &str = "sec-fetch-site";

/// Refuses names that a page elsewhere gave to this machine (DNS rebinding), and adds what a browser is told.
pub(crate) async fn guard(is_local: bool, request: Request, next: Next) -> Response {
    let mut response = if is_local && !is_loopback(request.headers()) {
        let reason = "this page is for this machine: ask for 127.0.0.1 or localhost\n";
        (StatusCode::MISDIRECTED_REQUEST, reason).into_response()
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
    headers.insert(REFERRER_POLICY, NO_REFERRER);
    headers.insert(OWN, SAME_ORIGIN);
    response
}

/// Whether the page's own script asks: not a form of another page's, and not its script.
pub(crate) fn is_from_the_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let host = text(HOST.as_str());
    let is_own_origin = text(ORIGIN.as_str())
        .is_none_or(|origin| origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host));
    let is_same_site = text(FETCH_SITE).is_none_or(|site| site == "same-origin");
    headers.contains_key(FROM_THE_PAGE) && is_own_origin && is_same_site
}

fn is_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    host.is_some_and(|host| {
        let host = host.host().trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn only_the_pages_own_script_may_act() {
        let own = ("x-dashboard", "1");
        let host = ("host", "localhost:8080");
        for allowed in [
            &[own, host][..],
            &[own, host, ("origin", "http://localhost:8080")],
            &[own, host, ("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin")],
        ] {
            assert!(is_from_the_page(&headers(allowed)), "{allowed:?}");
        }
        for refused in [
            &[host][..],
            &[host, ("origin", "http://localhost:8080")],
            &[own, host, ("origin", "http://evil.example")],
            &[own, host, ("origin", "null")],
            &[own, host, ("sec-fetch-site", "cross-site")],
            &[own, ("origin", "http://localhost:8080")],
        ] {
            assert!(!is_from_the_page(&headers(refused)), "{refused:?}");
        }
    }

    #[test]
    fn this_machines_page_is_asked_for_by_this_machines_names() {
        for name in ["localhost", "localhost:1", "127.0.0.1:8080", "[::1]:8080"] {
            assert!(is_loopback(&headers(&[("host", name)])), "{name}");
        }
        for name in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1", "", "@"] {
            assert!(!is_loopback(&headers(&[("host", name)])), "{name}");
        }
        assert!(!is_loopback(&HeaderMap::new()));
    }
}
