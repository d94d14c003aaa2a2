//! Which pool a queue lies in, and queues on their way to another.

use super::by_dialect;

by_dialect!(
    /// Places a queue that has no place. Binds project, queue, pool.
    insert: r#"
INSERT INTO "Catalogue" (project, queue, pool) VALUES (?, ?, ?) ON CONFLICT (project, queue) DO NOTHING"#,
    r#"INSERT INTO "Catalogue" (project, queue, pool) VALUES (?, ?, ?)"#,
    r#"
INSERT INTO "Catalogue" (project, queue, pool) VALUES (?, ?, ?) ON CONFLICT (project, queue) DO NOTHING"#,
);

/// Moves a queue's place. Binds pool, project, queue.
pub(in crate::storage::sql) const UPDATE: &str = r#"
UPDATE "Catalogue" SET pool = ? WHERE project = ? AND queue = ?"#;

/// Removes a queue's place. Binds project, queue.
pub(in crate::storage::sql) const DELETE: &str = r#"DELETE FROM "Catalogue" WHERE project = ? AND queue = ?"#;

/// Removes the places in a pool. Binds the pool.
pub(in crate::storage::sql) const DELETE_POOL: &str = r#"DELETE FROM "Catalogue" WHERE pool = ?"#;

/// A row, if a queue lies in a pool. Binds the pool.
pub(in crate::storage::sql) const ANY_IN: &str = r#"
SELECT 1 FROM "Catalogue" c JOIN "Queues" q ON q.project = c.project AND q.name = c.queue
WHERE c.pool = ? LIMIT 1"#;

/// A new motion that nobody has worked on. Binds project, queue, source, target.
pub(in crate::storage::sql) const BEGIN: &str = r"
INSERT INTO zaqar_moves (project, queue, source, target, sealed, moved, started, touched)
VALUES (?, ?, ?, ?, 0, 0, 0, 0)";

/// Ends a queue's motion, sealed or not. Binds project, queue.
pub(in crate::storage::sql) const FORGET: &str = "DELETE FROM zaqar_moves WHERE project = ? AND queue = ?";

/// A row, if a queue is on its way into a pool or out of it. Binds the pool twice.
pub(in crate::storage::sql) const ANY_MOVING: &str = r#"
SELECT 1 FROM zaqar_moves m JOIN "Queues" q ON q.project = m.project AND q.name = m.queue
WHERE m.source = ? OR m.target = ? LIMIT 1"#;

/// A page of motions: project, queue, epoch, source, target, seal, moved, started, touched. Binds project, queue,
/// limit.
pub(in crate::storage::sql) const MOTIONS: &str = r#"
SELECT m.project, m.queue, q.epoch, m.source, m.target, m.sealed, m.moved, m.started, m.touched
FROM zaqar_moves m JOIN "Queues" q ON q.project = m.project AND q.name = m.queue
WHERE (m.project, m.queue) > (?, ?) AND q.epoch IS NOT NULL ORDER BY m.project, m.queue LIMIT ?"#;

/// The motion of a queue of that epoch; the statements below end so. Binds project, queue, epoch.
macro_rules! of_queue {
    ($before:literal) => {
        concat!(
            $before,
            r#" WHERE project = ? AND queue = ? AND EXISTS (
    SELECT 1 FROM "Queues" q WHERE q.project = zaqar_moves.project AND q.name = zaqar_moves.queue AND q.epoch = ?
)"#
        )
    };
}

/// Takes the work on a motion that nobody touched since. Binds now, now, project, queue, epoch, since.
pub(in crate::storage::sql) const TAKE: &str = concat!(
    of_queue!("UPDATE zaqar_moves SET started = CASE WHEN started = 0 THEN ? ELSE started END, touched = ?"),
    " AND touched < ?"
);

/// Notes progress. Binds messages, now, now, project, queue, epoch.
pub(in crate::storage::sql) const TOUCH: &str = of_queue!(
    "UPDATE zaqar_moves SET moved = moved + ?, started = CASE WHEN started = 0 THEN ? ELSE started END, touched = ?"
);

/// Seals a motion. Binds project, queue, epoch.
pub(in crate::storage::sql) const SEAL: &str = of_queue!("UPDATE zaqar_moves SET sealed = 1");

/// Where a queue goes. Binds project, queue.
pub(in crate::storage::sql) const TARGET: &str =
    "SELECT target FROM zaqar_moves WHERE project = ? AND queue = ?";

/// Ends a sealed motion. Binds project, queue, epoch.
pub(in crate::storage::sql) const END: &str =
    concat!(of_queue!("DELETE FROM zaqar_moves"), " AND sealed = 1");
