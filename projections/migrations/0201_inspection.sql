-- +goose Up
-- Who looked at what the log holds of a person and no account owns.
CREATE TABLE read.inspection (
    id          text PRIMARY KEY,
    person      text NOT NULL,
    at          timestamptz NOT NULL,
    what        text NOT NULL,
    everybody   boolean NOT NULL,
    reader_kind text NOT NULL,
    reader      text NOT NULL
);
CREATE INDEX inspection_person ON read.inspection (person, at DESC, id DESC);

-- Since when a person is there.
CREATE TABLE read.person (
    id    text PRIMARY KEY,
    since timestamptz NOT NULL
);

-- +goose Down
DROP TABLE read.person;
DROP TABLE read.inspection;
