CREATE INDEX bulk_word ON bulk (word);
