-- What follows is the first change of each page since a checkpoint.
CHECKPOINT;
