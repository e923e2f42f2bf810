-- Every transaction changes one of ten rows.
\set row random(1, 10)
\set delta random(-5000, 5000)
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :row;
