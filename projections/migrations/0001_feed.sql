-- +goose Up
CREATE SCHEMA IF NOT EXISTS read;
CREATE SCHEMA IF NOT EXISTS river;
CREATE SCHEMA IF NOT EXISTS web;

-- One row per lane: how far it has come, in which log, and who may move it on.
CREATE TABLE feed.lane (
    name          text PRIMARY KEY,
    log_id        uuid,
    commit_pos    bigint NOT NULL DEFAULT 0,
    prepare_pos   bigint NOT NULL DEFAULT 0,
    event_id      uuid,
    event_commit  bigint NOT NULL DEFAULT 0,
    event_prepare bigint NOT NULL DEFAULT 0,
    events        bigint NOT NULL DEFAULT 0,
    epoch         bigint NOT NULL DEFAULT 0,
    owner         text NOT NULL DEFAULT '',
    lease_until   timestamptz NOT NULL DEFAULT '-infinity',
    halted        text NOT NULL DEFAULT '',
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 50);

-- The fence: it moves a lane from exactly where its owner believes it to be,
-- and fails the whole transaction when somebody else has moved it.
-- +goose StatementBegin
CREATE FUNCTION feed.advance(
    of_lane text, of_epoch bigint, of_log uuid,
    from_commit bigint, from_prepare bigint,
    to_commit bigint, to_prepare bigint,
    at_event uuid, at_commit bigint, at_prepare bigint,
    handled bigint, lease interval
) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE feed.lane
    SET log_id = of_log,
        commit_pos = to_commit,
        prepare_pos = to_prepare,
        event_id = coalesce(at_event, event_id),
        event_commit = CASE WHEN at_event IS NULL THEN event_commit ELSE at_commit END,
        event_prepare = CASE WHEN at_event IS NULL THEN event_prepare ELSE at_prepare END,
        events = events + handled,
        lease_until = clock_timestamp() + lease,
        halted = '',
        updated_at = clock_timestamp()
    WHERE name = of_lane
      AND epoch = of_epoch
      AND commit_pos = from_commit
      AND prepare_pos = from_prepare;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'lane % is no longer ours at C:%/P:%', of_lane, from_commit, from_prepare
            USING ERRCODE = 'HF001';
    END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP SCHEMA IF EXISTS web CASCADE;
DROP SCHEMA IF EXISTS read CASCADE;
DROP FUNCTION feed.advance;
DROP TABLE feed.lane;
