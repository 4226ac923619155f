-- +goose Up
-- Where an account stands: open, closing or closed.
ALTER TABLE read.account
    ADD COLUMN status        text NOT NULL DEFAULT 'open',
    ADD COLUMN status_at     timestamptz,
    ADD COLUMN close_refused jsonb NOT NULL DEFAULT 'null';

-- +goose Down
ALTER TABLE read.account DROP COLUMN status, DROP COLUMN status_at, DROP COLUMN close_refused;
