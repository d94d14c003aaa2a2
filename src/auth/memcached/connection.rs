//! One connection to a server: plain, over TLS, or on a socket of this machine.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, BufStream};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::address::Address;
use super::{Credentials, Stored, binary, text};

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What is asked of a server.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    /// The entry.
    pub(super) name: &'a str,
    /// What to store in it, and for how many seconds; `None` to read it.
    pub(super) value: Option<(&'a [u8], u64)>,
}

/// A connection that is ready for requests. One whose request failed or was cancelled is out of step: drop it.
pub(super) struct Connection {
    stream: BufStream<Box<dyn Stream>>,
    /// Servers that want a login speak only the binary protocol.
    binary: bool,
}

impl Connection {
    /// Opens one, and logs in where there are credentials.
    pub(super) async fn open(
        address: &Address,
        tls: Option<Arc<ClientConfig>>,
        credentials: Option<&Credentials>,
    ) -> io::Result<Self> {
        let stream: Box<dyn Stream> = match address {
            Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
            Address::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                match tls {
                    None => Box::new(stream),
                    Some(tls) => {
                        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                        Box::new(TlsConnector::from(tls).connect(name, stream).await?)
                    }
                }
            }
        };
        let mut connection = Self { stream: BufStream::new(stream), binary: credentials.is_some() };
        if let Some(credentials) = credentials {
            binary::log_in(&mut connection.stream, credentials).await?;
        }
        Ok(connection)
    }

    /// Makes a request. What was found, and whether the connection is good for another.
    pub(super) async fn call(&mut self, request: Request<'_>) -> io::Result<(Option<Stored>, bool)> {
        let (stream, name) = (&mut self.stream, request.name);
        match (request.value, self.binary) {
            (None, false) => text::get(stream, name).await.map(|found| (found, true)),
            (None, true) => binary::get(stream, name).await.map(|found| (found, true)),
            (Some((value, seconds)), false) => {
                text::set(stream, name, value, seconds).await.map(|had_room| (None, had_room))
            }
            (Some((value, seconds)), true) => {
                binary::set(stream, name, value, seconds).await.map(|had_room| (None, had_room))
            }
        }
    }
}
