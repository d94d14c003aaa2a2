CREATE TABLE queues (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT,
    name TEXT,
    epoch INTEGER NOT NULL,
    last INTEGER NOT NULL DEFAULT 0,
    total INTEGER NOT NULL DEFAULT 0,
    claimed INTEGER NOT NULL DEFAULT 0,
    delayed INTEGER NOT NULL DEFAULT 0,
    wake INTEGER,
    line BLOB NOT NULL DEFAULT x'',
    sent INTEGER NOT NULL DEFAULT 0,
    UNIQUE (project, name)
) STRICT;
CREATE INDEX queues_wake ON queues (wake);
CREATE TABLE messages (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    created INTEGER NOT NULL,
    checksum BLOB,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE ids (
    id BLOB NOT NULL,
    queue INTEGER NOT NULL,
    key INTEGER NOT NULL,
    position INTEGER,
    due INTEGER,
    PRIMARY KEY (id, queue)
) STRICT, WITHOUT ROWID;
CREATE TABLE ready (
    queue INTEGER NOT NULL,
    position INTEGER NOT NULL,
    key INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    ttl INTEGER NOT NULL,
    count INTEGER NOT NULL,
    client BLOB NOT NULL,
    PRIMARY KEY (queue, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE claimed (
    queue INTEGER NOT NULL,
    position INTEGER NOT NULL,
    key INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    ttl INTEGER NOT NULL,
    count INTEGER NOT NULL,
    client BLOB NOT NULL,
    claim BLOB NOT NULL,
    PRIMARY KEY (queue, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE delayed (
    queue INTEGER NOT NULL,
    due INTEGER NOT NULL,
    id BLOB NOT NULL,
    key INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    ttl INTEGER NOT NULL,
    client BLOB NOT NULL,
    PRIMARY KEY (queue, due, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE expiring (
    queue INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    key INTEGER NOT NULL,
    PRIMARY KEY (queue, expires, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE claims (
    queue INTEGER NOT NULL,
    id BLOB NOT NULL,
    ttl INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    positions BLOB NOT NULL,
    PRIMARY KEY (queue, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX claims_expires ON claims (queue, expires);
CREATE TABLE outgoing (
    queue INTEGER NOT NULL,
    way INTEGER NOT NULL,
    number INTEGER NOT NULL,
    target TEXT,
    position INTEGER,
    due INTEGER,
    claim BLOB,
    claim_ttl INTEGER,
    claim_ends INTEGER,
    key INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    ttl INTEGER NOT NULL,
    count INTEGER NOT NULL,
    client BLOB NOT NULL,
    PRIMARY KEY (way, queue, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE received (
    queue INTEGER NOT NULL,
    line BLOB NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (queue, line)
) STRICT, WITHOUT ROWID;
CREATE TABLE store (identity BLOB NOT NULL) STRICT;
INSERT INTO store VALUES (randomblob(16));
