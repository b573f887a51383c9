"""Participants and their addresses, transactions with their timeline, limits, disputes, and the phone's requests."""

from alembic import op

from suuupra import keyring, messages, schedule

revision = "0001"
down_revision = None

_PARTICIPANTS = """
CREATE TABLE participant (
    code          text        PRIMARY KEY,
    name          text        NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('bank', 'psp')),
    url           text        NOT NULL,
    jwks          jsonb       NOT NULL,
    encryption    jsonb,
    handle        text        UNIQUE,
    active        boolean     NOT NULL,
    registered_at timestamptz NOT NULL,
    asked_at      timestamptz,
    beat_at       timestamptz
);
COMMENT ON COLUMN participant.asked_at IS 'When the last ReqHbt was sent.';
COMMENT ON COLUMN participant.beat_at IS 'When the last RespHbt came.';

CREATE TABLE address (
    vpa         text    PRIMARY KEY,
    participant text    NOT NULL REFERENCES participant,
    name        text    NOT NULL,
    type        text    NOT NULL CHECK (type IN ('PERSON', 'ENTITY')),
    mcc         text    NOT NULL,
    bank        text    NOT NULL,
    number      text    NOT NULL,
    demo        boolean NOT NULL
);
CREATE INDEX address_demo ON address (name) WHERE demo;
COMMENT ON TABLE address IS 'The directory: whose a payment address is, who answers for it, where its money is.';
"""

_TRANSACTIONS = """
CREATE SEQUENCE rrn_number MINVALUE 0 MAXVALUE 999999 START 0 CYCLE;

CREATE TABLE txn (
    id              text        PRIMARY KEY,
    type            text        NOT NULL CHECK (type IN ('PAY', 'COLLECT', 'REFUND')),
    state           text        NOT NULL,
    code            text,
    rrn             text        NOT NULL UNIQUE,
    amount_minor    bigint      NOT NULL CHECK (amount_minor > 0),
    note            text        NOT NULL,
    ref_id          text,
    mode            text        NOT NULL,
    org_txn_id      text        REFERENCES txn,
    initiator       text        NOT NULL,
    request_id      uuid        NOT NULL,
    fingerprint     bytea       NOT NULL,
    payer_vpa       text        NOT NULL,
    payer_name      text        NOT NULL,
    payer_bank      text        NOT NULL,
    payer_number    text        NOT NULL,
    payee_vpa       text        NOT NULL,
    payee_name      text        NOT NULL,
    payee_type      text        NOT NULL,
    payee_mcc       text        NOT NULL,
    payee_psp       text        NOT NULL,
    payee_bank      text        NOT NULL,
    payee_number    text        NOT NULL,
    credential      text,
    checks          integer     NOT NULL DEFAULT 0,
    reversals       integer     NOT NULL DEFAULT 0,
    late_credit     boolean     NOT NULL DEFAULT false,
    told            text,
    refunded_minor  bigint      NOT NULL DEFAULT 0 CHECK (refunded_minor BETWEEN 0 AND amount_minor),
    counted_in      text,
    counted_on      date,
    expires_at      timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX txn_ref ON txn (ref_id) WHERE ref_id IS NOT NULL;
CREATE INDEX txn_newest ON txn (created_at DESC, id DESC);
COMMENT ON COLUMN txn.initiator IS 'The participant that sent ReqPay.';
COMMENT ON COLUMN txn.fingerprint IS 'SHA-256 of what was asked: the id never passes for other content (M4).';
COMMENT ON COLUMN txn.credential IS 'The PIN, encrypted for the payer''s bank; gone once it was sent there.';
COMMENT ON COLUMN txn.told IS 'The last result that was told.';
COMMENT ON COLUMN txn.refunded_minor IS 'What refunds took or are taking; never more than the amount (M5).';
COMMENT ON COLUMN txn.counted_in IS 'The limit whose day it counts in; null when it does not count (any more).';

CREATE TABLE leg (
    txn_id      text        NOT NULL REFERENCES txn,
    leg         text        NOT NULL CHECK (leg IN ('DEBIT', 'CREDIT', 'REVERSAL')),
    bank        text        NOT NULL,
    message_id  uuid        NOT NULL,
    sent_at     timestamptz NOT NULL,
    answered_at timestamptz,
    code        text,
    approval    text,
    PRIMARY KEY (txn_id, leg)
);
CREATE INDEX leg_bank ON leg (bank, sent_at);

CREATE TABLE txn_event (
    id     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    txn_id text        NOT NULL REFERENCES txn,
    at     timestamptz NOT NULL,
    note   text        NOT NULL,
    state  text        NOT NULL,
    code   text,
    detail jsonb       NOT NULL
);
CREATE INDEX txn_event_txn ON txn_event (txn_id, id);
COMMENT ON TABLE txn_event IS 'What happened to a transaction, in order; the app may only add to it.';

CREATE TABLE dispute (
    id           uuid        PRIMARY KEY,
    txn_id       text        NOT NULL REFERENCES txn,
    kind         text        NOT NULL,
    amount_minor bigint      NOT NULL,
    raised_by    text        NOT NULL,
    reason       text        NOT NULL,
    opened_at    timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    resolved_at  timestamptz,
    resolution   text,
    UNIQUE (txn_id, kind)
);
CREATE INDEX dispute_newest ON dispute (opened_at DESC, id DESC);

CREATE TABLE spending (
    bank   text    NOT NULL,
    number text    NOT NULL,
    day    date    NOT NULL,
    name   text    NOT NULL,
    minor  bigint  NOT NULL CHECK (minor >= 0),
    count  integer NOT NULL CHECK (count >= 0),
    PRIMARY KEY (bank, number, day, name)
) WITH (fillfactor = 80);
COMMENT ON TABLE spending IS 'What an account paid on a day (in India) under a limit.';
"""

_PHONE = """
CREATE TABLE payment_request (
    id           uuid        PRIMARY KEY,
    txn_id       text        NOT NULL UNIQUE,
    payer_vpa    text        NOT NULL,
    payee_vpa    text        NOT NULL,
    payee_name   text        NOT NULL,
    payee_mcc    text        NOT NULL,
    verified     boolean     NOT NULL,
    amount_minor bigint      NOT NULL CHECK (amount_minor > 0),
    note         text        NOT NULL,
    ref_id       text,
    mode         text        NOT NULL,
    origin       text        NOT NULL CHECK (origin IN ('link', 'collect')),
    state        text        NOT NULL CHECK (state IN ('pending', 'sent', 'declined', 'expired')),
    expires_at   timestamptz NOT NULL,
    created_at   timestamptz NOT NULL
);
CREATE INDEX payment_request_payer ON payment_request (payer_vpa, created_at DESC);
COMMENT ON TABLE payment_request IS 'What the payer''s app shows for approval. The transaction''s id is fixed before: approved twice is paid once.';
"""

_APPEND_ONLY = """
DO $$
DECLARE grantee text;
BEGIN
    FOR grantee IN
        SELECT DISTINCT g.grantee FROM information_schema.role_table_grants g
        WHERE g.table_schema = current_schema() AND g.table_name = 'txn_event'
            AND g.grantee <> (SELECT tableowner FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'txn_event')
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON txn_event FROM %s',
            CASE grantee WHEN 'PUBLIC' THEN 'PUBLIC' ELSE quote_ident(grantee) END);
    END LOOP;
END $$;
"""


def upgrade() -> None:
    """Make every table."""
    messages.create_tables(op)
    keyring.create_table(op)
    schedule.create_table(op)
    for statements in (_PARTICIPANTS, _TRANSACTIONS, _PHONE, _APPEND_ONLY):
        op.execute(statements)
