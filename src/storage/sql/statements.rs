//! The SQL of the store: the one place where databases differ. All values are bound parameters.
//!
//! Each call is one statement and so one transaction of its own: no step of it can be left undone by a caller
//! that goes away, and a failed one leaves no transaction open on its connection.

/// A new queue, unless there is one of that name. Binds project, name, metadata, epoch.
pub(super) const INSERT: &str = r#"
INSERT INTO "Queues" (project, name, metadata, epoch, revision) VALUES (?, ?, ?, ?, 1)
ON CONFLICT (project, name) DO NOTHING"#;

/// One queue. Binds project, name.
pub(super) const SELECT: &str = r#"
SELECT name, metadata, epoch, revision FROM "Queues" WHERE project = ? AND name = ?"#;

/// New metadata for a queue that is still as the caller saw it. Binds metadata, project, name, epoch, revision.
pub(super) const REPLACE: &str = r#"
UPDATE "Queues" SET metadata = ?, revision = revision + 1
WHERE project = ? AND name = ? AND epoch = ? AND revision = ?"#;

/// Deletes a queue and returns it. Binds project, name.
pub(super) const DELETE: &str = r#"
DELETE FROM "Queues" WHERE project = ? AND name = ?
RETURNING name, metadata, epoch, revision"#;

/// Gives an epoch to the rows that the Python service inserted. Binds epoch, project.
pub(super) const ADOPT: &str = r#"
UPDATE "Queues" SET epoch = ? WHERE project = ? AND epoch IS NULL"#;

/// A page of queues, by the index. Binds project, marker, limit.
pub(super) const PAGE: &str = r#"
SELECT name, metadata, epoch, revision FROM "Queues"
WHERE project = ? AND name > ? ORDER BY name LIMIT ?"#;

/// A page of the queues that pass the filters; scans the project. Binds filters (a JSON array of `[key, value]`),
/// project, marker, part of the name (empty for any), limit.
///
/// Keys are compared as values and never become JSON paths, so they may hold anything. Values are equal when
/// their types and values are (1 is not 1.0); arrays and objects when all their leaves are, whatever the order of
/// keys. Integers beyond 64 bits compare as doubles. A row whose metadata is no JSON passes no filter.
/// The filters are one parameter, however many there are, and are taken apart once, not for each row.
pub(super) const FILTERED_PAGE: &str = r#"
WITH want (key, type, value) AS MATERIALIZED (
    SELECT json_extract(value, '$[0]'), json_type(value, '$[1]'), json_extract(value, '$[1]') FROM json_each(?)
)
SELECT name, metadata, epoch, revision FROM "Queues"
WHERE project = ? AND name > ? AND instr(name, ?) > 0 AND NOT EXISTS (
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
)
ORDER BY name LIMIT ?"#;

/// Queues of a project. Binds project.
pub(super) const COUNT: &str = r#"SELECT COUNT(*) FROM "Queues" WHERE project = ?"#;

/// Queues of all projects.
pub(super) const COUNT_ALL: &str = r#"SELECT COUNT(*) FROM "Queues""#;

/// A write that reaches the disk: one bit turned over.
pub(super) const PULSE: &str = "UPDATE zaqar_schema SET pulse = 1 - pulse";
