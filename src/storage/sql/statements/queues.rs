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
    ($epoch:literal, $tail:literal) => {
        concat!(
            "SELECT q.name, q.metadata, ",
            $epoch,
            r#", q.revision, c.pool, m.source, m.target, m.sealed FROM "Queues" q
LEFT JOIN "Catalogue" c ON c.project = q.project AND c.queue = q.name
LEFT JOIN zaqar_moves m ON m.project = q.project AND m.queue = q.name
"#,
            $tail
        )
    };
}

/// A function of the dialect that selects queues.
macro_rules! queues {
    ($(#[$doc:meta])* $name:ident: $tail:literal) => {
        by_dialect!(
            $(#[$doc])*
            $name: select!("q.epoch", $tail),
            select!("CASE WHEN q.digest = UNHEX(SHA2(q.metadata, 256)) THEN q.epoch END", $tail),
            select!("CASE WHEN q.digest = sha256(q.metadata) THEN q.epoch END", $tail),
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

queues!(
    /// One queue. Binds project, name.
    one: "WHERE q.project = ? AND q.name = ?"
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
    /// A page of queues, by the index. Binds project, marker, limit.
    page: "WHERE q.project = ? AND q.name > ? ORDER BY q.name LIMIT ?"
);

by_dialect!(
    /// A page of the queues whose name holds a text, by the index of the project. Binds project, marker, the text,
    /// limit.
    named: select!("q.epoch", "WHERE q.project = ? AND q.name > ? AND instr(q.name, ?) > 0 ORDER BY q.name LIMIT ?"),
    select!(
        "CASE WHEN q.digest = UNHEX(SHA2(q.metadata, 256)) THEN q.epoch END",
        "WHERE q.project = ? AND q.name > ? AND INSTR(q.name, ?) > 0 ORDER BY q.name LIMIT ?"
    ),
    select!(
        "CASE WHEN q.digest = sha256(q.metadata) THEN q.epoch END",
        "WHERE q.project = ? AND q.name > ? AND strpos(q.name, ?) > 0 ORDER BY q.name LIMIT ?"
    ),
);

/// `SQLite`'s statement of [`filtered`]. The filters are an array of `[key, value]`, one parameter however many there
/// are, taken apart once and not for each row.
///
/// Keys are compared as values and never become JSON paths, so they may hold anything. Values are equal when
/// their types and values are (1 is not 1.0); arrays and objects when all their leaves are, whatever the order of
/// keys. A row whose metadata is no JSON passes no filter.
macro_rules! sqlite_filtered {
    () => {
        concat!(
            r#"WITH want (key, type, value) AS MATERIALIZED (
    SELECT json_extract(value, '$[0]'), json_type(value, '$[1]'), json_extract(value, '$[1]') FROM json_each(?)
)
"#,
            select!(
                "q.epoch",
                r#"
WHERE NOT EXISTS (
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
) AND q.project = ? AND q.name > ? AND instr(q.name, ?) > 0 ORDER BY q.name LIMIT ?"#
            )
        )
    };
}

by_dialect!(
    /// A page of the queues that may pass the filters: all that do, and on servers perhaps others (`filters.rs`).
    /// Binds the filters as JSON, project, marker, a part of the name, limit.
    ///
    /// On servers the filters are one object, which the metadata must contain; its keys are values there, not paths.
    /// Metadata that the database cannot read as JSON (deeper than 32 levels on `MariaDB`) passes.
    filtered: sqlite_filtered!(),
    select!(
        "CASE WHEN q.digest = UNHEX(SHA2(q.metadata, 256)) THEN q.epoch END",
        r#"
JOIN (SELECT ? AS wanted) f ON TRUE
WHERE q.project = ? AND q.name > ? AND INSTR(q.name, ?) > 0
    AND CASE WHEN JSON_VALID(CONVERT(q.metadata USING utf8mb4))
        THEN COALESCE(JSON_CONTAINS(CONVERT(q.metadata USING utf8mb4), f.wanted), 1) ELSE 1 END = 1
ORDER BY q.name LIMIT ?"#
    ),
    select!(
        "CASE WHEN q.digest = sha256(q.metadata) THEN q.epoch END",
        r#"
JOIN (SELECT CAST(? AS jsonb) AS wanted) f ON TRUE
WHERE q.project = ? AND q.name > ? AND strpos(q.name, ?) > 0
    AND CAST(convert_from(q.metadata, 'UTF8') AS jsonb) @> f.wanted
ORDER BY q.name LIMIT ?"#
    ),
);

/// Queues of a project. Binds project.
pub(in crate::storage::sql) const COUNT: &str = r#"SELECT COUNT(*) FROM "Queues" WHERE project = ?"#;

/// Queues of all projects.
pub(in crate::storage::sql) const COUNT_ALL: &str = r#"SELECT COUNT(*) FROM "Queues""#;
