-- +goose Up
-- Under which impersonation a staff member acted.
ALTER TABLE read.history ADD COLUMN impersonation text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE read.history DROP COLUMN impersonation;
