-- +goose Up
-- Staff find users by their whole address, and so is the owner of an account.
CREATE INDEX login_email ON read.login (lower(email));

-- +goose Down
DROP INDEX read.login_email;
