-- +goose Up
CREATE TABLE read.contact (
    id              text PRIMARY KEY,
    account         text NOT NULL,
    kind            text NOT NULL,
    name            text NOT NULL,
    organisation    text NOT NULL,
    email           text NOT NULL,
    email_verified  boolean NOT NULL,
    phone           text NOT NULL,
    address         jsonb NOT NULL,
    status          text NOT NULL,
    domains         text[] NOT NULL,
    created_at      timestamptz NOT NULL,
    stream_revision bigint NOT NULL
);
CREATE INDEX contact_account ON read.contact (account, created_at DESC, id DESC);
CREATE INDEX contact_email ON read.contact (lower(email));

-- A domain name's contacts, null before they were set.
ALTER TABLE read.domain_name ADD COLUMN contacts jsonb NOT NULL DEFAULT 'null';

-- +goose Down
ALTER TABLE read.domain_name DROP COLUMN contacts;
DROP TABLE read.contact;
