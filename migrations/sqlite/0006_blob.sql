-- Which versions have their content in a blob, which is a file beside the database.
-- Written with the version. A blob that no row names is nobody's, and may be removed.
CREATE TABLE blob_use (
    hash    BLOB    NOT NULL, -- SHA-256
    rkey    INTEGER NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (hash, rkey, version)
) WITHOUT ROWID;
