-- By what the Patient of one person is found among the Patients of others. The tables
-- mean what they mean in PostgreSQL.

-- keys: its rows in person_key, 8 bytes each, little-endian.
CREATE TABLE person (
    rkey     INTEGER PRIMARY KEY,
    print    INTEGER NOT NULL,
    keys     BLOB    NOT NULL,
    features BLOB    NOT NULL
);
CREATE TABLE person_key (
    key  INTEGER NOT NULL,
    rkey INTEGER NOT NULL,
    PRIMARY KEY (key, rkey)
) WITHOUT ROWID;
