-- Change about 12800 pages (100 MB) in random places once, the same ones in every arm, and write them.
SELECT setseed(0.5);
UPDATE pages SET number = number + 1
WHERE id IN (SELECT (random() * :scale * 1600)::int FROM generate_series(1, 13500));
CHECKPOINT;
