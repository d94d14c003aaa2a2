-- The tables of the Python service at its revision 007. A database that has them keeps them as they are.
CREATE TABLE IF NOT EXISTS "Queues" (
    id INTEGER NOT NULL AUTO_INCREMENT PRIMARY KEY,
    project VARCHAR(256),
    name VARCHAR(64),
    metadata MEDIUMBLOB,
    UNIQUE (project, name)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = {binary};
CREATE TABLE IF NOT EXISTS "Pools" (
    name VARCHAR(64) NOT NULL PRIMARY KEY,
    uri VARCHAR(255) NOT NULL,
    weight INTEGER NOT NULL,
    options TEXT,
    flavor VARCHAR(64),
    UNIQUE (uri)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = {binary};
CREATE TABLE IF NOT EXISTS "Flavors" (
    name VARCHAR(64) NOT NULL PRIMARY KEY,
    project VARCHAR(256),
    capabilities TEXT
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = {binary};
CREATE TABLE IF NOT EXISTS "Catalogue" (
    pool VARCHAR(64),
    project VARCHAR(256),
    queue VARCHAR(64) NOT NULL,
    UNIQUE (project, queue),
    CONSTRAINT "Catalogue_ibfk_1" FOREIGN KEY (pool) REFERENCES "Pools" (name) ON DELETE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = {binary};
CREATE TABLE IF NOT EXISTS alembic_version (
    version_num VARCHAR(32) NOT NULL PRIMARY KEY
);
INSERT INTO alembic_version (version_num)
    SELECT '007' FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM alembic_version);
