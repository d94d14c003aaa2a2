//! What changed, for the other nodes. Times are the database's own, in microseconds: the nodes' clocks may differ.

use super::by_dialect;

macro_rules! insert {
    ($now:literal) => {
        concat!("INSERT INTO zaqar_changes (kind, project, name, at) VALUES (?, ?, ?, ", $now, ")")
    };
}

macro_rules! since {
    ($now:literal, $least:literal) => {
        concat!(
            "SELECT id, kind, project, name FROM zaqar_changes WHERE id > ",
            $least,
            "(?, COALESCE((SELECT MIN(id) - 1 FROM zaqar_changes WHERE at >= ",
            $now,
            " - 15000000), ?)) ORDER BY id LIMIT ?"
        )
    };
}

by_dialect!(
    /// Notes a change. Binds kind, project, name.
    insert: insert!("CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)"),
    insert!("CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)"),
    insert!("CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"),
);

by_dialect!(
    /// What came since a number, and once more what came within the last 15 s: numbers are given when a change is
    /// made, and a transaction that ends later may have a smaller one. Binds the number twice, limit.
    since: since!("CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)", "MIN"),
    since!("CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)", "LEAST"),
    since!("CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)", "LEAST"),
);

/// The newest number.
pub(in crate::storage::sql) const NEWEST: &str = "SELECT MAX(id) FROM zaqar_changes";

/// Removes some of what is older. Binds the time, how many at most.
pub(in crate::storage::sql) const PRUNE: &str = r"
DELETE FROM zaqar_changes WHERE id IN (
    SELECT id FROM (SELECT id FROM zaqar_changes WHERE at < ? ORDER BY at LIMIT ?) old
)";
