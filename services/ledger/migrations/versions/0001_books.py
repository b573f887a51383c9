"""The books: accounts, journals and their entries, the chain over them, and what is derived of it."""

from alembic import op

from suuupra import schedule
from suuupra.migrations import kit_tables

revision = "0001"
down_revision = None

_CHAIN = """
CREATE TABLE head (
    id        smallint    PRIMARY KEY CHECK (id = 1),
    sequence  bigint      NOT NULL,
    hash      bytea       NOT NULL,
    frontier  bytea       NOT NULL,
    posted_at timestamptz NOT NULL
) WITH (fillfactor = 10);
COMMENT ON TABLE head IS 'The end of the chain. Whoever appends locks it first, so the chain cannot fork.';
INSERT INTO head VALUES (1, 0, decode('8dc98e6caffbe0661143c9651580ee1068c1251bd9d7cf0d74b68af10cdbee94', 'hex'), '',
    '2000-01-01T00:00:00Z'); -- the hash of the genesis: nothing changes it

CREATE TABLE journal (
    sequence     bigint      PRIMARY KEY CHECK (sequence > 0),
    id           uuid        NOT NULL,
    kind         text        NOT NULL CHECK (kind IN
        ('account', 'transfer', 'exchange', 'hold', 'post', 'void', 'expire', 'reversal')),
    effective_at timestamptz NOT NULL,
    posted_at    timestamptz NOT NULL,
    description  text        NOT NULL,
    reference    text,
    related      uuid,
    details      jsonb       NOT NULL,
    leaf         bytea       NOT NULL,
    hash         bytea       NOT NULL,
    CONSTRAINT journal_id UNIQUE (id)
);
CREATE INDEX journal_reference ON journal (reference) WHERE reference IS NOT NULL;
CREATE INDEX journal_kind ON journal (kind, sequence) WHERE kind <> 'transfer';
CREATE UNIQUE INDEX journal_resolution ON journal (related) WHERE kind IN ('post', 'void', 'expire');
CREATE UNIQUE INDEX journal_reversal ON journal (related) WHERE kind = 'reversal';
COMMENT ON COLUMN journal.id IS 'Given by whoever posts: a payment''s or refund''s own id, so that it is posted once.';
COMMENT ON COLUMN journal.leaf IS 'SHA-256 of 0x00 and the canonical JSON of the row with its entries.';
COMMENT ON COLUMN journal.hash IS 'The chain: SHA-256 over the hash before and the leaf.';

CREATE TABLE entry (
    sequence     bigint      NOT NULL,
    leg          smallint    NOT NULL,
    transfer     smallint    NOT NULL,
    pending      boolean     NOT NULL,
    account      text        COLLATE "C" NOT NULL,
    currency     text        NOT NULL,
    side         text        NOT NULL CHECK (side IN ('debit', 'credit')),
    amount       bigint      NOT NULL CHECK (amount <> 0 AND (amount > 0 OR pending)),
    effective_at timestamptz NOT NULL,
    seal         bigint      NOT NULL,
    PRIMARY KEY (sequence, leg)
);
CREATE INDEX entry_account ON entry (account, effective_at, sequence, leg);
COMMENT ON TABLE entry IS 'No foreign keys: a row-level trigger each would double the time of a posting; the writer '
    'holds the head''s lock and has read the accounts, and the verifier names an entry without journal or account.';
COMMENT ON COLUMN entry.seal IS '64 bits of the entry''s hash: they tell which entry of a broken journal was changed.';

CREATE TABLE tree_node (
    level smallint NOT NULL CHECK (level > 0),
    index bigint   NOT NULL,
    hash  bytea    NOT NULL,
    PRIMARY KEY (level, index)
);
COMMENT ON TABLE tree_node IS 'Inner nodes of the Merkle tree at each eighth level; the leaves are in journal.';

CREATE TABLE checkpoint (
    size   bigint      PRIMARY KEY,
    hash   bytea       NOT NULL,
    root   bytea       NOT NULL,
    at     timestamptz NOT NULL,
    key_id text        NOT NULL,
    signed text        NOT NULL
);
COMMENT ON TABLE checkpoint IS 'A copy of what was signed and put into the object store, for reading.';
"""

_DERIVED = """
CREATE TABLE account (
    code            text     COLLATE "C" PRIMARY KEY,
    name            text     NOT NULL,
    kind            text     NOT NULL CHECK (kind IN ('asset', 'liability', 'equity', 'revenue', 'expense')),
    currency        text     NOT NULL,
    side            text     NOT NULL CHECK (side IN ('debit', 'credit')),
    minimum         bigint,
    maximum         bigint,
    state           text     NOT NULL CHECK (state IN ('open', 'closed')),
    version         integer  NOT NULL,
    debits          bigint   NOT NULL CHECK (debits >= 0),
    credits         bigint   NOT NULL CHECK (credits >= 0),
    pending_debits  bigint   NOT NULL CHECK (pending_debits >= 0),
    pending_credits bigint   NOT NULL CHECK (pending_credits >= 0),
    CONSTRAINT account_minimum CHECK (minimum IS NULL OR minimum <= CASE side
        WHEN 'debit' THEN debits::numeric - credits - pending_credits
        ELSE credits::numeric - debits - pending_debits END),
    CONSTRAINT account_maximum CHECK (maximum IS NULL OR maximum >= CASE side
        WHEN 'debit' THEN debits::numeric + pending_debits - credits
        ELSE credits::numeric + pending_credits - debits END)
) WITH (fillfactor = 50);
COMMENT ON TABLE account IS 'A fold of the journals: `ledger rebuild` makes it anew, and the same.';
COMMENT ON COLUMN account.minimum IS 'Of the balance on the account''s own side, in minor units, holds included.';

CREATE TABLE balance_day (
    account text   COLLATE "C" NOT NULL,
    day     date   NOT NULL,
    debits  bigint NOT NULL,
    credits bigint NOT NULL,
    PRIMARY KEY (account, day)
) WITH (fillfactor = 50);
COMMENT ON TABLE balance_day IS 'Posted debits and credits by effective day (UTC): a balance in the past adds up days.';

CREATE TABLE hold (
    journal_id  uuid        PRIMARY KEY,
    sequence    bigint      NOT NULL UNIQUE,
    expires_at  timestamptz NOT NULL,
    state       text        NOT NULL CHECK (state IN ('pending', 'posted', 'voided', 'expired')),
    resolved_by bigint,
    CHECK ((state = 'pending') = (resolved_by IS NULL))
);
CREATE INDEX hold_due ON hold (expires_at) WHERE state = 'pending';
"""

# One look per statement at the rows that it added, whoever added them.
_DOUBLE_ENTRY = """
CREATE FUNCTION entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM added GROUP BY sequence, transfer
        HAVING sum(CASE side WHEN 'debit' THEN amount ELSE -amount END) <> 0
            OR min(currency) <> max(currency) OR bool_or(pending) <> bool_and(pending)
    ) THEN
        RAISE EXCEPTION 'a transfer has debits equal to credits, in one currency'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'entry_balances', TABLE = 'entry';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER entry_balances AFTER INSERT ON entry REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION entry_balances();
"""

# The service's own role lacks the right; the trigger also stops the owner of the tables.
_IMMUTABLE = """
CREATE FUNCTION never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% never changes: correct the books by a new journal', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
DO $$
DECLARE
    sealed text;
    reader text;
BEGIN
    FOREACH sealed IN ARRAY ARRAY['journal', 'entry', 'tree_node', 'checkpoint'] LOOP
        EXECUTE format('CREATE TRIGGER never_changes BEFORE UPDATE OR DELETE OR TRUNCATE ON %I'
            ' FOR EACH STATEMENT EXECUTE FUNCTION never_changes()', sealed);
        FOR reader IN
            SELECT DISTINCT grantee::regrole::text FROM pg_class, aclexplode(relacl)
            WHERE oid = sealed::regclass AND grantee <> relowner AND grantee <> 0
        LOOP
            EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %I FROM %s', sealed, reader);
        END LOOP;
    END LOOP;
END $$;
"""


def upgrade() -> None:
    """Make every table."""
    kit_tables.create(op)
    schedule.create_table(op)
    for statements in (_CHAIN, _DERIVED, _DOUBLE_ENTRY, _IMMUTABLE):
        op.execute(statements)
