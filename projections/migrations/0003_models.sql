-- +goose Up
CREATE TABLE read.domain_name (
    id              text PRIMARY KEY,
    account         text NOT NULL,
    name            text NOT NULL,
    status          text NOT NULL,
    registered_on   text NOT NULL,
    expires_on      text NOT NULL,
    created_at      timestamptz NOT NULL,
    stream_revision bigint NOT NULL
);
CREATE INDEX domain_name_account ON read.domain_name (account, created_at DESC, id DESC);
CREATE INDEX domain_name_name ON read.domain_name (account, name);

CREATE TABLE read.invoice (
    id              text PRIMARY KEY,
    account         text NOT NULL,
    number          text NOT NULL,
    status          text NOT NULL,
    currency        text NOT NULL,
    issued_on       text NOT NULL,
    due_on          text NOT NULL,
    lines           jsonb NOT NULL,
    totals          jsonb NOT NULL,
    vat_breakdown   jsonb NOT NULL,
    payments        jsonb NOT NULL,
    seller          jsonb,
    buyer           jsonb,
    created_at      timestamptz NOT NULL,
    stream_revision bigint NOT NULL
);
CREATE INDEX invoice_account ON read.invoice (account, created_at DESC, id DESC);
CREATE INDEX invoice_account_status ON read.invoice (account, status, created_at DESC, id DESC);

CREATE TABLE read.credit_note (
    id              text PRIMARY KEY,
    account         text NOT NULL,
    number          text NOT NULL,
    invoice         text NOT NULL,
    invoice_number  text NOT NULL,
    issued_on       text NOT NULL,
    reason          text NOT NULL,
    lines           jsonb NOT NULL,
    totals          jsonb NOT NULL,
    vat_breakdown   jsonb NOT NULL,
    created_at      timestamptz NOT NULL,
    stream_revision bigint NOT NULL
);
CREATE INDEX credit_note_account ON read.credit_note (account, created_at DESC, id DESC);

CREATE TABLE read.ticket (
    id              text PRIMARY KEY,
    account         text NOT NULL,
    number          text NOT NULL,
    subject         text NOT NULL,
    status          text NOT NULL,
    department      text NOT NULL,
    priority        text NOT NULL,
    related         jsonb,
    reopen_until    timestamptz,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    stream_revision bigint NOT NULL
);
CREATE INDEX ticket_account ON read.ticket (account, created_at DESC, id DESC);
CREATE INDEX ticket_created ON read.ticket (created_at DESC, id DESC);

CREATE TABLE read.ticket_message (
    id      text PRIMARY KEY,
    ticket  text NOT NULL,
    author  text NOT NULL,
    message text NOT NULL,
    at      timestamptz NOT NULL,
    number  bigint NOT NULL
);
CREATE INDEX ticket_message_ticket ON read.ticket_message (ticket, number);

CREATE TABLE read.announcement (
    id              text PRIMARY KEY,
    title           text NOT NULL,
    body            text NOT NULL,
    published_at    timestamptz,
    stream_revision bigint NOT NULL
);
CREATE INDEX announcement_published ON read.announcement (published_at DESC, id DESC);

CREATE TABLE read.notification (
    id              text PRIMARY KEY,
    account         text NOT NULL,
    class           text NOT NULL,
    title           text NOT NULL,
    body            text NOT NULL,
    related         jsonb,
    read_at         timestamptz,
    created_at      timestamptz NOT NULL,
    stream_revision bigint NOT NULL
);
CREATE INDEX notification_account ON read.notification (account, created_at DESC, id DESC);

CREATE TABLE read.account (
    id              text PRIMARY KEY,
    owner           text NOT NULL,
    name            text NOT NULL,
    kind            text NOT NULL,
    country         text NOT NULL,
    currency        text NOT NULL,
    vat_number      text NOT NULL,
    address         jsonb NOT NULL,
    created_at      timestamptz NOT NULL,
    stream_revision bigint NOT NULL
);
CREATE INDEX account_created ON read.account (created_at DESC, id DESC);

CREATE TABLE read.rights (
    holder   text PRIMARY KEY,
    role     text NOT NULL,
    accounts jsonb NOT NULL
);

CREATE TABLE read.login (
    id              text PRIMARY KEY,
    email           text NOT NULL,
    name            text NOT NULL,
    locale          text NOT NULL,
    stream_revision bigint NOT NULL
);

CREATE TABLE read.product (
    id              text PRIMARY KEY,
    code            text NOT NULL,
    name            text NOT NULL,
    version         bigint NOT NULL,
    prices          jsonb NOT NULL,
    retired         boolean NOT NULL,
    created_at      timestamptz NOT NULL,
    stream_revision bigint NOT NULL
);
CREATE INDEX product_created ON read.product (created_at DESC, id DESC);

CREATE TABLE read.dashboard (
    account              text PRIMARY KEY,
    services             bigint NOT NULL,
    domains              bigint NOT NULL,
    unpaid_invoices      bigint NOT NULL,
    open_tickets         bigint NOT NULL,
    unread_notifications bigint NOT NULL,
    active_services      jsonb NOT NULL,
    latest_tickets       jsonb NOT NULL,
    name                 text NOT NULL,
    country              text NOT NULL,
    state                jsonb NOT NULL
);

-- Where each account's public events are in the log, for the event feed.
CREATE TABLE read.event_pointer (
    commit_pos  bigint NOT NULL,
    prepare_pos bigint NOT NULL,
    account     text NOT NULL,
    type        text NOT NULL,
    stream      text NOT NULL,
    revision    bigint NOT NULL,
    PRIMARY KEY (commit_pos, prepare_pos)
);
CREATE INDEX event_pointer_account ON read.event_pointer (account, commit_pos, prepare_pos);

-- +goose Down
DROP TABLE read.event_pointer, read.dashboard, read.product, read.login, read.rights, read.account, read.notification,
    read.announcement, read.ticket_message, read.ticket, read.credit_note, read.invoice, read.domain_name;
