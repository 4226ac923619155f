-- +goose Up
ALTER TABLE read.login ADD COLUMN factor_reset jsonb;

-- +goose Down
ALTER TABLE read.login DROP COLUMN factor_reset;
