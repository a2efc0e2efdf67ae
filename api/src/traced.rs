use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::http::Request;
use axum::response::Response;
use tower::Service;
use traces::Traces;

/// An app whose requests have spans, where their senders trace them.
#[derive(Clone)]
pub(crate) struct Traced<S> {
    pub(crate) app: S,
    pub(crate) traces: Traces,
}

impl<S, B> Service<Request<B>> for Traced<S>
where
    S: Service<Request<B>, Response = Response, Error = Infallible, Future: Send + 'static>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.app.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let span = self.traces.request(&request);
        let answer = self.app.call(request);
        Box::pin(async move {
            let response = answer.await?;
            if let Some(span) = span {
                span.answered(response.status().as_u16());
            }
            Ok(response)
        })
    }
}
