//! A frame of the WebSocket API: any bytes are a request or get a reply, and both encodings judge alike.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use zaqar::websocket::{Encoding, Offer, decode};

const EVERYTHING: Offer = Offer { admin_mode: true, pooling: true };

fuzz_target!(|frame: &[u8]| {
    for encoding in [Encoding::Json, Encoding::MessagePack] {
        match decode(encoding, Bytes::copy_from_slice(frame), EVERYTHING) {
            Ok(request) => {
                assert_eq!(request.encoding(), encoding);
                let _ = (request.believed(), request.header_list("URL-Paths"), request.has_id());
            }
            Err(reply) => {
                assert_eq!((reply.encoding(), reply.status()), (encoding, 400));
                let sent = reply.encode();
                if encoding == Encoding::Json && frame.iter().filter(|byte| b"[{".contains(byte)).count() < 100 {
                    // Deeper ones are beyond this reader.
                    serde_json::from_slice::<Value>(&sent).expect("a reply is JSON");
                }
            }
        }
    }
});
