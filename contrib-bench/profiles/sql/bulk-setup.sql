-- Rows to copy, as a file beside the data; 100000 rows for each unit of scale.
COPY (SELECT i, md5(i::text), now() FROM generate_series(1, :scale * 100000) i) TO :'file';
CREATE TABLE bulk (id int, word text, at timestamptz);
