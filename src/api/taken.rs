//! An answer whose sender wants to know whether it was taken.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// The body, and what is to be done once the connection takes it to send it. Where the connection is gone before, the
/// body is dropped untouched, and so is `then`.
pub(crate) fn then(body: Body, then: impl FnOnce() + Send + Unpin + 'static) -> Body {
    Body::new(Watched { body, then: Some(then) })
}

struct Watched<F> {
    body: Body,
    then: Option<F>,
}

impl<F: FnOnce() + Unpin> http_body::Body for Watched<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(_))) = &frame
            && let Some(then) = self.then.take()
        {
            then();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
