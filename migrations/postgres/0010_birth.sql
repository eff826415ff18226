-- Certificates of birth: the rows that the workflow of a birth rests on. What others read
-- of them are resources, which are made from them in the same transaction.

-- row: the 64 columns of SINAC, as a JSON array. content: all of the certificate, as JSON.
-- state: 'draft', 'certified', 'delivered', 'registered', 'curp-assigned', 'void', 'replaced'.
CREATE TABLE birth (
    folio      text   COLLATE "C" NOT NULL,
    version    bigint NOT NULL,             -- 1 for a new one
    state      text   COLLATE "C" NOT NULL,
    facility   text   COLLATE "C" NOT NULL, -- CLUES that certifies
    born       text   COLLATE "C" NOT NULL, -- yyyy-mm-dd
    namesake   text   COLLATE "C" NOT NULL, -- hash of who the newborn is by weaker marks; '' for none
    token      text   COLLATE "C",          -- under which the public verifies it; null for none
    certified  bigint,                      -- microseconds since 1970 UTC; null for not yet
    registered bigint,
    "row"      text   NOT NULL,
    content    bytea  NOT NULL,
    CONSTRAINT birth_pkey PRIMARY KEY (folio)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX birth_token ON birth (token) WHERE token IS NOT NULL;
CREATE INDEX birth_facility ON birth (facility, born);
CREATE INDEX birth_born ON birth (born);
CREATE INDEX birth_namesake ON birth (namesake) WHERE namesake <> '';

-- Which certificate is the live one of a newborn: hash of the mother, the day and the order.
CREATE TABLE birth_live (
    guard text COLLATE "C" NOT NULL,
    folio text COLLATE "C" NOT NULL REFERENCES birth (folio),
    CONSTRAINT birth_live_pkey PRIMARY KEY (guard)
);
CREATE INDEX birth_live_folio ON birth_live (folio);

-- The steps of each certificate. They are only ever added.
CREATE TABLE birth_event (
    folio   text   COLLATE "C" NOT NULL REFERENCES birth (folio),
    version bigint NOT NULL, -- of the certificate that it led to
    kind    text   NOT NULL,
    at      bigint NOT NULL, -- microseconds since 1970 UTC
    who     text   NOT NULL, -- account or client
    note    text   NOT NULL,
    CONSTRAINT birth_event_pkey PRIMARY KEY (folio, version)
);
CREATE FUNCTION birth_is_kept() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the steps of a certificate of birth are only ever added'; END $$;
CREATE FUNCTION birth_is_fixed() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'what a certificate of birth certifies does not change'; END $$;
CREATE TRIGGER birth_fixed BEFORE UPDATE ON birth FOR EACH ROW
WHEN (OLD.state <> 'draft' AND (OLD."row", OLD.facility, OLD.born, OLD.token, OLD.certified) IS DISTINCT FROM (NEW."row", NEW.facility, NEW.born, NEW.token, NEW.certified))
EXECUTE FUNCTION birth_is_fixed();
CREATE TRIGGER birth_event_fixed BEFORE UPDATE OR DELETE ON birth_event FOR EACH ROW EXECUTE FUNCTION birth_is_kept();

-- Runs of folios. node: the offline node that gives them out by itself; '' for the server.
CREATE TABLE birth_range (
    id       text    COLLATE "C" NOT NULL,
    facility text    COLLATE "C" NOT NULL, -- CLUES
    year     integer NOT NULL,
    prefix   text    COLLATE "C" NOT NULL,
    width    integer NOT NULL, -- digits of the number
    first    bigint  NOT NULL,
    last     bigint  NOT NULL,
    next     bigint  NOT NULL, -- the first that is not given out yet
    node     text    COLLATE "C" NOT NULL,
    CONSTRAINT birth_range_pkey PRIMARY KEY (id),
    CONSTRAINT birth_range_order CHECK (first <= last AND next BETWEEN first AND last + 1)
) WITH (fillfactor = 50);
CREATE INDEX birth_range_facility ON birth_range (facility, year);

-- Births as published long after, without identities. source: digest of the file.
CREATE TABLE birth_old (
    source text    COLLATE "C" NOT NULL,
    line   bigint  NOT NULL,
    year   integer NOT NULL,
    "row"  text    NOT NULL,
    CONSTRAINT birth_old_pkey PRIMARY KEY (source, line)
);
CREATE INDEX birth_old_year ON birth_old (year, source, line);
