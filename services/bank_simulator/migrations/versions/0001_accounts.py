"""Accounts, the entries that make their balances, legs of the rail, and holds. Entries are added and never changed."""

from alembic import op

from suuupra import keyring, messages, schedule

revision = "0001"
down_revision = None

_ACCOUNTS = """
CREATE TABLE account (
    number        text        PRIMARY KEY,
    name          text        NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('customer', 'merchant')),
    vpa           text        UNIQUE,
    balance_minor bigint      NOT NULL DEFAULT 0,
    held_minor    bigint      NOT NULL DEFAULT 0 CHECK (held_minor >= 0),
    pin_hash      text,
    pin_failures  integer     NOT NULL DEFAULT 0,
    pin_blocked_until timestamptz,
    demo          boolean     NOT NULL,
    opened_at     timestamptz NOT NULL,
    CONSTRAINT account_covered CHECK (balance_minor >= held_minor)
) WITH (fillfactor = 70);
COMMENT ON TABLE account IS 'Of customers and merchants; the bank''s own accounts exist in its entries only.';

CREATE TABLE posting (
    id      uuid        PRIMARY KEY,
    rail    text        NOT NULL,
    txn_id  text        NOT NULL,
    leg     text        NOT NULL,
    rrn     text,
    ref_id  text,
    counterparty text,
    note    text        NOT NULL,
    at      timestamptz NOT NULL,
    UNIQUE (rail, txn_id, leg)
);
COMMENT ON TABLE posting IS 'Bookings: one per rail, transaction and leg.';

CREATE TABLE entry (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    posting_id    uuid        NOT NULL REFERENCES posting,
    account       text        NOT NULL,
    amount_minor  bigint      NOT NULL CHECK (amount_minor <> 0),
    balance_minor bigint,
    at            timestamptz NOT NULL
);
CREATE INDEX entry_account ON entry (account, id);
CREATE INDEX entry_posting ON entry (posting_id);
COMMENT ON COLUMN entry.balance_minor IS 'Of the account after it; null for the bank''s own accounts.';

CREATE FUNCTION posting_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(amount_minor) FROM entry WHERE posting_id = NEW.posting_id) <> 0 THEN
        RAISE EXCEPTION 'posting % does not balance', NEW.posting_id USING ERRCODE = 'check_violation', CONSTRAINT = 'posting_balances';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER posting_balances AFTER INSERT ON entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION posting_balances();

CREATE TABLE hold (
    id           uuid        PRIMARY KEY,
    account      text        NOT NULL REFERENCES account,
    reference    text        NOT NULL,
    amount_minor bigint      NOT NULL CHECK (amount_minor > 0),
    state        text        NOT NULL CHECK (state IN ('active', 'captured', 'released', 'expired')),
    expires_at   timestamptz NOT NULL,
    created_at   timestamptz NOT NULL,
    UNIQUE (account, reference)
);
"""

_RAIL = """
CREATE TABLE leg (
    rail        text        NOT NULL,
    txn_id      text        NOT NULL,
    leg         text        NOT NULL CHECK (leg IN ('DEBIT', 'CREDIT', 'REVERSAL')),
    fingerprint bytea       NOT NULL,
    state       text        NOT NULL CHECK (state IN ('accepted', 'done', 'refused', 'dropped', 'void')),
    code        text,
    posting_id  uuid        REFERENCES posting,
    request     bytea       NOT NULL,
    taken_at    timestamptz NOT NULL,
    ended_at    timestamptz,
    PRIMARY KEY (rail, txn_id, leg)
);
COMMENT ON TABLE leg IS 'What the rail asked for, once per transaction and leg, and what came of it.';
COMMENT ON COLUMN leg.fingerprint IS 'SHA-256 of what is asked: the key never passes for other content (M4).';
COMMENT ON COLUMN leg.state IS 'dropped: lost inside the bank, as its profile has it. void: a debit that was taken back before it came.';
"""

_APPEND_ONLY = """
DO $$
DECLARE grantee text; protected text;
BEGIN
    FOREACH protected IN ARRAY ARRAY['entry', 'posting'] LOOP
        FOR grantee IN
            SELECT DISTINCT g.grantee FROM information_schema.role_table_grants g
            WHERE g.table_schema = current_schema() AND g.table_name = protected AND g.grantee <>
                (SELECT tableowner FROM pg_tables WHERE schemaname = current_schema() AND tablename = protected)
        LOOP
            EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %I FROM %s', protected,
                CASE grantee WHEN 'PUBLIC' THEN 'PUBLIC' ELSE quote_ident(grantee) END);
        END LOOP;
    END LOOP;
END $$;
"""


def upgrade() -> None:
    """Make every table; then take from the app what it must not do (M13)."""
    messages.create_tables(op)
    keyring.create_table(op)
    schedule.create_table(op)
    for statements in (_ACCOUNTS, _RAIL, _APPEND_ONLY):
        op.execute(statements)
