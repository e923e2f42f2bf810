-- Each third row has a dead version.
UPDATE bulk SET at = now() WHERE id % 3 = 0;
CHECKPOINT;
