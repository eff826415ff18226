-- Messages that were answered: the same one again gets the same answer, and nothing
-- is written a second time. Rows are kept for a while and then removed by age.
CREATE TABLE message (
    received bigint NOT NULL,             -- microseconds since 1970 UTC
    sender   text COLLATE "C" NOT NULL,   -- name of the registered sender
    control  text COLLATE "C" NOT NULL,   -- its id of the message: MSH-10
    digest   bytea NOT NULL,              -- SHA-256 of the content, shortened
    answer   bytea NOT NULL,              -- as it was sent
    CONSTRAINT message_pkey PRIMARY KEY (sender, control)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX message_received ON message USING brin (received) WITH (pages_per_range = 32, autosummarize = on);
