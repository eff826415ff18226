-- The words of texts, for _text and _content: a row for each resource that has any.
-- words: hashes, ascending; a word of the narrative has another hash than one of the
-- whole content. print stands for all of them.
CREATE TABLE text_value (
    rkey  bigint   NOT NULL,
    print bigint   NOT NULL,
    words bigint[] NOT NULL,
    CONSTRAINT text_value_pkey PRIMARY KEY (rkey)
);
ALTER TABLE text_value ALTER COLUMN words SET STORAGE EXTERNAL; -- hashes do not compress
CREATE INDEX text_value_words ON text_value USING gin (words) WITH (fastupdate = on, gin_pending_list_limit = 1024);
