-- +goose Up

-- What the password's attempt took of the counters, by their HMACs: it is given
-- back once, when the challenge is answered. Open log-ins begin anew.
DELETE FROM vault.challenge;
ALTER TABLE vault.challenge ADD COLUMN attempt jsonb NOT NULL;

-- +goose Down
ALTER TABLE vault.challenge DROP COLUMN attempt;
