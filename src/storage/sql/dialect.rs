//! In what the three databases differ as languages. The statements themselves are in `statements.rs`.

/// The language of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `SQLite`.
    Sqlite,
    /// `MariaDB` and `MySQL`, in sessions that read double quotes as quotes of names (`ANSI_QUOTES`).
    Mysql,
    /// `PostgreSQL`.
    Postgres,
}

/// The statement with the parameters of `PostgreSQL`: `$1`, `$2` … for each `?`. No statement of the store has a
/// question mark elsewhere.
pub(super) fn numbered(statement: &str) -> String {
    let mut text = String::with_capacity(statement.len() + 16);
    let mut parts = statement.split('?');
    text.extend(parts.next());
    for (n, part) in (1..).zip(parts) {
        text.push('$');
        text.push_str(&n.to_string());
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_in_their_order() {
        assert_eq!(numbered("a = ? AND b IN (?,?)"), "a = $1 AND b IN ($2,$3)");
        assert_eq!(numbered("SELECT 1"), "SELECT 1");
    }
}
