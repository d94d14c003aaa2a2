//! Database URLs as OpenStack's configuration files write them: the forms of `SQLAlchemy`.

mod mysql;
mod parts;
mod postgres;

use std::path::PathBuf;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;

use self::parts::Parts;
use super::OpenError;

/// The databases that this build can open, by the schemes of their URLs.
const BUILT_IN: &str = "sqlite, mysql, mariadb, postgresql, postgres";

/// Where a database lies.
#[derive(Debug)]
pub(super) enum Location {
    /// In this process, for as long as the store lives: `sqlite://`, `sqlite:///:memory:`.
    Memory,
    /// In a file: `sqlite:////absolute/path`, `sqlite:///relative/path`.
    File(PathBuf),
    /// On a server: `mysql+pymysql://user:password@host:port/database?…`, also `mysql`, `mariadb` and other drivers.
    Mysql(Box<MySqlConnectOptions>, Address),
    /// On a server: `postgresql+psycopg2://user:password@host:port/database?…`, also `postgres`.
    Postgres(Box<PgConnectOptions>, Address),
}

/// Where a server's database is, as messages may name it: `host:port/database` or `socket/database`.
pub(super) type Address = String;

impl Location {
    /// What the URL names. Errors repeat nothing of it but its scheme and the names of its parameters: the rest
    /// may hold a password.
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(malformed("it has no scheme"));
        };
        // SQLAlchemy names a driver behind the dialect, as in mysql+pymysql.
        let dialect = scheme.split('+').next().unwrap_or(scheme);
        match dialect {
            "sqlite" => Self::file(rest),
            "mysql" | "mariadb" => {
                let (options, address) = mysql::options(&Parts::parse(rest)?)?;
                Ok(Self::Mysql(Box::new(options), address))
            }
            "postgresql" | "postgres" => {
                let (options, address) = postgres::options(&Parts::parse(rest)?)?;
                Ok(Self::Postgres(Box::new(options), address))
            }
            _ => Err(OpenError::Scheme { scheme: printable(scheme), built_in: BUILT_IN }),
        }
    }

    fn file(rest: &str) -> Result<Self, OpenError> {
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

/// A name as it may stand in a log: short, and nothing in it that such a name cannot have.
fn printable(name: &str) -> String {
    let legal = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_');
    name.chars().take_while(legal).take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_files_are_read() {
        for (url, path) in [
            ("sqlite://", None),
            ("sqlite:///", None),
            ("sqlite:///:memory:", None),
            ("sqlite+pysqlite:///:memory:", None),
            ("sqlite:///zaqar.db", Some("zaqar.db")),
            ("sqlite:///a/b.db", Some("a/b.db")),
            ("sqlite:////var/lib/zaqar/m.db", Some("/var/lib/zaqar/m.db")),
            ("sqlite:////a%20b/c d.db", Some("/a%20b/c d.db")),
            ("sqlite:////a/b.db?check_same_thread=false", Some("/a/b.db")),
        ] {
            let found = match Location::parse(url).unwrap() {
                Location::Memory => None,
                Location::File(path) => Some(path),
                other => panic!("{url}: {other:?}"),
            };
            assert_eq!(found, path.map(PathBuf::from), "{url}");
        }
    }

    #[test]
    fn servers_are_told_apart_by_their_dialect() {
        for scheme in ["mysql", "mysql+pymysql", "mysql+mysqldb", "mariadb", "mariadb+pymysql"] {
            let location = Location::parse(&format!("{scheme}://u:p@h/d")).unwrap();
            assert!(matches!(location, Location::Mysql(..)), "{scheme}");
        }
        for scheme in ["postgresql", "postgresql+psycopg2", "postgresql+asyncpg", "postgres"] {
            let location = Location::parse(&format!("{scheme}://u:p@h/d")).unwrap();
            assert!(matches!(location, Location::Postgres(..)), "{scheme}");
        }
    }

    #[test]
    fn other_databases_are_refused_by_name_and_without_their_password() {
        let error = Location::parse("oracle+cx://zaqar:s3cret@db/zaqar").unwrap_err().to_string();
        assert!(error.contains("oracle+cx") && error.contains("mysql"), "{error}");
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
            "mysql://u:s3cret@h",
            "mysql://u:s3cret@h:port/d",
            "mysql://u:s3cret%FF@h/d",
            "mysql://u:s3cret@h/d?ssl_check_hostname=s3cret",
            "postgres://u:s3cret@h:99999/d",
            "postgres://u:s3cret@[::1/d",
            "postgres://u:s3cret@h/d?sslmode=s3cret",
        ] {
            let error = Location::parse(url).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
