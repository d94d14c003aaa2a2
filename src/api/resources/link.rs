//! Links to a next page (rest.md 1.8): the parameters that were given, and a marker.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in a parameter's value (RFC 3986, unreserved).
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A name as one segment of a path.
pub(crate) fn segment(name: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(name, VALUE)
}

/// A `next` link in the making.
pub(crate) struct Link {
    href: String,
}

impl Link {
    /// A link to that path.
    pub(crate) fn to(path: &str) -> Self {
        Self { href: path.to_owned() }
    }

    /// With a parameter, unless its value is `None`.
    pub(crate) fn with(mut self, name: &str, value: Option<impl ToString>) -> Self {
        let Some(value) = value else { return self };
        self.href.push(if self.href.contains('?') { '&' } else { '?' });
        self.href += name;
        self.href.push('=');
        self.href.extend(utf8_percent_encode(&value.to_string(), VALUE));
        self
    }

    /// Its target.
    pub(crate) fn href(self) -> String {
        self.href
    }
}
