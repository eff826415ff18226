-- What changed, in an order that readers can follow: a row for each version, written
-- in its transaction. What happened before this table was there has none.

-- tx: the transaction. A reader looks only at those below pg_snapshot_xmin, all of which
-- have ended, so that nothing comes later before what it has read. targets: what the
-- resource refers to, and what the version before referred to: row keys as base-128
-- numbers; a single 0 stands for too many.
CREATE TABLE feed (
    tx      xid8    NOT NULL DEFAULT pg_current_xact_id(),
    rkey    bigint  NOT NULL,
    version integer NOT NULL,
    targets bytea   NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.5);
CREATE INDEX feed_tx ON feed (tx, rkey);
