//! What an answer's head says: whether its body is the data set, the rest of it, or no part of it.

use std::time::SystemTime;

use anyhow::anyhow;
use http_client::backoff;
use reqwest::header::{CONTENT_ENCODING, CONTENT_RANGE, RETRY_AFTER};
use reqwest::{Response, StatusCode};

use crate::fetch::{Failure, on_volume};
use crate::source;
use crate::spool::Spool;

/// Makes the spool ready for the body that follows: it goes on, or begins anew. Returns how many bytes there are in all,
/// where that is known.
///
/// # Errors
/// The body that follows is of no use.
pub(crate) fn judge(response: &Response, spool: &mut Spool) -> Result<Option<u64>, Failure> {
    let all = all_with_rest(response, spool);
    match response.status() {
        StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION => {
            check_encoding(response)?;
            spool.restart(response.headers(), response.content_length()).map_err(on_volume)?;
            Ok(spool.total())
        }
        StatusCode::PARTIAL_CONTENT if all.is_some() => {
            check_encoding(response)?;
            Ok(all)
        }
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
            // Whatever it was about: the next attempt asks for all of it.
            spool.restart(&Default::default(), None).map_err(on_volume)?;
            Err(Failure::temporary(anyhow!("it could not go on where it was cut off: {}", told(response))))
        }
        status if is_temporary(status) => {
            let retry_after = response.headers().get(RETRY_AFTER);
            let retry_after =
                retry_after.and_then(|value| backoff::retry_after(value.as_bytes(), SystemTime::now()));
            Err(Failure::Temporary { error: anyhow!(told(response)), retry_after })
        }
        _ => Err(Failure::Final(anyhow!(told(response)))),
    }
}

fn is_temporary(status: StatusCode) -> bool {
    let asks_for_another =
        [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    status.is_server_error() || asks_for_another.contains(&status)
}

/// Which part of the whole follows (RFC 9110, section 14.4).
struct Part {
    first: u64,
    total: Option<u64>,
}

/// How many bytes there are in all, where the body that follows goes on with the very content that the spool has the
/// beginning of: not all servers look at `If-Range`.
fn all_with_rest(response: &Response, spool: &Spool) -> Option<u64> {
    let Part { first, total } = range(response)?;
    let goes_on = spool.length() > 0 && first == spool.length() && spool.is_of(response.headers());
    match (total, spool.total()) {
        (Some(total), Some(before)) if total != before => None,
        (total, before) => total.or(before).filter(|_| goes_on),
    }
}

fn range(response: &Response) -> Option<Part> {
    let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (range, total) = range.split_once('/')?;
    Some(Part { first: range.split_once('-')?.0.parse().ok()?, total: total.parse().ok() })
}

/// What the server says that was done to the bytes. gzip shows in the bytes themselves.
fn check_encoding(response: &Response) -> Result<(), Failure> {
    let encodings = response.headers().get_all(CONTENT_ENCODING).iter();
    let names = encodings.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    for name in names {
        let name = String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase();
        if !["", "identity", "gzip", "x-gzip"].contains(&name.as_str()) {
            return Err(Failure::Final(anyhow!("its Content-Encoding is {name:?}, and only gzip is read")));
        }
    }
    Ok(())
}

/// The status, and who answered with it.
fn told(response: &Response) -> String {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    format!("{} answered {} {reason}", source::shown(response.url()), status.as_str()).trim_end().to_owned()
}
