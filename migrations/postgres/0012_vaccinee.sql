-- What the immunization schedule says of each Patient: derived from resources, and made
-- anew whenever these change or time goes by. It is what lists of who is due, coverage
-- and drop-out are counted on.

-- Days are counted from 1599-12-31, so that DATE '1599-12-31' + born is a day; 0 is none.
-- No index holds what changes with a dose at the same place, so that it costs one row.
CREATE TABLE vaccinee (
    rkey     bigint   NOT NULL, -- of the Patient
    print    bigint   NOT NULL, -- of what was recommended; 0 for nothing
    schedule bigint   NOT NULL, -- number in vaccinee_schedule
    assessed integer  NOT NULL, -- day
    again    integer  NOT NULL, -- day from which on time alone makes it another; 0 for never
    born     integer  NOT NULL, -- day
    soonest  integer  NOT NULL, -- first day on which a dose that is missing is recommended; 0 for none
    overdue  integer  NOT NULL, -- first day on which a dose that is missing is overdue; 0 for none
    place    integer  NOT NULL, -- of residence, INEGI: entity * 1000 + municipality; 0 for unknown
    sex      smallint NOT NULL, -- 0 unknown, 1 female, 2 male
    doubts   smallint NOT NULL, -- of what is recorded, that could not be read
    home     text COLLATE "C" NOT NULL, -- who manages the Patient: CLUES, else Organization/id; '' for unknown
    post     text COLLATE "C" NOT NULL, -- where the latest dose was given: CLUES, else Type/id; '' for unknown
    due      bytea    NOT NULL, -- of each vaccine group of the schedule: status and days of the next dose
    given    bytea    NOT NULL, -- of each antigen: days of the valid doses
    CONSTRAINT vaccinee_pkey PRIMARY KEY (rkey)
) WITH (fillfactor = 85, autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE INDEX vaccinee_born ON vaccinee (born);
CREATE INDEX vaccinee_place ON vaccinee (place, born);
CREATE INDEX vaccinee_home ON vaccinee (home, born) WHERE home <> '';
CREATE INDEX vaccinee_post ON vaccinee (post, born) WHERE post <> '';

-- The versions of schedules that rows were made by. groups, antigens: JSON arrays of
-- names, by the places of which due and given are written. number: a hash of the rest.
CREATE TABLE vaccinee_schedule (
    number   bigint NOT NULL,
    name     text   NOT NULL,
    version  text   NOT NULL,
    groups   text   NOT NULL,
    antigens text   NOT NULL,
    CONSTRAINT vaccinee_schedule_pkey PRIMARY KEY (number)
);
