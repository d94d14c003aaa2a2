//! A WebSocket over a connection that HTTP upgraded: frames in, frames out, nothing that waits by itself.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use super::outbox::Outbox;

/// What is read ahead of a connection, in bytes; kept while it is idle.
const READ_BUFFER: usize = 4 * 1024;

/// The kind of a message, which is also how its answer is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text: valid UTF-8.
    Text,
    /// Bytes.
    Binary,
}

/// What came from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A whole message.
    Message(Kind, Bytes),
    /// A sign of life: a ping, which is answered by itself, or a pong.
    Alive,
}

/// Why nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The closing handshake is over, or the client broke the protocol and was told so. What is queued may still be
    /// sent.
    Closed,
    /// The client is gone.
    Gone,
}

/// One WebSocket, the server's side.
///
/// Reading and the control frames are tungstenite's. Whatever is to be written waits in an outbox of our own: its
/// length is known, the bytes of large messages are shared and not copied, and it holds no memory while it is empty.
pub struct Socket<S> {
    inner: WebSocket<Pipe<S>>,
    /// Whether reading has come to its end: after an error it must not be tried again.
    over: bool,
}

struct Pipe<S> {
    io: S,
    waker: Waker,
    outbox: Outbox,
    written: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Speaks over a connection that was upgraded. Messages of more than `max_message` bytes end it with code 1009.
    pub fn new(io: S, max_message: usize) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(0)
            .max_message_size(Some(max_message))
            .max_frame_size(Some(max_message));
        let pipe = Pipe { io, waker: Waker::noop().clone(), outbox: Outbox::default(), written: 0 };
        Self { inner: WebSocket::from_raw_socket(pipe, Role::Server, Some(config)), over: false }
    }

    /// The next thing that the client sends. An answer to it may be queued by the protocol: flush afterwards.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Incoming, End>> {
        if self.over {
            return Poll::Ready(Err(End::Gone));
        }
        let waker = &mut self.inner.get_mut().waker;
        if !waker.will_wake(cx.waker()) {
            waker.clone_from(cx.waker());
        }
        Poll::Ready(match self.inner.read() {
            Ok(Message::Text(text)) => Ok(Incoming::Message(Kind::Text, text.into())),
            Ok(Message::Binary(bytes)) => Ok(Incoming::Message(Kind::Binary, bytes)),
            Ok(_) => Ok(Incoming::Alive),
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return Poll::Pending;
            }
            Err(error) => Err(self.end(&error)),
        })
    }

    /// Queues a message; false where the connection is closing and it is dropped.
    pub fn send(&mut self, kind: Kind, payload: Bytes) -> bool {
        const FINAL: u8 = 0x80;
        let opcode = match kind {
            Kind::Text => 1,
            Kind::Binary => 2,
        };
        let open = self.inner.can_write();
        if open {
            let (head, length) = head(FINAL | opcode, payload.len());
            self.inner.get_mut().outbox.push(&head[..length], payload);
        }
        open
    }

    /// Queues a ping.
    pub fn ping(&mut self) {
        // It goes to our own outbox, which always takes it; a closing connection needs no ping.
        let _ = self.inner.write(Message::Ping(Bytes::new()));
    }

    /// Queues the frame that closes; nothing can be queued behind it.
    pub fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        // As above; the closing of a closed connection changes nothing.
        let _ = self.inner.close(Some(frame));
    }

    /// Bytes that are queued.
    pub fn queued(&self) -> usize {
        self.inner.get_ref().outbox.len()
    }

    /// Bytes that the connection took since its start.
    pub fn written(&self) -> u64 {
        self.inner.get_ref().written
    }

    /// Writes what is queued, as far as the connection takes it; ready when nothing is left.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Pipe { io, outbox, written, .. } = self.inner.get_mut();
        if outbox.len() == 0 { Poll::Ready(Ok(())) } else { outbox.poll_write(io, cx, written) }
    }

    /// Closes our side, and takes what the client still sends: a socket closed with bytes unread would reset the
    /// connection, and the reset may overtake the closing frame.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner.get_mut().io).poll_shutdown(cx)
    }

    /// What an error of the protocol means; the client is told where it is at fault.
    fn end(&mut self, error: &tungstenite::Error) -> End {
        self.over = true;
        let (code, reason) = match error {
            tungstenite::Error::ConnectionClosed => return End::Closed,
            tungstenite::Error::Utf8(_) => (1007, "invalid UTF-8"),
            tungstenite::Error::Capacity(_) => (1009, "message too big"),
            tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
                return End::Gone;
            }
            tungstenite::Error::Protocol(_) => (1002, "protocol error"),
            _ => return End::Gone,
        };
        self.close(code, reason);
        End::Closed
    }
}

/// The head of an unmasked frame, and how long it is.
fn head(first: u8, payload: usize) -> ([u8; 10], usize) {
    let mut head = [first, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    if let Ok(length @ ..126) = u8::try_from(payload) {
        head[1] = length;
        (head, 2)
    } else if let Ok(length) = u16::try_from(payload) {
        head[1] = 126;
        head[2..4].copy_from_slice(&length.to_be_bytes());
        (head, 4)
    } else {
        head[1] = 127;
        head[2..].copy_from_slice(&(payload as u64).to_be_bytes());
        (head, 10)
    }
}

impl<S: AsyncRead + Unpin> Read for Pipe<S> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut cx = Context::from_waker(&self.waker);
        let mut buffer = ReadBuf::new(bytes);
        match Pin::new(&mut self.io).poll_read(&mut cx, &mut buffer) {
            Poll::Ready(result) => result.map(|()| buffer.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl<S> Write for Pipe<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outbox.copy(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_have_three_lengths() {
        let written = |payload| {
            let (head, length) = head(0x81, payload);
            head[..length].to_vec()
        };
        assert_eq!(written(0), [0x81, 0]);
        assert_eq!(written(125), [0x81, 125]);
        assert_eq!(written(126), [0x81, 126, 0, 126]);
        assert_eq!(written(255), [0x81, 126, 0, 255]);
        assert_eq!(written(65_535), [0x81, 126, 255, 255]);
        assert_eq!(written(65_536), [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }
}
