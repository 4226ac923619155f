-- +goose Up
-- What was answered to requests with an Idempotency-Key: never a body, never
-- an answer's text.
CREATE TABLE web.answer (
    command_id   uuid PRIMARY KEY,
    request_hash text NOT NULL,
    status       int NOT NULL,
    resource     text NOT NULL,
    revision     bigint NOT NULL,
    token        text NOT NULL,
    answered_at  timestamptz NOT NULL
);
CREATE INDEX answer_answered_at ON web.answer (answered_at);

-- +goose Down
DROP TABLE web.answer;
