-- By what the Patient of one person is found among the Patients of others: a row for
-- each live Patient of which enough is known.

-- features: what is compared, so that the content need not be read. keys: its rows in
-- person_key. print stands for both.
CREATE TABLE person (
    rkey     bigint   NOT NULL,
    print    bigint   NOT NULL,
    keys     bigint[] NOT NULL,
    features bytea    NOT NULL,
    CONSTRAINT person_pkey PRIMARY KEY (rkey)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);

-- key: a hash that the records of one person are likely to share.
CREATE TABLE person_key (
    key  bigint NOT NULL,
    rkey bigint NOT NULL,
    CONSTRAINT person_key_pkey PRIMARY KEY (key, rkey)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_insert_threshold = 50000,
    autovacuum_vacuum_scale_factor = 0.05);
