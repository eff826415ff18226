-- Small pieces of state that are no resources: accounts, grants, keys, jobs. They
-- change often, so that a page keeps room for the next version of its rows.
CREATE TABLE entry (
    version bigint NOT NULL,  -- 1 for a new one
    expires bigint,           -- microseconds since 1970 UTC, from which on it is not found any more; null for never
    kind    text COLLATE "C" NOT NULL,
    key     text COLLATE "C" NOT NULL,
    "group" text COLLATE "C" NOT NULL, -- '' for none
    value   bytea NOT NULL,
    CONSTRAINT entry_pkey PRIMARY KEY (kind, key)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX entry_group ON entry (kind, "group", key) WHERE "group" <> '';
CREATE INDEX entry_expires ON entry (expires) WHERE expires IS NOT NULL;
