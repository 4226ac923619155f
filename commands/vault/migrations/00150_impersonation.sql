-- +goose Up

-- As whom a staff member's session acts, and until when. The facts are in the
-- log; it ends with the session.
ALTER TABLE vault.session
    ADD COLUMN impersonation text NOT NULL DEFAULT '',
    ADD COLUMN acts_for      text NOT NULL DEFAULT '',
    ADD COLUMN acts_until    timestamptz;

-- +goose Down
ALTER TABLE vault.session DROP COLUMN impersonation, DROP COLUMN acts_for, DROP COLUMN acts_until;
