-- What this service adds. The Python service neither reads nor writes these columns: a row that it inserts has
-- no epoch (it gets one when it is first read) and revision 1, and the trigger counts its changes of metadata.
ALTER TABLE "Queues" ADD COLUMN epoch BIGINT;
ALTER TABLE "Queues" ADD COLUMN revision BIGINT NOT NULL DEFAULT 1;
CREATE TRIGGER zaqar_queues_revision AFTER UPDATE OF metadata ON "Queues" WHEN NEW.revision = OLD.revision
BEGIN
    UPDATE "Queues" SET revision = OLD.revision + 1 WHERE id = NEW.id;
END;
-- One row: the newest migration that was applied, and a bit that a health check turns over.
CREATE TABLE zaqar_schema (version INTEGER NOT NULL, pulse INTEGER NOT NULL);
INSERT INTO zaqar_schema (version, pulse) VALUES (0, 0);
