-- The tables of the Python service at its revision 007. A database that has them keeps them as they are.
-- SQLite does not enforce the lengths: projects of 256 characters fit into tables made by either service.
CREATE TABLE IF NOT EXISTS "Queues" (
    id INTEGER NOT NULL PRIMARY KEY,
    project VARCHAR(256),
    name VARCHAR(64),
    metadata BLOB,
    UNIQUE (project, name)
);
CREATE TABLE IF NOT EXISTS "Pools" (
    name VARCHAR(64) NOT NULL PRIMARY KEY,
    uri VARCHAR(255) NOT NULL UNIQUE,
    weight INTEGER NOT NULL,
    options TEXT,
    flavor VARCHAR(64)
);
CREATE TABLE IF NOT EXISTS "Flavors" (
    name VARCHAR(64) NOT NULL PRIMARY KEY,
    project VARCHAR(256),
    capabilities TEXT
);
CREATE TABLE IF NOT EXISTS "Catalogue" (
    pool VARCHAR(64) REFERENCES "Pools" (name) ON DELETE CASCADE,
    project VARCHAR(256),
    queue VARCHAR(64) NOT NULL,
    UNIQUE (project, queue)
);
CREATE TABLE IF NOT EXISTS alembic_version (
    version_num VARCHAR(32) NOT NULL PRIMARY KEY
);
INSERT INTO alembic_version (version_num)
    SELECT '007' WHERE NOT EXISTS (SELECT 1 FROM alembic_version);
