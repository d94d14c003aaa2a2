//! The text protocol of memcached: `get` and `set`, and nothing of an answer believed that was not asked for.

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{MAX_VALUE, Stored};

/// The longest line of an answer, in bytes.
const MAX_LINE: u64 = 1_024;

/// Asks for one entry.
pub(super) async fn get<S>(stream: &mut S, name: &str) -> Result<Option<Stored>>
where
    S: AsyncBufRead + AsyncWrite + Unpin,
{
    stream.write_all(format!("get {name}\r\n").as_bytes()).await?;
    stream.flush().await?;
    let head = line(stream).await?;
    if head == "END" {
        return Ok(None);
    }
    let (flags, length) = value_head(&head, name).ok_or_else(|| lie(&head))?;
    let mut value = vec![0; length];
    stream.read_exact(&mut value).await?;
    for expected in ["", "END"] {
        let end = line(stream).await?;
        if end != expected {
            return Err(lie(&end));
        }
    }
    Ok(Some(Stored { flags, value }))
}

/// Stores one entry for so many seconds. Whether the server had room for it; where it had none, the connection is of
/// no more use.
pub(super) async fn set<S>(stream: &mut S, name: &str, value: &[u8], seconds: u64) -> Result<bool>
where
    S: AsyncBufRead + AsyncWrite + Unpin,
{
    let mut request = format!("set {name} 0 {seconds} {}\r\n", value.len()).into_bytes();
    request.extend_from_slice(value);
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await?;
    stream.flush().await?;
    match line(stream).await? {
        answer if answer == "STORED" => Ok(true),
        answer if answer == "NOT_STORED" || answer.starts_with("SERVER_ERROR") => Ok(false),
        answer => Err(lie(&answer)),
    }
}

/// A line without its end.
async fn line<S: AsyncBufRead + Unpin>(stream: &mut S) -> Result<String> {
    let mut line = Vec::new();
    stream.take(MAX_LINE).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let Some(line) = line.strip_suffix(b"\r\n") else { return Err(lie("a line without an end")) };
    String::from_utf8(line.to_vec()).map_err(|_| lie("a line that is no text"))
}

/// Flags and length of `VALUE <name> <flags> <length>`, where that is the name and the length is bearable.
fn value_head(line: &str, name: &str) -> Option<(u32, usize)> {
    let mut words = line.strip_prefix("VALUE ")?.strip_prefix(name)?.strip_prefix(' ')?.split(' ');
    let (flags, length) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    (words.next().is_none() && length <= MAX_VALUE).then_some((flags, length))
}

/// An answer that is none. Its first letters are named; more of it might be anything.
fn lie(answer: &str) -> Error {
    let start: String = answer.chars().take(60).filter(|c| !c.is_control()).collect();
    Error::new(ErrorKind::InvalidData, format!("an answer out of place: {start:?}"))
}

#[cfg(test)]
mod tests {
    use tokio::io::BufStream;

    use super::*;

    /// What becomes of a request when the server gives that answer.
    async fn answered<T>(
        answer: &[u8],
        ask: impl AsyncFnOnce(&mut BufStream<tokio::io::DuplexStream>) -> T,
    ) -> T {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        theirs.write_all(answer).await.unwrap();
        theirs.shutdown().await.unwrap();
        ask(&mut BufStream::new(ours)).await
    }

    async fn got(answer: &[u8]) -> Result<Option<Stored>> {
        answered(answer, async |stream| get(stream, "tokens/a").await).await
    }

    #[tokio::test]
    async fn a_value_or_none() {
        assert!(got(b"END\r\n").await.unwrap().is_none());
        let found = got(b"VALUE tokens/a 16 5\r\na\r\nbc\r\nEND\r\n").await.unwrap().unwrap();
        assert_eq!((found.flags, &*found.value), (16, &b"a\r\nbc"[..]));
    }

    #[tokio::test]
    async fn answers_that_were_not_asked_for_are_errors() {
        for answer in [
            &b""[..],
            b"\r\n",
            b"EN",
            b"END",
            b"ERROR\r\n",
            b"SERVER_ERROR out of memory\r\n",
            b"VALUE tokens/b 0 1\r\na\r\nEND\r\n",
            b"VALUE tokens/a 0 2000000\r\na",
            b"VALUE tokens/a 0 18446744073709551616\r\na\r\nEND\r\n",
            b"VALUE tokens/a 0 -1\r\na\r\nEND\r\n",
            b"VALUE tokens/a 0 1 7 8\r\na\r\nEND\r\n",
            b"VALUE tokens/a 0 3\r\na\r\nEND\r\n",
            b"VALUE tokens/a 0 1\r\nabc\r\nEND\r\n",
            b"VALUE tokens/a 0 1\r\na\r\nVALUE tokens/a 0 1\r\nb\r\nEND\r\n",
            b"\xff\xfe\r\n",
        ] {
            assert!(got(answer).await.is_err(), "{}", answer.escape_ascii());
        }
        assert!(got(&vec![b'x'; 100_000]).await.is_err());
    }

    #[tokio::test]
    async fn stored_or_not() {
        let stored = async |answer| answered(answer, async |stream| set(stream, "n", b"v", 9).await).await;
        assert!(stored(b"STORED\r\n").await.unwrap());
        assert!(!stored(b"SERVER_ERROR object too large for cache\r\n").await.unwrap());
        assert!(stored(b"END\r\n").await.is_err());
        assert!(stored(b"").await.is_err());
    }
}
