-- Names sort by their bytes, and projects may have 256 characters. The Python service works on these columns as on
-- its own.
ALTER TABLE "Queues" ALTER COLUMN project TYPE VARCHAR(256) COLLATE "C",
    ALTER COLUMN name TYPE VARCHAR(64) COLLATE "C";
ALTER TABLE "Pools" ALTER COLUMN name TYPE VARCHAR(64) COLLATE "C";
ALTER TABLE "Flavors" ALTER COLUMN name TYPE VARCHAR(64) COLLATE "C", ALTER COLUMN project TYPE VARCHAR(256);
ALTER TABLE "Catalogue" ALTER COLUMN pool TYPE VARCHAR(64) COLLATE "C",
    ALTER COLUMN project TYPE VARCHAR(256) COLLATE "C", ALTER COLUMN queue TYPE VARCHAR(64) COLLATE "C";
-- What this service adds. The Python service neither reads nor writes these columns: a row that it inserts has
-- no epoch (it gets one when it is first read) and revision 1; a row whose metadata it changes has a digest that
-- does not fit.
ALTER TABLE "Queues" ADD COLUMN IF NOT EXISTS epoch BIGINT,
    ADD COLUMN IF NOT EXISTS revision BIGINT NOT NULL DEFAULT 1,
    ADD COLUMN IF NOT EXISTS digest BYTEA;
-- One row: the newest migration that was applied, and a bit that a health check turns over.
CREATE TABLE IF NOT EXISTS zaqar_schema (version INTEGER NOT NULL, pulse INTEGER NOT NULL);
INSERT INTO zaqar_schema (version, pulse) SELECT 0, 0 WHERE NOT EXISTS (SELECT 1 FROM zaqar_schema);
