-- +goose Up

-- The secrets of the installation, wrapped by the key file.
CREATE TABLE vault.secret (
    name       text PRIMARY KEY,
    wrapped    bytea NOT NULL,
    created_at timestamptz NOT NULL
);

-- The keys of personal data. A destroyed key keeps its row, without material:
-- an absent row then always means a vault older than its log.
CREATE TABLE vault.subject_key (
    id           text PRIMARY KEY,
    subject      text NOT NULL,
    purpose      text NOT NULL,
    wrapped      bytea,
    announced    boolean NOT NULL DEFAULT false,
    created_at   timestamptz NOT NULL,
    destroyed_at timestamptz,
    UNIQUE (subject, purpose),
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);

-- Password hashes; which one is current is told by the user's stream.
CREATE TABLE vault.credential (
    id         text PRIMARY KEY,
    user_id    text NOT NULL,
    hash       text NOT NULL,
    created_at timestamptz NOT NULL,
    kept       boolean NOT NULL DEFAULT false
);
CREATE INDEX credential_of_user ON vault.credential (user_id);
CREATE INDEX credential_unclaimed ON vault.credential (created_at) WHERE NOT kept;

-- Open sessions; a revoked one is gone.
CREATE TABLE vault.session (
    id         text PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    user_id    text NOT NULL,
    device     text NOT NULL,
    ip         text NOT NULL,
    created_at timestamptz NOT NULL,
    used_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX session_of_user ON vault.session (user_id);
CREATE INDEX session_expiry ON vault.session (expires_at);

-- Failed attempts per window; who is an HMAC of what is counted.
CREATE TABLE vault.attempt (
    who     bytea PRIMARY KEY,
    count   integer NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE INDEX attempt_end ON vault.attempt (ends_at);

-- Where a user has logged in from before, as an HMAC of both.
CREATE TABLE vault.known_source (
    who     bytea PRIMARY KEY,
    seen_at timestamptz NOT NULL
);

-- +goose Down
DROP TABLE vault.known_source, vault.attempt, vault.session, vault.credential, vault.subject_key, vault.secret;
