-- +goose Up
ALTER TABLE read.login ADD COLUMN email_verified boolean NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE read.login DROP COLUMN email_verified;
