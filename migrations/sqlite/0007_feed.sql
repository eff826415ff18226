-- What changed, in the order of the commits: a row for each version, written in its
-- transaction. What happened before this table was there has none.

-- seq: rows are never removed, so that it always grows; as there is one writer at a
-- time, it grows in the order in which changes can be seen. targets: what the resource
-- refers to, and what the version before referred to: row keys as base-128 numbers; a
-- single 0 stands for too many.
CREATE TABLE feed (
    seq     INTEGER PRIMARY KEY,
    rkey    INTEGER NOT NULL,
    version INTEGER NOT NULL,
    targets BLOB NOT NULL
);
