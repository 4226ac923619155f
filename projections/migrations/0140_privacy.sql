-- +goose Up

-- What a text reads as once its key is gone. Nothing was never encrypted.
CREATE FUNCTION feed.erased(v text) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$ SELECT CASE WHEN v = '' THEN v ELSE '[erased]' END $$;

-- The same for the fields with some names, in an object or in each of a list.
-- +goose StatementBegin
CREATE FUNCTION feed.erased(v jsonb, names text[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
AS $$
BEGIN
    CASE jsonb_typeof(v)
    WHEN 'array' THEN
        RETURN (SELECT coalesce(jsonb_agg(feed.erased(e, names) ORDER BY n), '[]')
                FROM jsonb_array_elements(v) WITH ORDINALITY AS t(e, n));
    WHEN 'object' THEN
        RETURN (SELECT coalesce(jsonb_object_agg(k, CASE
                    WHEN k = ANY(names) AND jsonb_typeof(e) = 'string' AND e <> '""' THEN '"[erased]"'
                    ELSE e
                END), '{}')
                FROM jsonb_each(v) AS t(k, e));
    ELSE
        RETURN v;
    END CASE;
END
$$;
-- +goose StatementEnd

-- The subject of the invited address's key.
ALTER TABLE read.delegation ADD COLUMN invitation text NOT NULL DEFAULT '';
CREATE INDEX delegation_invitation ON read.delegation (invitation);

-- Where each user's request for erasure stands.
CREATE TABLE read.erasure (
    id              text PRIMARY KEY,
    status          text NOT NULL,
    reasons         jsonb NOT NULL,
    accounts        jsonb NOT NULL,
    keys            jsonb NOT NULL,
    hold            text NOT NULL,
    requested_at    timestamptz,
    answered_at     timestamptz,
    completed_at    timestamptz,
    stream_revision bigint NOT NULL
);

-- Each user's mails, without a word of them.
CREATE TABLE read.mail (
    id              text PRIMARY KEY,
    user_id         text NOT NULL,
    template        text NOT NULL,
    status          text NOT NULL,
    queued_at       timestamptz NOT NULL,
    sent_at         timestamptz,
    stream_revision bigint NOT NULL
);
CREATE INDEX mail_of_user ON read.mail (user_id, queued_at, id);

-- +goose Down
DROP TABLE read.mail, read.erasure;
ALTER TABLE read.delegation DROP COLUMN invitation;
DROP FUNCTION feed.erased(jsonb, text[]), feed.erased(text);
