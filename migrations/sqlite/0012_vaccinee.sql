-- What the immunization schedule says of each Patient. The tables mean what they mean in
-- PostgreSQL.

-- Days are counted from 1599-12-31; 0 is none.
CREATE TABLE vaccinee (
    rkey     INTEGER PRIMARY KEY,
    print    INTEGER NOT NULL,
    schedule INTEGER NOT NULL,
    assessed INTEGER NOT NULL,
    again    INTEGER NOT NULL,
    born     INTEGER NOT NULL,
    soonest  INTEGER NOT NULL,
    overdue  INTEGER NOT NULL,
    place    INTEGER NOT NULL,
    sex      INTEGER NOT NULL,
    doubts   INTEGER NOT NULL,
    home     TEXT    NOT NULL,
    post     TEXT    NOT NULL,
    due      BLOB    NOT NULL,
    given    BLOB    NOT NULL
);
CREATE INDEX vaccinee_born ON vaccinee (born);
CREATE INDEX vaccinee_place ON vaccinee (place, born);
CREATE INDEX vaccinee_home ON vaccinee (home, born) WHERE home <> '';
CREATE INDEX vaccinee_post ON vaccinee (post, born) WHERE post <> '';

CREATE TABLE vaccinee_schedule (
    number   INTEGER PRIMARY KEY,
    name     TEXT NOT NULL,
    version  TEXT NOT NULL,
    groups   TEXT NOT NULL,
    antigens TEXT NOT NULL
);
