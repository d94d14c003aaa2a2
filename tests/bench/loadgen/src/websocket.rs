//! WebSocket over one connection: requests of the service's WebSocket API as text, one answer awaited at a time.

use std::io::ErrorKind;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::args::Args;
use crate::http::CLIENT_ID;

const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
/// The bits that say that a frame is the last of its message, and that it is masked.
const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
/// Header, extended length and masking key at most.
const LONGEST_HEAD: usize = 14;

pub struct Socket {
    stream: TcpStream,
    /// What was received, and how much of it was read already.
    unread: Vec<u8>,
    read: usize,
    frame: Vec<u8>,
    headers: String,
}

#[derive(Deserialize)]
struct Answer {
    headers: Status,
}

#[derive(Deserialize)]
struct Status {
    status: u16,
}

/// The body of an answer.
#[derive(Deserialize)]
struct Content<T> {
    body: T,
}

impl Socket {
    pub async fn open(args: &Args) -> anyhow::Result<Self> {
        Self::open_at(args, &args.addr).await
    }

    pub async fn open_at(args: &Args, address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let headers = format!(r#"{{"Client-ID":"{CLIENT_ID}","X-Project-ID":"{}"}}"#, args.project);
        let mut socket = Self { stream, unread: Vec::new(), read: 0, frame: Vec::new(), headers };
        socket.shake_hands(address, &args.path).await?;
        Ok(socket)
    }

    async fn shake_hands(&mut self, address: &str, path: &str) -> anyhow::Result<()> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.stream.write_all(request.as_bytes()).await?;
        loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.unread[..end]).into_owned();
                ensure!(head.starts_with("HTTP/1.1 101"), "the handshake was answered with {head}");
                self.read = end + 4;
                return Ok(());
            }
            self.read_more().await?;
        }
    }

    /// Sends the request and gives the status of its answer; what is pushed meanwhile is dropped.
    pub async fn call(&mut self, action: &str, body: &str) -> anyhow::Result<(u16, &[u8])> {
        self.send_request(action, body).await?;
        loop {
            let (start, end) = self.receive_range().await?;
            // An answer echoes its request, a push has none; it is found within the first bytes or at the end.
            if let Ok(answer) = serde_json::from_slice::<Answer>(&self.unread[start..end]) {
                return Ok((answer.headers.status, &self.unread[start..end]));
            }
        }
    }

    pub async fn send_request(&mut self, action: &str, body: &str) -> anyhow::Result<()> {
        let text = format!(r#"{{"action":"{action}","headers":{},"body":{body}}}"#, self.headers);
        self.send(TEXT, text.as_bytes()).await?;
        Ok(())
    }

    async fn send(&mut self, opcode: u8, payload: &[u8]) -> std::io::Result<()> {
        self.frame.clear();
        self.frame.push(FINAL | opcode);
        match u16::try_from(payload.len()) {
            Ok(length) if length < 126 => self.frame.push(MASKED | length.to_be_bytes()[1]),
            Ok(length) => {
                self.frame.push(MASKED | 0x7e);
                self.frame.extend_from_slice(&length.to_be_bytes());
            }
            Err(_) => {
                self.frame.push(MASKED | 0x7f);
                self.frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
            }
        }
        // A key of zeros leaves the payload as it is.
        self.frame.extend_from_slice(&[0; 4]);
        self.frame.extend_from_slice(payload);
        self.stream.write_all(&self.frame).await
    }

    /// The next text or binary message, of one frame, as servers here send them.
    pub async fn receive(&mut self) -> anyhow::Result<&[u8]> {
        let (start, end) = self.receive_range().await?;
        Ok(&self.unread[start..end])
    }

    async fn receive_range(&mut self) -> anyhow::Result<(usize, usize)> {
        loop {
            let (opcode, start, end) = self.next_frame().await?;
            match opcode {
                PING => {
                    let payload = self.unread[start..end].to_vec();
                    self.send(PONG, &payload).await?;
                }
                PONG => {}
                CLOSE => bail!("the server closed: {}", String::from_utf8_lossy(&self.unread[start..end])),
                _ => return Ok((start, end)),
            }
        }
    }

    async fn next_frame(&mut self) -> anyhow::Result<(u8, usize, usize)> {
        self.unread.drain(..self.read);
        self.read = 0;
        loop {
            if let Some((head, length)) = head(&self.unread)
                && self.unread.len() >= head + length
            {
                self.read = head + length;
                return Ok((self.unread[0] & 0x0f, head, head + length));
            }
            self.read_more().await?;
        }
    }

    async fn read_more(&mut self) -> anyhow::Result<()> {
        // Thousands of these connections are idle: room is taken when something comes.
        self.stream.readable().await?;
        self.unread.reserve(4096 + LONGEST_HEAD);
        match self.stream.read_buf(&mut self.unread).await? {
            0 => Err(std::io::Error::from(ErrorKind::UnexpectedEof).into()),
            _ => Ok(()),
        }
    }
}

/// The lengths of an unmasked frame's head and payload, once enough of it is there.
fn head(data: &[u8]) -> Option<(usize, usize)> {
    let length = usize::from(*data.get(1)? & 0x7f);
    match length {
        126 => Some((4, usize::from(u16::from_be_bytes(data.get(2..4)?.try_into().ok()?)))),
        127 => Some((10, usize::try_from(u64::from_be_bytes(data.get(2..10)?.try_into().ok()?)).ok()?)),
        _ => Some((2, length)),
    }
}

/// What the body of an answer holds.
pub fn content<T: DeserializeOwned>(answer: &[u8]) -> anyhow::Result<T> {
    let content: Content<T> =
        serde_json::from_slice(answer).context("an answer without the body it should have")?;
    Ok(content.body)
}
