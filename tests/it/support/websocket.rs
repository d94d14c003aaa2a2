//! A client of the WebSocket API, down to its bytes.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket};

use super::client::CLIENT_ID;

/// Long enough for any machine; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_mins(1);

/// An open connection.
pub(crate) struct WebSocketClient {
    stream: TcpStream,
    socket: WebSocket<Bytes>,
    project: String,
}

/// Bytes on their way between the socket and the protocol.
#[derive(Default)]
struct Bytes {
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    ended: bool,
}

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.incoming.is_empty() && !self.ended {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let length = self.incoming.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.incoming[..length]);
        self.incoming.drain(..length);
        Ok(length)
    }
}

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The answer to a handshake.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) text: String,
    stream: TcpStream,
}

impl Head {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.text.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The connection, where the handshake was accepted.
    pub(crate) fn opened(self, project: &str) -> WebSocketClient {
        assert_eq!(self.status, 101, "{}", self.text);
        let socket = WebSocket::from_raw_socket(Bytes::default(), Role::Client, None);
        WebSocketClient { stream: self.stream, socket, project: project.to_owned() }
    }
}

/// The headers of a handshake that is in order.
pub(crate) const HANDSHAKE: [(&str, &str); 5] = [
    ("Host", "zaqar.example"),
    ("Upgrade", "websocket"),
    ("Connection", "keep-alive, Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// Sends a request of these lines and reads the head of its answer.
pub(crate) async fn handshake(address: SocketAddr, line: &str, headers: &[(&str, &str)]) -> Head {
    let stream = TcpStream::connect(address).await.expect("a connection");
    handshake_over(stream, line, headers).await.expect("an answer")
}

/// The same over a stream, whose other side may be gone.
async fn handshake_over(mut stream: TcpStream, line: &str, headers: &[(&str, &str)]) -> io::Result<Head> {
    let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    stream.write_all(format!("{line} HTTP/1.1\r\n{}\r\n", headers.concat()).as_bytes()).await?;
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(timeout(PATIENCE, stream.read_u8()).await.expect("in time")?);
    }
    let text = String::from_utf8(text).expect("text");
    Ok(Head { status: text[9..12].parse().expect("a status"), text, stream })
}

impl WebSocketClient {
    /// Connects to a listener.
    pub(crate) async fn connect(address: SocketAddr, project: &str) -> Self {
        handshake(address, "GET /any", &HANDSHAKE).await.opened(project)
    }

    /// Connects over a stream to a server that may be gone.
    pub(crate) async fn over(stream: TcpStream, project: &str) -> io::Result<Self> {
        Ok(handshake_over(stream, "GET /any", &HANDSHAKE).await?.opened(project))
    }

    /// A request of that action and body.
    pub(crate) fn request(&self, action: &str, body: &Value) -> Value {
        let headers = json!({ "Client-ID": CLIENT_ID, "X-Project-ID": self.project });
        json!({ "action": action, "headers": headers, "body": body })
    }

    /// Sends a message.
    pub(crate) async fn send(&mut self, message: Message) {
        self.socket.send(message).expect("it is taken");
        self.flush().await;
    }

    /// Sends a document.
    pub(crate) async fn send_json(&mut self, document: &Value) {
        self.send(Message::text(document.to_string())).await;
    }

    /// Sends a request and reads the next frame, which must be its reply: status and body.
    pub(crate) async fn call(&mut self, action: &str, body: &Value) -> (u64, Value) {
        self.send_json(&self.request(action, body)).await;
        let reply = self.json().await;
        assert_eq!(reply["request"]["action"], action, "{reply}");
        (status(&reply), reply["body"].clone())
    }

    /// Sends bytes as they are, whatever the protocol says.
    pub(crate) async fn send_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("they are taken");
    }

    /// The next message that is no ping.
    pub(crate) async fn next(&mut self) -> Message {
        loop {
            match self.any().await.expect("a message") {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }

    /// The next frame, a text, as JSON.
    pub(crate) async fn json(&mut self) -> Value {
        match self.next().await {
            Message::Text(text) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("{other:?} came in place of a text"),
        }
    }

    /// The next text, as JSON; `None` once the connection is gone, in whatever way.
    pub(crate) async fn json_or_end(&mut self) -> Option<Value> {
        loop {
            match self.any().await {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).expect("JSON")),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(other) => panic!("{other:?} came in place of a text"),
            }
        }
    }

    /// Waits for the end of the connection: the frame that closed it, whatever came before.
    pub(crate) async fn closed(&mut self) -> Option<CloseFrame> {
        loop {
            match self.any().await {
                Ok(Message::Close(frame)) => {
                    self.flush().await;
                    return frame;
                }
                Ok(_) => {}
                Err(error) => panic!("the connection ended without a word: {error}"),
            }
        }
    }

    /// The next message, or how the connection ended.
    pub(crate) async fn any(&mut self) -> Result<Message, Error> {
        loop {
            match self.socket.read() {
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => {
                    self.flush().await;
                    return read;
                }
            }
            self.flush().await;
            let bytes = &mut self.socket.get_mut().incoming;
            let read = timeout(PATIENCE, self.stream.read_buf(bytes)).await.expect("something comes in time");
            if read.map_or(true, |length| length == 0) {
                self.socket.get_mut().ended = true;
            }
        }
    }

    async fn flush(&mut self) {
        let bytes = std::mem::take(&mut self.socket.get_mut().outgoing);
        // The other side may be gone; reading tells.
        let _ = self.stream.write_all(&bytes).await;
    }
}

/// The status of a reply.
pub(crate) fn status(reply: &Value) -> u64 {
    reply["headers"]["status"].as_u64().unwrap_or_else(|| panic!("{reply} is no reply"))
}
