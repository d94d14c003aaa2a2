-- Used on servers only, where a row cannot count changes by itself; here so that the statements are alike.
ALTER TABLE "Queues" ADD COLUMN digest BLOB;
-- What changed, for the other nodes; a row is kept for some minutes.
CREATE TABLE zaqar_changes (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind VARCHAR(16) NOT NULL,
    project VARCHAR(256) NOT NULL,
    name VARCHAR(64) NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX zaqar_changes_at ON zaqar_changes (at);
-- Queues whose data is being moved from one pool to another; times are in microseconds.
CREATE TABLE zaqar_moves (
    project VARCHAR(256) NOT NULL,
    queue VARCHAR(64) NOT NULL,
    source VARCHAR(64),
    target VARCHAR(64) NOT NULL,
    sealed INTEGER NOT NULL,
    moved BIGINT NOT NULL,
    started BIGINT NOT NULL,
    touched BIGINT NOT NULL,
    PRIMARY KEY (project, queue)
);
-- What a pool's deletion looks for.
CREATE INDEX IF NOT EXISTS zaqar_catalogue_pool ON "Catalogue" (pool);
