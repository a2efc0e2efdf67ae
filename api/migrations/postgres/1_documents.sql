CREATE TABLE documents (
    -- In the order of the commits: who inserts takes turns.
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE,
    document jsonb NOT NULL,
    received timestamptz NOT NULL,
    pod text NOT NULL
);
