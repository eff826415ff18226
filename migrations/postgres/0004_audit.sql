-- Who did what, when: one chain of rows for each month. Rows are only ever added.

-- Events wait here from the transaction that they tell of until they are linked.
CREATE TABLE audit_inbox (
    id      uuid PRIMARY KEY,
    content bytea NOT NULL
);

-- seq has no gaps. hash: SHA-256 over the hash of the row before and over this row.
-- keys: hashes of who and of what, to find the row by.
CREATE TABLE audit (
    month   integer  NOT NULL, -- 202611
    seq     bigint   NOT NULL,
    id      uuid     NOT NULL, -- version 7: its time is that of the event
    hash    bytea    NOT NULL,
    keys    bigint[] NOT NULL,
    content bytea    NOT NULL,
    CONSTRAINT audit_pkey PRIMARY KEY (month, seq),
    CONSTRAINT audit_id UNIQUE (month, id)
) PARTITION BY LIST (month);
CREATE INDEX audit_keys ON audit USING gin (keys) WITH (fastupdate = on, gin_pending_list_limit = 1024);

-- Signed statements of how far each chain had come.
CREATE TABLE audit_checkpoint (
    number  bigint  PRIMARY KEY,
    month   integer NOT NULL,
    seq     bigint  NOT NULL,
    final   boolean NOT NULL, -- the month is complete, and may be dropped
    content bytea   NOT NULL  -- a JSON Web Signature
);

CREATE FUNCTION audit_is_fixed() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'rows of the audit trail are only ever added'; END $$;
CREATE TRIGGER audit_fixed BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_fixed();
CREATE TRIGGER audit_checkpoint_fixed BEFORE UPDATE OR DELETE ON audit_checkpoint FOR EACH ROW EXECUTE FUNCTION audit_is_fixed();

-- Makes the table of a month. The serving role may call it, though it may not make
-- tables by itself.
CREATE FUNCTION audit_prepare(wanted integer) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS
$$ BEGIN
    IF wanted NOT BETWEEN 200001 AND 999912 OR wanted % 100 NOT BETWEEN 1 AND 12 THEN
        RAISE EXCEPTION 'not a month: %', wanted;
    END IF;
    EXECUTE format('CREATE TABLE IF NOT EXISTS audit_%s PARTITION OF audit FOR VALUES IN (%s)', wanted, wanted);
END $$;
REVOKE ALL ON FUNCTION audit_prepare(integer) FROM PUBLIC;

-- Drops a month whose final checkpoint is there. Only the owner may.
CREATE FUNCTION audit_drop(dropped integer) RETURNS void LANGUAGE plpgsql AS
$$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM audit_checkpoint c WHERE c.month = dropped AND c.final) THEN
        RAISE EXCEPTION 'month % has no final checkpoint', dropped;
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS audit_%s', dropped);
END $$;
REVOKE ALL ON FUNCTION audit_drop(integer) FROM PUBLIC;
