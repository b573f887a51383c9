"""Mail that nobody switched off is not unwanted: of its kind none is sent unless it is asked for."""

from alembic import op

revision = "0003"
down_revision = "0002"

_STATES = """
-- The same check with one state more: it takes all that old pods write.
-- squawk-ignore ban-drop-constraint, ban-new-write-restriction
ALTER TABLE mail DROP CONSTRAINT mail_state_check, ADD CONSTRAINT mail_state_check
    CHECK (state IN ('waiting', 'due', 'sending', 'sent', 'refused', 'unwanted', 'off', 'expired'));
"""
_OFF = """
UPDATE mail m SET state = 'off'
FROM (VALUES ('payment_succeeded', 'payments'), ('payment_failed', 'payments'),
    ('entitlement_granted', 'learning'), ('entitlement_revoked', 'learning')) AS off_at_first (kind, category)
WHERE m.state = 'unwanted' AND m.kind = off_at_first.kind AND NOT EXISTS (
    SELECT FROM preference p
    WHERE p.user_id = m.user_id AND p.category = off_at_first.category AND p.channel = 'email');
"""


def upgrade() -> None:
    """Add the state, and give it to what was not sent to people who chose nothing."""
    op.execute(_STATES)
    op.execute(_OFF)
