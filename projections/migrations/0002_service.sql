-- +goose Up
CREATE TABLE read.service (
    id                 text PRIMARY KEY,
    account            text NOT NULL,
    name               text NOT NULL,
    label              text NOT NULL,
    status             text NOT NULL,
    product            text NOT NULL,
    cycle              text NOT NULL,
    renews_on          text NOT NULL,
    suspension_reasons text[] NOT NULL,
    created_at         timestamptz NOT NULL,
    stream_revision    bigint NOT NULL
);
CREATE INDEX service_account ON read.service (account, created_at DESC, id DESC);

-- +goose Down
DROP TABLE read.service;
