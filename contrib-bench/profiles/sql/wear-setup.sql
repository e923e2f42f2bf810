-- 52 rows a page, a tenth of it free as in a table with fillfactor 90, so that an update changes this page only.
CREATE TABLE pages (id int PRIMARY KEY, number int, filler text) WITH (fillfactor = 90);
INSERT INTO pages SELECT i, 0, repeat('x', 100) FROM generate_series(1, :scale * 83200) i;
CHECKPOINT;
