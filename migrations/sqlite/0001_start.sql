-- Where each resource stands now, and by what it can be found. The tables mean
-- what they mean in PostgreSQL; postings have a table of their own here.

CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- Row keys are handed out in blocks: 'rkey' is the first that no block has.
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    next INTEGER NOT NULL
) WITHOUT ROWID;

-- version 0 is a placeholder: something refers to the resource, and it never existed.
-- live is 0 for placeholders and for deleted resources.
CREATE TABLE resource (
    rkey     INTEGER PRIMARY KEY,
    type     INTEGER NOT NULL,
    id       TEXT    NOT NULL,
    version  INTEGER NOT NULL,
    updated  INTEGER NOT NULL, -- microseconds since 1970 UTC, whole milliseconds
    live     INTEGER NOT NULL,
    postings BLOB    NOT NULL, -- its rows in posting, 8 bytes each, little-endian, ascending
    UNIQUE (id, type) -- ids are made in ascending order
);
CREATE INDEX resource_live ON resource (type, rkey) WHERE live;
CREATE INDEX resource_updated ON resource (type, updated) WHERE live;

-- Every version, the current one and deletions included. Rows are only ever added.
CREATE TABLE version (
    rkey    INTEGER NOT NULL,
    version INTEGER NOT NULL,
    type    INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    method  INTEGER NOT NULL, -- 1 POST, 2 PUT, 3 PATCH, 4 DELETE
    content BLOB    NOT NULL, -- zstd with the dictionary it names; empty for a deletion
    PRIMARY KEY (rkey, version)
) WITHOUT ROWID;
CREATE INDEX version_type ON version (type, updated);
CREATE INDEX version_updated ON version (updated);

-- posting < 0: a hashed token; > 0: a reference (search parameter << 44 | rkey of the target).
CREATE TABLE posting (
    posting INTEGER NOT NULL,
    rkey    INTEGER NOT NULL,
    PRIMARY KEY (posting, rkey)
) WITHOUT ROWID;

-- mark: 1 for the smallest value of a resource and parameter, 2 for the largest.
CREATE TABLE date_value (
    param INTEGER NOT NULL,
    lo    INTEGER NOT NULL, -- covers lo <= t < hi, microseconds since 1970 UTC
    rkey  INTEGER NOT NULL,
    hi    INTEGER NOT NULL,
    mark  INTEGER NOT NULL,
    PRIMARY KEY (param, lo, rkey, hi)
) WITHOUT ROWID;
CREATE INDEX date_value_hi ON date_value (param, hi);
CREATE INDEX date_value_rkey ON date_value (rkey);

-- lo and hi are the ends of a range, null for a plain value. unit1 to unit3:
-- hashes under which the unit can be asked for. mark 4: matches without a unit.
CREATE TABLE number_value (
    param INTEGER NOT NULL,
    value REAL    NOT NULL,
    lo    REAL,
    hi    REAL,
    unit1 INTEGER,
    unit2 INTEGER,
    unit3 INTEGER,
    rkey  INTEGER NOT NULL,
    mark  INTEGER NOT NULL
);
CREATE INDEX number_value_value ON number_value (param, value, rkey);
CREATE INDEX number_value_range ON number_value (param) WHERE lo IS NOT NULL;
CREATE INDEX number_value_rkey ON number_value (rkey);

-- exact is null where the text as written equals the folded one. mark 8: not the
-- whole text but its end, from a later word on; exact is null then, too.
CREATE TABLE string_value (
    param  INTEGER NOT NULL,
    folded TEXT    NOT NULL,
    exact  TEXT,
    rkey   INTEGER NOT NULL,
    mark   INTEGER NOT NULL
);
CREATE INDEX string_value_folded ON string_value (param, folded, rkey);
CREATE INDEX string_value_rkey ON string_value (rkey);
