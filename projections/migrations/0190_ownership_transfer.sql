-- +goose Up
-- Open offers to hand an account over, in the lane of accounts. One that has
-- ended is gone: the history has the rest.
CREATE TABLE read.ownership_transfer (
    id         text PRIMARY KEY,
    account    text NOT NULL,
    email      text NOT NULL,
    keep       jsonb,
    open_until timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX ownership_transfer_account ON read.ownership_transfer (account, created_at DESC, id DESC);

-- +goose Down
DROP TABLE read.ownership_transfer;
