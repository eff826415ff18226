-- Small pieces of state that are no resources: accounts, grants, keys, jobs.
CREATE TABLE entry (
    kind    TEXT    NOT NULL,
    key     TEXT    NOT NULL,
    "group" TEXT    NOT NULL, -- '' for none
    version INTEGER NOT NULL, -- 1 for a new one
    expires INTEGER,          -- microseconds since 1970 UTC, from which on it is not found any more; null for never
    value   BLOB    NOT NULL,
    PRIMARY KEY (kind, key)
);
CREATE INDEX entry_group ON entry (kind, "group", key) WHERE "group" <> '';
CREATE INDEX entry_expires ON entry (expires) WHERE expires IS NOT NULL;
