-- +goose Up

-- The hashes of API tokens; what each may do is told by its stream.
CREATE TABLE vault.api_token (
    id         text PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    used_at    timestamptz,
    kept       boolean NOT NULL DEFAULT false
);
CREATE INDEX api_token_unclaimed ON vault.api_token (created_at) WHERE NOT kept;

-- +goose Down
DROP TABLE vault.api_token;
