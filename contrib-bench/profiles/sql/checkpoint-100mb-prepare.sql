-- Change about 12800 pages (100 MB) in random places, the same ones in every arm.
CHECKPOINT;
SELECT setseed(0.5);
UPDATE pages SET number = number + 1
WHERE id IN (SELECT (random() * :scale * 1600)::int FROM generate_series(1, 13500));
