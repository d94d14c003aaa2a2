//! A JSON patch of metadata: read, applied, judged, completed, written and read back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use zaqar::model::limits::Limits;
use zaqar::model::{json, metadata, patch};

const STORED: &[u8] = br#"{"k": "v", "_default_message_ttl": 300, "_retry_policy": {"minimum_delay": 5}}"#;

fuzz_target!(|text: &[u8]| {
    let stored = json::object(STORED).expect("it is an object");
    let Ok(operations) = patch::parse(text) else { return };
    let Ok(patched) = patch::apply(&stored, &operations) else { return };
    let limits = Limits::default();
    let _ = metadata::validate(&patched, &limits);
    let shown = metadata::with_defaults(&patched, &limits);
    let written = serde_json::to_vec(&shown).expect("metadata can be written");
    assert_eq!(json::object(&written), Ok(shown));
    let _ = (
        metadata::default_ttl(&patched),
        metadata::max_claims(&patched),
        metadata::dead_letter_queue(&patched),
    );
});
