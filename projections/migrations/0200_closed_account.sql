-- +goose Up
-- Which accounts are only read, by whoever holds anything on them. Until now the
-- owner's row alone said so, and it is what this lane has come to: read.account
-- is another lane's, which may be behind or ahead.
CREATE TABLE read.closed_account (
    account text PRIMARY KEY
);
INSERT INTO read.closed_account (account)
SELECT DISTINCT held.key
FROM (SELECT accounts FROM read.rights WHERE jsonb_typeof(accounts) = 'object') r, jsonb_each(r.accounts) held
WHERE (held.value ->> 'closed')::boolean;
UPDATE read.rights
SET accounts = (SELECT jsonb_object_agg(held.key, held.value - 'closed') FROM jsonb_each(accounts) held)
WHERE accounts::text LIKE '%"closed"%';

-- +goose Down
UPDATE read.rights
SET accounts = (
    SELECT jsonb_object_agg(held.key, CASE
        WHEN (held.value ->> 'owner')::boolean AND c.account IS NOT NULL THEN held.value || '{"closed": true}'
        ELSE held.value
    END)
    FROM jsonb_each(accounts) held
    LEFT JOIN read.closed_account c ON c.account = held.key
)
WHERE EXISTS (SELECT FROM read.closed_account c WHERE accounts ? c.account);
DROP TABLE read.closed_account;
