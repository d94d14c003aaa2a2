//! What waits to be written to one client: bytes in order, small frames together, large ones not copied.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::AsyncWrite;

/// Frames below this size are copied behind each other, so that many of them leave in one write.
const SMALL: usize = 4 * 1024;

/// The most pieces that one write takes.
const PIECES: usize = 32;

/// Bytes that wait for a socket. It holds no memory while nothing waits.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pieces: VecDeque<Bytes>,
    /// What comes after the pieces.
    tail: BytesMut,
    length: usize,
}

impl Outbox {
    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Puts a head and what follows it at the end.
    pub(super) fn push(&mut self, head: &[u8], payload: Bytes) {
        self.copy(head);
        if payload.len() < SMALL {
            self.copy(&payload);
        } else {
            self.length += payload.len();
            self.pieces.push_back(std::mem::take(&mut self.tail).freeze());
            self.pieces.push_back(payload);
        }
    }

    /// Puts a copy of the bytes at the end.
    pub(super) fn copy(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        self.tail.extend_from_slice(bytes);
    }

    /// Writes as much as the socket takes; ready when nothing is left. `written` grows by what it took.
    pub(super) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        socket: &mut S,
        cx: &mut Context<'_>,
        written: &mut u64,
    ) -> Poll<io::Result<()>> {
        while self.length > 0 {
            let taken = ready!(self.poll_some(socket, cx))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            *written += taken as u64;
            self.advance(taken);
        }
        *self = Self::default();
        Pin::new(socket).poll_flush(cx)
    }

    fn poll_some<S: AsyncWrite + Unpin>(
        &self,
        socket: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.pieces.is_empty() {
            return Pin::new(socket).poll_write(cx, &self.tail);
        }
        let mut slices = [IoSlice::new(&[]); PIECES];
        let all = self.pieces.iter().map(|piece| &piece[..]).chain([&self.tail[..]]);
        let filled = slices.iter_mut().zip(all).map(|(slot, piece)| *slot = IoSlice::new(piece)).count();
        Pin::new(socket).poll_write_vectored(cx, &slices[..filled])
    }

    fn advance(&mut self, mut taken: usize) {
        self.length -= taken;
        while let Some(piece) = self.pieces.front_mut() {
            if piece.len() > taken {
                return piece.advance(taken);
            }
            taken -= piece.len();
            self.pieces.pop_front();
        }
        self.tail.advance(taken);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// A socket that takes so many bytes at a time.
    struct Narrow {
        width: usize,
        took: Vec<u8>,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let taken = bytes.len().min(self.width);
            self.took.extend_from_slice(&bytes[..taken]);
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn bytes_leave_in_order_whatever_the_socket_takes() {
        for width in [1, 7, 4096, 1 << 20] {
            let (mut outbox, mut expected) = (Outbox::default(), Vec::new());
            for size in [0, 3, SMALL - 1, SMALL, 5, 3 * SMALL, 1] {
                let payload: Vec<u8> = (0..=250).cycle().take(size).collect();
                outbox.push(b"head", payload.clone().into());
                expected.extend_from_slice(b"head");
                expected.extend_from_slice(&payload);
            }
            assert_eq!(outbox.len(), expected.len());
            let (mut socket, mut written) = (Narrow { width, took: Vec::new() }, 0);
            let mut cx = Context::from_waker(Waker::noop());
            assert!(outbox.poll_write(&mut socket, &mut cx, &mut written).is_ready());
            assert_eq!(socket.took, expected, "{width}");
            assert_eq!((outbox.len(), written), (0, expected.len() as u64));
        }
    }
}
