-- The words of texts, for _text and _content: a row for each resource that has any,
-- under its row key. words: hashes in letters and digits; a word of the narrative has
-- another hash than one of the whole content. Only their index is kept, and in a table
-- beside it what stands for all words of a resource.
CREATE VIRTUAL TABLE text_value USING fts5 (words, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE TABLE text_print (
    rkey  INTEGER PRIMARY KEY,
    print INTEGER NOT NULL
);
