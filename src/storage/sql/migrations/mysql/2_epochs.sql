-- Names compare byte for byte and projects may have 256 characters; metadata beyond 64 KiB fits. The Python
-- service works on these columns as on its own. The two columns of a foreign key change without it.
SET @drop_key = (
    SELECT CONCAT('ALTER TABLE "Catalogue" DROP FOREIGN KEY "', constraint_name, '"')
    FROM information_schema.key_column_usage
    WHERE table_schema = DATABASE() AND table_name = 'Catalogue' AND referenced_table_name = 'Pools' LIMIT 1
);
SET @drop_key = COALESCE(@drop_key, 'DO 0');
PREPARE drop_key FROM @drop_key;
EXECUTE drop_key;
DEALLOCATE PREPARE drop_key;
ALTER TABLE "Queues" ROW_FORMAT = DYNAMIC,
    MODIFY project VARCHAR(256) CHARACTER SET utf8mb4 COLLATE {binary},
    MODIFY name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE {binary},
    MODIFY metadata MEDIUMBLOB;
ALTER TABLE "Pools" ROW_FORMAT = DYNAMIC,
    MODIFY name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE {binary} NOT NULL,
    MODIFY uri VARCHAR(255) CHARACTER SET utf8mb4 COLLATE {binary} NOT NULL,
    MODIFY options TEXT CHARACTER SET utf8mb4 COLLATE {binary},
    MODIFY flavor VARCHAR(64) CHARACTER SET utf8mb4 COLLATE {binary};
ALTER TABLE "Flavors" ROW_FORMAT = DYNAMIC,
    MODIFY name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE {binary} NOT NULL,
    MODIFY project VARCHAR(256) CHARACTER SET utf8mb4 COLLATE {binary};
ALTER TABLE "Catalogue" ROW_FORMAT = DYNAMIC,
    MODIFY pool VARCHAR(64) CHARACTER SET utf8mb4 COLLATE {binary},
    MODIFY project VARCHAR(256) CHARACTER SET utf8mb4 COLLATE {binary},
    MODIFY queue VARCHAR(64) CHARACTER SET utf8mb4 COLLATE {binary} NOT NULL;
ALTER TABLE "Catalogue" ADD CONSTRAINT "Catalogue_ibfk_1"
    FOREIGN KEY (pool) REFERENCES "Pools" (name) ON DELETE CASCADE;
-- What this service adds. The Python service neither reads nor writes these columns: a row that it inserts has
-- no epoch (it gets one when it is first read) and revision 1; a row whose metadata it changes has a digest that
-- does not fit.
ALTER TABLE "Queues" ADD COLUMN epoch BIGINT;
ALTER TABLE "Queues" ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;
ALTER TABLE "Queues" ADD COLUMN digest VARBINARY(32);
-- One row: the newest migration that was applied, and a bit that a health check turns over.
CREATE TABLE IF NOT EXISTS zaqar_schema (
    version INTEGER NOT NULL,
    pulse INTEGER NOT NULL,
    id INTEGER NOT NULL PRIMARY KEY DEFAULT 1
) ENGINE = InnoDB;
INSERT INTO zaqar_schema (version, pulse) SELECT 0, 0 FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM zaqar_schema);
