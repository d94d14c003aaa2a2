//! A configuration file: any text is read or refused, and a value of one line survives writing and reading.

#![no_main]

use libfuzzer_sys::fuzz_target;
use zaqar::config::ini::{parse, quote};

fuzz_target!(|text: &str| {
    let Ok(assignments) = parse(text) else { return };
    let mut last = 0;
    for assignment in assignments {
        assert!(assignment.line > last, "assignments come in the order of the file");
        last = assignment.line;
        let one_line = !assignment.value.contains(['\n', '\r']);
        if one_line {
            let written = format!("[section]\nkey = {}\n", quote(&assignment.value));
            let read = parse(&written).expect("what was quoted can be read");
            assert_eq!(read[0].value, assignment.value, "{written:?}");
        }
    }
});
