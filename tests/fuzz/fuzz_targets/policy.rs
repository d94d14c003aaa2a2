//! A policy file: any text is read or refused; what is read is printed so that it means the same, and answers.

#![no_main]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use zaqar::policy::{Defaults, Rules, Value};

/// The rules of a text, if it is taken.
fn read(text: String) -> Option<Rules> {
    let file: Arc<Path> = Path::new("policy.yaml").into();
    Rules::new(&[(file, text)], Defaults::Reference, "default").ok()
}

fuzz_target!(|text: &str| {
    // The text as a file of its own, and as the check of a rule.
    let check = serde_json::to_string(text).expect("a text is JSON");
    for file in [text.to_owned(), format!("\"x:x\": {check}\n")] {
        let Some(rules) = read(file) else { continue };
        let sound = !rules.findings().iter().any(|finding| finding.mistake);
        let nobody = BTreeMap::<String, Value>::new();
        let line = |(name, check): (&str, String)| {
            format!("{}: {}\n", serde_json::to_string(name).expect("JSON"), serde_json::to_string(&check).expect("JSON"))
        };
        let printed = read(rules.all().map(line).collect());
        for (name, check) in rules.all() {
            let answer = rules.permits_named(name, &nobody, &nobody);
            if let (true, Some(printed)) = (sound, &printed) {
                assert_eq!(printed.permits_named(name, &nobody, &nobody), answer, "{name}: {check}");
            }
        }
    }
});
