//! Reads answers: version 2 of the Redis protocol.

use redis::Value;

use super::error::{Cause, ServerError};

/// The deepest nesting of an answer.
const MAX_DEPTH: usize = 16;

/// One answer.
pub(super) type Reply = Result<Value, ServerError>;

/// The first answer in the bytes and its length; `None` while some of it is missing.
///
/// Lengths are looked at first, so that a large answer that comes in pieces is not built for each of them.
pub(super) fn reply(bytes: &[u8]) -> Result<Option<(Reply, usize)>, Cause> {
    let Some(length) = skip(bytes, 0)? else { return Ok(None) };
    let reply = match bytes[0] {
        b'-' => Err(ServerError::parse(&String::from_utf8_lossy(&bytes[1..length - 2]))),
        _ => Ok(value(&mut &bytes[..length])?),
    };
    Ok(Some((reply, length)))
}

/// How long the first value in the bytes is.
fn skip(bytes: &[u8], depth: usize) -> Result<Option<usize>, Cause> {
    let Some(end) = line(bytes) else { return Ok(None) };
    let head = &bytes[..end];
    match head[0] {
        b'+' | b'-' | b':' => Ok(Some(end)),
        b'$' => match length(head)? {
            None => Ok(Some(end)),
            Some(length) => Ok(end.checked_add(length + 2).filter(|end| *end <= bytes.len())),
        },
        b'*' if depth < MAX_DEPTH => {
            let mut at = end;
            for _ in 0..length(head)?.unwrap_or(0) {
                match skip(&bytes[at..], depth + 1)? {
                    Some(length) => at += length,
                    None => return Ok(None),
                }
            }
            Ok(Some(at))
        }
        other => Err(Cause::new(format_args!("a value of type {other:#04x}"))),
    }
}

/// Takes a value, which is there in full.
fn value(bytes: &mut &[u8]) -> Result<Value, Cause> {
    let (head, rest) = bytes.split_at(line(bytes).ok_or_else(cut)?);
    *bytes = rest;
    let text = || String::from_utf8_lossy(&head[1..head.len() - 2]);
    Ok(match head[0] {
        b'+' if head == b"+OK\r\n" => Value::Okay,
        b'+' => Value::SimpleString(text().into_owned()),
        b':' => Value::Int(integer(head)?),
        b'$' => match length(head)? {
            None => Value::Nil,
            Some(length) => Value::BulkString(bulk(bytes, length)?),
        },
        b'*' => match length(head)? {
            None => Value::Nil,
            Some(count) => Value::Array((0..count).map(|_| value(bytes)).collect::<Result<_, _>>()?),
        },
        // An error inside an array.
        _ => redis::parse_redis_value(head).map_err(Cause::new)?,
    })
}

fn bulk(bytes: &mut &[u8], length: usize) -> Result<Vec<u8>, Cause> {
    let (body, rest) = bytes.split_at_checked(length).ok_or_else(cut)?;
    *bytes = rest.strip_prefix(b"\r\n").ok_or_else(cut)?;
    Ok(body.to_vec())
}

fn cut() -> Cause {
    Cause::new("a bulk string does not end where it should")
}

/// The length of the first line, its end included.
fn line(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    (end > 1 && bytes[end - 1] == b'\r').then_some(end + 1)
}

/// The number of a bulk string or an array; `None` for a null.
fn length(head: &[u8]) -> Result<Option<usize>, Cause> {
    match integer(head)? {
        -1 => Ok(None),
        length => usize::try_from(length).map(Some).map_err(|_| Cause::new("a negative length")),
    }
}

fn integer(head: &[u8]) -> Result<i64, Cause> {
    let digits = str::from_utf8(&head[1..head.len() - 2]).unwrap_or_default();
    digits.parse().map_err(|_| Cause::new("a malformed integer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Reply {
        let (reply, length) = reply(bytes).unwrap().expect("a whole answer");
        assert_eq!(length, bytes.len());
        reply
    }

    #[test]
    fn every_type_is_read() {
        assert_eq!(whole(b"+OK\r\n"), Ok(Value::Okay));
        assert_eq!(whole(b"+PONG\r\n"), Ok(Value::SimpleString("PONG".into())));
        assert_eq!(whole(b":-12\r\n"), Ok(Value::Int(-12)));
        assert_eq!(whole(b"$-1\r\n"), Ok(Value::Nil));
        assert_eq!(whole(b"*-1\r\n"), Ok(Value::Nil));
        assert_eq!(whole(b"$4\r\na\r\nb\r\n"), Ok(Value::BulkString(b"a\r\nb".to_vec())));
        assert_eq!(whole(b"*0\r\n"), Ok(Value::Array(vec![])));
        let nested = Value::Array(vec![Value::Int(1), Value::BulkString(vec![])]);
        assert_eq!(
            whole(b"*2\r\n:7\r\n*2\r\n:1\r\n$0\r\n\r\n"),
            Ok(Value::Array(vec![Value::Int(7), nested]))
        );
        let error = ServerError { code: "GONE".into(), text: "the queue".into() };
        assert_eq!(whole(b"-GONE the queue\r\n"), Err(error));
    }

    #[test]
    fn an_error_inside_an_array_stays_there() {
        let Ok(Value::Array(values)) = whole(b"*2\r\n:1\r\n-ERR no\r\n") else { panic!("an array") };
        assert!(matches!(&values[1], Value::ServerError(_)), "{values:?}");
    }

    #[test]
    fn pieces_wait_for_the_rest() {
        let bytes = b"*3\r\n$5\r\nhello\r\n:1\r\n*1\r\n+x\r\n";
        for end in 0..bytes.len() {
            assert!(reply(&bytes[..end]).unwrap().is_none(), "{end}");
        }
        let two = [&bytes[..], &bytes[..]].concat();
        assert_eq!(reply(&two).unwrap().unwrap().1, bytes.len());
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bytes in
            [&b"HTTP/1.1 400\r\n"[..], b"$-2\r\n", b":x\r\n", b"$99999999999999999999\r\n", b"*1\r\n?\r\n"]
        {
            assert!(reply(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
        let deep = b"*1\r\n".repeat(100);
        assert!(reply(&deep).is_err());
    }
}
