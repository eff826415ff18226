-- What search needs: the dictionary behind tokens, pairs of composite values, places.

-- What tokens say in words. Rows are only ever added. kind: 1 the code, uri or
-- identifier as written, 2 a display or text, folded.
CREATE TABLE word (
    param   INTEGER NOT NULL,
    kind    INTEGER NOT NULL,
    text    TEXT    NOT NULL,
    posting INTEGER NOT NULL,
    PRIMARY KEY (param, kind, text, posting)
) WITHOUT ROWID;
CREATE INDEX word_posting ON word (posting);

-- Values that stand for a pair: hashes of the first component of a composite
-- parameter, its code alone and with its system. pair_code is null for plain values.
CREATE TABLE date_value_new (
    param     INTEGER NOT NULL,
    lo        INTEGER NOT NULL, -- covers lo <= t < hi, microseconds since 1970 UTC
    rkey      INTEGER NOT NULL,
    hi        INTEGER NOT NULL,
    pair_both INTEGER NOT NULL, -- 0 for plain values; a part of the key, which has no nulls
    pair_code INTEGER,
    mark      INTEGER NOT NULL,
    PRIMARY KEY (param, lo, rkey, hi, pair_both)
) WITHOUT ROWID;
INSERT INTO date_value_new (param, lo, rkey, hi, pair_both, mark) SELECT param, lo, rkey, hi, 0, mark FROM date_value ORDER BY param, lo, rkey, hi;
DROP TABLE date_value;
ALTER TABLE date_value_new RENAME TO date_value;
CREATE INDEX date_value_hi ON date_value (param, hi);
CREATE INDEX date_value_rkey ON date_value (rkey);
CREATE INDEX date_value_pair ON date_value (pair_code, lo, rkey) WHERE pair_code IS NOT NULL;

ALTER TABLE number_value ADD COLUMN pair_code INTEGER;
ALTER TABLE number_value ADD COLUMN pair_both INTEGER;
CREATE INDEX number_value_pair ON number_value (pair_code, value, rkey) WHERE pair_code IS NOT NULL;
ALTER TABLE string_value ADD COLUMN pair_code INTEGER;
ALTER TABLE string_value ADD COLUMN pair_both INTEGER;
CREATE INDEX string_value_pair ON string_value (pair_code, folded, rkey) WHERE pair_code IS NOT NULL;

-- What covers more than a day, and resources with several dates: the few that a
-- search for a span of time cannot find by where a value begins.
CREATE INDEX date_value_long ON date_value (param, hi) WHERE hi > lo + 86400000000;
CREATE INDEX date_value_several ON date_value (param, lo) WHERE mark & 3 <> 3;

-- Positions on the Earth, in degrees.
CREATE TABLE place_value (
    param INTEGER NOT NULL,
    lat   REAL    NOT NULL,
    lon   REAL    NOT NULL,
    rkey  INTEGER NOT NULL,
    PRIMARY KEY (param, lat, lon, rkey)
) WITHOUT ROWID;
CREATE INDEX place_value_rkey ON place_value (rkey);
