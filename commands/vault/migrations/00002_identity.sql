-- +goose Up

-- Sessions end with this: where they came from was kept in clear.
DROP TABLE vault.known_source, vault.attempt, vault.session;

-- Open sessions; a revoked one is gone. The address is sealed with the key of
-- the month. A session that is not used for idle_for is over.
CREATE TABLE vault.session (
    id         text PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    user_id    text NOT NULL,
    browser    text NOT NULL,
    system     text NOT NULL,
    ip_key     text NOT NULL,
    ip_sealed  bytea NOT NULL,
    created_at timestamptz NOT NULL,
    used_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    idle_for   interval NOT NULL
);
CREATE INDEX session_of_user ON vault.session (user_id);
CREATE INDEX session_expiry ON vault.session (expires_at);

-- Attempts at what is limited; who is an HMAC of what is counted. The next one
-- is taken from open_at on; after ends_at the count begins anew.
CREATE TABLE vault.attempt (
    who     bytea PRIMARY KEY,
    count   integer NOT NULL,
    open_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE INDEX attempt_end ON vault.attempt (ends_at);

-- What users have logged in from, as an HMAC of the device and the address.
CREATE TABLE vault.known_device (
    who     bytea PRIMARY KEY,
    user_id text NOT NULL,
    seen_at timestamptz NOT NULL
);
CREATE INDEX known_device_of_user ON vault.known_device (user_id);
CREATE INDEX known_device_seen ON vault.known_device (seen_at);

-- Log-ins of users, and attempts at them.
CREATE TABLE vault.login (
    id        text PRIMARY KEY,
    user_id   text NOT NULL,
    at        timestamptz NOT NULL,
    outcome   text NOT NULL,
    browser   text NOT NULL,
    system    text NOT NULL,
    ip_key    text NOT NULL,
    ip_sealed bytea NOT NULL,
    observed  boolean NOT NULL DEFAULT false
);
CREATE INDEX login_of_user ON vault.login (user_id, at DESC, id DESC);
CREATE INDEX login_age ON vault.login (at);
CREATE INDEX login_unobserved ON vault.login (at) WHERE NOT observed;

-- The links that were mailed: what each is good for, and until when. The
-- secret of a link is not here; it derives from the pepper and the id.
CREATE TABLE vault.mail_token (
    id         text PRIMARY KEY,
    purpose    text NOT NULL,
    user_id    text NOT NULL,
    credential text NOT NULL,
    expires_at timestamptz NOT NULL,
    spent_at   timestamptz
);
CREATE INDEX mail_token_of_user ON vault.mail_token (user_id);
CREATE INDEX mail_token_expiry ON vault.mail_token (expires_at);

-- +goose Down
DROP TABLE vault.mail_token, vault.login, vault.known_device, vault.attempt, vault.session;
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
CREATE TABLE vault.attempt (
    who     bytea PRIMARY KEY,
    count   integer NOT NULL,
    ends_at timestamptz NOT NULL
);
CREATE INDEX attempt_end ON vault.attempt (ends_at);
CREATE TABLE vault.known_source (
    who     bytea PRIMARY KEY,
    seen_at timestamptz NOT NULL
);
