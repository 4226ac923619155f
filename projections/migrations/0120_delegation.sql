-- +goose Up
-- API tokens are read with the rights: what was revoked is refused at once.
CREATE TABLE read.api_token (
    id              text PRIMARY KEY,
    account         text NOT NULL,
    holder          text NOT NULL,
    name            text NOT NULL,
    permissions     jsonb NOT NULL,
    expires_at      timestamptz,
    created_at      timestamptz NOT NULL,
    stream_revision bigint NOT NULL
);
CREATE INDEX api_token_account ON read.api_token (account, created_at DESC, id DESC);

CREATE TABLE read.delegation (
    id              text PRIMARY KEY,
    account         text NOT NULL,
    email           text NOT NULL,
    holder          text NOT NULL,
    status          text NOT NULL,
    permissions     jsonb NOT NULL,
    scope           jsonb NOT NULL,
    scope_ids       text[] NOT NULL,
    expires_at      timestamptz,
    open_until      timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    stream_revision bigint NOT NULL
);
CREATE INDEX delegation_account ON read.delegation (account, created_at DESC, id DESC);

-- Who may not enter has no API tokens either.
ALTER TABLE read.rights ADD COLUMN kept_out boolean NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE read.rights DROP COLUMN kept_out;
DROP TABLE read.delegation, read.api_token;
