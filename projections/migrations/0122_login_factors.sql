-- +goose Up
ALTER TABLE read.login
    ADD COLUMN second_factor  boolean NOT NULL DEFAULT false,
    ADD COLUMN second_factors jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN passkeys       jsonb NOT NULL DEFAULT '[]';

-- +goose Down
ALTER TABLE read.login DROP COLUMN second_factor, DROP COLUMN second_factors, DROP COLUMN passkeys;
