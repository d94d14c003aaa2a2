//! A query string: any text is read, and every way of asking for a parameter answers.

#![no_main]

use libfuzzer_sys::fuzz_target;
use zaqar::api::query::Query;

fuzz_target!(|text: &str| {
    let query = Query::parse(text);
    for (name, value) in query.others(&[]) {
        assert!(!value.is_empty(), "blank values count as absent");
        assert_eq!(query.text(&name), Some(&*value));
        assert!(query.list(&name).is_none_or(|items| items.iter().all(|item| !item.is_empty())));
    }
    let _ = (query.integer("limit"), query.boolean("echo"), query.list("ids"));
});
