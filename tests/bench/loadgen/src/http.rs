//! HTTP/1.1 over one connection, kept alive.

use std::io::{Error, ErrorKind};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::args::Args;

pub const CLIENT_ID: &str = "3381af92-2b9e-11e3-b191-71861300734c";

pub struct Connection {
    socket: TcpStream,
    address: String,
    headers: String,
    request: Vec<u8>,
    answer: Vec<u8>,
}

struct Head {
    length: usize,
    status: u16,
    body: Body,
    close: bool,
}

enum Body {
    Length(usize),
    Chunked,
}

impl Connection {
    pub async fn open(args: &Args) -> std::io::Result<Self> {
        let address = args.addr.clone();
        let mut headers =
            format!("Host: {address}\r\nClient-ID: {CLIENT_ID}\r\nX-Project-ID: {}\r\n", args.project);
        headers += "Content-Type: application/json\r\nAccept: application/json\r\n";
        for header in &args.header {
            headers += header;
            headers += "\r\n";
        }
        let socket = connect(&address).await?;
        Ok(Self { socket, address, headers, request: Vec::new(), answer: Vec::with_capacity(1 << 16) })
    }

    /// Sends a request and gives status and body. A server may close an idle connection at any time: then it is
    /// opened again and the request sent once more.
    pub async fn call(&mut self, method: &str, path: &str, body: &[u8]) -> std::io::Result<(u16, &[u8])> {
        self.request.clear();
        let head =
            format!("{method} {path} HTTP/1.1\r\n{}Content-Length: {}\r\n\r\n", self.headers, body.len());
        self.request.extend_from_slice(head.as_bytes());
        self.request.extend_from_slice(body);
        let head = match self.exchange().await {
            Err(error) if gone(&error) => {
                self.socket = connect(&self.address).await?;
                self.exchange().await?
            }
            result => result?,
        };
        if head.close {
            self.socket = connect(&self.address).await?;
        }
        Ok((head.status, &self.answer[head.length..]))
    }

    /// Leaves head and body, without chunk sizes, in `self.answer`.
    async fn exchange(&mut self) -> std::io::Result<Head> {
        self.socket.write_all(&self.request).await?;
        self.answer.clear();
        let end = loop {
            if let Some(at) = find(&self.answer, b"\r\n\r\n") {
                break at + 4;
            }
            self.read().await?;
        };
        let head = parse_head(&self.answer[..end]);
        match head.body {
            Body::Length(length) => {
                while self.answer.len() < end + length {
                    self.read().await?;
                }
            }
            Body::Chunked => {
                while !self.answer.ends_with(b"0\r\n\r\n") {
                    self.read().await?;
                }
                let body = without_chunks(&self.answer[end..]);
                self.answer.truncate(end);
                self.answer.extend_from_slice(&body);
            }
        }
        Ok(head)
    }

    async fn read(&mut self) -> std::io::Result<()> {
        match self.socket.read_buf(&mut self.answer).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

async fn connect(address: &str) -> std::io::Result<TcpStream> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

fn gone(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn parse_head(head: &[u8]) -> Head {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let chunked = value("transfer-encoding:") == Some("chunked");
    let length = value("content-length:").and_then(|text| text.parse().ok()).unwrap_or(0);
    Head {
        length: head.len(),
        status: text.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0),
        body: if chunked { Body::Chunked } else { Body::Length(length) },
        close: value("connection:") == Some("close"),
    }
}

fn without_chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(rest.len());
    while let Some(line) = find(rest, b"\r\n") {
        let size = std::str::from_utf8(&rest[..line])
            .ok()
            .and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
        let Some(size) = size.filter(|size| *size > 0 && rest.len() >= line + 4 + size) else { break };
        body.extend_from_slice(&rest[line + 2..line + 2 + size]);
        rest = &rest[line + 4 + size..];
    }
    body
}
