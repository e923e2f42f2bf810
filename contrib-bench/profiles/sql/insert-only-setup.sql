-- A table that only grows, with a primary key and a random key.
CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account int NOT NULL,
                     at timestamptz NOT NULL DEFAULT now(), payload text NOT NULL);
CREATE INDEX ON events (account);
INSERT INTO events (account, payload)
SELECT (random() * 1000000)::int, repeat('x', 100) FROM generate_series(1, :scale * 10000);
