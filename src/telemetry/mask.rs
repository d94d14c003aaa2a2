//! Credentials out of URIs, for logs and answers.

use percent_encoding::percent_decode_str;

/// The URI or path with what is secret in it replaced by `***`: the user and password before the host, and the
/// values of query parameters that hold signatures, pre-signed values, client ids, tokens or passwords.
///
/// Takes any text and errs on the side of hiding: a password that was not percent-encoded (`/`, `?` or `@` in
/// it) is hidden too.
pub fn mask_uri(uri: &str) -> String {
    let (scheme, rest) = match uri.find("://") {
        Some(at) => uri.split_at(at + 3),
        None => ("", uri),
    };
    let mut masked = scheme.to_owned();
    let mut shown = rest;
    if !scheme.is_empty()
        && let Some(at) = userinfo_end(rest)
    {
        masked.push_str("***");
        shown = &rest[at..];
    }
    push_query_masked(&mut masked, shown);
    masked
}

/// Where the `@` after user and password stands, if there are any. The last one counts where a colon is before
/// it, for that may be a password with anything in it; otherwise the last one of the authority.
fn userinfo_end(rest: &str) -> Option<usize> {
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    rest.rfind('@').filter(|at| rest[..*at].contains(':')).or_else(|| authority.rfind('@'))
}

/// Appends `text`, in whose query and fragment the values of secret parameters are hidden.
fn push_query_masked(masked: &mut String, text: &str) {
    let Some(start) = text.find(['?', '#']) else {
        masked.push_str(text);
        return;
    };
    masked.push_str(&text[..start]);
    for (i, section) in text[start..].split('&').enumerate() {
        if i > 0 {
            masked.push('&');
        }
        match secret_value(section) {
            Some(at) => {
                masked.push_str(&section[..at]);
                masked.push_str("***");
            }
            None => masked.push_str(section),
        }
    }
}

/// Where the value of the first secret parameter of this part of a query begins. Some take `;` for a separator
/// and some for a part of the value, so the rest of the part counts as the value.
fn secret_value(section: &str) -> Option<usize> {
    let mut start = 0;
    for pair in section.split_inclusive(['?', '#', ';']) {
        if let Some((name, _)) = pair.split_once('=')
            && is_secret(name)
        {
            return Some(start + name.len() + 1);
        }
        start += pair.len();
    }
    None
}

/// True for the names of parameters and options whose values must not be seen, however they are written.
pub fn is_secret(name: &str) -> bool {
    let name = percent_decode_str(name).decode_utf8_lossy().to_ascii_lowercase().replace('_', "-");
    name.starts_with("url-")
        || name == "client-id"
        || name == "sig"
        || ["signature", "token", "password", "passwd", "secret", "credential", "api-key", "apikey"]
            .iter()
            .any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn credentials_of_stores_are_hidden() {
        for (uri, shown) in [
            ("redis://:s3cret@h:6379/0", "redis://***@h:6379/0"),
            ("redis://u:s3cret@h1:1,h2:2?cluster=true", "redis://***@h1:1,h2:2?cluster=true"),
            (
                "mysql+pymysql://zaqar:s3c/ret@db/zaqar?charset=utf8",
                "mysql+pymysql://***@db/zaqar?charset=utf8",
            ),
            ("mysql+pymysql://zaqar:s3c@ret@db/zaqar", "mysql+pymysql://***@db/zaqar"),
            ("mysql://zaqar:s3c?ret@db/zaqar", "mysql://***@db/zaqar"),
            ("trust+https://s3cret@example.com/x", "trust+https://***@example.com/x"),
            ("mongodb://h/?ssl=true&password=s3cret", "mongodb://h/?ssl=true&password=***"),
        ] {
            assert_eq!(mask_uri(uri), shown);
        }
    }

    #[test]
    fn what_is_not_secret_stays() {
        for uri in [
            "",
            "sqlite:////var/lib/zaqar/messages.db",
            "memory://",
            "redis://[::1]:6379?master=a",
            "https://example.com/users/@me?limit=3",
            "mailto:someone@example.com",
            "/v2/queues/q/messages?limit=3&marker=5&echo=true",
            "http://h:1/?a=1;b=2#c",
            "/p?a=b=c?d",
        ] {
            assert_eq!(mask_uri(uri), uri);
        }
    }

    #[test]
    fn presigned_values_are_hidden_however_they_are_written() {
        assert_eq!(
            mask_uri(
                "/v2/queues/q/stream?URL-Signature=ab12&URL-Expires=2099&limit=3&Client-ID=c#url-paths=/x"
            ),
            "/v2/queues/q/stream?URL-Signature=***&URL-Expires=***&limit=3&Client-ID=***"
        );
        assert_eq!(mask_uri("/p?x=1;url%2Dsignature=s3;cret&y=2"), "/p?x=1;url%2Dsignature=***&y=2");
        assert_eq!(mask_uri("/p?URL_SIGNATURE=s3cret="), "/p?URL_SIGNATURE=***");
        assert_eq!(mask_uri("/p?X-Auth-Token=s3cret&x-auth-token=t"), "/p?X-Auth-Token=***&x-auth-token=***");
    }

    proptest! {
        #[test]
        fn a_password_never_shows(user in "[a-z@:/?#%é ]{0,8}", host in "[a-z.]{1,8}", path in "[a-z/]{0,8}") {
            let masked = mask_uri(&format!("redis://{user}:SECRET@{host}/{path}"));
            prop_assert!(!masked.contains("SECRET"), "{masked}");
        }

        #[test]
        fn any_text_is_taken(text in "\\PC*") {
            mask_uri(&text);
        }
    }
}
