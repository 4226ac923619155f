-- +goose Up
-- Whether who reads an address's mail may be another than who knows its log-in's
-- password.
ALTER TABLE read.login ADD COLUMN email_apart boolean NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE read.login DROP COLUMN email_apart;
