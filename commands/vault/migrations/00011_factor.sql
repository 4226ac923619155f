-- +goose Up

-- How a session was opened, and when its user proved itself in it again.
ALTER TABLE vault.session
    ADD COLUMN staff_rights boolean NOT NULL DEFAULT false,
    ADD COLUMN password_at  timestamptz,
    ADD COLUMN factor_at    timestamptz;

-- Second factors: secrets of one-time codes, hashes of recovery codes, public
-- keys of passkeys, each sealed by the key file. A row never changes but for
-- its use; which ones hold is told by the user's stream. The counter is that
-- of the last code, or of the last signature.
CREATE TABLE vault.factor (
    id         text PRIMARY KEY,
    user_id    text NOT NULL,
    sealed     bytea NOT NULL,
    lookup     bytea UNIQUE,
    counter    bigint NOT NULL DEFAULT 0,
    used_at    timestamptz,
    created_at timestamptz NOT NULL,
    kept       boolean NOT NULL DEFAULT false
);
CREATE INDEX factor_of_user ON vault.factor (user_id);
CREATE INDEX factor_unclaimed ON vault.factor (created_at) WHERE NOT kept;

-- What somebody has to answer: after a password, or to use a passkey.
CREATE TABLE vault.challenge (
    token_hash bytea PRIMARY KEY,
    purpose    text NOT NULL,
    user_id    text NOT NULL,
    credential text NOT NULL,
    ceremony   bytea,
    tries      integer NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL
);
CREATE INDEX challenge_expiry ON vault.challenge (expires_at);

-- +goose Down
DROP TABLE vault.challenge, vault.factor;
ALTER TABLE vault.session DROP COLUMN staff_rights, DROP COLUMN password_at, DROP COLUMN factor_at;
