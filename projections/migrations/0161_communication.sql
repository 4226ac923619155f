-- +goose Up
-- Which mail an account gets, as it is chosen when the account is opened.
ALTER TABLE read.account ADD COLUMN communication jsonb NOT NULL DEFAULT '{"legal": true, "security": true, "services": true, "tickets": true, "news": false}';

-- +goose Down
ALTER TABLE read.account DROP COLUMN communication;
