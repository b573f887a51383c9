"""Encrypted PINs are not kept with messages that have ended."""

from alembic import op

revision = "0003"
down_revision = "0002"

_MESSAGES = """
UPDATE message_out SET body = convert_to((convert_from(body, 'UTF8')::jsonb #- '{payer,credential}')::text, 'UTF8')
WHERE outcome IS NOT NULL AND position('"credential"'::bytea IN body) > 0;
COMMENT ON COLUMN txn.credential IS 'The PIN, encrypted for the payer''s bank; gone once the debit''s message has it, which loses it when it ends.';
"""


def upgrade() -> None:
    """Take out those that are there."""
    op.execute(_MESSAGES)
