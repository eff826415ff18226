-- Certificates of birth. The tables mean what they mean in PostgreSQL.

CREATE TABLE birth (
    folio      TEXT    NOT NULL PRIMARY KEY,
    version    INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    facility   TEXT    NOT NULL,
    born       TEXT    NOT NULL,
    namesake   TEXT    NOT NULL,
    token      TEXT,
    certified  INTEGER,
    registered INTEGER,
    "row"      TEXT    NOT NULL, -- the 64 columns of SINAC, as a JSON array
    content    BLOB    NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX birth_token ON birth (token) WHERE token IS NOT NULL;
CREATE INDEX birth_facility ON birth (facility, born);
CREATE INDEX birth_born ON birth (born);
CREATE INDEX birth_namesake ON birth (namesake) WHERE namesake <> '';

CREATE TABLE birth_live (
    guard TEXT NOT NULL PRIMARY KEY,
    folio TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX birth_live_folio ON birth_live (folio);

CREATE TABLE birth_event (
    folio   TEXT    NOT NULL,
    version INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    who     TEXT    NOT NULL,
    note    TEXT    NOT NULL,
    PRIMARY KEY (folio, version)
) WITHOUT ROWID;
CREATE TRIGGER birth_fixed BEFORE UPDATE ON birth
WHEN OLD.state <> 'draft' AND (OLD."row", OLD.facility, OLD.born, OLD.token, OLD.certified) IS NOT (NEW."row", NEW.facility, NEW.born, NEW.token, NEW.certified) BEGIN
    SELECT RAISE(ABORT, 'what a certificate of birth certifies does not change');
END;
CREATE TRIGGER birth_event_fixed BEFORE UPDATE ON birth_event BEGIN
    SELECT RAISE(ABORT, 'the steps of a certificate of birth are only ever added');
END;
CREATE TRIGGER birth_event_kept BEFORE DELETE ON birth_event BEGIN
    SELECT RAISE(ABORT, 'the steps of a certificate of birth are only ever added');
END;

CREATE TABLE birth_range (
    id       TEXT    NOT NULL PRIMARY KEY,
    facility TEXT    NOT NULL,
    year     INTEGER NOT NULL,
    prefix   TEXT    NOT NULL,
    width    INTEGER NOT NULL,
    first    INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    next     INTEGER NOT NULL,
    node     TEXT    NOT NULL,
    CHECK (first <= last AND next BETWEEN first AND last + 1)
) WITHOUT ROWID;
CREATE INDEX birth_range_facility ON birth_range (facility, year);

CREATE TABLE birth_old (
    source TEXT    NOT NULL,
    line   INTEGER NOT NULL,
    year   INTEGER NOT NULL,
    "row"  TEXT    NOT NULL,
    PRIMARY KEY (source, line)
) WITHOUT ROWID;
CREATE INDEX birth_old_year ON birth_old (year, source, line);
