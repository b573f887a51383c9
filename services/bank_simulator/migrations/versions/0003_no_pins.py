"""Encrypted PINs are not kept with legs that have ended."""

from alembic import op

revision = "0003"
down_revision = "0002"

_LEGS = """
UPDATE leg SET request = convert_to((convert_from(request, 'UTF8')::jsonb #- '{payer,credential}')::text, 'UTF8')
WHERE leg = 'DEBIT' AND state <> 'accepted' AND position('"credential"'::bytea IN request) > 0;
COMMENT ON COLUMN leg.request IS 'The message that asked for it; once it has ended, without the encrypted PIN.';
"""


def upgrade() -> None:
    """Take out those that are there."""
    op.execute(_LEGS)
