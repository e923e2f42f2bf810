-- One row a page with room for one more version, so that an update changes this page only.
CREATE TABLE pages (id int PRIMARY KEY, number int, filler text) WITH (fillfactor = 50);
ALTER TABLE pages ALTER filler SET STORAGE PLAIN;
INSERT INTO pages SELECT i, 0, repeat('x', 3900) FROM generate_series(1, :scale * 1600) i;
