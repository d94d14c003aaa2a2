//! The document of a message post: judged as another reader does, and its bodies the values that were sent.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use zaqar::model::checksum;
use zaqar::model::json::{BodyError, claim_terms, messages, purge_terms};

fuzz_target!(|text: &[u8]| {
    let _ = (claim_terms(text), purge_terms(text));
    let theirs = serde_json::from_slice::<Value>(text);
    match messages(&Bytes::copy_from_slice(text), true) {
        Ok(posted) => {
            // Theirs must also fit numbers into floating point, and counts one level less.
            let Ok(theirs) = theirs else { return };
            let elements = theirs["messages"].as_array().expect("there were messages");
            assert_eq!(elements.len(), posted.len());
            for (element, message) in elements.iter().zip(&posted) {
                let body: Value = serde_json::from_slice(&message.body).expect("a body is JSON");
                assert_eq!(element["body"], body);
                assert_eq!(checksum::of(&message.body).is_none(), body.is_null());
                assert!(!message.body.contains(&b'\n'));
            }
        }
        Err(BodyError::Malformed) => {
            assert!(!matches!(theirs, Ok(Value::Object(_) | Value::Array(_))), "refused what is JSON");
        }
        Err(_) => {}
    }
});
