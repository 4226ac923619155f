-- +goose Up
-- Whom invoices are made out to; null while it is the profile.
ALTER TABLE read.account ADD COLUMN billing jsonb NOT NULL DEFAULT 'null';

-- +goose Down
ALTER TABLE read.account DROP COLUMN billing;
