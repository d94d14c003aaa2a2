-- What changed, for the other nodes; a row is kept for some minutes.
CREATE TABLE IF NOT EXISTS zaqar_changes (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    kind VARCHAR(16) NOT NULL,
    project VARCHAR(256) NOT NULL,
    name VARCHAR(64) NOT NULL,
    at BIGINT NOT NULL,
    INDEX zaqar_changes_at (at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = {binary};
-- Queues whose data is being moved from one pool to another; times are in microseconds.
CREATE TABLE IF NOT EXISTS zaqar_moves (
    project VARCHAR(256) NOT NULL,
    queue VARCHAR(64) NOT NULL,
    source VARCHAR(64),
    target VARCHAR(64) NOT NULL,
    sealed INTEGER NOT NULL,
    moved BIGINT NOT NULL,
    started BIGINT NOT NULL,
    touched BIGINT NOT NULL,
    PRIMARY KEY (project, queue)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = {binary};
-- What a pool's deletion looks for has an index already: that of the foreign key.
