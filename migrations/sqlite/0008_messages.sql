-- Messages that were answered: the same one again gets the same answer, and nothing
-- is written a second time. Rows are kept for a while and then removed by age.
CREATE TABLE message (
    received INTEGER NOT NULL, -- microseconds since 1970 UTC
    sender   TEXT    NOT NULL, -- name of the registered sender
    control  TEXT    NOT NULL, -- its id of the message: MSH-10
    digest   BLOB    NOT NULL, -- SHA-256 of the content, shortened
    answer   BLOB    NOT NULL, -- as it was sent
    PRIMARY KEY (sender, control)
) WITHOUT ROWID;
CREATE INDEX message_received ON message (received);
