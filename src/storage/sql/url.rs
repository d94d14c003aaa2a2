//! Database URLs as OpenStack's configuration files write them: the forms of `SQLAlchemy`.

use std::path::PathBuf;

use super::OpenError;

/// The databases that this build can open, by the scheme of their URLs.
const BUILT_IN: &str = "sqlite";

/// Where a database lies.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// In this process, for as long as the store lives: `sqlite://`, `sqlite:///:memory:`.
    Memory,
    /// In a file: `sqlite:////absolute/path`, `sqlite:///relative/path`.
    File(PathBuf),
}

impl Location {
    /// What the URL names. Errors repeat nothing of it but its scheme: the rest may hold a password.
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(malformed("it has no scheme"));
        };
        // SQLAlchemy names a driver behind the dialect, as in sqlite+pysqlite.
        let dialect = scheme.split('+').next().unwrap_or(scheme);
        if dialect != "sqlite" {
            return Err(OpenError::Scheme { scheme: printable(scheme), built_in: BUILT_IN });
        }
        let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
        if !options.is_empty() {
            tracing::warn!("options of a sqlite database URL have no effect here");
        }
        if rest.is_empty() {
            return Ok(Self::Memory);
        }
        match rest.strip_prefix('/') {
            None => Err(malformed("the path of a file follows three slashes")),
            Some("" | ":memory:") => Ok(Self::Memory),
            Some(path) if path.starts_with("file:") => Err(malformed("file: URIs are not supported")),
            Some(path) if path.contains('\0') => Err(malformed("a path holds no null character")),
            Some(path) => Ok(Self::File(PathBuf::from(path))),
        }
    }
}

fn malformed(why: &'static str) -> OpenError {
    OpenError::Url { why }
}

/// The scheme as it may stand in a log: short, and nothing in it that a scheme cannot have.
fn printable(scheme: &str) -> String {
    let legal = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_');
    scheme.chars().take_while(legal).take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Location {
        Location::File(path.into())
    }

    #[test]
    fn the_forms_of_sqlalchemy_are_read() {
        for (url, location) in [
            ("sqlite://", Location::Memory),
            ("sqlite:///", Location::Memory),
            ("sqlite:///:memory:", Location::Memory),
            ("sqlite+pysqlite:///:memory:", Location::Memory),
            ("sqlite:///zaqar.db", file("zaqar.db")),
            ("sqlite:///a/b.db", file("a/b.db")),
            ("sqlite:////var/lib/zaqar/m.db", file("/var/lib/zaqar/m.db")),
            ("sqlite:////a%20b/c d.db", file("/a%20b/c d.db")),
            ("sqlite:////a/b.db?check_same_thread=false", file("/a/b.db")),
        ] {
            assert_eq!(Location::parse(url).unwrap(), location, "{url}");
        }
    }

    #[test]
    fn other_databases_are_refused_by_name_and_without_their_password() {
        let error = Location::parse("mysql+pymysql://zaqar:s3cret@db/zaqar").unwrap_err().to_string();
        assert!(error.contains("mysql+pymysql") && error.contains("sqlite"), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }

    #[test]
    fn what_is_no_url_is_refused_unrepeated() {
        for url in [
            "",
            "s3cret",
            "sqlite:s3cret",
            "sqlite://u:s3cret@host/x.db",
            "sqlite:///file:s3cret?mode=ro",
            "u:s3cret@h://x",
        ] {
            let error = Location::parse(url).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
