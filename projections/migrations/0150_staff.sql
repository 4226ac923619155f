-- +goose Up
-- Who works for the company; names and addresses are those of read.login.
CREATE TABLE read.staff_member (
    id              text PRIMARY KEY,
    role            text NOT NULL,
    active          boolean NOT NULL,
    hired_at        timestamptz NOT NULL,
    stream_revision bigint NOT NULL
);
CREATE INDEX staff_member_hired ON read.staff_member (hired_at DESC, id DESC);

-- +goose Down
DROP TABLE read.staff_member;
