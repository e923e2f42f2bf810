CREATE TABLE bulk (id int PRIMARY KEY, word text, at timestamptz);
INSERT INTO bulk SELECT i, md5(i::text), now() FROM generate_series(1, :scale * 100000) i;
