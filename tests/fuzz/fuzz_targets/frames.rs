//! A frame of the WebSocket API: any bytes are a request or get a reply that can be read, and both encodings judge alike.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use zaqar::websocket::{Encoding, Offer, Reply, Request, decode};

const EVERYTHING: Offer = Offer { admin_mode: true, pooling: true };

fuzz_target!(|frame: &[u8]| {
    let in_json = judged(Encoding::Json, frame);
    judged(Encoding::MessagePack, frame);
    // Integers that are none to the other reader, and depths beyond it.
    let digits = |run: &[u8]| run.iter().all(u8::is_ascii_digit);
    if frame.windows(2).any(|pair| pair == b"-0") || frame.windows(19).any(digits) || depth(frame) > 100 {
        return;
    }
    if let Ok(value) = serde_json::from_slice::<Value>(frame) {
        let translated = rmp_serde::to_vec(&value).expect("every document can be written");
        let in_messagepack = judged(Encoding::MessagePack, &translated);
        match (in_json, in_messagepack) {
            (Ok(one), Ok(other)) => assert_eq!(described(&one), described(&other)),
            (Err(one), Err(other)) => assert_eq!(echo(&one), echo(&other)),
            (one, other) => panic!("{one:?} as JSON, {other:?} as MessagePack"),
        }
    }
});

/// What becomes of a frame; a reply must be one.
fn judged(encoding: Encoding, frame: &[u8]) -> Result<Request, Box<Reply>> {
    let judged = decode(encoding, Bytes::copy_from_slice(frame), EVERYTHING);
    match &judged {
        Ok(request) => assert_eq!(request.encoding(), encoding),
        Err(reply) => {
            assert_eq!((reply.encoding(), reply.status().as_u16()), (encoding, 400));
            if depth(frame) < 100 {
                read(reply);
            }
        }
    }
    judged
}

/// Values within values are no more than that, in either encoding.
fn depth(frame: &[u8]) -> usize {
    frame.iter().filter(|byte| b"[{".contains(byte) || **byte >= 0x80).count()
}

fn read(reply: &Reply) -> Value {
    let sent = reply.encode();
    match reply.encoding() {
        Encoding::Json => serde_json::from_slice(&sent).expect("a reply is JSON"),
        Encoding::MessagePack => rmp_serde::from_slice(&sent).expect("a reply is MessagePack"),
    }
}

/// What a reply repeats of its request; nothing where that could not be read.
fn echo(reply: &Reply) -> Value {
    read(reply)["request"].take()
}

/// All that may be asked of a request at this door.
fn described(request: &Request) -> impl PartialEq + std::fmt::Debug {
    let lists = ["URL-Methods", "URL-Paths", "Client-ID"].map(|name| request.header_list(name));
    let texts = ["X-Auth-Token", "URL-Expires", "Client-ID"]
        .map(|name| (request.has_header(name), request.header(name).map(String::from)));
    (request.action(), request.has_id(), request.believed(), lists, texts)
}
