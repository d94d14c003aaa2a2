//! HTTP/1.1 by hand, because no library would send such requests.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::request::{Form, Request};

/// No request may take longer.
const DEADLINE: Duration = Duration::from_secs(40);

/// An answer, read whole.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: Option<String>,
    /// Whether the service wrote it, and not the HTTP layer below it.
    pub(super) ours: bool,
    pub(super) body: Vec<u8>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body = String::from_utf8_lossy(&self.body);
        let shown: String = body.chars().take(500).collect();
        write!(f, "{} {:?} {shown}", self.status, self.content_type)
    }
}

/// Sends a request on a connection of its own: the first answer, unless the server closes without one.
pub(super) async fn exchange(address: SocketAddr, request: &Request) -> Option<Answer> {
    let bytes = request.bytes();
    let talk = async {
        let (mut read, mut write) = TcpStream::connect(address).await.expect("a connection").into_split();
        let send = async {
            // The server may answer and close before it has all.
            let sent = write.write_all(&bytes).await;
            // What is sound must be answered to a client that goes on listening and could send more.
            if request.form == Form::Broken && sent.is_ok() {
                let _ = write.shutdown().await;
            }
        };
        let receive = async {
            let (mut received, mut ended) = (Vec::new(), false);
            loop {
                let head = request.method == b"HEAD";
                match parse(&received, head, ended) {
                    Some(answer) => return Some(answer),
                    None if ended => return None,
                    None => ended = !matches!(read.read_buf(&mut received).await, Ok(1..)),
                }
            }
        };
        tokio::join!(send, receive).1
    };
    let done = tokio::time::timeout(DEADLINE, talk).await;
    done.unwrap_or_else(|_| panic!("no answer within {DEADLINE:?} to {request}"))
}

/// The first final answer in these bytes, if it is complete.
fn parse(bytes: &[u8], to_head: bool, ended: bool) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let Some(status) = head.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok()) else {
        // An answer in HTTP/2, to its preface.
        return None;
    };
    let rest = &bytes[end..];
    if status < 200 {
        return parse(rest, to_head, ended);
    }
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let body = match header("content-length").map(|length| length.parse().expect("a length")) {
        _ if to_head || status == 204 => Vec::new(),
        Some(length) => rest.get(..length)?.to_vec(),
        None if header("transfer-encoding").is_some() => unchunked(rest)?,
        None => ended.then(|| rest.to_vec())?,
    };
    let body = match header("content-encoding").as_deref() {
        Some("gzip") if !body.is_empty() => gunzip(&body),
        _ => body,
    };
    let ours = header("x-openstack-request-id").is_some();
    Some(Answer { status, content_type: header("content-type"), ours, body })
}

fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = bytes.windows(2).position(|window| window == b"\r\n")?;
        let size =
            usize::from_str_radix(std::str::from_utf8(&bytes[..end]).ok()?, 16).expect("a size of a chunk");
        bytes = &bytes[end + 2..];
        whole.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
        if size == 0 {
            return Some(whole);
        }
    }
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Read as _;
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).expect("what the server packed");
    plain
}
