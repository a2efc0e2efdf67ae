CREATE TABLE documents (
    -- AUTOINCREMENT: an id is never given again, so that no stream passes over a row.
    id integer PRIMARY KEY AUTOINCREMENT,
    key text NOT NULL UNIQUE,
    -- What SQLite cannot read as JSON would make each filter fail: what is nested deeper than a thousand.
    document text NOT NULL CHECK (json_valid(document)),
    received text NOT NULL,
    pod text NOT NULL
) STRICT;
