-- Which versions have their content in a blob, which is a file beside the database.
-- Written with the version. A blob that no row names is nobody's, and may be removed.
CREATE TABLE blob_use (
    hash    bytea  NOT NULL, -- SHA-256
    rkey    bigint NOT NULL,
    version bigint NOT NULL,
    CONSTRAINT blob_use_pkey PRIMARY KEY (hash, rkey, version)
);
