-- Who did what, when: one chain of rows for each month. The tables mean what they
-- mean in PostgreSQL; keys have a table of their own here.

CREATE TABLE audit_inbox (
    id      BLOB PRIMARY KEY,
    content BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE audit (
    month   INTEGER NOT NULL, -- 202611
    seq     INTEGER NOT NULL,
    id      BLOB    NOT NULL, -- UUID version 7: its time is that of the event
    hash    BLOB    NOT NULL,
    content BLOB    NOT NULL,
    PRIMARY KEY (month, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX audit_id ON audit (id);

CREATE TABLE audit_key (
    key INTEGER NOT NULL,
    id  BLOB    NOT NULL,
    PRIMARY KEY (key, id)
) WITHOUT ROWID;

CREATE TABLE audit_checkpoint (
    number  INTEGER PRIMARY KEY,
    month   INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    final   INTEGER NOT NULL, -- the month is complete, and may be dropped
    content BLOB    NOT NULL  -- a JSON Web Signature
);

-- Against mistakes; whoever owns the file can drop a trigger.
CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'rows of the audit trail are only ever added');
END;
CREATE TRIGGER audit_kept BEFORE DELETE ON audit
WHEN NOT EXISTS (SELECT 1 FROM audit_checkpoint c WHERE c.month = OLD.month AND c.final) BEGIN
    SELECT RAISE(ABORT, 'this month of the audit trail has no final checkpoint');
END;
CREATE TRIGGER audit_checkpoint_fixed BEFORE UPDATE ON audit_checkpoint BEGIN
    SELECT RAISE(ABORT, 'rows of the audit trail are only ever added');
END;
CREATE TRIGGER audit_checkpoint_kept BEFORE DELETE ON audit_checkpoint BEGIN
    SELECT RAISE(ABORT, 'rows of the audit trail are only ever added');
END;
