-- Where each resource stands now, and by what it can be found.

CREATE TABLE migration (
    number  integer PRIMARY KEY,
    name    text NOT NULL,
    applied timestamptz NOT NULL
);

-- Small facts about this database: "cursor" holds the key that seals paging cursors.
CREATE TABLE setting (
    name  text PRIMARY KEY,
    value bytea NOT NULL
);

-- A server takes a block of row keys at a time and hands them out itself.
CREATE SEQUENCE rkey AS bigint INCREMENT BY 1024 START WITH 1024;

-- version 0 is a placeholder: something refers to the resource, and it never existed.
-- live is false for placeholders and for deleted resources; postings is empty then.
-- postings: negative numbers are hashed tokens, positive ones references
-- (search parameter << 44 | rkey of the target).
CREATE TABLE resource (
    rkey     bigint   NOT NULL,
    version  bigint   NOT NULL,
    updated  bigint   NOT NULL, -- microseconds since 1970 UTC, whole milliseconds
    type     smallint NOT NULL,
    live     boolean  NOT NULL,
    id       text COLLATE "C" NOT NULL,
    postings bigint[] NOT NULL,
    CONSTRAINT resource_pkey PRIMARY KEY (rkey),
    CONSTRAINT resource_place UNIQUE (id, type) -- ids are made in ascending order
);
CREATE INDEX resource_live ON resource (type, rkey) WHERE live;
CREATE INDEX resource_updated ON resource (type, updated) WHERE live;
CREATE INDEX resource_postings ON resource USING gin (postings) WITH (fastupdate = on, gin_pending_list_limit = 1024);
ALTER TABLE resource ALTER COLUMN postings SET STATISTICS 500;

-- Every version, the current one and deletions included. Rows are only ever added.
CREATE TABLE version (
    rkey    bigint   NOT NULL,
    updated bigint   NOT NULL,
    version integer  NOT NULL,
    type    smallint NOT NULL,
    method  smallint NOT NULL, -- 1 POST, 2 PUT, 3 PATCH, 4 DELETE
    content bytea    NOT NULL, -- zstd with the dictionary it names; empty for a deletion
    CONSTRAINT version_pkey PRIMARY KEY (rkey, version)
);
ALTER TABLE version ALTER COLUMN content SET STORAGE EXTERNAL;
CREATE INDEX version_type ON version (type, updated);
CREATE INDEX version_updated ON version (updated);

-- Values of the search types that compare by size. param is a 16-bit number whose
-- top bit may be set. mark: 1 for the smallest value of a resource and parameter,
-- 2 for the largest, so that a sort meets each resource once.
CREATE TABLE date_value (
    lo    bigint   NOT NULL, -- covers lo <= t < hi, microseconds since 1970 UTC
    hi    bigint   NOT NULL,
    rkey  bigint   NOT NULL,
    param smallint NOT NULL,
    mark  smallint NOT NULL
);
CREATE INDEX date_value_lo ON date_value (param, lo, rkey);
CREATE INDEX date_value_hi ON date_value (param, hi);
CREATE INDEX date_value_rkey ON date_value (rkey);

-- lo and hi are the ends of a range, null for a plain value. unit1 to unit3:
-- hashes under which the unit can be asked for. mark 4: matches without a unit.
CREATE TABLE number_value (
    value double precision NOT NULL,
    rkey  bigint   NOT NULL,
    param smallint NOT NULL,
    mark  smallint NOT NULL,
    lo    double precision,
    hi    double precision,
    unit1 bigint,
    unit2 bigint,
    unit3 bigint
);
CREATE INDEX number_value_value ON number_value (param, value, rkey);
CREATE INDEX number_value_range ON number_value (param) WHERE lo IS NOT NULL;
CREATE INDEX number_value_rkey ON number_value (rkey);

-- exact is null where the text as written equals the folded one. mark 8: not the
-- whole text but its end, from a later word on; exact is null then, too.
CREATE TABLE string_value (
    rkey   bigint   NOT NULL,
    param  smallint NOT NULL,
    mark   smallint NOT NULL,
    folded text COLLATE "C" NOT NULL,
    exact  text COLLATE "C"
);
CREATE INDEX string_value_folded ON string_value (param, folded, rkey);
CREATE INDEX string_value_rkey ON string_value (rkey);
