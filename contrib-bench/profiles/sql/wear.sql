-- Change about 12000 pages in random places, at most one row in each, the same in every arm; then write them.
SELECT setseed(0.5);
UPDATE pages SET number = number + 1
WHERE id IN (SELECT 53 * (random() * :scale * 1560)::int FROM generate_series(1, 13500));
CHECKPOINT;
