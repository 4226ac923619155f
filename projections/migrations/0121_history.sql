-- +goose Up
-- Who did what on each account, without a word of what was said.
CREATE TABLE read.history (
    commit_pos   bigint NOT NULL,
    prepare_pos  bigint NOT NULL,
    account      text NOT NULL,
    event_id     uuid NOT NULL,
    type         text NOT NULL,
    fact         text NOT NULL,
    stream       text NOT NULL,
    actor_kind   text NOT NULL,
    actor        text NOT NULL,
    impersonator text NOT NULL,
    token        text NOT NULL,
    on_behalf_of text NOT NULL,
    permission   text NOT NULL,
    delegation   text NOT NULL,
    occurred_at  timestamptz NOT NULL,
    PRIMARY KEY (commit_pos, prepare_pos)
);
CREATE INDEX history_account ON read.history (account, commit_pos DESC, prepare_pos DESC);

-- +goose Down
DROP TABLE read.history;
