\set account random(1, 1000000)
INSERT INTO events (account, payload) VALUES (:account, repeat('y', 100));
