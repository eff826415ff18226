-- What search needs: postings in a table of their own, the dictionary behind
-- tokens, pairs of composite values, places.

-- One row for each element of resource.postings, of live resources only; but for those
-- that only say that a resource has a value for a parameter, which are the hashes of its
-- number and a zero byte. It gives what has a posting in the order of row keys, and
-- counts it, from the index alone.
CREATE TABLE posting (
    posting bigint NOT NULL,
    rkey    bigint NOT NULL
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_insert_threshold = 50000,
    autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.1);
INSERT INTO posting (posting, rkey)
SELECT p, r.rkey FROM (SELECT rkey, postings FROM resource ORDER BY rkey) r, unnest(r.postings) p
WHERE p NOT IN (SELECT ('x' || substr(encode(sha256(decode(lpad(to_hex(param), 4, '0') || '00', 'hex')), 'hex'), 1, 16))::bit(64)::bigint
    | (1::bigint << 63) FROM generate_series(0, 65535) param);
ALTER TABLE posting ADD CONSTRAINT posting_pkey PRIMARY KEY (posting, rkey);
ALTER TABLE posting ALTER COLUMN posting SET STATISTICS 1000;
DROP INDEX resource_postings;
ALTER TABLE resource ALTER COLUMN postings SET STATISTICS 0;

-- The newest first, and in one order among those of the same instant.
DROP INDEX resource_updated;
CREATE INDEX resource_updated ON resource (type, updated, rkey) WHERE live;

-- What tokens say in words. Rows are only ever added. kind: 1 the code, uri or
-- identifier as written, 2 a display or text, folded.
CREATE TABLE word (
    posting bigint   NOT NULL,
    param   smallint NOT NULL,
    kind    smallint NOT NULL,
    text    text COLLATE "C" NOT NULL,
    CONSTRAINT word_pkey PRIMARY KEY (param, kind, text, posting)
);
CREATE INDEX word_posting ON word (posting);

-- Values that stand for a pair: hashes of the first component of a composite
-- parameter, its code alone and with its system. Null for plain values.
ALTER TABLE date_value ADD pair_code bigint, ADD pair_both bigint;
ALTER TABLE number_value ADD pair_code bigint, ADD pair_both bigint;
ALTER TABLE string_value ADD pair_code bigint, ADD pair_both bigint;
CREATE INDEX date_value_pair ON date_value (pair_code, lo, rkey) WHERE pair_code IS NOT NULL;
CREATE INDEX number_value_pair ON number_value (pair_code, value, rkey) WHERE pair_code IS NOT NULL;
CREATE INDEX number_value_thread ON number_value (pair_code, rkey) WHERE pair_code IS NOT NULL;
CREATE INDEX string_value_pair ON string_value (pair_code, folded, rkey) WHERE pair_code IS NOT NULL;

-- What covers more than a day, and resources with several dates: the few that a
-- search for a span of time cannot find by where a value begins.
CREATE INDEX date_value_long ON date_value (param, hi) WHERE hi > lo + 86400000000;
CREATE INDEX date_value_several ON date_value (param, lo) WHERE mark & 3 <> 3;

-- Positions on the Earth, in degrees.
CREATE TABLE place_value (
    lat   double precision NOT NULL,
    lon   double precision NOT NULL,
    rkey  bigint   NOT NULL,
    param smallint NOT NULL
);
CREATE INDEX place_value_lat ON place_value (param, lat, lon, rkey);
CREATE INDEX place_value_rkey ON place_value (rkey);
