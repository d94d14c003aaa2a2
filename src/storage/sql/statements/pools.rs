//! Pools and flavors, in the columns of the Python service.

use super::by_dialect;

/// The columns of a pool.
macro_rules! pools {
    ($tail:literal) => {
        concat!(r#"SELECT name, uri, weight, options, flavor FROM "Pools" "#, $tail)
    };
}

/// One pool. Binds its name.
pub(in crate::storage::sql) const ONE: &str = pools!("WHERE name = ?");

by_dialect!(
    /// One pool, and everybody else who changes it waits until the transaction ends. Binds its name.
    lock: pools!("WHERE name = ?"),
    pools!("WHERE name = ? FOR UPDATE"),
    pools!("WHERE name = ? FOR UPDATE"),
);

/// A page of pools. Binds the name behind which it begins, limit.
pub(in crate::storage::sql) const PAGE: &str = pools!("WHERE name > ? ORDER BY name LIMIT ?");

/// All pools from the beginning. Binds limit. (Any text may be a name, also the empty one.)
pub(in crate::storage::sql) const FIRST_PAGE: &str = pools!("ORDER BY name LIMIT ?");

/// The pools of a flavor. Binds the flavor.
pub(in crate::storage::sql) const OF_FLAVOR: &str = pools!("WHERE flavor = ? ORDER BY name");

/// A row, if another pool has a URI. Binds URI, name.
pub(in crate::storage::sql) const URI_TAKEN: &str = r#"SELECT 1 FROM "Pools" WHERE uri = ? AND name <> ?"#;

/// Changes a pool. Binds URI, weight, options, flavor, name.
pub(in crate::storage::sql) const UPDATE: &str = r#"
UPDATE "Pools" SET uri = ?, weight = ?, options = ?, flavor = ? WHERE name = ?"#;

/// A new pool. Binds URI, weight, options, flavor, name.
pub(in crate::storage::sql) const INSERT: &str = r#"
INSERT INTO "Pools" (uri, weight, options, flavor, name) VALUES (?, ?, ?, ?, ?)"#;

/// Deletes a pool. Binds its name.
pub(in crate::storage::sql) const DELETE: &str = r#"DELETE FROM "Pools" WHERE name = ?"#;

/// Lets no pool serve a flavor. Binds the flavor.
pub(in crate::storage::sql) const UNTAG: &str = r#"UPDATE "Pools" SET flavor = NULL WHERE flavor = ?"#;

/// Lets a pool serve a flavor. Binds the flavor, the pool's name.
pub(in crate::storage::sql) const TAG: &str = r#"UPDATE "Pools" SET flavor = ? WHERE name = ?"#;

/// The columns of a flavor. The Python service may leave the project null.
macro_rules! flavors {
    ($tail:literal) => {
        concat!(r#"SELECT name, COALESCE(project, ''), capabilities FROM "Flavors" "#, $tail)
    };
}

/// One flavor, whosever. Binds its name.
pub(in crate::storage::sql) const FLAVOR: &str = flavors!("WHERE name = ?");

by_dialect!(
    /// The same, and everybody else who changes it waits until the transaction ends.
    lock_flavor: flavors!("WHERE name = ?"),
    flavors!("WHERE name = ? FOR UPDATE"),
    flavors!("WHERE name = ? FOR UPDATE"),
);

/// A page of a project's flavors. Binds project, the name behind which it begins, limit.
pub(in crate::storage::sql) const FLAVORS: &str =
    flavors!("WHERE COALESCE(project, '') = ? AND name > ? ORDER BY name LIMIT ?");

/// A project's flavors from the beginning. Binds project, limit.
pub(in crate::storage::sql) const FIRST_FLAVORS: &str =
    flavors!("WHERE COALESCE(project, '') = ? ORDER BY name LIMIT ?");

/// Changes a flavor. Binds capabilities, name.
pub(in crate::storage::sql) const UPDATE_FLAVOR: &str =
    r#"UPDATE "Flavors" SET capabilities = ? WHERE name = ?"#;

/// A new flavor. Binds name, project, capabilities.
pub(in crate::storage::sql) const INSERT_FLAVOR: &str =
    r#"INSERT INTO "Flavors" (name, project, capabilities) VALUES (?, ?, ?)"#;

/// Deletes a flavor. Binds its name.
pub(in crate::storage::sql) const DELETE_FLAVOR: &str = r#"DELETE FROM "Flavors" WHERE name = ?"#;
