//! Queues, and where they lie.
//!
//! The Python service may change metadata beside ours, and knows nothing of our columns. On `SQLite` a trigger counts
//! its changes. On servers, where making triggers often takes rights that a service does not have, each row keeps
//! a digest of the metadata that our `revision` belongs to: where it does not fit any more, the row is shown
//! without its epoch, and whoever reads it adopts it ([`adopt`]).

use super::by_dialect;

/// The columns of a queue with its place: name, metadata, epoch, revision, pool, and source, target and seal of a
/// motion.
macro_rules! select {
    ($epoch:literal, $from:expr, $tail:literal) => {
        concat!(
            "SELECT q.name, q.metadata, ",
            $epoch,
            ", q.revision, c.pool, m.source, m.target, m.sealed FROM ",
            $from,
            r#"
LEFT JOIN "Catalogue" c ON c.project = q.project AND c.queue = q.name
LEFT JOIN zaqar_moves m ON m.project = q.project AND m.queue = q.name
"#,
            $tail
        )
    };
}

/// A page of queues: found first, by the index alone where nothing but names is asked for, and only then joined with
/// their places. (Joined at once, `MariaDB` walks through all names before the marker.) Binds what the condition
/// binds, limit.
macro_rules! page_of {
    ($epoch:literal, $condition:expr) => {
        select!(
            $epoch,
            concat!(
                r#"(SELECT id FROM "Queues" WHERE "#,
                $condition,
                r#" ORDER BY name LIMIT ?) k JOIN "Queues" q ON q.id = k.id"#
            ),
            "ORDER BY q.name"
        )
    };
}

/// A function of the dialect: what the macro makes of the way in which the dialect shows an epoch.
macro_rules! queues {
    ($(#[$doc:meta])* $name:ident: $select:ident, $($part:expr),+) => {
        by_dialect!(
            $(#[$doc])*
            $name: $select!("q.epoch", $($part),+),
            $select!("CASE WHEN q.digest = UNHEX(SHA2(q.metadata, 256)) THEN q.epoch END", $($part),+),
            $select!("CASE WHEN q.digest = sha256(q.metadata) THEN q.epoch END", $($part),+),
        );
    };
}

by_dialect!(
    /// A new queue, unless there is one of that name. Binds project, name, metadata, epoch, digest.
    insert: r#"
INSERT INTO "Queues" (project, name, metadata, epoch, digest, revision) VALUES (?, ?, ?, ?, ?, 1)
ON CONFLICT (project, name) DO NOTHING"#,
    r#"INSERT INTO "Queues" (project, name, metadata, epoch, digest, revision) VALUES (?, ?, ?, ?, ?, 1)"#,
    r#"
INSERT INTO "Queues" (project, name, metadata, epoch, digest, revision) VALUES (?, ?, ?, ?, ?, 1)
ON CONFLICT (project, name) DO NOTHING"#,
);

/// The epoch of a queue that is being created. Binds epoch, project, name.
pub(in crate::storage::sql) const RENEW: &str =
    r#"UPDATE "Queues" SET epoch = ? WHERE project = ? AND name = ?"#;

queues!(
    /// One queue. Binds project, name.
    one: select, r#""Queues" q"#, "WHERE q.project = ? AND q.name = ?"
);

by_dialect!(
    /// Makes everybody else wait who changes this queue, until the transaction ends, and tells its epoch. Binds
    /// project, name.
    lock: r#"SELECT epoch FROM "Queues" WHERE project = ? AND name = ?"#,
    r#"SELECT epoch FROM "Queues" WHERE project = ? AND name = ? FOR UPDATE"#,
    r#"SELECT epoch FROM "Queues" WHERE project = ? AND name = ? FOR UPDATE"#,
);

by_dialect!(
    /// New metadata for a queue that is still as the caller saw it. Binds metadata, digest, project, name, epoch,
    /// revision.
    replace: r#"
UPDATE "Queues" SET metadata = ?, digest = ?, revision = revision + 1
WHERE project = ? AND name = ? AND epoch = ? AND revision = ?"#,
    // MariaDB computes conditions before it assigns.
    r#"
UPDATE "Queues" SET metadata = ?, digest = ?, revision = revision + 1
WHERE project = ? AND name = ? AND epoch = ? AND revision = ? AND digest = UNHEX(SHA2(metadata, 256))"#,
    r#"
UPDATE "Queues" SET metadata = ?, digest = ?, revision = revision + 1
WHERE project = ? AND name = ? AND epoch = ? AND revision = ? AND digest = sha256(metadata)"#,
);

/// Deletes a queue. Binds project, name.
pub(in crate::storage::sql) const DELETE: &str = r#"DELETE FROM "Queues" WHERE project = ? AND name = ?"#;

by_dialect!(
    /// Gives an epoch to the rows of a project that the Python service inserted, and counts the changes that it made
    /// to others. Binds epoch, project.
    adopt: r#"UPDATE "Queues" SET epoch = ? WHERE project = ? AND epoch IS NULL"#,
    r#"
UPDATE "Queues" SET revision = revision + CASE WHEN epoch IS NULL THEN 0 ELSE 1 END,
    epoch = COALESCE(epoch, ?), digest = UNHEX(SHA2(COALESCE(metadata, ''), 256)),
    metadata = COALESCE(metadata, '')
WHERE project = ? AND (epoch IS NULL OR digest IS NULL OR metadata IS NULL OR digest <> UNHEX(SHA2(metadata, 256)))"#,
    r#"
UPDATE "Queues" SET revision = revision + CASE WHEN epoch IS NULL THEN 0 ELSE 1 END,
    epoch = COALESCE(epoch, ?), digest = sha256(COALESCE(metadata, '')), metadata = COALESCE(metadata, '')
WHERE project = ? AND (epoch IS NULL OR digest IS NULL OR metadata IS NULL OR digest <> sha256(metadata))"#,
);

queues!(
    /// A page of queues. Binds project, marker, limit.
    page: page_of, "project = ? AND name > ?"
);

by_dialect!(
    /// A page of the queues whose name holds a text. Binds project, marker, the text, limit.
    named: page_of!("q.epoch", "project = ? AND name > ? AND instr(name, ?) > 0"),
    page_of!(
        "CASE WHEN q.digest = UNHEX(SHA2(q.metadata, 256)) THEN q.epoch END",
        "project = ? AND name > ? AND INSTR(name, ?) > 0"
    ),
    page_of!(
        "CASE WHEN q.digest = sha256(q.metadata) THEN q.epoch END",
        "project = ? AND name > ? AND strpos(name, ?) > 0"
    ),
);

/// A page of the queues that pass the filters, an array of `[key, value]`: one parameter however many there are,
/// taken apart once and not for each row. For `SQLite`. Binds the filters as JSON, project, marker, a part of the
/// name, limit.
///
/// Keys are compared as values and never become JSON paths, so they may hold anything. Values are equal when
/// their types and values are (1 is not 1.0); arrays and objects when all their leaves are, whatever the order of
/// keys. A row whose metadata is no JSON passes no filter.
pub(in crate::storage::sql) const FILTERED: &str = concat!(
    r"WITH want (key, type, value) AS MATERIALIZED (
    SELECT json_extract(value, '$[0]'), json_type(value, '$[1]'), json_extract(value, '$[1]') FROM json_each(?)
)
",
    page_of!(
        "q.epoch",
        r"project = ? AND name > ? AND instr(name, ?) > 0 AND NOT EXISTS (
    SELECT 1 FROM want WHERE NOT EXISTS (
        SELECT 1 FROM json_each(
            CASE WHEN json_valid(CAST(metadata AS TEXT)) THEN CAST(metadata AS TEXT) ELSE '{}' END
        ) AS have
        WHERE have.key = want.key AND have.type = want.type
        AND CASE WHEN want.type IN ('array', 'object') THEN NOT EXISTS (
                SELECT fullkey, type, atom FROM json_tree(have.value)
                EXCEPT SELECT fullkey, type, atom FROM json_tree(want.value)
            ) AND NOT EXISTS (
                SELECT fullkey, type, atom FROM json_tree(want.value)
                EXCEPT SELECT fullkey, type, atom FROM json_tree(have.value)
            ) ELSE have.atom IS want.value END
    )
)"
    )
);

by_dialect!(
    /// A page of the queues whose metadata holds one of two texts. For servers (`filters.rs`). Binds project, marker,
    /// a part of the name, the texts as bytes, limit.
    holding: page_of!(
        "q.epoch",
        "project = ? AND name > ? AND instr(name, ?) > 0 AND (instr(metadata, ?) > 0 OR instr(metadata, ?) > 0)"
    ),
    page_of!(
        "CASE WHEN q.digest = UNHEX(SHA2(q.metadata, 256)) THEN q.epoch END",
        "project = ? AND name > ? AND INSTR(name, ?) > 0 AND (LOCATE(?, metadata) > 0 OR LOCATE(?, metadata) > 0)"
    ),
    page_of!(
        "CASE WHEN q.digest = sha256(q.metadata) THEN q.epoch END",
        "project = ? AND name > ? AND strpos(name, ?) > 0
    AND (position(? IN metadata) > 0 OR position(? IN metadata) > 0)"
    ),
);

/// Queues of a project. Binds project.
pub(in crate::storage::sql) const COUNT: &str = r#"SELECT COUNT(*) FROM "Queues" WHERE project = ?"#;

/// Queues of all projects.
pub(in crate::storage::sql) const COUNT_ALL: &str = r#"SELECT COUNT(*) FROM "Queues""#;
