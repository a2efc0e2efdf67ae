use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Body;
use hyper_util::rt::TokioIo;
use prometheus::IntCounter;
use serde_json::Value;
use service::Shutdown;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::date;
use crate::pace::Pace;

/// Bodies longer than this are refused, in bytes.
pub(crate) const MAX_BODY: u64 = 2 << 20;

/// How long a tunnel lasts at most: for a client that does not read the few bytes that go through it.
const TUNNEL_TIMEOUT: Duration = Duration::from_secs(10);

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const CLOSE: HeaderValue = HeaderValue::from_static("close");
const NONE: HeaderValue = HeaderValue::from_static("0");

/// What every connection answers.
pub(crate) struct Answers {
    /// Rendered once; a clone shares it.
    body: Bytes,
    /// The body's.
    length: HeaderValue,
    /// A reply over HTTP/1.1, up to its date.
    http1: Vec<u8>,
    /// Clients are told to go elsewhere once it is requested.
    shutdown: Shutdown,
    requests: IntCounter,
}

impl Answers {
    pub(crate) fn new(name: &str, shutdown: Shutdown, requests: IntCounter) -> Self {
        let name = Value::from(name);
        let body = Bytes::from(format!(r#"{{"response":"ok","container":{name}}}"#));
        let length = HeaderValue::from(body.len());
        let http1 = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\ndate: ",
            body.len()
        );
        Self { body, length, http1: http1.into_bytes(), shutdown, requests }
    }

    /// Counts a request.
    pub(crate) fn count(&self) {
        self.requests.inc();
    }

    pub(crate) fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Whether clients are told to go elsewhere.
    pub(crate) fn are_last(&self) -> bool {
        self.shutdown.is_requested()
    }

    pub(crate) fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// The head of a reply over HTTP/2; `headers` are thrown away.
    pub(crate) fn head(&self, status: StatusCode, mut headers: HeaderMap, has_length: bool) -> Response<()> {
        headers.clear();
        if status == StatusCode::OK {
            headers.insert(CONTENT_TYPE, JSON);
        }
        if has_length {
            let length = if status == StatusCode::OK { self.length.clone() } else { NONE };
            headers.insert(CONTENT_LENGTH, length);
        }
        headers.insert(DATE, date::with(HeaderValue::clone));
        let mut head = Response::new(());
        *head.status_mut() = status;
        *head.headers_mut() = headers;
        head
    }

    /// Writes a reply over HTTP/1.1, as hyper does.
    pub(crate) fn write(&self, out: &mut Vec<u8>, with_body: bool) {
        out.extend_from_slice(&self.http1);
        date::with(|date| out.extend_from_slice(date.as_bytes()));
        out.extend_from_slice(b"\r\n\r\n");
        if with_body {
            out.extend_from_slice(&self.body);
        }
    }

    /// Reads a request to its end and answers it; notes in `pace` what it waits for.
    pub(crate) async fn respond<B>(
        &self,
        mut request: Request<B>,
        pace: &Pace,
    ) -> Result<Response<Full<Bytes>>, Infallible>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        self.count();
        let status = read_to_end(request.body_mut(), pace).await;
        pace.replies();
        if status == StatusCode::OK && request.method() == Method::CONNECT {
            self.send_into_tunnel(&mut request);
        }
        // The request's map serves for the reply: one allocation less.
        let mut headers = std::mem::take(request.headers_mut());
        headers.clear();
        Ok(self.response(status, headers, pace))
    }

    fn response(&self, status: StatusCode, mut headers: HeaderMap, pace: &Pace) -> Response<Full<Bytes>> {
        let mut body = Bytes::new();
        if status == StatusCode::OK {
            headers.insert(CONTENT_TYPE, JSON);
            body = self.body.clone();
        } else {
            pace.leaves_unread();
        }
        if status != StatusCode::OK || self.are_last() {
            headers.insert(CONNECTION, CLOSE);
        }
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// A reply to CONNECT has no body: what follows its head is the tunnel. So the answer goes there, and the tunnel ends.
    fn send_into_tunnel<B>(&self, request: &mut Request<B>) {
        let tunnel = hyper::upgrade::on(request);
        let body = self.body.clone();
        tokio::spawn(async move {
            if let Ok(tunnel) = tunnel.await {
                // Whoever asks for a tunnel and is gone wants no answer.
                let mut tunnel = TokioIo::new(tunnel);
                let answered = async {
                    tunnel.write_all(&body).await?;
                    tunnel.shutdown().await
                };
                let _ = timeout(TUNNEL_TIMEOUT, answered).await;
            }
        });
    }
}

/// Discards the body. The status: 200, 413 when it is too long (at once where its length is announced), 400 when it ends
/// before its end or is no valid one.
async fn read_to_end<B>(body: &mut B, pace: &Pace) -> StatusCode
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.is_end_stream() {
        return StatusCode::OK;
    }
    if body.size_hint().lower() > MAX_BODY {
        return StatusCode::PAYLOAD_TOO_LARGE;
    }
    pace.reads_body();
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return StatusCode::BAD_REQUEST;
        };
        read += frame.data_ref().map_or(0, |data| data.len() as u64);
        if read > MAX_BODY {
            return StatusCode::PAYLOAD_TOO_LARGE;
        }
    }
    StatusCode::OK
}

#[cfg(test)]
mod tests {
    use http_body_util::channel::Channel;

    use super::*;

    const OK_BODY: &[u8] = br#"{"response":"ok","container":"pod-1"}"#;

    fn answers(name: &str) -> Answers {
        let requests = IntCounter::new("api_requests_total", "Requests received").unwrap();
        Answers::new(name, Shutdown::new(), requests)
    }

    async fn reply<B>(answers: &Answers, request: Request<B>) -> Response<Bytes>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let Ok(response) = answers.respond(request, &Pace::new()).await;
        let (head, body) = response.into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    }

    fn post(length: u64) -> Request<Full<Bytes>> {
        let body = vec![b'x'; usize::try_from(length).unwrap()];
        Request::post("/").body(Full::from(body)).unwrap()
    }

    #[tokio::test]
    async fn the_answer_is_json_with_the_name_and_nothing_of_the_request() {
        let request = Request::get("/any?path")
            .header("x-sent", "along")
            .header("content-type", "text/plain")
            .body(Full::new(Bytes::new()))
            .unwrap();
        let reply = reply(&answers("pod-1"), request).await;
        assert_eq!(reply.status(), StatusCode::OK);
        assert_eq!(reply.headers().len(), 1);
        assert_eq!(reply.headers()[CONTENT_TYPE], JSON);
        assert_eq!(reply.body().as_ref(), OK_BODY);
    }

    #[tokio::test]
    async fn a_name_with_odd_characters_is_escaped() {
        let reply = reply(&answers("a\"b\\\n\u{1}ä"), post(0)).await;
        let read: Value = serde_json::from_slice(reply.body()).unwrap();
        assert_eq!(read["container"], "a\"b\\\n\u{1}ä");
        assert_eq!(read["response"], "ok");
    }

    #[tokio::test]
    async fn bodies_up_to_the_limit_are_taken_and_longer_ones_are_not() {
        let answers = answers("pod-1");
        assert_eq!(reply(&answers, post(MAX_BODY)).await.status(), StatusCode::OK);
        let refusal = reply(&answers, post(MAX_BODY + 1)).await;
        assert_eq!(refusal.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(refusal.headers()[CONNECTION], CLOSE);
        assert!(refusal.body().is_empty());
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_is_counted_while_it_comes() {
        let answers = answers("pod-1");
        for (chunks, status) in [(32, StatusCode::OK), (33, StatusCode::PAYLOAD_TOO_LARGE)] {
            let (mut sender, body) = Channel::<Bytes>::new(1);
            let sending = tokio::spawn(async move {
                for _ in 0..chunks {
                    let sent = sender.send_data(Bytes::from_static(&[0; 64 << 10])).await;
                    if sent.is_err() {
                        break;
                    }
                }
            });
            let request = Request::post("/").body(body).unwrap();
            assert_eq!(reply(&answers, request).await.status(), status);
            sending.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_a_bad_request() {
        let (sender, body) = Channel::<Bytes, std::io::Error>::new(1);
        sender.abort(std::io::Error::other("broken off"));
        let request = Request::post("/").body(body).unwrap();
        let reply = reply(&answers("pod-1"), request).await;
        assert_eq!(reply.status(), StatusCode::BAD_REQUEST);
    }

    #[tokio::test]
    async fn clients_are_told_to_close_once_the_shutdown_is_requested() {
        let answers = answers("pod-1");
        answers.shutdown.request();
        let reply = reply(&answers, post(1)).await;
        assert_eq!(reply.status(), StatusCode::OK);
        assert_eq!(reply.headers()[CONNECTION], CLOSE);
        assert_eq!(reply.body().as_ref(), OK_BODY);
    }

    #[tokio::test]
    async fn every_request_is_counted() {
        let answers = answers("pod-1");
        reply(&answers, post(0)).await;
        reply(&answers, post(MAX_BODY + 1)).await;
        assert_eq!(answers.requests.get(), 2);
    }
}
