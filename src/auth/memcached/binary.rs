//! The binary protocol of memcached, the only one in which it takes a login (SASL, mechanism PLAIN).

use std::io::{Error, ErrorKind, Result};

use secrecy::ExposeSecret as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::{Credentials, MAX_VALUE, Stored};

const HEAD: usize = 24;
const REQUEST: u8 = 0x80;
const RESPONSE: u8 = 0x81;

const GET: u8 = 0x00;
const SET: u8 = 0x01;
const LOGIN: u8 = 0x21;

const OK: u16 = 0;
const NOT_FOUND: u16 = 1;
/// Too large, not stored, out of memory.
const NO_ROOM: [u16; 3] = [0x03, 0x05, 0x82];

/// An answer: its status, and what stands before and in its value.
struct Answer {
    status: u16,
    extras: Vec<u8>,
    value: Vec<u8>,
}

/// Logs in.
pub(super) async fn log_in<S>(stream: &mut S, credentials: &Credentials) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let plain = format!("\0{}\0{}", credentials.user, credentials.password.expose_secret());
    match call(stream, LOGIN, b"PLAIN", &[], plain.as_bytes()).await?.status {
        OK => Ok(()),
        status => {
            Err(Error::new(ErrorKind::PermissionDenied, format!("the login was refused (status {status})")))
        }
    }
}

/// Asks for one entry.
pub(super) async fn get<S>(stream: &mut S, name: &str) -> Result<Option<Stored>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answer = call(stream, GET, name.as_bytes(), &[], &[]).await?;
    match (answer.status, <[u8; 4]>::try_from(answer.extras.as_slice())) {
        (OK, Ok(flags)) => Ok(Some(Stored { flags: u32::from_be_bytes(flags), value: answer.value })),
        (NOT_FOUND, _) => Ok(None),
        (status, _) => Err(refused(status)),
    }
}

/// Stores one entry for so many seconds; whether the server had room.
pub(super) async fn set<S>(stream: &mut S, name: &str, value: &[u8], seconds: u64) -> Result<bool>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    let extras = [0_u32.to_be_bytes(), seconds.to_be_bytes()].concat();
    match call(stream, SET, name.as_bytes(), &extras, value).await?.status {
        OK => Ok(true),
        status if NO_ROOM.contains(&status) => Ok(false),
        status => Err(refused(status)),
    }
}

async fn call<S>(stream: &mut S, command: u8, key: &[u8], extras: &[u8], value: &[u8]) -> Result<Answer>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let too_long = |_| Error::from(ErrorKind::InvalidInput);
    let key_length = u16::try_from(key.len()).map_err(too_long)?;
    let extras_length = u8::try_from(extras.len()).map_err(too_long)?;
    let body_length = u32::try_from(extras.len() + key.len() + value.len()).map_err(too_long)?;
    let mut request = vec![REQUEST, command];
    request.extend(key_length.to_be_bytes());
    request.extend([extras_length, 0, 0, 0]);
    request.extend(body_length.to_be_bytes());
    request.resize(HEAD, 0);
    for part in [extras, key, value] {
        request.extend_from_slice(part);
    }
    stream.write_all(&request).await?;
    stream.flush().await?;
    answer(stream, command).await
}

async fn answer<S: AsyncRead + Unpin>(stream: &mut S, command: u8) -> Result<Answer> {
    let mut head = [0; HEAD];
    stream.read_exact(&mut head).await?;
    let key = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let extras = usize::from(head[4]);
    let body = u32::from_be_bytes([head[8], head[9], head[10], head[11]]) as usize;
    if head[..2] != [RESPONSE, command] || body > MAX_VALUE || body < key + extras {
        return Err(Error::new(ErrorKind::InvalidData, "an answer out of place"));
    }
    let mut rest = vec![0; body];
    stream.read_exact(&mut rest).await?;
    let value = rest.split_off(key + extras);
    rest.truncate(extras);
    Ok(Answer { status: u16::from_be_bytes([head[6], head[7]]), extras: rest, value })
}

fn refused(status: u16) -> Error {
    Error::other(format!("the server refused with status {status}"))
}

#[cfg(test)]
mod tests {
    use tokio::io::DuplexStream;

    use super::*;

    fn packet(magic: u8, command: u8, status: u16, extras: &[u8], value: &[u8]) -> Vec<u8> {
        let length = |bytes: usize| u32::try_from(bytes).unwrap().to_be_bytes();
        let mut packet = vec![magic, command, 0, 0, length(extras.len())[3], 0];
        packet.extend(status.to_be_bytes());
        packet.extend(length(extras.len() + value.len()));
        packet.resize(HEAD, 0);
        packet.extend([extras, value].concat());
        packet
    }

    async fn answering(answer: &[u8]) -> (DuplexStream, DuplexStream) {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        theirs.write_all(answer).await.unwrap();
        theirs.shutdown().await.unwrap();
        (ours, theirs)
    }

    #[tokio::test]
    async fn a_value_or_none() {
        let (mut ours, mut theirs) = answering(&packet(RESPONSE, GET, OK, &[0, 0, 0, 16], b"value")).await;
        let found = get(&mut ours, "name").await.unwrap().unwrap();
        assert_eq!((found.flags, &*found.value), (16, &b"value"[..]));
        drop(ours);
        let mut sent = Vec::new();
        theirs.read_to_end(&mut sent).await.unwrap();
        assert_eq!(
            (sent.len(), &sent[..8], &sent[HEAD..]),
            (28, &[0x80, 0, 0, 4, 0, 0, 0, 0][..], &b"name"[..])
        );
        let (mut ours, _theirs) = answering(&packet(RESPONSE, GET, NOT_FOUND, &[], b"Not found")).await;
        assert!(get(&mut ours, "name").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn answers_that_were_not_asked_for_are_errors() {
        let mut long = packet(RESPONSE, GET, OK, &[0; 4], b"v");
        long[8] = 0xff;
        let mut short = packet(RESPONSE, GET, OK, &[0; 4], b"v");
        short[11] = 2;
        for answer in [
            Vec::new(),
            packet(REQUEST, GET, OK, &[0; 4], b"v"),
            packet(RESPONSE, SET, OK, &[0; 4], b"v"),
            packet(RESPONSE, GET, OK, &[], b"v"),
            packet(RESPONSE, GET, 0x20, &[], b"Auth failure"),
            packet(RESPONSE, GET, OK, &[0; 4], b"v")[..20].to_vec(),
            long,
            short,
        ] {
            let (mut ours, _theirs) = answering(&answer).await;
            assert!(get(&mut ours, "name").await.is_err(), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn a_login_is_accepted_or_not() {
        let credentials = Credentials { user: "u".into(), password: "p".into() };
        for (status, accepted) in [(OK, true), (0x20, false)] {
            let (mut ours, mut theirs) = answering(&packet(RESPONSE, LOGIN, status, &[], b"")).await;
            assert_eq!(log_in(&mut ours, &credentials).await.is_ok(), accepted);
            drop(ours);
            let mut sent = Vec::new();
            theirs.read_to_end(&mut sent).await.unwrap();
            assert_eq!(&sent[HEAD..], b"PLAIN\0u\0p");
        }
    }
}
